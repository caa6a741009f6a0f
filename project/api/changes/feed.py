"""Pages of the feed: which objects come after a position, and what there is to say of each."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connections
from django.db.backends.utils import CursorWrapper
from rest_framework.request import Request

from ..databases.connections import snapshot
from ..documents.statements import Document, properties
from ..fields import TimestampField
from ..http.resources import Resource, lists_all, resources, visible
from ..models import AggregateRoot
from ..serializers import each_document
from ..writes.former_keys import survivors
from .actors import Actors
from .positions import Position, give, is_pending, position_at
from .tracking import aware, kind_of

# So many rounds of giving positions a reader waits for, until its page is full.
ROUNDS = 4


@dataclass(frozen=True)
class Kind:
    """A root that has a viewset. Clients call it by the path of its list, `books`."""

    model: type[AggregateRoot]
    resource: Resource

    @property
    def name(self) -> str:
        return self.resource.collection

    @property
    def label(self) -> str:
        return kind_of(self.model)

    def may_be_read(self, request: Request) -> bool:
        view = self.resource.view(request, "GET")
        return all(each.has_permission(view.request, view) for each in view.get_permissions())


def kinds() -> dict[str, Kind]:
    """What the feed has, by name."""
    return {
        resource.collection: Kind(model, resource)
        for model, resource in sorted(resources().items(), key=lambda each: each[1].collection)
        if issubclass(model, AggregateRoot) and hasattr(resource.view_class, "documents")
    }


class Row(NamedTuple):
    """What the feed's tables know of an object."""

    kind: str
    object_id: int
    position: int
    uid: str
    version: int
    deleted: bool
    merged_into: int | None
    at: datetime
    actor: str | None


@dataclass(frozen=True)
class Page:
    results: Document
    end: Position
    has_more: bool


class LostPositionError(Exception):
    """The position to go on from is of another future than this."""


def page(
    request: Request,
    among: Collection[Kind],
    start: Position,
    size: int,
    *,
    with_documents: bool,
    with_actors: bool,
    using: str,
) -> Page:
    """What has changed after a position, all of it read at one moment. Raises LostPositionError."""
    by_label = {kind.label: kind for kind in among}
    for rounds_left in reversed(range(ROUNDS + 1)):
        with snapshot(using), connections[using].cursor() as cursor:
            if position_at(cursor, start.number) != start:
                raise LostPositionError
            rows = _rows(cursor, using, sorted(by_label), start.number, size + 1, request.user.pk)
            is_full = len(rows) > size
            has_more = is_full or is_pending(using)
            if is_full or not (has_more and rounds_left):
                rows = rows[:size]
                end = position_at(cursor, rows[-1].position if rows else start.number) or start
                shown = _shown(rows, by_label, request, using, with_documents=with_documents)
                actors = Actors.of([row.actor for row in rows], using) if with_actors else None
                merged = _merged(rows, by_label, request, using)
                results = _results(rows, by_label, shown, actors, merged)
                return Page(Document(b"[" + b",".join(results) + b"]"), end, has_more)
        give(using)
    raise AssertionError


def _rows(
    cursor: CursorWrapper,
    using: str,
    labels: Sequence[str],
    after: int,
    limit: int,
    viewer: int | None,
) -> list[Row]:
    if not labels:
        return []
    # Each is a walk along an index, however far from the beginning; together they are a merge.
    part = (
        "SELECT * FROM (SELECT kind, object_id, position, uid, version, deleted, merged_into,"
        " change_id FROM changes_entry WHERE kind = %s AND position > %s"
        " AND (viewer IS NULL OR viewer = %s) ORDER BY position LIMIT %s) AS part"
    )
    parts = " UNION ALL ".join(part for _ in labels)
    params = [value for label in labels for value in (label, after, viewer, limit)]
    cursor.execute(
        "SELECT e.kind, e.object_id, e.position, e.uid, e.version, e.deleted, e.merged_into,"
        f" c.at, c.actor FROM (SELECT * FROM ({parts}) AS parts ORDER BY position LIMIT %s) AS e"
        " JOIN changes_change c ON c.id = e.change_id ORDER BY e.position",
        [*params, limit],
    )
    rows = map(Row._make, cursor.fetchall())
    if connections[using].vendor == "sqlite":
        return [row._replace(deleted=bool(row.deleted), at=aware(row.at)) for row in rows]
    return list(rows)


# What there is to say of the rows

# By the label of the kind and the object's key: its document, or None where nobody asked for it.
Shown = Mapping[tuple[str, int], bytes | None]


def _shown(
    rows: Sequence[Row],
    by_label: Mapping[str, Kind],
    request: Request,
    using: str,
    *,
    with_documents: bool,
) -> Shown:
    """Those of the objects that are there and that who asks may see, a statement or two a kind."""
    keys: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if not row.deleted:
            keys[row.kind].append(row.object_id)
    shown: dict[tuple[str, int], bytes | None] = {}
    for label, found in keys.items():
        kind = by_label[label]
        view_class = kind.resource.view_class
        if not lists_all(view_class):
            queryset = visible(kind.model, request).using(using).filter(pk__in=found)
            there = set(queryset.values_list("pk", flat=True))
            found = [key for key in found if key in there]
        if with_documents:
            view = kind.resource.view(request, "GET")
            serializer_class = view.get_serializer_class()
            expandable = frozenset(getattr(serializer_class.Meta, "expandable", ()))
            unread = properties(serializer_class) & expandable
            documents = each_document(serializer_class, unread, found, using, request)
            shown.update(((label, key), document) for key, document in documents.items())
        else:
            shown.update(((label, key), None) for key in found)
    return shown


def _merged(
    rows: Sequence[Row], by_label: Mapping[str, Kind], request: Request, using: str
) -> Mapping[tuple[str, int], Mapping[str, object]]:
    """By kind and key, which objects those that are gone were merged into, at the end of however
    many mergers, if who asks may see them. A few statements a kind."""
    keys: dict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        if row.deleted and row.merged_into is not None:
            keys[row.kind][row.object_id] = row.merged_into
    found: dict[tuple[str, int], Mapping[str, object]] = {}
    for label, into in keys.items():
        model = by_label[label].model
        last = survivors((model, "id", key) for key in into)
        into |= {key: last[model, "id", key] for key in into if (model, "id", key) in last}
        shown = visible(model, request).using(using).filter(pk__in=set(into.values()))
        uids = dict(shown.values_list("pk", "uid"))
        for key, survivor in into.items():
            if survivor in uids:
                found[label, key] = {"id": survivor, "uid": str(uids[survivor])}
    return found


def _results(
    rows: Sequence[Row],
    by_label: Mapping[str, Kind],
    shown: Shown,
    actors: Actors | None,
    merged: Mapping[tuple[str, int], Mapping[str, object]],
) -> Iterator[bytes]:
    """Each row in JSON."""
    timestamp = TimestampField().to_representation
    for row in rows:
        key = (row.kind, row.object_id)
        is_shown = key in shown
        members: dict[str, object] = {
            "kind": by_label[row.kind].name,
            "id": row.object_id,
            "uid": str(row.uid),
            "operation": "upsert" if is_shown else "delete",
        }
        # Of what is hidden, nothing else.
        if is_shown or row.deleted:
            members |= {"version": row.version, "at": timestamp(row.at)}
            if actors is not None and row.actor is not None:
                members["actor"] = actors.actor(row.actor)
        if key in merged:
            members["merged_into"] = merged[key]
        content = json.dumps(members, ensure_ascii=False).encode()
        if (document := shown.get(key)) is not None:
            content = content[:-1] + b', "document": ' + document + b"}"
        yield content
