"""Nested input turned into one plan of writes.

A serializer declares its relations in `Meta.relations`; nothing else is written by hand. A
relation is *shared* (it is referred to, may be created through a parent, and is never deleted by
one) or *owned* (it lives and dies with its parent). Either of its twins may be written, the
nested object (`series`) or the key (`series_id`), with one meaning for POST, PUT and PATCH:

- a missing key leaves the relation as it is; `null` unlinks what is shared and deletes what is
  owned; an array is the full list, in order;
- `{"id": 7}` links what is shared and keeps what is owned; with more properties it updates what is
  owned, and must agree with what is shared; an object without an id is created;
- of two twins the one that differs from what is stored wins; where both differ they must agree.

Each step handles all objects of one level together, so the number of queries does not depend on
the number of items.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.http import Http404
from django.urls import reverse

from .http.problems import pointer
from .writes.unit_of_work import Row, Writes

# A list that can be written is short enough to be read whole.
MAX_ITEMS = 200


@dataclass(eq=False)
class Item:
    """What one place of the body refers to."""

    at: str
    id: int | None = None
    # What else the body says of it; None where it is a bare key.
    attrs: dict[str, Any] | None = None
    # An object of this very write.
    instance: models.Model | None = None

    @classmethod
    def of(cls, value: Any, at: str) -> "Item":
        if isinstance(value, Item):
            return value
        if isinstance(value, Mapping):
            attrs = dict(value)
            return cls(at, attrs.pop("id", None), attrs)
        return cls(at, value)

    @property
    def means(self) -> Any:
        """What it stands for, comparable: its id, or what is to be created."""
        if self.instance is not None:
            return self.instance
        return self.attrs if self.id is None else self.id

    @property
    def id_at(self) -> str:
        return self.at if self.attrs is None else self.at + "/id"


@dataclass(eq=False)
class Node:
    """An object to be written, and what the body says of it."""

    row: Row
    attrs: dict[str, Any]
    # Rows for its owned lists beside what the body says, by the list's name.
    extra: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def instance(self) -> models.Model:
        return self.row.instance

    @property
    def root(self) -> Row:
        return self.row.root or self.row


@dataclass(frozen=True)
class Edit:
    """A change of one item of an owned list: without `id` it appends, without `attrs` removes."""

    id: int | None
    attrs: dict[str, Any] | None


@dataclass
class Entry:
    """One place of an owned list as it shall be."""

    at: str
    attrs: dict[str, Any]
    stored: models.Model | None = None


@dataclass(frozen=True)
class Relation:
    """`name` is the nested twin and the model's attribute, `key` the twin that holds keys."""

    name: str
    key: str | None = None

    def related(self, instance: models.Model) -> Any:
        """The related object, or None; for a list, the objects in order."""
        found = getattr(instance, self.name, None)
        return list(found.all()) if isinstance(found, models.Manager) else found

    def keys(self, instance: models.Model) -> Any:
        """The related object's key, or None; for a list, the keys in order."""
        found = self.related(instance)
        if isinstance(found, list):
            return [each.pk for each in found]
        return None if found is None else found.pk

    def twins(self, work: Writes, node: Node) -> Iterator[tuple[str, list[Item]]]:
        """The twins that the body gives, as lists of items: [] is null, too.

        An id that stands twice in one of them is a fault, and stands there once from here on.
        """
        for name in (self.name, self.key):
            if name is None or name not in node.attrs:
                continue
            value = node.attrs.pop(name)
            at = node.row.at + pointer(name)
            if isinstance(value, list):
                items = [Item.of(each, at + pointer(i)) for i, each in enumerate(value)]
                yield name, list(_distinct(work, items))
            else:
                yield name, [] if value is None else [Item.of(value, at)]

    def plan(self, work: Writes, serializer: Any, nodes: Sequence[Node]) -> None:
        """Add to the work what these nodes say of this relation."""
        raise NotImplementedError


