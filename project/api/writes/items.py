"""What a body refers to: links, new objects and edits, each with its place in the body."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q
from rest_framework.fields import empty

from ..http.problems import pointer
from ..http.resources import resource_of
from ..models import AnyField, Attrs, FoldedFrom, MadeFrom
from ..relations import Owned, RelatedSerializer, Relation, Shared, Via, relations_of
from .former_keys import Name, survivors
from .unit_of_work import RowState, UnitOfWork, natural_keys


@dataclass(eq=False)
class Item:
    """What one place of the body refers to."""

    pointer: str
    id: int | None = None
    # What else the body says of it; None where it is a bare key.
    attrs: Attrs | None = None
    # An object of this very write.
    instance: models.Model | None = None
    # Whether a natural key gave the id: then all that it says is so.
    by_key: bool = False
    # Whether it names what was merged: then what else it says is of that, and counts no more.
    is_merged: bool = False

    @classmethod
    def of(cls, value: Any, pointer: str) -> "Item":
        if isinstance(value, Item):
            return value
        if isinstance(value, models.Model):
            # Of the program, as in `serializer.save(series=series)`.
            return cls(pointer, value.pk)
        if isinstance(value, Mapping):
            attrs = dict(value)
            return cls(pointer, attrs.pop("id", None), attrs)
        return cls(pointer, value)

    @property
    def uid(self) -> UUID | None:
        return (self.attrs or {}).get("uid")

    @property
    def means(self) -> object:
        """What it stands for, comparable: its id, or what is to be created."""
        if self.instance is not None:
            return self.instance
        return self.attrs if self.id is None else self.id

    @property
    def id_pointer(self) -> str:
        if self.attrs is None or self.by_key or self.is_merged:
            return self.pointer
        return self.pointer + ("/id" if self.uid is None else "/uid")


@dataclass(eq=False)
class Node:
    """An object to be written, and what the body says of it."""

    row: RowState
    attrs: Attrs
    # Rows for its owned lists beside what the body says, by the list's name.
    extra: dict[str, list[Attrs]] = field(default_factory=dict)

    @property
    def instance(self) -> models.Model:
        return self.row.instance

    @property
    def root(self) -> RowState:
        return self.row.root or self.row


@dataclass(frozen=True)
class Edit:
    """A change of one item of an owned list: without `id` it appends, without `attrs` removes.

    Of a many-to-many relation it adds the link to the object with this id, or removes it.
    """

    id: int | None
    attrs: Attrs | None


@dataclass
class Entry:
    """One place of an owned list as it shall be."""

    pointer: str
    attrs: Attrs
    stored: models.Model | None = None


def take_twins(
    relation: Relation, work: UnitOfWork, node: Node
) -> Iterator[tuple[str, list[Item]]]:
    """The twins that the body gives, as lists of items: [] is null, too.

    An id that stands twice in one of them is a fault, and stands there once from here on.
    """
    model_field: AnyField = type(node.instance)._meta.get_field(relation.name)
    model = model_field.related_model
    for name in (relation.name, relation.key):
        if name is None or name not in node.attrs:
            continue
        value = node.attrs.pop(name)
        place = node.row.pointer + pointer(name)
        if isinstance(value, list):
            items = [item_of(work, model, each, place + pointer(i)) for i, each in enumerate(value)]
        else:
            items = [] if value is None else [item_of(work, model, value, place)]
        yield name, list(_distinct(work, items, is_set=isinstance(relation, Shared)))


def item_of(work: UnitOfWork, model: type[models.Model], value: object, place: str) -> Item:
    """The item of this value, with the id of the stored object that it names in other ways."""
    item = Item.of(value, place)
    if item.id is None and item.uid is not None:
        item.id = work.ids_by_uid[model].get(item.uid)
    if item.id is None and item.attrs:
        item.id = _linked_by_key(work, model, item.attrs)
        item.by_key = item.id is not None
    if (survivor := _survivor(work, model, item)) is not None:
        item.id, item.is_merged = survivor, True
    return item


def _survivor(work: UnitOfWork, model: type[models.Model], item: Item) -> int | None:
    """The id of the object that is meant, where the item names one that was merged into it."""
    if not work.survivors:
        return None
    if item.id is not None:
        return work.survivors.get((model, "id", item.id))
    if item.uid is not None:
        return work.survivors.get((model, "uid", item.uid))
    keys = list(_keys_of(model, item.attrs or {}))
    if any(work.holders_by_key[model][column].get(key) is not None for column, key in keys):
        # Somebody has one of these names again.
        return None
    found = (work.survivors.get((model, *each)) for each in keys)
    return next((key for key in found if key is not None), None)


class _Names:
    """What bodies call stored objects by, by model; natural keys by column, too."""

    def __init__(self) -> None:
        self.ids: dict[type[models.Model], set[int]] = defaultdict(set)
        self.uids: dict[type[models.Model], set[UUID]] = defaultdict(set)
        self.keys: dict[type[models.Model], dict[str, set[object]]] = defaultdict(
            lambda: defaultdict(set)
        )


def look_up_names(
    work: UnitOfWork, serializer: RelatedSerializer, bodies: Iterable[Mapping[str, object]]
) -> None:
    """Find the stored objects that bodies name by their uid or by a natural key, with a query for
    each model and kind of name, one for those that may be linked, and one for what was merged.

    What new objects alone link by an id is found by one query for all models.
    """
    names = _Names()
    unknown: list[Name] = []
    for attrs in bodies:
        _collect_names(serializer, attrs, names)
    if all(row.is_new for row in work.tops):
        # What stored ones have already is not looked up.
        work.fetch_together(names.ids)
    for model, named in names.uids.items():
        stored = model._default_manager.filter(uid__in=named)
        work.ids_by_uid[model].update(stored.values_list("uid", "pk"))
        unknown += [(model, "uid", uid) for uid in named - work.ids_by_uid[model].keys()]
    for model, columns in names.keys.items():
        holders = work.holders_by_key[model]
        for column, values in columns.items():
            holders[column] = dict.fromkeys(values)
        condition = reduce(or_, (Q(**{f"{name}__in": each}) for name, each in columns.items()))
        stored = model._default_manager.filter(condition)
        for pk, *values in stored.values_list("pk", *columns):
            for column, value in zip(columns, values, strict=True):
                if value in columns[column]:
                    holders[column][value] = pk
        ids = (pk for each in holders.values() for pk in each.values())
        work.fetch(model, [pk for pk in ids if pk is not None])
        unknown += [
            (model, column, value)
            for column, each in holders.items()
            for value, pk in each.items()
            if pk is None
        ]
    work.survivors |= survivors(unknown)


def _collect_names(
    serializer: RelatedSerializer, attrs: Mapping[str, object], names: _Names
) -> None:
    for relation in relations_of(serializer):
        value = attrs.get(relation.name)
        if isinstance(value, Edit):
            value = value.attrs
        nested = [each for each in _as_list(value) if isinstance(each, Mapping) and each]
        if isinstance(relation, Shared | Via):
            linked = [
                *_as_list(attrs.get(relation.key or "")),
                *(each.get("id") for each in nested),
            ]
            if ids := {each for each in linked if isinstance(each, int)}:
                related: AnyField = serializer.Meta.model._meta.get_field(relation.name)
                names.ids[related.related_model] |= ids
        if not nested:
            continue
        twin = serializer.fields[relation.name]
        child = getattr(twin, "child", twin)
        for each in nested:
            if not isinstance(relation, Owned) and "id" not in each:
                if "uid" in each:
                    names.uids[child.Meta.model].add(each["uid"])
                for column, key in _keys_of(child.Meta.model, each):
                    names.keys[child.Meta.model][column].add(key)
            _collect_names(child, each, names)


def _keys_of(model: type[models.Model], attrs: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The natural keys that a description gives, each with the column that stores it."""
    for name, column in natural_keys(model).items():
        if (value := attrs.get(name)) not in (None, ""):
            yield (
                column.attname,
                column.make(value) if isinstance(column, FoldedFrom) else value,
            )


