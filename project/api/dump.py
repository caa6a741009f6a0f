"""The whole catalogue as one file: each line an aggregate root, what others share before these.

A line is `{"kind": "books", "document": {…}}`. A document has what a body of the API may say, and
names what it links by uid, never by id: so it means the same in every database.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connections, models, router
from rest_framework.exceptions import ParseError, ValidationError

from .databases.connections import snapshot
from .documents.statements import Document, properties
from .http.parsers import parse_json
from .http.problems import Fault, Refused, faults_of, pointer
from .http.resources import resources
from .models import AggregateRoot, Attrs
from .relations import Owned, RelatedSerializer, ReverseVia, Shared, Via, relations_of
from .serializers import documents
from .writes.attribution import program
from .writes.transactions import Change, retry, write_locked

BLOCK = 200
# What a block of lines may hold.
BLOCK_BYTES = 2 * 1024 * 1024
# What is kept of a value, or None where all of it is.
Pick = Callable[[object], object] | None


@dataclass(frozen=True)
class Root:
    """An aggregate root that has a viewset of its own."""

    kind: str
    serializer_class: type[RelatedSerializer]

    @property
    def model(self) -> type[AggregateRoot]:
        model: type[AggregateRoot] = self.serializer_class.Meta.model
        return model

    @cached_property
    def picks(self) -> Mapping[str, Pick]:
        return _picks(self.serializer_class())

    @cached_property
    def keys(self) -> Mapping[str, type[models.Model]]:
        """The properties that hold keys alone, each with the root that these are of."""
        return _keys(self.serializer_class())

    @property
    def links(self) -> set[type[models.Model]]:
        return {*_links(self.serializer_class()), *self.keys.values()} - {self.model}


def roots() -> list[Root]:
    """Every root, those that others link first."""
    found: dict[type[models.Model], Root] = {
        model: Root(resource.collection, resource.view_class.serializer_class)
        for model, resource in resources().items()
        if issubclass(model, AggregateRoot)
    }
    order: list[Root] = []

    def visit(root: Root, above: tuple[Root, ...] = ()) -> None:
        if root in order or root in above:
            return
        for model in root.links & found.keys():
            visit(found[model], (*above, root))
        order.append(root)

    for root in sorted(found.values(), key=lambda root: (len(root.links), root.kind)):
        visit(root)
    return order


# What a document says of a root, in whichever database


def _picks(serializer: RelatedSerializer) -> dict[str, Pick]:
    """The properties that a body may say; of a relation's twins the nested one."""
    relations = {relation.name: relation for relation in relations_of(serializer)}
    keys = {relation.key for name, relation in relations.items() if name in serializer.fields}
    picks: dict[str, Pick] = {}
    for name, each in serializer.fields.items():
        relation = relations.get(name)
        if each.read_only or name == "id" or name in keys:
            continue
        if isinstance(relation, Via | ReverseVia):
            # The list that it goes through says more.
            continue
        picks[name] = _nested(each) if relation is not None else None
    return picks


def _nested_in(field: Any) -> RelatedSerializer:
    """The serializer of an object, or of each in a list."""
    nested: RelatedSerializer = getattr(field, "child", field)
    return nested


def _nested(field: object) -> Pick:
    picks = _picks(_nested_in(field))

    def pick(value: Any) -> Any:
        if isinstance(value, list):
            return [pick(each) for each in value]
        return None if value is None else pick_from(value, picks)

    return pick


def pick_from(document: Mapping[str, object], picks: Mapping[str, Pick]) -> dict[str, object]:
    return {
        name: document[name] if pick is None else pick(document[name])
        for name, pick in picks.items()
    }


def _keys(serializer: RelatedSerializer) -> dict[str, type[models.Model]]:
    return {
        str(relation.key): serializer.Meta.model._meta.get_field(relation.name).related_model
        for relation in relations_of(serializer)
        if isinstance(relation, Shared)
        and relation.key in serializer.fields
        and relation.name not in serializer.fields
    }


def _links(serializer: RelatedSerializer) -> Iterator[type[models.Model]]:
    for relation in relations_of(serializer):
        if relation.name not in serializer.fields:
            continue
        child = _nested_in(serializer.fields[relation.name])
        if isinstance(relation, Shared):
            yield child.Meta.model
        elif isinstance(relation, Owned):
            yield from _links(child)


def _translate(keys: object, meaning: Callable[[object], object]) -> object:
    """What a property of keys says, one or a list, with the meaning of each instead."""
    return [meaning(key) for key in keys] if isinstance(keys, list) else meaning(keys)


def _flat(values: Iterable[object]) -> Iterator[object]:
    for each in values:
        yield from each if isinstance(each, list) else [each]


# Out


def export_lines() -> Iterator[str]:
    """Each root as a line; on PostgreSQL all as they were at one moment."""
    using = router.db_for_read(AggregateRoot)
    # On SQLite a long reader may be in the way of writers.
    with snapshot(using) if connections[using].vendor == "postgresql" else nullcontext():
        yield from _lines(using)


def _lines(using: str) -> Iterator[str]:
    for root in roots():
        unread = properties(root.serializer_class) - frozenset(root.picks)
        rows = root.model._default_manager.using(using).order_by("pk").values_list("pk", flat=True)
        block = list(rows[:BLOCK])
        while block:
            array = documents(root.serializer_class, unread, block, using, None)
            for document in _replace_keys(root, array):
                line = {"kind": root.kind, "document": document}
                yield json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
            block = list(rows.filter(pk__gt=block[-1])[:BLOCK])