@dataclass(frozen=True)
class Shared(Relation):
    """A foreign key, or a many-to-many relation without a model of its own (a set)."""

    def keys(self, instance: models.Model) -> Any:
        found: Any = instance._meta.get_field(self.name)
        return super().keys(instance) if found.many_to_many else getattr(instance, found.attname)

    def plan(self, work: Writes, serializer: Any, nodes: Sequence[Node]) -> None:
        found = serializer.Meta.model._meta.get_field(self.name)
        if found.many_to_many:
            self._plan_set(work, serializer, nodes, found)
        else:
            self._plan_one(work, serializer, nodes, found)

    def _plan_one(self, work: Writes, serializer: Any, nodes: Sequence[Node], found: Any) -> None:
        chosen, others = [], []
        for node in nodes:
            given = list(self.twins(work, node))
            if given:
                node.row.given.add(self.name)
            elif node.row.is_new and not found.null:
                work.fault("required", "This field is required.", node.row.at + pointer(self.name))
            before = getattr(node.instance, found.attname)
            items = _pick(work, node, given, [] if before is None else [before])
            others += [item for _, each in given if each is not items for item in each]
            if items is not None:
                chosen.append((node, items))
        child = serializer.fields.get(self.name)
        _resolve_stored(work, child, found.related_model, others)
        items = [item for _, items in chosen for item in items]
        objects = _resolve(work, child, found.related_model, items)
        for node, items in chosen:
            setattr(node.instance, found.name, objects.get(items[0]) if items else None)

    def _plan_set(self, work: Writes, serializer: Any, nodes: Sequence[Node], found: Any) -> None:
        through = found.remote_field.through
        source, target = found.m2m_field_name(), found.m2m_reverse_field_name()
        given = {node: twins for node in nodes if (twins := list(self.twins(work, node)))}
        links: dict[Any, dict[int, Any]] = defaultdict(dict)
        stored = [node.instance.pk for node in given if not node.row.is_new]
        if stored:
            for link in through._default_manager.filter(**{f"{source}__in": stored}):
                links[getattr(link, f"{source}_id")][getattr(link, f"{target}_id")] = link
        chosen, others = [], []
        for node, twins in given.items():
            items = _pick(work, node, twins, list(links[node.instance.pk]), ordered=False)
            others += [item for _, each in twins if each is not items for item in each]
            if items is not None:
                chosen.append((node, items))
        child = getattr(serializer.fields.get(self.name), "child", None)
        _resolve_stored(work, child, found.related_model, others)
        items = [item for _, items in chosen for item in items]
        objects = _resolve(work, child, found.related_model, items)
        for node, items in chosen:
            before = links[node.instance.pk]
            kept = {item.id for item in items}
            for key, link in before.items():
                if key not in kept:
                    work.remove(link, node.root)
            for item in items:
                if item.id not in before and item in objects:
                    link = through(**{source: node.instance, target: objects[item]})
                    work.add(Row.new(link, item.at, node.root))


