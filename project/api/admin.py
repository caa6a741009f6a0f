"""Bricks for the admin: the page of an aggregate root, and forms that know what really changed."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db import connections, models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.datastructures import MultiValueDict
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from . import conflicts
from .changes.actors import Actors
from .changes.history import changes_of, describe_changes
from .conflicts import FormSet
from .http.problems import Refused
from .http.renderers import as_html
from .http.resources import resource_of
from .lists.pagination import Rows
from .models import (
    AggregateRoot,
    AnyField,
    AnyQuerySet,
    AnyRow,
    Attrs,
    FoldedFrom,
    HandedOn,
    Made,
    ModelField,
    SlugMadeFrom,
    normalized,
)
from .relations import MAX_ITEMS
from .search.entries import suppress_save_receivers
from .search.queries import Search
from .writes.deletions import remove
from .writes.merging import merge
from .writes.signals import WrittenRows
from .writes.transactions import delete, retry

# How many changes the page of an object's history shows. The API has them all.
CHANGES_SHOWN = 100
# How many matches of each kind the start page shows.
MATCHES_SHOWN = 10
# As far as PostgreSQL counts for the start page: a million rows would take it 60 ms, each time.
COUNTED = 10_000


class Prose(forms.CharField):
    """Text in NFC whose lines end in LF, however the browser sends them (it sends CR LF)."""

    def to_python(self, value: object) -> str:
        return normalized(str(super().to_python(value)).replace("\r\n", "\n"))


class LoadedSelect(AutocompleteSelect):
    """An autocomplete whose chosen object comes with its row; Django makes a query for each."""

    chosen: models.Model | None = None

    def optgroups(
        self, name: str, value: Sequence[str], attr: Attrs | None = None
    ) -> list[tuple[str | None, list[Attrs], int | None]]:
        if self.chosen is None or list(value) != [str(self.chosen.pk)]:
            return super().optgroups(name, value, attr)
        options = [self.create_option(name, self.chosen.pk, str(self.chosen), True, 1)]
        if not self.is_required:
            options.insert(0, self.create_option(name, "", "", False, 0))
        return [(None, options, 0)]


class RecordForm(forms.ModelForm):
    # By the page of a root, until it announces that.
    written: WrittenRows

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Before Django makes the fields: what is said here it says of inputs, of what is only
        shown, and at the top of a table."""
        super().__init_subclass__(**kwargs)
        meta: Any = getattr(cls, "Meta", None)
        if model := getattr(meta, "model", None):
            fields = [*model._meta.concrete_fields, *model._meta.many_to_many]
            meta.help_texts = {each.name: as_html(each.help_text) for each in fields}

    def __init__(self, *args: HandedOn, **kwargs: HandedOn) -> None:
        super().__init__(*args, **kwargs)
        # The slugs that are made so that nobody else has them.
        self.numbered: set[str] = set()
        for field in self.fields.values():
            # The admin wraps the select in the links that add and edit what it offers.
            select = getattr(field.widget, "widget", None)
            if isinstance(select, LoadedSelect):
                select.chosen = select.field.get_cached_value(self.instance, default=None)
        if isinstance(self.instance, AggregateRoot) and self.instance.pk is not None:
            self.fields[conflicts.BASED_ON] = conflicts.BasedOnVersionField()
            self.initial[conflicts.BASED_ON] = self.instance.version

    def clean(self) -> dict[str, object]:
        """Make what is made from other fields, so that it is validated like the rest."""
        super().clean()
        stored = None if self.instance.pk is None else self.instance
        # `self.instance` gets its new values later.
        wanted = SimpleNamespace(**{**vars(self.instance), **self.cleaned_data})
        for field in self._meta.model._meta.concrete_fields:
            if isinstance(field, Made) and field.name in self.cleaned_data:
                value = field.value_of(wanted, stored)
                if isinstance(field, SlugMadeFrom) and value != self.cleaned_data[field.name]:
                    [value] = field.distinct([value], partial(field.taken, own=[self.instance.pk]))
                    self.numbered.add(field.name)
                self.cleaned_data[field.name] = value
                setattr(wanted, field.attname, value)
        self._require_current()
        return self.cleaned_data

    def _require_current(self) -> None:
        """Refuse what was based on a version that is no longer stored, and base it on that."""
        based_on = self.cleaned_data.get(conflicts.BASED_ON)
        if based_on in (None, getattr(self.instance, "version", None)):
            return
        for text in conflicts.describe(self, based_on):
            self.add_error(None, ValidationError(text, "stale"))
        name = self.add_prefix(conflicts.BASED_ON)
        sent: Any = self.data
        self.data = MultiValueDict({**dict(sent.lists()), name: [str(self.instance.version)]})

    def validate_unique(self) -> None:
        """Leave out what is made: where another form was faster, this one is written again."""
        super().validate_unique()
        for name in self.numbered:
            self.errors.pop(name, None)

    @property
    def changed_data(self) -> list[str]:
        """The fields whose value differs from the stored one, not merely the text that was sent.

        A formset asks before the form is cleaned, too; then the text is all there is.
        """
        cleaned = getattr(self, "cleaned_data", {})
        return [
            name
            for name in super().changed_data
            if name not in cleaned or cleaned[name] != self.initial.get(name)
        ]


