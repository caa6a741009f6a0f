"""Pages that cost the same at any depth: a cursor remembers the last row, not a number of rows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.db.models import F, IntegerField
from django.template import loader
from django.utils.duration import duration_string
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param

from ..http.problems import Fault, Refused
from ..lists.parameters import Schema
from ..models import AnyQuerySet
from .keysets import POSITION, Keyset
from .parameters import is_true
from .ranking import NUMBER, Part, Rank
from .statements import KeptPages


@dataclass(frozen=True)
class Cursor:
    """A position in one of the parts of a list, and the way to go from there."""

    backwards: bool
    part: int
    value: object
    pk: int

    @staticmethod
    def _signer(keyset: Keyset) -> Signer:
        # A cursor that was made for another order is as good as forged.
        return Signer(salt=f"cursor:{keyset.model._meta.label}:{keyset}")

    def encode(self, keyset: Keyset) -> str:
        position = [self.backwards, self.part, _as_json(self.value), _as_json(self.pk)]
        return self._signer(keyset).sign_object(position)

    @classmethod
    def decode(cls, text: str, keyset: Keyset, parts: int) -> "Cursor":
        try:
            backwards, part, value, pk = cls._signer(keyset).unsign_object(text)
            if part >= parts:
                raise ValueError("Made by a list of more parts.")
            # A cursor may be older than the field's present type.
            value = keyset.field.to_python(value)
            return cls(backwards, part, value, keyset.model._meta.pk.to_python(pk))
        except (BadSignature, ValidationError, ValueError) as error:
            detail = "This cursor was not made by this list in this order."
            raise Refused([Fault("invalid", detail, parameter="cursor")]) from error


def _as_json(value: object) -> object:
    """What JSON holds of this value; the field's `to_python` gives the same value again."""
    match value:
        case date() | time():
            return value.isoformat()
        case timedelta():
            return duration_string(value)
        case Decimal() | UUID():
            return str(value)
    return value


@dataclass(frozen=True)
class Rows:
    """The rows of a queryset in its own order: objects, or with `values_list("pk", flat=True)`
    their positions, each of which ends with the key."""

    keyset: Keyset
    number_of_parts: int
    # One behind the other, unless one queryset has the rows of all, by the numbers of their parts.
    parts: list[Part]
    together: AnyQuerySet | None = None

    @classmethod
    def of(cls, queryset: AnyQuerySet) -> "Rows":
        keys_only = queryset.query.values_select == ("pk",)
        rank = Rank.of(queryset)
        if rank is not None and keys_only and (together := rank.together(queryset)) is not None:
            return cls(Keyset.of(together), len(rank), [], together)
        parts: list[Part] = (
            [[queryset]] if rank is None else rank.parts(queryset, keys_only=keys_only)
        )
        keyset = Keyset.of(parts[0][0])
        parts = [[keyset.prepare(piece) for piece in part] for part in parts]
        if keys_only:
            # What a cursor needs of a row beside its key, and no more: its position.
            position = keyset.attribute, "pk"
            parts = [[piece.values_list(*position) for piece in part] for part in parts]
        return cls(keyset, len(parts), parts)

    def first(self, cursor: Cursor | None, limit: int) -> list[tuple[int, Any]]:
        """The first rows beyond the cursor, in the cursor's direction, each with its part."""
        if self.together is not None:
            rows = self._beyond_together(self.together, cursor).values_list(POSITION, "pk")
            return [(number, (key, key)) for number, key in rows[:limit]]
        chosen: list[tuple[int, Any]] = []
        for number, queryset in self._beyond(cursor):
            chosen += ((number, row) for row in queryset[: limit - len(chosen)])
            if len(chosen) == limit:
                break
        return chosen

    @staticmethod
    def _beyond_together(together: AnyQuerySet, cursor: Cursor | None) -> AnyQuerySet:
        keyset = Keyset(together.model, NUMBER, False, IntegerField(), False, F(NUMBER))
        together = keyset.prepare(together)
        if cursor is None:
            return keyset.order(together, backwards=False)
        [beyond] = keyset.beyond(together, cursor.part, cursor.pk, cursor.backwards)
        return beyond

    def _beyond(self, cursor: Cursor | None) -> Iterator[tuple[int, AnyQuerySet]]:
        parts, keyset = self.parts, self.keyset
        backwards, start = False, 0
        if cursor is not None:
            backwards, start = cursor.backwards, cursor.part
            for piece in reversed(parts[start]) if backwards else parts[start]:
                for queryset in keyset.beyond(piece, cursor.value, cursor.pk, backwards):
                    yield start, queryset
            start += -1 if backwards else 1
        for number in range(start, -1, -1) if backwards else range(start, len(parts)):
            for piece in reversed(parts[number]) if backwards else parts[number]:
                yield number, keyset.order(piece, backwards)