@dataclass(frozen=True)
class Owned(Relation):
    """A reverse foreign key or a reverse one-to-one. `position` is the field that keeps order."""

    position: str | None = None

    def plan(self, work: Writes, serializer: Any, nodes: Sequence[Node]) -> None:
        found = serializer.Meta.model._meta.get_field(self.name)
        views = [r for r in relations_of(serializer) if isinstance(r, View) and r.of == self.name]
        names = {self.name, self.key, *(n for view in views for n in (view.name, view.key))}
        asked = [node for node in nodes if names & node.attrs.keys() or self.name in node.extra]
        if not asked:
            return
        owner = found.field
        held: dict[Any, list[Any]] = defaultdict(list)
        stored = [node.instance.pk for node in asked if not node.row.is_new]
        if stored:
            # Locked as well, since not every writer locks the owner first.
            queryset = found.related_model._default_manager.select_for_update(no_key=True)
            for child in queryset.filter(**{f"{owner.name}__in": stored}).order_by(
                *found.related_model._meta.ordering
            ):
                held[getattr(child, owner.attname)].append(child)
            work.settle(owner, stored)
        nested = serializer.fields[self.name]
        child_serializer = getattr(nested, "child", nested)
        children: list[Node] = []
        for node in asked:
            before = held[node.instance.pk]
            if found.one_to_one:
                entries = self._one(work, child_serializer, node, before)
            else:
                entries = self._list(work, child_serializer, views, node, before)
            if entries is not None:
                children += self._place(work, found, node, before, entries)
        plan(work, child_serializer, children)

    def _one(
        self, work: Writes, child_serializer: Any, node: Node, before: list[Any]
    ) -> list[Entry] | None:
        """A child that there is already is updated in place, with or without its id."""
        given = list(self.twins(work, node))
        news = []
        for name, items in given:
            for item in items:
                if item.id is None and before:
                    item.id = before[0].pk
            same = [item.means for item in items] == [each.pk for each in before]
            if same and not node.row.is_new:
                edited = [
                    _differences(child_serializer, child, item.attrs or {})
                    for item, child in zip(items, before, strict=True)
                ]
                same = not any(edited)
            if not same:
                news.append((name, items))
        agreed = _agreed(work, node, news)
        if agreed is None:
            return None
        return self._entries(work, child_serializer.Meta.model, agreed, before)

    def _list(
        self,
        work: Writes,
        child_serializer: Any,
        views: Sequence["View"],
        node: Node,
        before: list[Any],
    ) -> list[Entry] | None:
        value = node.attrs.get(self.name)
        if isinstance(value, Edit):
            del node.attrs[self.name]
            return self._edited(value, before)
        items = next((items for _, items in self.twins(work, node)), None)
        if items is not None and views and not node.row.is_new:
            # A list that says what is stored leaves the word to its views.
            _fetch_mentioned(work, child_serializer, items)
            if _says_what_is_stored(work, child_serializer, items, before):
                items = None
        entries = None
        if items is not None:
            entries = self._entries(work, child_serializer.Meta.model, items, before)
        for view in views:
            entries = view.merged(work, child_serializer, node, before, entries)
        for attrs in node.extra.get(self.name, ()):
            added = Entry(node.row.at, attrs)
            if node.row.is_new:
                entries = [added, *(entries or [])]
            else:
                kept = [Entry(node.row.at, {}, child) for child in before]
                entries = [*(kept if entries is None else entries), added]
        return entries

    @staticmethod
    def _edited(edit: Edit, before: list[Any]) -> list[Entry]:
        if edit.id is not None and edit.id not in {child.pk for child in before}:
            raise Http404
        entries = [
            Entry("", (edit.attrs or {}) if child.pk == edit.id else {}, child)
            for child in before
            if child.pk != edit.id or edit.attrs is not None
        ]
        return entries if edit.id is not None else [*entries, Entry("", edit.attrs or {})]

    @staticmethod
    def _entries(
        work: Writes, model: type[models.Model], items: list[Item], before: list[Any]
    ) -> list[Entry]:
        """These items with the stored children that they name; none may be another parent's."""
        by_id = {child.pk: child for child in before}
        entries = []
        for item in items:
            stored = None if item.id is None else by_id.get(item.id)
            if item.id is not None and stored is None:
                detail = f"There is no {model._meta.verbose_name} {item.id} here."
                work.fault("does_not_exist", detail, item.id_at)
            else:
                entries.append(Entry(item.at, item.attrs or {}, stored))
        return entries

    def _place(
        self, work: Writes, found: Any, node: Node, before: list[Any], entries: list[Entry]
    ) -> Iterator[Node]:
        if len(entries) > max(MAX_ITEMS, len(before)):
            detail = f"“{self.name}” would have more than {MAX_ITEMS} items."
            work.fault("max_length", detail, node.row.at + pointer(self.name))
        listed = {id(entry.stored) for entry in entries}
        for child in before:
            if id(child) not in listed:
                work.remove(child, node.root)
        for i, entry in enumerate(entries):
            if entry.stored is None:
                child = found.related_model(**{found.field.name: node.instance})
                row = Row.new(child, entry.at, node.root)
            else:
                child = entry.stored
                row = Row.stored(child, entry.at, node.root)
            if self.position is not None:
                setattr(child, self.position, i)
            yield Node(work.add(row), dict(entry.attrs))