def _linked_by_key(
    work: UnitOfWork, model: type[models.Model], attrs: Mapping[str, object]
) -> int | None:
    """The id of the object that has a natural key of this description and is all that it says."""
    holders = work.holders_by_key[model]
    for column, key in _keys_of(model, attrs):
        pk = holders.get(column, {}).get(key)
        # Unless it is hidden from who asks.
        stored = None if pk is None else work.fetch(model, [pk]).get(pk)
        if stored is not None and _says_only(model, attrs, vars(stored)):
            return pk
    return None


def made_by_key(work: UnitOfWork, model: type[models.Model], item: Item) -> models.Model | None:
    """What this write makes already under a natural key of this item, which says no more of it."""
    for key in _keys_of(model, item.attrs or {}):
        first, instance = work.made_by_key.get((model, *key), (None, None))
        if first is not None and _says_only(model, item.attrs or {}, first.attrs or {}):
            return instance
    return None


def remember_new(
    work: UnitOfWork, model: type[models.Model], item: Item, instance: models.Model
) -> None:
    """Let what names a new object again in this body find it."""
    if item.uid is not None:
        work.made_by_uid[model, item.uid] = item, instance
    for key in _keys_of(model, item.attrs or {}):
        work.made_by_key.setdefault((model, *key), (item, instance))


