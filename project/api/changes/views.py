"""The URLs of the feed, of an object's history, and of what restores it."""

import re
from collections.abc import Sequence
from typing import Any

from django.db import router
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from ..fields import TimestampField
from ..http.preconditions import ConditionalWrites
from ..http.problems import Fault, Refused, Resync
from ..http.resources import lists_all, shows_each
from ..lists.parameters import StrictQueryParameters, is_true
from .actors import Actors
from .cursors import Cursor
from .feed import Kind, LostPositionError, kinds, page
from .history import changes_of, describe_changes
from .models import Change, Entry
from .permissions import MayFollow, MayLookBack, MayRestore, may_see_actors
from .positions import START, Position
from .restoring import restore
from .serializers import ChangePageSerializer, HistorySerializer

MAX_PAGE_SIZE = 500
KIND = OpenApiParameter(
    "kind",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="The path of the object's list, as `books`.",
    examples=[OpenApiExample("Books", "books")],
)
KEY = OpenApiParameter(
    "id",
    {"type": "integer", "format": "int64", "minimum": 1},
    OpenApiParameter.PATH,
    description="The id of the object.",
    examples=[OpenApiExample("The first", 1)],
)


class FeedParameters:
    """The query parameters of the feed."""

    NAMES = frozenset({"after", "kinds", "documents", "page_size"})

    def parameters_of(self, view: object) -> frozenset[str]:
        return self.NAMES

    def get_schema_operation_parameters(self, view: object) -> list[object]:
        return []


class ChangeViewSet(StrictQueryParameters, GenericViewSet[Entry]):
    """Gives each object once, at its last change, in an order in which nothing ever comes late.
    Without `after` it begins with every object that exists: the first synchronisation and the
    hundredth are the same request. A deleted object stays, as `delete`. An object that others nest
    comes by itself when it changes: a renamed author, and not the books that show the name. Keep
    `next_cursor`: go on from it while there is a `next`, and later for what is new. On 410 `resync`
    begin again without `after`, and drop what has not come once there is no `next`.
    """

    queryset = Entry.objects.all()
    serializer_class = ChangePageSerializer
    permission_classes = (MayFollow,)
    filter_backends = (FeedParameters,)  # type: ignore[assignment]  # it filters nothing
    pagination_class = None
    list_parameters = frozenset({"kinds"})
    problem_statuses = (410,)

    @extend_schema(
        operation_id="listChanges",
        summary="Follow the changes",
        tags=["changes"],
        parameters=[
            OpenApiParameter(
                "after", OpenApiTypes.STR, description="The `next_cursor` to go on from."
            ),
            OpenApiParameter(
                "kinds",
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                description="Only objects of these kinds, as `books,authors`. Whoever adds a kind"
                " later begins without `after` for it.",
                style="form",
                explode=False,
            ),
            OpenApiParameter(
                "documents", OpenApiTypes.BOOL, description="Give each object's document, too."
            ),
            OpenApiParameter(
                "page_size",
                {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE},
                description="The number of results of a page.",
            ),
        ],
        responses=OpenApiResponse(ChangePageSerializer, description="A page of the feed."),
    )
    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        size, with_documents = self._page_size(), is_true(self.request, "documents")
        among = self._kinds()
        try:
            found = page(
                request,
                among,
                self._start(),
                size,
                with_documents=with_documents,
                with_actors=may_see_actors(request),
                # A standby could not give positions.
                using=router.db_for_write(Entry),
            )
        except LostPositionError:
            raise Resync from None
        cursor = Cursor.of(found.end, request).encode()
        url = replace_query_param(request.build_absolute_uri(), "after", cursor)
        return Response(
            {
                "next": url if found.has_more else None,
                "next_cursor": cursor,
                "results": found.results,
            }
        )

    # Parameters

    def _start(self) -> Position:
        text = self.request.query_params.get("after")
        if text is None:
            return START
        try:
            cursor = Cursor.decode(text)
        except ValueError:
            detail = "This cursor was not made by this feed."
            raise Refused([Fault("invalid", detail, parameter="after")]) from None
        if cursor != Cursor.of(cursor.position, self.request):
            raise Resync
        return cursor.position

    def _kinds(self) -> Sequence[Kind]:
        known = kinds()
        text = self.request.query_params.get("kinds")
        names = set(text.split(",") if text else ())
        if unknown := sorted(names - known.keys()):
            detail = f"There is no kind “{unknown[0]}”. There are: {', '.join(known)}."
            raise Refused([Fault("unknown", detail, parameter="kinds")])
        readable = [kind for kind in known.values() if kind.may_be_read(self.request)]
        closed = sorted(names - {kind.name for kind in readable})
        if closed:
            self.permission_denied(self.request, f"You may not read {closed[0]}.")
        return [kind for kind in readable if not names or kind.name in names]

    def _page_size(self) -> int:
        size = self.request.query_params.get("page_size", str(api_settings.PAGE_SIZE))
        if not re.fullmatch("[1-9][0-9]{0,2}", size) or int(size) > MAX_PAGE_SIZE:
            detail = f"A page has 1 to {MAX_PAGE_SIZE} results."
            raise Refused([Fault("invalid", detail, parameter="page_size")])
        return int(size)