def _replace_keys(root: Root, array: Document) -> list[dict[str, object]]:
    found = [pick_from(each, root.picks) for each in json.loads(array)]
    for name, model in root.keys.items():
        manager = model._default_manager
        keys = set(_flat(document[name] for document in found))
        stored = manager.filter(pk__in=keys).values_list("pk", "uid")
        uids = {pk: str(uid) for pk, uid in stored}
        for document in found:
            document[name] = _translate(document[name], uids.get)
    return found


# In


@dataclass
class Line:
    """A line of a file, and what it says."""

    number: int
    root: Root | None = None
    document: Attrs = field(default_factory=dict)
    faults: Sequence[Fault] = ()


@dataclass
class Outcome:
    """What has become of some lines of one kind."""

    kind: str
    created: int
    # Those whose uid is stored already: they stay as they are.
    unchanged: int
    refused: list[Line]


def import_lines(lines: Iterable[bytes]) -> Iterator[Outcome]:
    """Add the roots that the catalogue has not, each block in a transaction of its own."""
    with program("import_catalogue"):
        for block in _blocks(_read(lines)):
            yield retry(lambda block=block: _import_block(block))  # type: ignore[misc]


def _read(lines: Iterable[bytes]) -> Iterator[tuple[Line, int]]:
    by_kind = {root.kind: root for root in roots()}
    for number, text in enumerate(lines, 1):
        line = Line(number)
        try:
            value = parse_json(text)
        except Refused as refused:
            line.faults = refused.faults
        except ParseError as error:
            line.faults = [Fault("parse_error", str(error.detail), "")]
        else:
            _read_value(line, value, by_kind)
        yield line, len(text)


def _read_value(line: Line, value: object, by_kind: Mapping[str, Root]) -> None:
    if not (isinstance(value, dict) and value.keys() == {"kind", "document"}):
        line.faults = [Fault("invalid", "A line has a kind and a document.", "")]
    elif value["kind"] not in by_kind:
        detail = f"There are {', '.join(by_kind)}."
        line.faults = [Fault("invalid_choice", detail, "/kind")]
    elif not isinstance(value["document"], dict):
        line.faults = [Fault("invalid", "A document is an object.", "/document")]
    else:
        line.root, line.document = by_kind[value["kind"]], value["document"]


def _blocks(lines: Iterable[tuple[Line, int]]) -> Iterator[list[Line]]:
    """Lines of one kind each, a refused one with those before it."""
    block: list[Line] = []
    size = 0
    for line, length in lines:
        is_other = block and line.root is not None and line.root != block[0].root
        if is_other or len(block) == BLOCK or size > BLOCK_BYTES:
            yield block
            block, size = [], 0
        block.append(line)
        size += length
    if block:
        yield block


def _import_block(block: list[Line]) -> Outcome:
    root = next((line.root for line in block if line.root is not None), None)
    if root is None:
        return Outcome("", 0, 0, block)
    for line in block:
        line.faults = () if line.root is not None else line.faults
    stored = _stored_uids(root, [line.document.get("uid") for line in block])
    new = [
        line
        for line in block
        if line.root is not None and str(line.document.get("uid")).lower() not in stored
    ]
    unchanged = sum(line.root is not None for line in block) - len(new)
    serializer = root.serializer_class(context={"request": None})
    bodies = [_replace_uids(root, line.document) for line in new]
    attrs = {}
    for line, body in zip(new, bodies, strict=True):
        try:
            attrs[line.number] = serializer.run_validation(body)
        except ValidationError as error:
            line.faults = list(faults_of(error.detail))
    good = [line for line in new if not line.faults]
    while good:
        changes = [Change(None, attrs[line.number], pointer(line.number)) for line in good]
        try:
            write_locked(serializer, changes)
            break
        except Refused as refused:
            _assign_faults(good, refused.faults)
            good = [line for line in good if not line.faults]
    return Outcome(root.kind, len(good), unchanged, [line for line in block if line.faults])


def _stored_uids(root: Root, uids: Iterable[object]) -> set[str]:
    manager = root.model._default_manager
    named = {uid for uid in map(_uuid, uids) if uid is not None}
    return {str(uid) for uid in manager.filter(uid__in=named).values_list("uid", flat=True)}


def _uuid(text: object) -> UUID | None:
    with suppress(ValueError):
        return UUID(text) if isinstance(text, str) else None
    return None


def _replace_uids(root: Root, document: Mapping[str, object]) -> dict[str, object]:
    body = dict(document)
    for name, model in root.keys.items():
        if name in body:
            manager = model._default_manager
            uids = _translate(body[name], _uuid)
            stored = manager.filter(uid__in=set(_flat([uids]))).values_list("uid", "pk")
            body[name] = _translate(uids, dict(stored).get)
    return body


def _assign_faults(lines: Sequence[Line], faults: Iterable[Fault]) -> None:
    by_number = {str(line.number): line for line in lines}
    for fault in faults:
        _, number, *rest = (fault.pointer or "").split("/")
        place = "".join(f"/{each}" for each in rest)
        line = by_number[number]
        line.faults = [*line.faults, Fault(fault.code, fault.detail, place)]
