"""The URLs of the feed, of an object's history, and of what restores it."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import router
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param
from rest_framework.viewsets import GenericViewSet

from ..fields import TimestampField
from ..http.problems import Fault, Refused, Resync
from ..http.resources import lists_all, shows_each
from ..lists.parameters import StrictQueryParameters, is_true
from .actors import Actors
from .feed import Kind, LostPositionError, kinds, page
from .history import changes_of, told
from .models import Change, Entry
from .positions import START, Position
from .restoring import restore

MAX_PAGE_SIZE = 500
OPERATIONS = ["upsert", "delete"]
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
CURSOR = re.compile(r"(0|[1-9]\d{0,17})\.(-?\d{1,19})\.([^.]{1,40})\.([^.]*)", re.ASCII)


class MayFollow(BasePermission):
    """Who has the permission `changes.view_entry`: members and above."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.has_perm("changes.view_entry"))


class MayLookBack(BasePermission):
    """Who has the permission `changes.view_change`: librarians and above."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return may_see_actors(request)


class MayRestore(BasePermission):
    """Who has the permission `changes.restore_change`: admins."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.has_perm("changes.restore_change"))


def may_see_actors(request: Request) -> bool:
    """Librarians and above."""
    return bool(request.user and request.user.has_perm("changes.view_change"))


class Cursor(NamedTuple):
    """Where a client goes on, and who it was: what a role may not see, another may."""

    position: Position
    account: str
    role: str

    @classmethod
    def of(cls, position: Position, request: Request) -> "Cursor":
        user: Any = request.user
        return cls(position, str(user.pk), str(getattr(user, "role", "")))

    def encode(self) -> str:
        number, nonce = self.position
        text = f"{number}.{nonce}.{self.account}.{self.role}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises ValueError. It needs no signature: another number shows nothing that is hidden."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            plain = urlsafe_b64decode(padded).decode()
        except (BadBase64, UnicodeError) as error:
            raise ValueError(text) from error
        found = CURSOR.fullmatch(plain)
        if found is None:
            raise ValueError(text)
        number, nonce, account, role = found.groups()
        return cls(Position(int(number), int(nonce)), account, role)


class ActorSerializer(serializers.Serializer[Any]):
    """An account, or a program such as the import."""

    id = serializers.IntegerField(
        allow_null=True, help_text="The id of the account; null of a program."
    )
    name = serializers.CharField(
        help_text="The username or the program's name; `deleted account` of one that is no more."
    )


class MergedSerializer(serializers.Serializer[Any]):
    """The object that another was merged into."""

    id = serializers.IntegerField(min_value=1)
    uid = serializers.UUIDField()


class ChangeSerializer(serializers.Serializer[Any]):
    """An object's last change."""

    kind = serializers.CharField(help_text="The path of the object's list, as `books`.")
    id = serializers.IntegerField(min_value=1)
    uid = serializers.UUIDField()
    operation = serializers.ChoiceField(
        OPERATIONS,
        help_text="`upsert`: it was created or changed. `delete`: it is gone, or hidden from who"
        " asks.",
    )
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="Absent of what is hidden."
    )
    at = serializers.DateTimeField(
        required=False, help_text="When the change was made, in UTC. Absent of what is hidden."
    )
    actor = ActorSerializer(
        required=False,
        help_text="Who has made the change, if it is known. Librarians and admins see it.",
    )
    document = serializers.DictField(
        required=False, help_text="With `documents=true`, what GET gives of the object now."
    )
    merged_into = MergedSerializer(required=False)


@extend_schema_serializer(many=False)
class ChangePageSerializer(serializers.Serializer[Any]):
    """A page of the feed."""

    next = serializers.URLField(
        allow_null=True, help_text="The URL of the next page; null when nothing more is known."
    )
    next_cursor = serializers.CharField(
        help_text="What to send as `after` the next time, however much later. It is always there."
    )
    results = ChangeSerializer(many=True)


class FeedParameters:
    """The query parameters of the feed."""

    NAMES = frozenset({"after", "kinds", "documents", "page_size"})

    def parameters_of(self, view: Any) -> frozenset[str]:
        return self.NAMES

    def get_schema_operation_parameters(self, view: Any) -> list[Any]:
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
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
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
        lists = self.request.query_params.getlist("kinds")
        names = {name for each in lists for name in each.split(",")}
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


class DifferenceSerializer(serializers.Serializer[Any]):
    """A place where a change has made the document differ."""

    pointer = serializers.CharField(
        help_text="The place in the document, a JSON Pointer (RFC 6901) as `/editions/0/pages`;"
        " empty for the whole of what was deleted."
    )
    locals()["from"] = serializers.JSONField(allow_null=True, help_text="What was there before.")
    to = serializers.JSONField(allow_null=True, help_text="What is there since.")


class HistorySerializer(serializers.Serializer[Any]):
    """A change of an object, and of what it owns."""

    id = serializers.IntegerField(help_text="The number of the change.")
    version = serializers.IntegerField(help_text="The version that the change has led to.")
    operation = serializers.ChoiceField(Change.Operation.choices)
    at = TimestampField(help_text="When the change was made, in UTC.")
    actor = ActorSerializer(
        allow_null=True, help_text="Who has made the change; null where nobody said."
    )
    request = serializers.CharField(
        allow_null=True, help_text="The `X-Request-ID` of the request that it was part of."
    )
    changes = DifferenceSerializer(
        many=True, help_text="What differs since; empty when the object was created."
    )
    merged_into = MergedSerializer(
        required=False, help_text="Of a deletion: the object that it was merged into, if it was."
    )


def kind_of_url(view: Any, name: str) -> Kind:
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
        meanings = told(serializer_class, pk, rows)
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


def _merged_into(change: Change) -> dict[str, Any]:
    """Which object it was merged into, if that is what the change was."""
    if change.merged_into is None:
        return {}
    same = Change.objects.filter(kind=change.kind, object_id=change.merged_into)
    uid = same.order_by("id").values_list("uid", flat=True).first()
    return {"merged_into": {"id": change.merged_into, "uid": str(uid)}}


class RestoreViewSet(StrictQueryParameters, GenericViewSet[Change]):
    """Writes a deleted object again, with all that it owned: the id and the uid are the same, the
    version is higher. 409 `exists`: it is not deleted. 409 `merged`: it was merged into another
    object. 409 `unique`: another object has a value of it that is unique. 409 `does_not_exist`:
    something that it linked is gone.
    """

    queryset = Change.objects.order_by("-id")
    # It takes no body: an answer to OPTIONS says so.
    serializer_class = serializers.Serializer[Any]
    permission_classes = (MayRestore,)
    filter_backends = ()
    pagination_class = None
    problem_statuses = (409,)

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