class UniqueNameForm(RecordForm):
    """The form of a model whose name is unique, whatever the case of its letters."""

    def clean(self) -> dict[str, object]:
        super().clean()
        model = self._meta.model
        folded = FoldedFrom.make(self.cleaned_data.get("name", ""))
        same = model._default_manager.filter(name_folded=folded).exclude(pk=self.instance.pk)
        if same.exists():
            detail = f"There is a {model._meta.verbose_name} with this name already."
            self.add_error("name", ValidationError(detail, "unique"))
        return self.cleaned_data


FORM_FIELDS: dict[type[ModelField], dict[str, object]] = {
    models.TextField: {"form_class": Prose},
    # Django 5.2 warns where this is left open; from 6.0 on it is the default.
    models.URLField: {"assume_scheme": "https"},
}


class BestMatches(NamedTuple):
    """What a search finds of a kind, each with a note, and what was looked for instead where a word
    gave way to another."""

    root: "AggregateRootAdmin"
    rows: list[tuple[models.Model, str]]
    used: str | None


class StaleError(Exception):
    """What was shown of a root is not what is stored; it says who was faster."""

    def __init__(self, root: AggregateRoot, based_on: int) -> None:
        super().__init__(conflicts.last_change(root, based_on))
        self.root = root


class AggregateRootAdmin(admin.ModelAdmin):
    """A root is locked while it is written; its version rises when it or what it owns changes.

    A page that somebody was faster with is not saved: `conflicts` tells.
    """

    form = RecordForm
    change_form_template = "admin/aggregate_root_form.html"
    formfield_overrides = FORM_FIELDS
    readonly_fields = ["uid", "version", "created_at", "updated_at"]
    list_filter = ["created_at", "updated_at"]
    # Some name: without one Django shows no search box. `get_search_results` decides what is found.
    search_fields = ["search"]
    search_keys: Mapping[str, Callable[[str], str]] = {}
    list_per_page = 50
    # Both count all rows, the second for every value of every filter.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def changeform_view(
        self, request: HttpRequest, *args: HandedOn, **kwargs: HandedOn
    ) -> HttpResponse:
        """A form is written as the API writes: whoever loses a race looks again."""
        view = partial(super().changeform_view, request, *args, **kwargs)
        with suppress_save_receivers():
            return retry(view) if request.method == "POST" else view()

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AnyRow:
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            try:
                found.refresh_from_db(from_queryset=self.model.objects.select_for_update())
            except self.model.DoesNotExist:
                return None
        return found

    def get_formset_kwargs(
        self,
        request: HttpRequest,
        obj: AggregateRoot,
        inline: admin.options.InlineModelAdmin,
        prefix: str,
    ) -> Attrs:
        kwargs: Attrs = super().get_formset_kwargs(request, obj, inline, prefix)
        if "data" in kwargs and conflicts.is_stale(request, obj):
            formset = inline.get_formset(request, obj)
            stored = formset(instance=obj, prefix=prefix, queryset=kwargs["queryset"])
            kwargs["files"] = kwargs["files"].copy()
            conflicts.add_rows_of_now(kwargs["data"], kwargs["files"], stored)
        return kwargs

    def _create_formsets(self, request: HttpRequest, obj: AggregateRoot, change: bool) -> Any:
        formsets, inlines = super()._create_formsets(request, obj, change)  # type: ignore[misc]
        if change and request.method == "POST" and conflicts.is_stale(request, obj):
            for formset in formsets:
                formset.non_form_errors().extend(conflicts.describe_rows(request.POST, formset))
        return formsets, inlines

    object_history_template = "changes/object_history.html"

    @method_decorator(require_safe)
    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        """The last changes, whoever made them, instead of those of these pages alone."""
        resource = resource_of(self.model)
        changes: list[dict[str, object]] = []
        if resource is not None and object_id.isdecimal():
            rows = list(changes_of(self.model, int(object_id))[:CHANGES_SHOWN])
            meanings = describe_changes(resource.view_class.serializer_class, int(object_id), rows)
            actors = Actors.of([row.actor for row in rows], self.model.objects.db)
            for row in rows:
                operation, differences = meanings[row.transaction]
                changes.append(
                    {
                        "at": row.at,
                        "actor": row.actor and actors.actor(row.actor)["name"],
                        "operation": operation,
                        "version": row.version,
                        "differences": differences,
                        "merged_into": row.merged_into,
                    }
                )
        return super().history_view(
            request, object_id, {**(extra_context or {}), "changes": changes}
        )

    def get_search_results(
        self, request: HttpRequest, queryset: AnyQuerySet, search_term: str
    ) -> tuple[AnyQuerySet, bool]:
        """As the API searches with `exact=true`, since no page here says what was used instead."""
        try:
            search = Search.of(search_term, self.search_keys, is_exact=True)
            return search.find(queryset).queryset, False
        except ValidationError:
            return queryset.none(), False

    # The start page

    @property
    def number(self) -> str:
        """How many there are: “258”, and on PostgreSQL of many only “about 1,000,000”."""
        rows = self.model._default_manager.order_by()
        if connections[rows.db].vendor == "postgresql":
            [plan] = json.loads(rows.explain(format="json"))
            if (expected := plan["Plan"]["Plan Rows"]) > COUNTED:
                return f"about {float(f'{expected:.2g}'):,.0f}"
        return f"{rows.count():,}"

    def best_matches(self, request: HttpRequest, term: str) -> BestMatches:
        """The first ones that the API would give. Raises ValidationError where it would."""
        found = Search.of(term, self.search_keys).find(
            self.model._default_manager.all(), ranked=True
        )
        chosen = Rows.of(found.queryset.values_list("pk", flat=True)).first(None, MATCHES_SHOWN)
        rows = self.get_queryset(request).in_bulk([key for _, (_, key) in chosen])
        return BestMatches(
            self,
            [(rows[key], self.note(rows[key])) for _, (_, key) in chosen if key in rows],
            found.used,
        )

    def note(self, obj: AnyRow) -> str:
        """What tells a match from another of the same name."""
        return ""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # PostgreSQL refuses NUL in text, and Django would pass it on.
        return "\0" not in value and super().lookup_allowed(lookup, value, request)

    def save_model(
        self, request: HttpRequest, obj: AggregateRoot, form: object, change: bool
    ) -> None:
        """Write a new root; an old one is written by `save_related`, if there is a reason to."""
        if not change:
            super().save_model(request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: RecordForm, formsets: Iterable[FormSet], change: bool
    ) -> None:
        root = form.instance
        form.written = written = WrittenRows()
        stored = self.model._base_manager.get(pk=root.pk) if change else None
        sets = [f.name for f in root._meta.many_to_many if f.name in form.changed_data]
        before = {name: _links(root, name) if change else {} for name in sets}
        super().save_related(request, form, formsets, change)
        if stored is None:
            written.created[self.model] = [root]
        elif form.has_changed() or written.created or written.changed or written.removed:
            root.version += 1
            root.save()
            _note_change(stored, root, written)
        for name, links in before.items():
            now = _links(root, name)
            model = root._meta.get_field(name).remote_field.through
            if new := [link for pk, link in now.items() if pk not in links]:
                written.created[model] = new
            if gone := [link for pk, link in links.items() if pk not in now]:
                written.removed[model] += gone
        written.announce(self.model)

    def save_formset(
        self, request: HttpRequest, form: RecordForm, formset: FormSet, change: bool
    ) -> None:
        written = form.written
        rows = formset.save(commit=False)
        if formset.deleted_objects:
            remove(formset.deleted_objects, written)
        stored = formset.model._base_manager.in_bulk([row.pk for row, _ in formset.changed_objects])
        for row in rows:
            row.save()
        formset.save_m2m()
        if formset.new_objects:
            written.created[formset.model] = formset.new_objects
        for row, _ in formset.changed_objects:
            _note_change(stored[row.pk], row, written)

    # Deletions: of what was shown, all or none

    delete_confirmation_template = "admin/aggregate_root_delete.html"
    delete_selected_confirmation_template = "admin/aggregate_roots_delete.html"
    actions = ["delete_selected", "merge_selected"]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except StaleError as error:
            self.message_user(request, f"{error} Look again.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    @admin.action(description="Delete selected %(verbose_name_plural)s", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: AnyQuerySet) -> HttpResponse | None:
        try:
            with transaction.atomic():
                return delete_selected(self, request, queryset)
        except StaleError as error:
            self.message_user(request, f"“{error.root}”: {error} Look again.", messages.ERROR)
            return None

    def delete_model(self, request: HttpRequest, obj: AggregateRoot) -> None:
        delete(obj, partial(_require_shown, request))

    def delete_queryset(
        self, request: HttpRequest, queryset: models.QuerySet[models.Model]
    ) -> None:
        with transaction.atomic():
            for obj in queryset:
                # Somebody else may have been faster.
                with suppress(Http404):
                    delete(obj, partial(_require_shown, request))

    # Several that are one

    def has_merge_permission(self, request: HttpRequest) -> bool:
        return self.model.is_mergeable and request.user.has_perm("changes.merge_change")

    @admin.action(description="Merge selected %(verbose_name_plural)s", permissions=["merge"])
    def merge_selected(self, request: HttpRequest, queryset: AnyQuerySet) -> HttpResponse | None:
        """Ask which one stays; then merge the others into it, all or none.

        Like a form, what is sent names the versions that were shown.
        """
        rows = list(queryset.order_by("pk")[: MAX_ITEMS + 1])
        if not 2 <= len(rows) <= MAX_ITEMS:
            text = f"Select 2 to {MAX_ITEMS} {self.opts.verbose_name_plural} to merge."
            self.message_user(request, text, messages.ERROR)
            return None
        survivor = request.POST.get("survivor", "")
        if survivor not in {str(row.pk) for row in rows}:
            return self._merge_page(request, rows)
        keys = [row.pk for row in rows if str(row.pk) != survivor]
        try:
            stays = retry(partial(self._merge_all, request, keys, int(survivor)))
        except (Http404, Refused, StaleError):
            text = "Somebody else has changed one of them meanwhile. Look again."
            self.message_user(request, text, messages.ERROR)
            return self._merge_page(request, list(queryset.order_by("pk")))
        text = f"{len(rows)} {self.opts.verbose_name_plural} are one now: “{stays}”."
        self.message_user(request, text, messages.SUCCESS)
        return None

    def _merge_all(self, request: HttpRequest, keys: Sequence[int], survivor: int) -> object:
        def confirm(gone: AggregateRoot) -> None:
            if request.POST.get(f"version-{gone.pk}") != str(gone.version):
                raise StaleError(gone, gone.version - 1)

        merged = [merge(self.model, key, survivor, None, confirm) for key in keys]
        return merged[-1]

    def _merge_page(self, request: HttpRequest, rows: Sequence[AggregateRoot]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Merge {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "rows": rows,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/merge_confirmation.html", context)


def _require_shown(request: HttpRequest, root: Any) -> None:
    """Raise StaleError where the page has shown another version of this root. A script that says
    nothing asks for nothing."""
    shown = f" {request.POST.get('versions', '')} "
    if f" {root.pk}:" in shown and f" {root.pk}:{root.version} " not in shown:
        raise StaleError(root, root.version - 1)


def _links(instance: models.Model, name: str) -> dict[object, models.Model]:
    """The rows that tie an object to those of its many-to-many field, by key."""
    field: AnyField = instance._meta.get_field(name)
    rows = field.remote_field.through._base_manager
    return {link.pk: link for link in rows.filter(**{field.m2m_field_name(): instance})}


def _note_change(stored: models.Model, instance: models.Model, written: WrittenRows) -> None:
    names = [f.attname for f in stored._meta.concrete_fields]
    before = {name: getattr(stored, name) for name in names}
    changed = {name: old for name, old in before.items() if getattr(instance, name) != old}
    if changed:
        written.changed[type(instance)][instance] = changed
