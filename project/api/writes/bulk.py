"""Many objects of one kind in one request: `POST /api/{kind}/bulk/`. docs/bulk.md shows it.

Deletions come first, then updates, then what is new. What all items of a list do is planned
together, so the number of statements does not depend on how many they are; what a viewset does by
a method of its own, as `perform_create`, is done item by item.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models.deletion import ProtectedError, RestrictedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from ..http.handlers import as_api_exception
from ..http.problems import Fault, PreconditionFailed, PreconditionRequired, Refused, pointer
from ..http.resources import Resource, lookup_kwargs
from ..http.views import View
from ..models import AggregateRoot
from .bulk_answers import answer, read_documents
from .bulk_items import METHODS, STATUSES, Item, Refusal, RefusedBulk
from .deletions import in_use
from .former_keys import mergers
from .transactions import Change, delete_locked, retry, write_locked

# What an app may do otherwise, by the modules in which it is as the contract has it.
HOOKS = {
    "create": ["create", "perform_create"],
    "update": ["update", "partial_update", "perform_update", "get_object", "get_update_response"],
    "delete": ["destroy", "perform_destroy", "get_object", "delete_within"],
}
SERIALIZER_HOOKS = ["save", "is_valid"]
OWN_MODULES = ("rest_framework.", "project.api.")


class VersionRequired(PreconditionRequired):
    default_detail = "Give the `version` of what you have read."


def item_view(view: View, action: str) -> View:
    """The view as it would be asked for one item of this list."""
    resource = Resource(type(view), {"basename": view.basename}, "")
    each = resource.view(view.request, METHODS[action])
    each.detail = action != "create"
    each.headers = view.headers
    return each


def require_some_permission(view: View) -> None:
    """Raise what refuses who may carry out no item at all, before the body is looked at."""
    refusals: list[APIException] = []
    for action in reversed(METHODS):
        each = item_view(view, action)
        try:
            each.check_permissions(each.request)
        except (exceptions.NotAuthenticated, exceptions.PermissionDenied) as error:
            refusals.append(error)
        else:
            return
    raise refusals[0]


class Bulk:
    """The items of one request, carried out by a viewset as if each came to its own URL.

    `render` makes JSON of what the viewset's own methods answer.
    """

    def __init__(
        self,
        view: View,
        items: Sequence[Item],
        render: Callable[[object], bytes],
        *,
        is_partial: bool,
    ) -> None:
        self.view = view
        self.items = items
        self.render = render
        self.is_partial = is_partial
        self.model: type[AggregateRoot] = view.get_queryset().model
        self.views = {action: item_view(view, action) for action in METHODS}
        self.serializers = {
            "update": self.views["update"].get_serializer(partial=True),
            "create": self.views["create"].get_serializer(),
        }
        self.refusals: dict[Item, Refusal] = {}
        # The items whose objects are not there.
        self._absent: list[Item] = []

    def carry_out(self) -> bytes:
        """What has become of each item, in JSON. Raises RefusedBulk where the whole is refused."""
        self._prepare()
        prepared = dict(self.refusals)

        def attempt() -> bytes:
            self.refusals = dict(prepared)
            for item in self.items:
                item.written = item.document = None
            for action in METHODS:
                self._carry_out(action)
            self._tell_of_mergers()
            if self.refusals and not self.is_partial:
                raise RefusedBulk({i: self.refusals[i] for i in self.items if i in self.refusals})
            read_documents(self.views, self.items, self.refusals)
            return answer(self.items, self.refusals, self.view.request.get_full_path())

        return retry(attempt)

    def _refuse(self, item: Item, error: Exception, prefix: str | None = None) -> None:
        """Note why this item is refused; what refuses the whole request is raised."""
        known = as_api_exception(error, self.view.request)
        if known is None or known.status_code >= 500 or known.status_code == 401:
            raise error
        self.refusals[item] = Refusal.of(known, item.pointer if prefix is None else prefix)

    def _of(self, action: str) -> list[Item]:
        """The items of this list that are neither refused nor done."""
        return [
            item
            for item in self.items
            if item.action == action and item.status is None and item not in self.refusals
        ]

    # Before anything is written

    def _prepare(self) -> None:
        for action in METHODS:
            if items := self._of(action):
                self._require_permission(action, items)
        for item in self.items:
            if item.action != "create" and (faults := list(item.take_address())):
                self._refuse(item, Refused(faults), "")
        self._look_up()
        for action in ("delete", "update"):
            if self._is_standard(action):
                self._find(action)
        self._tell_of_mergers()
        for action in ("update", "create"):
            if self._is_standard(action):
                self._validate(action)

    def _require_permission(self, action: str, items: Sequence[Item]) -> None:
        view = self.views[action]
        method = METHODS[action]
        try:
            if method.lower() not in view.http_method_names:
                raise exceptions.MethodNotAllowed(method)
            view.check_permissions(view.request)
        except APIException as error:
            if not self.is_partial:
                raise
            for item in items:
                self._refuse(item, error)

    def _look_up(self) -> None:
        """Find out the keys of what is named by its uid; none may be named twice."""
        uids = [item.uid for item in self.items if item.uid is not None and item.action != "create"]
        keys: dict[object, models.Model] = {}
        if uids:
            stored = self.model._default_manager.filter(uid__in=uids)
            keys = dict(stored.values_list("uid", "pk"))
        seen: set[object] = set()
        for item in self.items:
            if item.action == "create" or item in self.refusals:
                continue
            if item.pk is None:
                item.pk = keys.get(item.uid)
            named = item.uid if item.pk is None else item.pk
            if named in seen:
                place = item.pointer + pointer("id" if item.uid is None else "uid")
                self._refuse(
                    item, Refused([Fault("duplicate", f"{named} stands twice.", place)]), ""
                )
            elif item.pk is None or (item.uid is not None and item.uid not in keys):
                self._note_absence(item)
            elif item.uid is not None and keys[item.uid] != item.pk:
                detail = "Another object has this uid."
                fault = Fault("does_not_exist", detail, item.pointer + pointer("uid"))
                self._refuse(item, Refused([fault]), "")
            seen.add(named)

    def _note_absence(self, item: Item) -> None:
        """What nobody has, or nobody shows, is deleted already, if a client has named it."""
        self._absent.append(item)
        if item.action == "delete" and item.uid is not None:
            item.status = STATUSES["delete"]
        else:
            self._refuse(item, exceptions.NotFound())

    def _tell_of_mergers(self) -> None:
        """Say of what is not there any more, but has gone into another object, into which."""
        absent, self._absent = self._absent, []
        names = {
            item: ("id", item.pk) if item.uid is None else ("uid", item.uid) for item in absent
        }
        found = mergers(self.model, names.values(), self.view.request) if absent else {}
        for item, name in names.items():
            if name in found:
                item.status = None
                self._refuse(item, found[name])

    def _find(self, action: str) -> None:
        """Of what is stored, what the viewset shows and lets who asks write."""
        if not (items := self._of(action)):
            return
        view = self.views[action]
        queryset = view.filter_queryset(view.get_queryset())
        found = {each.pk: each for each in queryset.filter(pk__in=[item.pk for item in items])}
        for item in items:
            if item.pk not in found:
                self._note_absence(item)
                continue
            try:
                view.check_object_permissions(view.request, found[item.pk])
            except (Http404, exceptions.NotFound):
                self._note_absence(item)
            except (APIException, PermissionDenied) as error:
                self._refuse(item, error)
            item.written = found[item.pk]

    def _validate(self, action: str) -> None:
        # One serializer for all: to make one takes longer than to validate a body.
        serializer = self.serializers[action]
        for item in self._of(action):
            serializer.instance = item.written
            serializer.initial_data = item.body
            try:
                item.attrs = serializer.run_validation(item.body)
            except (APIException, Http404, PermissionDenied) as error:
                self._refuse(item, error)

    # Writing

    def _is_standard(self, action: str) -> bool:
        """Whether the viewset and its serializer write as those of all resources do."""
        view = type(self.views[action])
        named = [getattr(view, name) for name in HOOKS[action]]
        if action in self.serializers:
            serializer = type(self.serializers[action])
            named += [getattr(serializer, name) for name in SERIALIZER_HOOKS]
        return all(each.__module__.startswith(OWN_MODULES) for each in named)

    def _carry_out(self, action: str) -> None:
        items = self._of(action)
        alone: list[Item] = []
        if not self._is_standard(action):
            items, alone = [], items
        while items:
            try:
                with transaction.atomic():
                    self._write(action, items)
                break
            except (Refused, ProtectedError, RestrictedError) as error:
                blamed = self._blame(items, error)
            except (exceptions.PermissionDenied, Http404):
                # It does not say whose.
                if not self.is_partial:
                    raise
                blamed = items
            if not self.is_partial:
                break
            # Alone each may be refused for another reason, or for none.
            for item in blamed:
                self.refusals.pop(item, None)
            alone += blamed
            items = [item for item in self._of(action) if item not in alone]
        for item in alone:
            self._carry_out_alone(action, item)

    def _write(self, action: str, items: Sequence[Item]) -> None:
        if action == "create":
            changes = [Change(None, item.attrs or {}, item.pointer) for item in items]
        else:
            locked = self._lock(action, items)
            items = [item for item in items if self._is_current(item, locked.get(item.pk))]
            changes = [Change(locked[i.pk], i.attrs or {}, i.pointer) for i in items]
        if action == "delete":
            if items:
                delete_locked([locked[item.pk] for item in items])
        elif changes:
            written = write_locked(self.serializers[action], changes)
            for item, each in zip(items, written, strict=True):
                item.written = each

    def _lock(self, action: str, items: Sequence[Item]) -> dict[object, AggregateRoot]:
        """The objects by key, locked."""
        queryset = self.model._default_manager.select_for_update(no_key=action == "update")
        rows = queryset.filter(pk__in=[item.pk for item in items]).order_by("pk")
        return {row.pk: row for row in rows}

    def _is_current(self, item: Item, locked: AggregateRoot | None) -> bool:
        """Whether the object is still there, with the version that the item names."""
        if locked is None:
            self._note_absence(item)
            return False
        if item.version is None and settings.PRECONDITIONS_REQUIRED:
            self._refuse_version(item, VersionRequired())
            return False
        if item.version in (None, locked.version):
            return True
        self._refuse_version(item, PreconditionFailed())
        item.written = locked
        return False

    def _refuse_version(self, item: Item, error: APIException) -> None:
        refusal = Refusal.of(error, item.pointer)
        faults = refusal.faults_at(item.pointer + "/version")
        self.refusals[item] = replace(refusal, faults=faults)

    def _blame(
        self, items: Sequence[Item], error: Refused | ProtectedError | RestrictedError
    ) -> list[Item]:
        """Refuse those of the items that the error is about."""
        by_item: dict[Item, list[Fault]] = defaultdict(list)
        if isinstance(error, Refused):
            places = {item.pointer: item for item in items}
            for fault in error.faults:
                place = "/".join((fault.pointer or "").split("/")[:3])
                by_item[places[place]].append(fault)
        else:
            keys = {item.pk: item for item in items}
            for each in _in_the_way(error):
                for key in _keys_of(each, self.model) & keys.keys():
                    item = keys[key]
                    by_item[item] += (replace(f, pointer=item.pointer) for f in in_use([each]))
        for item, faults in by_item.items():
            self._refuse(item, Refused(faults), "")
        return list(by_item)

    def _carry_out_alone(self, action: str, item: Item) -> None:
        """Have the viewset answer as if the item had come to the URL of its object."""
        view = item_view(self.view, action)
        try:
            with transaction.atomic():
                if action != "create":
                    locked = self._lock(action, [item]).get(item.pk)
                    if locked is not None:
                        view.kwargs = lookup_kwargs(view, locked)
                        # Of what is hidden, nobody learns the version.
                        view.get_object()
                    if not self._is_current(item, locked):
                        return
                _give_body(view.request, item.body)
                handler = getattr(view, view.action)
                response = handler(view.request, *view.args, **view.kwargs)
        except (Http404, exceptions.NotFound):
            self._note_absence(item)
        except (APIException, PermissionDenied) as error:
            self._refuse(item, error)
        else:
            item.status = response.status_code
            if response.data is not None:
                item.document = self.render(response.data)


def _give_body(request: Request, body: object) -> None:
    """Have the request, which is a copy for one item, hold this body."""
    vars(request).update(_data=body, _full_data=body)


def _in_the_way(error: ProtectedError | RestrictedError) -> Iterable[models.Model]:
    """The objects that keep others from being deleted."""
    if isinstance(error, ProtectedError):
        return error.protected_objects
    return error.restricted_objects


def _keys_of(instance: models.Model, model: type[models.Model]) -> set[object]:
    """The keys of the model's objects that this one refers to."""
    return {
        getattr(instance, f.attname)
        for f in instance._meta.concrete_fields
        if f.is_relation and f.related_model is model
    }