@dataclass(frozen=True)
class View(Relation):
    """What some rows of the owned list `of` refer to by `to`: those with the values `where`.

    Written, it replaces just these rows: the others keep their order, and the block stands where
    its first row stood, in front where there was none.
    """

    of: str = ""
    to: str = ""
    where: tuple[tuple[str, Any], ...] = ()

    def related(self, instance: models.Model) -> Any:
        return [getattr(row, self.to) for row in getattr(instance, self.of).all() if self.has(row)]

    def keys(self, instance: models.Model) -> Any:
        rows = getattr(instance, self.of).all()
        return [getattr(row, f"{self.to}_id") for row in rows if self.has(row)]

    def has(self, row: models.Model) -> bool:
        return all(getattr(row, name) == value for name, value in self.where)

    def plan(self, work: Writes, serializer: Any, nodes: Sequence[Node]) -> None:
        """Nothing: the list that it is a view of plans for it."""

    def merged(
        self,
        work: Writes,
        child_serializer: Any,
        node: Node,
        before: list[Any],
        entries: list[Entry] | None,
    ) -> list[Entry] | None:
        """The list's entries, given those that the body has for the list itself, if any."""
        given = list(self.twins(work, node))
        shown = [getattr(row, f"{self.to}_id") for row in before if self.has(row)]
        items = _pick(work, node, given, shown)
        target = child_serializer.Meta.model._meta.get_field(self.to).related_model
        # Items that go into the list as they are get resolved there.
        placed = items if entries is None else None
        others = [item for _, each in given if each is not placed for item in each]
        _resolve_stored(work, child_serializer.fields.get(self.to), target, others)
        if items is None:
            return entries
        if entries is None:
            return self._with_block(node, before, items)
        told = [
            self._means(child_serializer, entry)
            for entry in entries
            if self._holds(child_serializer, entry)
        ]
        if told != [item.means for item in items]:
            name = next(name for name, each in given if each is items)
            detail = f"“{self.of}” and “{name}” disagree."
            work.fault("conflicting_values", detail, node.row.at + pointer(name))
        return entries

    def _with_block(self, node: Node, before: list[Any], items: list[Item]) -> list[Entry]:
        """The stored list with these items in the place of the rows that the view shows."""
        kept = {getattr(row, f"{self.to}_id"): row for row in before if self.has(row)}
        block = [
            Entry(
                item.at,
                {self.to: item} if item.id in kept else {**dict(self.where), self.to: item},
                kept.get(item.id) if item.id is not None else None,
            )
            for item in items
        ]
        first = next((i for i, row in enumerate(before) if self.has(row)), 0)
        rest = [Entry(node.row.at, {}, row) for row in before if not self.has(row)]
        return [*rest[:first], *block, *rest[first:]]

    def _holds(self, child_serializer: Any, entry: Entry) -> bool:
        row = entry.stored or child_serializer.Meta.model()
        return all(entry.attrs.get(name, getattr(row, name)) == value for name, value in self.where)

    def _means(self, child_serializer: Any, entry: Entry) -> Any:
        relation = next(r for r in relations_of(child_serializer) if r.name == self.to)
        for name in (relation.name, relation.key):
            if name in entry.attrs:
                return Item.of(entry.attrs[name], entry.at).means
        return getattr(entry.stored, f"{self.to}_id") if entry.stored is not None else None


@dataclass(frozen=True)
class Joined(Relation):
    """The other side of a View: all objects whose owned list `of` refers to this one by `to`.

    Written when this one is created: each of them, linked or created, gets a row with the values
    `where` in its list; first in the list of a new object, last in that of a stored one. The keys
    are read only, each once, whatever the number of rows that join the two. `serializer` is the
    dotted name of the nested one, so that no app imports one above it.
    """

    serializer: str = ""
    of: str = ""
    to: str = ""
    where: tuple[tuple[str, Any], ...] = ()

    def related(self, instance: models.Model) -> Any:
        return list(dict.fromkeys(super().related(instance)))

    def keys(self, instance: models.Model) -> Any:
        other = self.other_key(type(instance))
        return sorted({getattr(row, other) for row in getattr(instance, self.of).all()})

    def other_key(self, model: type[models.Model]) -> str:
        """The attribute that holds the other side's key in a row that joins the two."""
        found: Any = model._meta.get_field(self.name)
        return f"{found.field.m2m_field_name()}_id"

    def plan(self, work: Writes, serializer: Any, nodes: Sequence[Node]) -> None:
        model = serializer.Meta.model._meta.get_field(self.name).related_model
        joining: list[tuple[Node, Item]] = []
        for node in nodes:
            for name, items in self.twins(work, node):
                if node.row.is_new:
                    joining += [(node, item) for item in items]
                else:
                    url = f"{_url(node.instance)}{name}/"
                    detail = f"On an update, use {url} instead."
                    work.fault("not_editable_here", detail, node.row.at + pointer(name))
        child = getattr(serializer.fields.get(self.name), "child", None)
        stored = _resolve_stored(work, child, model, [item for _, item in joining], lock=True)
        children = []
        for node, item in joining:
            if item.id is None:
                row = Row.new(model(), item.at, None)
            elif item in stored:
                row = Row.stored(stored[item], item.at, None)
            else:
                continue
            entrance = {**dict(self.where), self.to: Item(item.at, instance=node.instance)}
            attrs = item.attrs or {} if item.id is None else {}
            children.append(Node(work.add(row), dict(attrs), {self.of: [entrance]}))
        if children:
            plan(work, child, children)


