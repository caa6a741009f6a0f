"""The viewset of a resource that has URLs of its own."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.db import models, router
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpResponseBase, HttpResponseNotModified
from django.urls import NoReverseMatch
from django.utils.encoding import force_bytes
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import (
    NotAuthenticated,
    PermissionDenied,
)
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from ..changes import positions
from ..changes.list_tags import ListTag
from ..databases.beside import Beside, next_statement
from ..databases.bound import by_key, has_rows_alone
from ..databases.connections import without_prepared_plans
from ..databases.replicas import replicas
from ..documents.compiler import expressions_of
from ..documents.statements import Document, properties
from ..filters import StrictFilterBackend
from ..http.preconditions import ConditionalWrites, entity_tag
from ..http.problems import Fault, Refused
from ..http.renderers import (
    EXPORTS,
    PARTIAL_MEDIA_TYPE,
    CSVRenderer,
    DocumentRenderer,
    is_export,
)
from ..http.replicas import ReplicaReads
from ..http.resources import (
    OVERRIDES,
    lists_all,
    lookup_kwargs,
    shows_all,
    shows_each,
)
from ..lists.ordering import OrderingFilter
from ..lists.pagination import CursorPagination
from ..lists.parameters import CHOOSING, StrictQueryParameters, is_list
from ..lists.statements import PARENT, KeptPages, Shape
from ..lists.streaming import Columns, columns_of, export, shown_columns
from ..models import AggregateRoot, AnyQuerySet, AnyRow, Attrs
from ..relations import ParentLink, RelatedSerializer
from ..serializers import document, document_beside, documents, each_document, require_body
from ..writes.bulk import Bulk, require_some_permission
from ..writes.bulk_items import read_bulk
from ..writes.deletions import in_use
from ..writes.former_keys import is_mergeable
from ..writes.merging import merge
from ..writes.transactions import delete, write
from .mergers import FormerURLs, MayMerge, MergeSerializer

# What a list answers: pages, an export that is streamed, or 304.
AnyResponse: TypeAlias = Any
# Of lists whose statement is more than columns, or not the only one.
UNKEPT_PARAMETERS = frozenset({"search", "exact", "count"})
# REST framework's actions that write the object at the URL.
UPDATES = ("update", "partial_update")


class ResourceViewSet(
    ReplicaReads,
    FormerURLs,
    ConditionalWrites,
    StrictQueryParameters,
    viewsets.ModelViewSet[models.Model],
):
    """A resource whose body is read and written with all that it nests.

    `?fields=`, `?omit=` and `?expand=` choose the properties of the answer, which says by its media
    type whether the first two did. What it gives has an `ETag`, and what it changes can be named by
    `If-Match`.
    """

    lookup_value_converter = "id"
    list_parameters = frozenset({"fields", "omit", "expand"})
    # Whole values that a search may name, as an ISBN: the lookup that finds one, with the function
    # that gives a text the form of such a value or raises ValidationError.
    search_keys: Mapping[str, Callable[[str], str]] = {}
    # What was asked and what was used instead, once a search has found a word that nobody has.
    search_used: Mapping[str, str] | None = None
    ordering_fields: Sequence[str] = ()
    # The columns that have the order of some of these, where it is not their own.
    ordering_columns: Mapping[str, str] = {}
    # What is asked together with who it is: a document of this serializer, without these
    # properties, of this key; or else for a list.
    _beside: Beside[Any] | None = None
    _beside_of: tuple[type[RelatedSerializer], frozenset[str], object] | None = None
    # The object at the URL as it is locked for `If-Match`, where it is the next one to be written.
    _locked: models.Model | None = None
    # Of the list that is being made, where it is known beforehand.
    _tag: ListTag | None = None
    # Where no other order is asked for; as a rule the queryset's own, or that of the model.
    ordering: Sequence[str] | None = None
    overwriting_actions = frozenset({"merge"})

    # Reading

    def perform_authentication(self, request: Request) -> None:
        """Ask who it is, and beside that what is asked next, whoever it is."""
        if "HTTP_AUTHORIZATION" in request.META and not replicas():
            self._beside = self._find_beside()
        token = next_statement.set(self._beside)
        try:
            super().perform_authentication(request)
        finally:
            next_statement.reset(token)

    def _find_beside(self) -> Beside[Any] | None:
        """None where what comes next depends on who it is, or is not known."""
        view_class, key = type(self), self.kwargs.get("pk")
        if self.action == "list" and view_class.list is ResourceViewSet.list:
            return None if is_export(self.request) else ListTag.beside(self)
        if not (
            self.action == "retrieve"
            and view_class.retrieve is ResourceViewSet.retrieve
            and view_class.get_serializer_class.__module__ == "rest_framework.generics"
            and isinstance(key, int)
            and self.lookup_field == "pk"
            and OVERRIDES.isdisjoint(vars(self))
            and shows_each(view_class)
            and not self.request.query_params
        ):
            return None
        serializer_class = self.get_serializer_class()
        using = router.db_for_read(serializer_class.Meta.model)
        self._beside_of = serializer_class, self.unread_properties, key
        return document_beside(*self._beside_of, using, self.version_path)

    def _result_beside(self, of: object) -> Any:
        """What has come of it, if that is what it was asked of: a view may have changed since."""
        return self._beside.result if self._beside is not None and self._beside_of == of else None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        self.unread_properties  # noqa: B018  (400 before anything is written)

    def finalize_response(
        self, request: Request, response: object, *args: object, **kwargs: object
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if (
            not CHOOSING.isdisjoint(request.query_params)
            and isinstance(response, Response)
            and response.status_code == 200
            and response.accepted_renderer.format == "json"
        ):
            response.content_type = PARTIAL_MEDIA_TYPE
        return response

    @cached_property
    def unread_properties(self) -> frozenset[str]:
        """What this answer leaves out."""
        if self.list_parameters.isdisjoint(self.request.query_params):
            return self._expandable
        serializer_class = self.get_serializer_class()
        known = properties(serializer_class)
        expand, fields = self._names("expand", self._expandable), self._names("fields", known)
        shown = (fields or known - self._expandable) | expand
        return known - shown | self._names("omit", known)

    @property
    def _expandable(self) -> frozenset[str]:
        return frozenset(getattr(self.get_serializer_class().Meta, "expandable", ()))

    def _names(self, parameter: str, known: frozenset[str]) -> frozenset[str]:
        text = self.request.query_params.get(parameter)
        names = frozenset(text.split(",") if text else ())
        if unknown := sorted(names - known):
            detail = f"There is no property “{unknown[0]}” to choose here."
            raise Refused([Fault("unknown", detail, parameter=parameter)])
        return names

    def get_renderers(self) -> list[BaseRenderer]:
        renderers = super().get_renderers()
        return [*renderers, *(each() for each in EXPORTS)] if self._is_exported else renderers

    @property
    def _is_exported(self) -> bool:
        return (
            self.action == "list"
            and type(self).list is ResourceViewSet.list
            and (self.paginator is None or isinstance(self.paginator, CursorPagination))
        )

    def get_csv_columns(self) -> Columns:
        """The columns of a CSV of this list; by default its scalar properties."""
        return columns_of(self.get_serializer())

    def _get_export(self, queryset: AnyQuerySet) -> HttpResponseBase:
        columns: Columns = {}
        if isinstance(self.request.accepted_renderer, CSVRenderer):
            serializer_class = self.get_serializer_class()
            known = properties(serializer_class)
            columns = shown_columns(self.get_csv_columns(), known, self.unread_properties)
            # What no cell is made of is not read.
            self.unread_properties = known - {name for name, _ in columns.values()}
        name = str(queryset.model._meta.verbose_name_plural)
        return export(self.request, queryset, self._each_document, columns, name)

    def _each_document(self, keys: Sequence[object]) -> Iterable[bytes]:
        serializer_class = self.get_serializer_class()
        using = router.db_for_read(serializer_class.Meta.model)
        unread = self.unread_properties
        return each_document(serializer_class, unread, keys, using, self.request).values()

    def documents(self, keys: Sequence[object]) -> Document:
        """The representations of these objects, in this order, as they are stored now."""
        serializer_class = self.get_serializer_class()
        using = router.db_for_read(serializer_class.Meta.model)
        beside = positions.STATE if self._tag else None
        return documents(
            serializer_class, self.unread_properties, keys, using, self.request, beside
        )

    def list(self, request: Request, *args: object, **kwargs: object) -> AnyResponse:
        if is_export(request):
            return self.get_list_response(self.get_queryset())
        tag = self._tag = ListTag.of(self, self._result_beside(None))
        if tag is not None and tag.is_known_to(request):
            return HttpResponseNotModified(headers={"ETag": tag.value})
        pages = self._kept_pages()
        if pages is None:
            response = self.get_list_response(self.get_queryset())
        else:
            response = self._list_response(pages, pages.shape.using)
        if tag is not None and tag.holds(response.data["results"]):
            response.headers["ETag"] = tag.value
        return response

    def _kept_pages(self) -> KeptPages | None:
        """The pages of a list that is made of nothing but columns and the project's own parts."""
        view_class = type(self)
        if not (
            type(self.paginator) is CursorPagination
            and OVERRIDES.isdisjoint(vars(self))
            and UNKEPT_PARAMETERS.isdisjoint(self.request.query_params)
            and view_class.filter_backends == api_settings.DEFAULT_FILTER_BACKENDS  # type: ignore[comparison-overlap]  # imported
            and view_class.get_list_response is ResourceViewSet.get_list_response
            and view_class.paginate_queryset is ResourceViewSet.paginate_queryset
        ):
            return None
        lookups = StrictFilterBackend().lookups(self.request, self)
        link_and_key = self._get_parent_of_pages()
        if lookups is None or link_and_key is None:
            return None
        queryset = view_class.queryset
        ordering = tuple(OrderingFilter().get_ordering(self.request, queryset, self) or ())
        computed = expressions_of(self.get_serializer_class())
        if any(name.removeprefix("-") in computed for name in ordering):
            return None
        link, parent = link_and_key
        shape = Shape(view_class, tuple(lookups), ordering, link)
        return KeptPages.of(shape, {**lookups, PARENT: parent})

    def _get_parent_of_pages(self) -> tuple[ParentLink | None, object] | None:
        """The parent whose children a list has, and its key; None where it has others, or not all
        of them."""
        return (None, None) if lists_all(type(self)) else None

    def get_list_response(self, queryset: AnyQuerySet) -> AnyResponse:
        """A list of what the request chooses of these objects: filtered, ordered, a page of it, or
        an export of all.

        For GET of a list or of a `@action(detail=False)`: others refuse the parameters of pages.
        """
        if not is_list(self):
            raise ImproperlyConfigured(f"“{self.action}” is no GET of a @action(detail=False).")
        queryset = self.filter_queryset(queryset)
        if is_export(self.request):
            return self._get_export(queryset)
        if self.paginator is None or isinstance(self.paginator, CursorPagination):
            # The documents need no more.
            queryset = queryset.values_list("pk", flat=True)
        return self._list_response(queryset, queryset.db)

    def _list_response(self, queryset: Any, using: str) -> Response:
        with without_prepared_plans(using):
            page = self.paginate_queryset(queryset)
            rows = list(queryset) if page is None else page
        documents = self.documents([getattr(row, "pk", row) for row in rows])
        if page is None:
            return Response(documents)
        response = self.get_paginated_response(documents)
        if self.search_used is not None and rows:
            response.data["search"] = self.search_used
        return response

    def retrieve(self, request: Request, *args: object, **kwargs: object) -> Response:
        key = kwargs.get("pk")
        # One statement where nothing can be hidden; a key of another type is looked up.
        if not (isinstance(key, int) and self.lookup_field == "pk" and shows_all(self)):
            key = self.get_object().pk
        return Response(self.get_document(key))

    def get_document(self, pk: object) -> Document:
        """The representation of the object as it is stored now; 404 where there is none."""
        serializer_class = self.get_serializer_class()
        using = router.db_for_read(serializer_class.Meta.model)
        of, version = (serializer_class, self.unread_properties, pk), self.version_path
        shown = self._result_beside(of) or document(*of, using, self.request, version)
        if shown is None:
            raise Http404
        return shown

    @property
    def root_path(self) -> str | None:
        serializer_class = self.get_serializer_class()
        return "" if issubclass(serializer_class.Meta.model, AggregateRoot) else None

    def current_tag(self, instance: models.Model, version: int) -> str:
        renderer = self.request.accepted_renderer
        if renderer.format != "json":
            return super().current_tag(instance, version)
        document = self.get_document(instance.pk)
        context = self.get_renderer_context()
        content = renderer.render(document, self.request.accepted_media_type, context)
        return entity_tag(force_bytes(content), document.version)

    # Writing

    def create(self, request: Request, *args: object, **kwargs: object) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self.perform_create(serializer)
        document = self._answer(serializer.instance)
        headers = self._location(serializer.instance)
        if type(self).get_success_headers is not ResourceViewSet.get_success_headers:
            headers |= self.get_success_headers(json.loads(document or "{}"))
        return Response(document, status.HTTP_201_CREATED, headers=headers)

    def update(self, request: Request, *args: object, **kwargs: Any) -> Response:
        return self.get_update_response(request.data, partial=kwargs.get("partial", False))

    def get_update_response(self, data: object, *, partial: bool = True) -> Response:
        """Update the object that the URL names by this body, as a PATCH is one, and show it.

        An action that writes answers with it: all that holds for a PATCH holds for the action.
        """
        serializer = self.get_serializer(self._stored(), data=data, partial=partial)
        serializer.is_valid(raise_exception=True)
        self.perform_update(serializer)
        document = self._answer(serializer.instance)
        return Response(document, 204 if document is None else 200)

    def _stored(self) -> models.Model:
        """What `get_object` gives, without asking it where that is the row with this key alone."""
        stored, self._locked = self._locked or self._row(), None
        return self.get_object() if stored is None else stored

    def _row(self, *, lock: bool = False) -> models.Model | None:
        """The row with the URL's key; None where `get_object` may give another object, or none."""
        key = self.kwargs.get("pk")
        if not (
            isinstance(key, int)
            and self.lookup_field == "pk"
            and OVERRIDES.isdisjoint(vars(self))
            and shows_each(type(self))
            and has_rows_alone(self.queryset)
        ):
            return None
        row = by_key(self.queryset.model, key, lock=lock)
        if row is None:
            raise Http404
        return row

    def lock_object(self) -> tuple[models.Model, int]:
        is_root = self.root_path == "" and not self._overwrites_by_action
        row: Any = self._row(lock=True) if is_root else None
        if row is None:
            return super().lock_object()
        # What is the view's own may write the object before its body is judged.
        if self.action in UPDATES and all(
            getattr(type(self), each) is getattr(ResourceViewSet, each) for each in UPDATES
        ):
            self._locked = row
        return row, row.version

    def _answer(self, written: models.Model) -> Document | None:
        """What a GET would give of this object, which may be hidden from who has written it."""
        if self._shows_what_it_writes():
            return self.get_document(written.pk)
        self.kwargs = {**self.kwargs, **lookup_kwargs(self, written)}
        try:
            return self.get_document(self.get_object().pk)
        except (Http404, PermissionDenied, NotAuthenticated):
            return None

    def _shows_what_it_writes(self) -> bool:
        return shows_all(self)

    def get_success_headers(self, data: object) -> dict[str, str]:
        """Headers beside, or instead of, the `Location` of what was created.

        `data` is the answer's body; empty where the object is hidden from who has created it.
        """
        return {}

    def _location(self, written: models.Model) -> dict[str, str]:
        kwargs = {**self.kwargs, **lookup_kwargs(self, written)}
        try:
            return {"Location": self.reverse_action("detail", kwargs=kwargs)}
        except NoReverseMatch:
            return {}

    def destroy(self, request: Request, *args: object, **kwargs: object) -> Response:
        instance = self.get_object()
        # What `perform_destroy` calls, be it REST framework's or the app's own.
        instance.delete = partial(self.delete_within, instance)
        try:
            self.perform_destroy(instance)
        except ProtectedError as error:
            raise Refused(in_use(error.protected_objects)) from error
        except RestrictedError as error:
            raise Refused(in_use(error.restricted_objects)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    # Many at once

    @classmethod
    def get_extra_actions(cls) -> Any:
        extra = super().get_extra_actions()
        offered = {"bulk": cls.has_bulk, "merge": cls.has_merge}
        return [each for each in extra if offered.get(each.__name__, _always)()]

    @classmethod
    def has_bulk(cls) -> bool:
        """Whether it is a root's own viewset, which has the URL `bulk/`."""
        model = getattr(cls.queryset, "model", None)
        return model is not None and issubclass(model, AggregateRoot)

    def check_permissions(self, request: Request) -> None:
        if self.action == "bulk":
            # Each of the lists has the rule of its own method.
            require_some_permission(self)
            return
        super().check_permissions(request)
        if is_export(request) and not request.user.is_authenticated:
            self.permission_denied(request)

    @action(detail=False, methods=["post"])
    def bulk(self, request: Request, *args: object, **kwargs: object) -> Response:
        require_body(request, request.data)
        items, is_partial = read_bulk(request.data)
        bulk = Bulk(self, items, DocumentRenderer().render, is_partial=is_partial)
        return Response(Document(bulk.carry_out()))

    # One for two

    @classmethod
    def has_merge(cls) -> bool:
        """Whether it is the own viewset of a model whose objects can be merged."""
        return cls.has_bulk() and is_mergeable(cls.queryset.model)

    @action(detail=True, methods=["post"], permission_classes=[MayMerge])
    def merge(self, request: Request, *args: object, **kwargs: object) -> Response:
        instance = self.get_object()
        body = MergeSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        into = body.validated_data["into"]
        survivor = merge(type(instance), instance.pk, into, request, self.require_match_of_locked)
        return Response(self.get_document(survivor.pk))

    # What a serializer and an object call when they are saved and deleted: what the URL adds to
    # that, and where it sets bounds.

    def write_within(
        self, serializer: RelatedSerializer, instance: models.Model | None, attrs: Attrs
    ) -> models.Model:
        return write(serializer, instance, attrs)

    def delete_within(self, instance: models.Model) -> None:
        delete(instance)


class ActionViewSet(ConditionalWrites, StrictQueryParameters, viewsets.GenericViewSet[AnyRow]):
    """URLs of single objects that have `@action`s alone, as the covers of editions.

    `root_path` leads from an object to the root whose version a write raises.
    """

    lookup_value_converter = "id"
    filter_backends = ()


def _always() -> bool:
    return True
