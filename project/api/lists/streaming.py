"""Exports: all that a list finds as one file, made block by block while it is sent.

A block is read by the position that it begins at, as a page is: nothing is open in between, so a
slow client holds neither a lock nor a snapshot, and the memory does not grow with the list. Each
object stands there as it was when its block was read.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from threading import Lock
from typing import Any, ClassVar
from weakref import WeakSet

from django.conf import settings
from django.http import HttpResponseBase, StreamingHttpResponse
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from ..databases.connections import without_prepared_plans
from ..http.csv import rows_of
from ..http.preconditions import IF_MATCH, KEYS, Condition, not_supported
from ..http.problems import Fault, Refused
from ..http.renderers import CSVRenderer
from ..models import AnyQuerySet
from ..relations import RelatedSerializer
from .pagination import Cursor, Rows

BLOCK = 500
# What a cell holds: the property of the document, and what is made of its value.
Column = tuple[str, Callable[[Any], object]]
Columns = Mapping[str, Column]
NOT_SCALAR = (
    serializers.BaseSerializer,
    serializers.ListField,
    serializers.DictField,
    serializers.JSONField,
    serializers.ManyRelatedField,
)


class Busy(APIException):
    """As many exports are under way as there may be at once."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Another export is under way. Try again."
    default_code = "busy"
    wait = 5


def columns_of(serializer: RelatedSerializer) -> Columns:
    """A column for each property that is a scalar."""
    return {
        name: (name, lambda value: value)
        for name, field in serializer.fields.items()
        if not (field.write_only or isinstance(field, NOT_SCALAR))
    }


def shown_columns(columns: Columns, known: frozenset[str], unread: frozenset[str]) -> Columns:
    """Those of the columns that `fields` and `omit` leave; Refused where there is none."""
    shown = {
        name: column
        for name, column in columns.items()
        if (name if name in known else column[0]) not in unread
    }
    if not shown:
        detail = "A table has no column for any of these properties."
        raise Refused([Fault("invalid_choice", detail, parameter="fields")])
    return shown


def export(
    request: Request,
    queryset: AnyQuerySet,
    documents: Callable[[list[object]], Iterable[bytes]],
    columns: Columns,
    name: str,
) -> HttpResponseBase:
    """The answer that has the documents of these rows, in the form that the request accepts.

    `documents` gives those of some keys, in their order. Raises Busy where as many
    exports are under way as EXPORTS_AT_ONCE says.
    """
    condition = request.META.get(KEYS[IF_MATCH])
    if condition is not None and not Condition.of(condition, IF_MATCH).is_any:
        # It has no tag. What is refused later has begun, and nobody ends it.
        raise Refused([not_supported(IF_MATCH)])
    renderer = request.accepted_renderer
    headers = {"Content-Disposition": f'attachment; filename="{name}.{renderer.format}"'}
    media_type = renderer.media_type
    if isinstance(renderer, CSVRenderer):
        media_type += "; charset=utf-8"
    if request.method == "HEAD":
        # Nobody knows its length: one of 0 would be wrong (RFC 9110, section 8.6).
        return StreamingHttpResponse((), content_type=media_type, headers=headers)
    parts = (documents(keys) for keys in blocks(queryset))
    if isinstance(renderer, CSVRenderer):
        chunks = table(parts, columns)
    else:
        # Each document has a line break behind it.
        chunks = filter(None, (b"\n".join([*part, b""]) for part in parts))
    return StreamingHttpResponse(Export(chunks), content_type=media_type, headers=headers)


def blocks(queryset: AnyQuerySet, size: int = BLOCK) -> Iterator[list[object]]:
    """The keys of these rows, in the queryset's own order, a list for each block."""
    rows = Rows.of(queryset.values_list("pk", flat=True))
    cursor = None
    while True:
        with without_prepared_plans(queryset.db):
            block = rows.first(cursor, size)
        if not block:
            return
        yield [row[1] for _, row in block]
        if len(block) < size:
            return
        part, row = block[-1]
        cursor = Cursor(False, part, *rows.keyset.position_of(row))


def table(parts: Iterable[Iterable[bytes]], columns: Columns) -> Iterator[bytes]:
    yield rows_of([columns]).encode()
    for part in parts:
        yield rows_of(
            [of(document[name]) for name, of in columns.values()]
            # Together, since each call makes the names of properties anew.
            for document in json.loads(b"[" + b",".join(part) + b"]")
        ).encode()


class Export:
    """These bytes, which count as one export until they are closed, or nobody has them any more."""

    _lock = Lock()
    _under_way: ClassVar["WeakSet[Export]"] = WeakSet()

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        with Export._lock:
            if len(Export._under_way) >= settings.EXPORTS_AT_ONCE:
                raise Busy
            Export._under_way.add(self)

    def __iter__(self) -> Iterator[bytes]:
        with closing(self):
            yield from self._chunks

    def close(self) -> None:
        Export._under_way.discard(self)