class CursorPagination(BasePagination):
    """Pages of `page_size` rows in the queryset's own order, linked forwards and backwards.

    The rows are what the queryset gives: objects, or with `values_list("pk", flat=True)` keys, as
    KeptPages gives them. One query a page, and one more where it goes on into the next part of a
    ranked list, or rows whose field is null may border on the others. `count=true` costs a query
    that visits every row.
    """

    page_size = api_settings.PAGE_SIZE
    max_page_size = 200
    query_parameters = frozenset({"cursor", "page_size", "count"})
    template = "rest_framework/pagination/previous_and_next.html"

    request: Request
    count: int | None
    next_cursor: str | None
    next_url: str | None
    previous_url: str | None

    def paginate_queryset(  # type: ignore[override]  # REST framework's take a list, too
        self, queryset: AnyQuerySet | KeptPages, request: Request, view: object = None
    ) -> list[object]:
        self.request = request
        size = self._page_size()
        text = request.query_params.get("cursor")
        if isinstance(queryset, KeptPages):
            self.count, keyset = None, queryset.keyset
            cursor = None if text is None else Cursor.decode(text, keyset, 1)
            position = None if cursor is None else (cursor.value, cursor.pk)
            backwards = cursor is not None and cursor.backwards
            pairs = queryset.first(position, backwards, size + 1)
            return self._page([(0, pair) for pair in pairs], keyset, cursor, size, keys_only=True)
        self.count = queryset.order_by().count() if is_true(request, "count") else None
        keys_only = queryset.query.values_select == ("pk",)
        rows = Rows.of(queryset)
        cursor = None if text is None else Cursor.decode(text, rows.keyset, rows.number_of_parts)
        chosen = rows.first(cursor, size + 1)
        return self._page(chosen, rows.keyset, cursor, size, keys_only=keys_only)

    def _page(
        self,
        rows: list[tuple[int, Any]],
        keyset: Keyset,
        cursor: Cursor | None,
        size: int,
        *,
        keys_only: bool,
    ) -> list[object]:
        """The page and its links, of rows beyond the cursor, one more than it has if there is."""
        has_more, rows = len(rows) > size, rows[:size]
        backwards = cursor is not None and cursor.backwards
        if backwards:
            rows.reverse()
        # Behind a cursor lies the row that it was made from, at least when it was made.
        has_next = bool(rows) and (has_more or backwards)
        has_previous = bool(rows) and (has_more if backwards else cursor is not None)
        self.next_cursor = self._cursor(keyset, rows[-1], False) if has_next else None
        self.next_url = self._link(self.next_cursor)
        self.previous_url = self._link(
            self._cursor(keyset, rows[0], True) if has_previous else None
        )
        self.display_page_controls = True
        return [row[1] if keys_only else row for _, row in rows]

    @staticmethod
    def _cursor(keyset: Keyset, row: tuple[int, object], backwards: bool) -> str:
        part, position = row[0], keyset.position_of(row[1])
        return Cursor(backwards, part, *position).encode(keyset)

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)

    # Parameters

    def parameters_of(self, view: object) -> frozenset[str]:
        return self.query_parameters

    def _page_size(self) -> int:
        size = self.request.query_params.get("page_size", str(self.page_size))
        if not re.fullmatch("[1-9][0-9]{0,2}", size) or int(size) > self.max_page_size:
            detail = f"A page has 1 to {self.max_page_size} results."
            raise Refused([Fault("invalid", detail, parameter="page_size")])
        return int(size)

    # Answer

    def get_paginated_response(self, data: object) -> Response:
        count = {} if self.count is None else {"count": self.count}
        links = {
            "next": self.next_url,
            "previous": self.previous_url,
            "next_cursor": self.next_cursor,
        }
        return Response({**count, **links, "results": data})

    def to_html(self) -> str:
        links = {"previous_url": self.previous_url, "next_url": self.next_url}
        return loader.get_template(self.template).render(links)

    # Schema

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "next_cursor", "results"],
            "properties": {
                "count": {
                    "type": "integer",
                    "description": "The number of results on all pages; only with `count=true`.",
                },
                "next": {**link, "description": "The next page; null on the last one."},
                "previous": {**link, "description": "The page before; null on the first one."},
                "next_cursor": {
                    "type": "string",
                    "nullable": True,
                    "description": "The `cursor` of the next page; null on the last one.",
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: object) -> list[Schema]:
        parameters: dict[str, tuple[str, Schema]] = {
            "cursor": (
                "Where the page begins: a `next_cursor`, or the `cursor` of a link.",
                {"type": "string", "minLength": 1},
            ),
            "page_size": (
                "The number of results on a page.",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": self.max_page_size,
                    "default": self.page_size,
                },
            ),
            "count": (
                "Adds `count`, the number of results on all pages. It takes time on a long list.",
                {"type": "boolean"},
            ),
        }
        return [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for name, (text, schema) in parameters.items()
        ]