def _says_only(
    model: type[models.Model], attrs: Mapping[str, Any], known: Mapping[str, Any]
) -> bool:
    """Whether a description says nothing but what is known; a unique name in whatever case."""
    keys = natural_keys(model)
    for name, value in attrs.items():
        stored = known.get(name, empty)
        if isinstance(column := keys.get(name), FoldedFrom) and stored is not empty:
            value, stored = column.make(value), column.make(stored)
        if stored != value and not (value == "" and _is_made(model, name)):
            return False
    return True


def _is_made(model: type[models.Model], name: str) -> bool:
    return any(f.name == name and isinstance(f, MadeFrom) for f in model._meta.concrete_fields)


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def require_properties(work: UnitOfWork, serializer: RelatedSerializer, item: Item) -> None:
    """Of an object with a `uid` it shows only now whether it is new, and must be whole."""
    if item.uid is None:
        return
    for name, each in serializer.fields.items():
        if each.required and not each.read_only and name not in (item.attrs or {}):
            work.fault("required", "This field is required.", item.pointer + pointer(name))


def require_agreement(work: UnitOfWork, first: Item, item: Item) -> None:
    """What names a new object again, by its `uid`, says nothing else of it than the first did."""
    for name, value in (item.attrs or {}).items():
        if name not in (first.attrs or {}) or (first.attrs or {})[name] != value:
            place = item.pointer + pointer(name)
            detail = f"This differs from what stands at “{first.pointer}”."
            work.fault("conflicting_values", detail, place)


def pick(
    work: UnitOfWork,
    node: Node,
    twin_items: list[tuple[str, list[Item]]],
    stored: Sequence[int],
    *,
    ordered: bool = True,
) -> list[Item] | None:
    """The items of the twin that says something new; None where nothing is to change."""
    if not node.row.is_new:
        twin_items = [
            (name, items)
            for name, items in twin_items
            if _meaning(items, ordered) != _meaning(stored, ordered)
        ]
    return agreed_items(work, node, twin_items, ordered=ordered)


def agreed_items(
    work: UnitOfWork, node: Node, twin_items: list[tuple[str, list[Item]]], *, ordered: bool = True
) -> list[Item] | None:
    """What these twins say, if they say the same."""
    for name, items in twin_items[1:]:
        if _meaning(items, ordered) != _meaning(twin_items[0][1], ordered):
            detail = f"“{twin_items[0][0]}” and “{name}” disagree."
            work.fault("conflicting_values", detail, node.row.pointer + pointer(name))
            return None
    return twin_items[0][1] if twin_items else None