def kind_of_url(view: APIView, name: str) -> Kind:
    kind = kinds().get(name)
    if kind is None:
        raise Http404
    if not kind.may_be_read(view.request):
        view.permission_denied(view.request)
    return kind


class HistoryViewSet(StrictQueryParameters, GenericViewSet[Change]):
    """Lists the changes of an object and of what it owns, newest first, also of a deleted one."""

    queryset = Change.objects.order_by("-id")
    serializer_class = HistorySerializer
    permission_classes = (MayLookBack,)
    filter_backends = ()

    @extend_schema(
        operation_id="listHistory",
        summary="List the changes of an object",
        tags=["changes"],
        parameters=[KIND, KEY],
    )
    def list(self, request: Request, kind: str, pk: int) -> Response:
        found = kind_of_url(self, kind)
        self._require_visible(found, pk)
        rows: Any = self.paginate_queryset(changes_of(found.model, pk))
        serializer_class = found.resource.view(request, "GET").get_serializer_class()
        meanings = describe_changes(serializer_class, pk, rows)
        actors = Actors.of([row.actor for row in rows], rows[0]._state.db) if rows else Actors({})
        timestamp = TimestampField().to_representation
        results = []
        for row in rows:
            operation, changes = meanings[row.transaction]
            results.append(
                {
                    "id": row.pk,
                    "operation": operation,
                    "version": row.version,
                    "at": timestamp(row.at),
                    "actor": None if row.actor is None else actors.actor(row.actor),
                    "request": row.request,
                    "changes": changes,
                    **_merged_into(row),
                }
            )
        return self.get_paginated_response(results)

    def _require_visible(self, kind: Kind, pk: int) -> None:
        """404 where there is nothing, or nothing for who asks.

        Of what is gone nobody can say who might see it. So it is shown where everything is, and
        else to those who may restore it.
        """
        view_class = kind.resource.view_class
        stored = kind.model._base_manager.filter(pk=pk).first()
        if stored is None:
            may_restore = self.request.user.has_perm("changes.restore_change")
            is_visible = lists_all(view_class) or may_restore
        else:
            is_visible = True
            if not shows_each(view_class):
                kind.resource.view(self.request, "GET", stored).get_object()
        if not is_visible or not changes_of(kind.model, pk).exists():
            raise Http404


def _merged_into(change: Change) -> dict[str, object]:
    """Which object it was merged into, if that is what the change was."""
    if change.merged_into is None:
        return {}
    same = Change.objects.filter(kind=change.kind, object_id=change.merged_into)
    uid = same.order_by("id").values_list("uid", flat=True).first()
    return {"merged_into": {"id": change.merged_into, "uid": str(uid)}}


class RestoreViewSet(ConditionalWrites, StrictQueryParameters, GenericViewSet[Change]):
    """Writes a deleted object again, with all that it owned: the id and the uid are the same, the
    version is higher. 409 `exists`: it is not deleted. 409 `merged`: it was merged into another
    object. 409 `unique`: another object has a value of it that is unique. 409 `does_not_exist`:
    something that it linked is gone.
    """

    queryset = Change.objects.order_by("-id")
    # It takes no body: an answer to OPTIONS says so.
    serializer_class = serializers.Serializer[object]
    permission_classes = (MayRestore,)
    filter_backends = ()
    pagination_class = None
    problem_statuses = (409,)
    # It answers with a root.
    root_path = ""

    @extend_schema(
        operation_id="restore",
        summary="Restore a deleted object",
        tags=["changes"],
        parameters=[KIND, KEY],
        request=None,
        responses=OpenApiResponse(
            {"type": "object", "additionalProperties": {}}, description="The object."
        ),
    )
    def restore(self, request: Request, kind: str, pk: int) -> Response:
        view = kind_of_url(self, kind).resource.view(request, "GET")
        restore(view.get_serializer(), pk)
        return Response(view.get_document(pk))