def relations_of(serializer: Any) -> Sequence[Relation]:
    return getattr(serializer.Meta, "relations", ())


def plan(work: Writes, serializer: Any, nodes: Sequence[Node]) -> None:
    """Add what these objects of one serializer need to the work, with all that is below them."""
    if not nodes:
        return
    relations = relations_of(serializer)
    related = {name for r in relations for name in (r.name, r.key)}
    for node in nodes:
        for name, value in node.attrs.items():
            if name not in related:
                node.row.given.add(name)
                setattr(node.instance, name, value)
    for relation in relations:
        relation.plan(work, serializer, nodes)


# What a body refers to


def _pick(
    work: Writes,
    node: Node,
    given: list[tuple[str, list[Item]]],
    stored: Sequence[int],
    *,
    ordered: bool = True,
) -> list[Item] | None:
    """The items of the twin that says something new; None where nothing is to change."""
    if not node.row.is_new:
        given = [
            (name, items)
            for name, items in given
            if _meaning(items, ordered) != _meaning(stored, ordered)
        ]
    return _agreed(work, node, given, ordered=ordered)


def _agreed(
    work: Writes, node: Node, given: list[tuple[str, list[Item]]], *, ordered: bool = True
) -> list[Item] | None:
    """What these twins say, if they say the same."""
    for name, items in given[1:]:
        if _meaning(items, ordered) != _meaning(given[0][1], ordered):
            detail = f"“{given[0][0]}” and “{name}” disagree."
            work.fault("conflicting_values", detail, node.row.at + pointer(name))
            return None
    return given[0][1] if given else None


def _meaning(items: Sequence[Item | int], ordered: bool) -> list[Any]:
    told = [item.means if isinstance(item, Item) else item for item in items]
    return told if ordered else sorted(told, key=repr)


def _resolve(
    work: Writes, serializer: Any, model: type[models.Model], items: Sequence[Item]
) -> dict[Item, models.Model]:
    """The shared objects that these items link or create."""
    objects = _resolve_stored(work, serializer, model, items)
    nodes = []
    for item in items:
        if item.instance is not None:
            objects[item] = item.instance
        elif item.id is None:
            node = Node(work.add(Row.new(model(), item.at, None)), dict(item.attrs or {}))
            objects[item] = node.instance
            nodes.append(node)
    plan(work, serializer, nodes)
    return objects


def _resolve_stored(
    work: Writes,
    serializer: Any,
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
            work.fault("does_not_exist", detail, item.id_at)
            continue
        objects[item] = instance
        for name in _differences(serializer, instance, item.attrs or {}):
            detail = f"This differs from what is stored; edit it at {_url(instance)}."
            work.fault("not_editable_here", detail, item.at + pointer(name))
    return objects


def _differences(serializer: Any, instance: models.Model, attrs: dict[str, Any]) -> list[str]:
    """The properties that do not say what is stored; a relation never does, here."""
    if not attrs:
        return []
    related = {name for r in relations_of(serializer) for name in (r.name, r.key)}
    return [n for n, value in attrs.items() if n in related or getattr(instance, n) != value]


def _distinct(work: Writes, items: Iterable[Item]) -> Iterator[Item]:
    seen = set()
    for item in items:
        if item.id is not None and item.id in seen:
            work.fault("duplicate", f"{item.id} stands twice in this list.", item.id_at)
        else:
            seen.add(item.id)
            yield item


def _fetch_mentioned(work: Writes, serializer: Any, items: Iterable[Item]) -> None:
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


def _says_what_is_stored(
    work: Writes, serializer: Any, items: Sequence[Item], before: Sequence[models.Model]
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
            of: Any = row._meta.get_field(relation.name)
            told = Item.of(value, "") if value is not None else Item("")
            if told.means != getattr(row, of.attname):
                return False
            if told.id is None or not told.attrs:
                continue
            linked = work.fetch(of.related_model, [told.id])[told.id]
            if _differences(serializer.fields.get(relation.name), linked, told.attrs):
                return False
    return True


def _url(instance: models.Model) -> str:
    return reverse(f"{instance._meta.model_name}-detail", args=[instance.pk])