def _meaning(items: Sequence[Item | int], ordered: bool) -> list[object]:
    meanings = [item.means if isinstance(item, Item) else item for item in items]
    return meanings if ordered else sorted(meanings, key=repr)


def resolve_stored(
    work: UnitOfWork,
    serializer: RelatedSerializer,
    model: type[models.Model],
    items: Sequence[Item],
    *,
    lock: bool = False,
) -> dict[Item, models.Model]:
    """The stored objects that these items name, each as the item describes it."""
    named = {item: item.id for item in items if item.id is not None and item.instance is None}
    found = work.fetch(model, named.values(), lock=lock)
    objects = {}
    for item, key in named.items():
        instance = found.get(key)
        if instance is None:
            detail = f"There is no {model._meta.verbose_name} {key}."
            work.fault("does_not_exist", detail, item.id_pointer)
            continue
        objects[item] = instance
        if item.by_key or item.is_merged:
            continue
        for name in differences(serializer, instance, item.attrs or {}):
            url = url_of(instance)
            detail = "This differs from what is stored" + (f"; edit it at {url}." if url else ".")
            work.fault("not_editable_here", detail, item.pointer + pointer(name))
    return objects


def differences(serializer: RelatedSerializer, instance: models.Model, attrs: Attrs) -> list[str]:
    """The properties that do not say what is stored; a relation never does, here."""
    if not attrs:
        return []
    related = {name for r in relations_of(serializer) for name in (r.name, r.key)}
    return [n for n, value in attrs.items() if n in related or getattr(instance, n) != value]


def _distinct(work: UnitOfWork, items: Iterable[Item], *, is_set: bool) -> Iterator[Item]:
    if is_set:
        # One that is called otherwise than by its id may stand anywhere beside it.
        items = sorted(items, key=lambda item: item.by_key or item.is_merged)
    seen: dict[object, Item] = {}
    for item in items:
        key = item.uid if item.id is None else item.id
        if key is None or (first := seen.setdefault(key, item)) is item:
            yield item
        elif not (item.is_merged or first.is_merged or (item.by_key and is_set)):
            work.fault("duplicate", f"{key} stands twice in this list.", item.id_pointer)


def fetch_mentioned(work: UnitOfWork, serializer: RelatedSerializer, items: Iterable[Item]) -> None:
    """Load the shared objects that these items describe, for all relations to one."""
    items = list(items)
    for relation in relations_of(serializer):
        model = serializer.Meta.model._meta.get_field(relation.name).related_model
        ids = set()
        for item in items:
            value = (item.attrs or {}).get(relation.name)
            if isinstance(value, Mapping) and value.get("id") is not None:
                ids.add(value["id"])
        work.fetch(model, ids)


def says_what_is_stored(
    work: UnitOfWork,
    serializer: RelatedSerializer,
    items: Sequence[Item],
    before: Sequence[models.Model],
) -> bool:
    """Whether a list, once written, would leave every stored row as it is."""
    if [item.id for item in items] != [row.pk for row in before]:
        return False
    relations = {name: r for r in relations_of(serializer) for name in (r.name, r.key)}
    for item, row in zip(items, before, strict=True):
        for name, value in (item.attrs or {}).items():
            if (relation := relations.get(name)) is None:
                if getattr(row, name) != value:
                    return False
                continue
            of: AnyField = row._meta.get_field(relation.name)
            nested = Item("") if value is None else item_of(work, of.related_model, value, "")
            if nested.means != getattr(row, of.attname):
                return False
            if nested.id is None or not nested.attrs or nested.by_key or nested.is_merged:
                continue
            linked = work.fetch(of.related_model, [nested.id])[nested.id]
            if differences(serializer.fields.get(relation.name), linked, nested.attrs):
                return False
    return True


def url_of(instance: models.Model) -> str | None:
    """The URL at which the object itself is written, if it has one."""
    resource = resource_of(type(instance))
    return None if resource is None else resource.url_of(instance)
