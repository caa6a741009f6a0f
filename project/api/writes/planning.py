"""Nested input turned into one plan of writes.

Each step handles all objects of one level together, so the number of queries does not depend on
the number of items. docs/relations.md says what each input means.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import models
from django.http import Http404

from ..http.problems import pointer
from ..models import AnyField
from ..relations import MAX_ITEMS, Owned, RelatedSerializer, ReverseVia, Shared, Via, relations_of
from .former_keys import survivor_of
from .items import (
    Edit,
    Entry,
    Item,
    Node,
    agreed_items,
    differences,
    fetch_mentioned,
    item_of,
    made_by_key,
    pick,
    remember_new,
    require_agreement,
    require_properties,
    resolve_stored,
    says_what_is_stored,
    take_twins,
    url_of,
)
from .unit_of_work import RowState, UnitOfWork


def plan(work: UnitOfWork, serializer: RelatedSerializer, nodes: Sequence[Node]) -> None:
    """Add what these objects of one serializer need to the work, with all that is below them."""
    if not nodes:
        return
    relations = relations_of(serializer)
    related = {name for r in relations for name in (r.name, r.key)}
    for node in nodes:
        for name, value in node.attrs.items():
            if name in related:
                continue
            if not hasattr(type(node.instance), name):
                # As where REST framework creates an object; lost in silence otherwise.
                raise TypeError(f"{type(node.instance).__name__} has no attribute “{name}”.")
            node.row.given.add(name)
            setattr(node.instance, name, value)
    for relation in relations:
        match relation:
            case Shared():
                _plan_shared(relation, work, serializer, nodes)
            case Owned():
                _plan_owned(relation, work, serializer, nodes)
            case ReverseVia():
                _plan_reverse(relation, work, serializer, nodes)
            case Via():
                """Nothing: the list that it goes through plans for it."""


# What is shared


def _plan_shared(
    relation: Shared, work: UnitOfWork, serializer: RelatedSerializer, nodes: Sequence[Node]
) -> None:
    model_field = serializer.Meta.model._meta.get_field(relation.name)
    if model_field.many_to_many:
        _plan_set(relation, work, serializer, nodes, model_field)
    else:
        _plan_one(relation, work, serializer, nodes, model_field)


def _plan_one(
    relation: Shared,
    work: UnitOfWork,
    serializer: RelatedSerializer,
    nodes: Sequence[Node],
    model_field: AnyField,
) -> None:
    chosen, others = [], []
    for node in nodes:
        twin_items = list(take_twins(relation, work, node))
        if twin_items:
            node.row.given.add(relation.name)
        elif node.row.is_new and not model_field.null:
            work.fault(
                "required", "This field is required.", node.row.pointer + pointer(relation.name)
            )
        before = getattr(node.instance, model_field.attname)
        items = pick(work, node, twin_items, [] if before is None else [before])
        others += [item for _, each in twin_items if each is not items for item in each]
        if items is not None:
            chosen.append((node, items))
    child = serializer.fields.get(relation.name)
    resolve_stored(work, child, model_field.related_model, others)
    items = [item for _, items in chosen for item in items]
    objects = _resolve(work, child, model_field.related_model, items)
    for node, items in chosen:
        setattr(node.instance, model_field.name, objects.get(items[0]) if items else None)


def _plan_set(
    relation: Shared,
    work: UnitOfWork,
    serializer: RelatedSerializer,
    nodes: Sequence[Node],
    model_field: AnyField,
) -> None:
    through = model_field.remote_field.through
    source, target = model_field.m2m_field_name(), model_field.m2m_reverse_field_name()
    for node in nodes:
        if isinstance(node.attrs.get(relation.name), Edit):
            _plan_link(relation, work, node, model_field)
    twins_by_node = {
        node: pairs for node in nodes if (pairs := list(take_twins(relation, work, node)))
    }
    links: dict[object, dict[int, models.Model]] = defaultdict(dict)
    stored = [node.instance.pk for node in twins_by_node if not node.row.is_new]
    if stored:
        for link in through._default_manager.filter(**{f"{source}__in": stored}):
            links[getattr(link, f"{source}_id")][getattr(link, f"{target}_id")] = link
    chosen, others = [], []
    for node, pairs in twins_by_node.items():
        items = pick(work, node, pairs, list(links[node.instance.pk]), ordered=False)
        others += [item for _, each in pairs if each is not items for item in each]
        if items is not None:
            chosen.append((node, items))
    child: Any = getattr(serializer.fields.get(relation.name), "child", None)
    resolve_stored(work, child, model_field.related_model, others)
    items = [item for _, items in chosen for item in items]
    objects = _resolve(work, child, model_field.related_model, items)
    for node, items in chosen:
        before = links[node.instance.pk]
        kept_ids = {item.id for item in items}
        for key, link in before.items():
            if key not in kept_ids:
                work.remove(link, node.root)
        # One that is new may stand here twice, under one natural key.
        linked: dict[int, Item] = {}
        for item in items:
            if item in objects:
                linked.setdefault(id(objects[item]), item)
        for item in linked.values():
            if item.id not in before:
                link = through(**{source: node.instance, target: objects[item]})
                work.add(RowState.new(link, item.pointer, node.root))


def _plan_link(relation: Shared, work: UnitOfWork, node: Node, model_field: AnyField) -> None:
    """One link that is added, or removed, while the others are neither read nor written."""
    edit = node.attrs.pop(relation.name)
    through = model_field.remote_field.through
    source, target = model_field.m2m_field_name(), model_field.m2m_reverse_field_name()
    links = through._default_manager.filter(**{source: node.instance})
    link = links.filter(**{target: edit.id}).first()
    linked = work.fetch(model_field.related_model, [edit.id]).get(edit.id)
    if edit.attrs is None:
        if link is not None and linked is not None:
            work.remove(link, node.root)
        return
    if linked is None and (survivor := survivor_of(model_field.related_model, edit.id)) is not None:
        link = links.filter(**{target: survivor}).first()
        linked = work.fetch(model_field.related_model, [survivor]).get(survivor)
    if linked is None:
        raise Http404
    if link is None:
        if links.count() >= MAX_ITEMS:
            detail = f"“{relation.name}” would have more than {MAX_ITEMS} items."
            work.fault("max_length", detail, node.row.pointer)
        link = through(**{source: node.instance, target: linked})
        work.add(RowState.new(link, node.row.pointer, node.root))


def _resolve(
    work: UnitOfWork,
    serializer: RelatedSerializer,
    model: type[models.Model],
    items: Sequence[Item],
) -> dict[Item, models.Model]:
    """The shared objects that these items link or create."""
    objects = resolve_stored(work, serializer, model, items)
    nodes = []
    for item in items:
        if item.instance is not None:
            objects[item] = item.instance
        elif item.id is None:
            if (model, item.uid) in work.made_by_uid:
                first, objects[item] = work.made_by_uid[model, item.uid]
                require_agreement(work, first, item)
                continue
            if (made := made_by_key(work, model, item)) is not None:
                objects[item] = made
                continue
            require_properties(work, serializer, item)
            node = Node(work.add(RowState.new(model(), item.pointer, None)), dict(item.attrs or {}))
            objects[item] = node.instance
            remember_new(work, model, item, node.instance)
            nodes.append(node)
    plan(work, serializer, nodes)
    return objects


# What is owned


def _plan_owned(
    relation: Owned, work: UnitOfWork, serializer: RelatedSerializer, nodes: Sequence[Node]
) -> None:
    model_field = serializer.Meta.model._meta.get_field(relation.name)
    views = [
        r for r in relations_of(serializer) if isinstance(r, Via) and r.through == relation.name
    ]
    names = {relation.name, relation.key, *(n for view in views for n in (view.name, view.key))}
    affected = [node for node in nodes if names & node.attrs.keys() or relation.name in node.extra]
    if not affected:
        return
    owner = model_field.field
    children_by_owner: dict[object, list[models.Model]] = defaultdict(list)
    stored = [node.instance.pk for node in affected if not node.row.is_new]
    if stored:
        # Locked as well, since not every writer locks the owner first.
        queryset = model_field.related_model._default_manager.select_for_update(no_key=True)
        for child in queryset.filter(**{f"{owner.name}__in": stored}).order_by(
            *model_field.related_model._meta.ordering
        ):
            children_by_owner[getattr(child, owner.attname)].append(child)
        work.mark_complete(owner, stored)
    nested = serializer.fields[relation.name]
    child_serializer = getattr(nested, "child", nested)
    children: list[Node] = []
    gone: dict[int, Node] = {}
    for node in affected:
        before = children_by_owner[node.instance.pk]
        if model_field.one_to_one:
            entries = _only_child(relation, work, child_serializer, node, before)
        else:
            entries = _children(relation, work, child_serializer, views, node, before)
        if entries is not None:
            children += _placed(relation, work, model_field, node, before, entries)
            listed = {id(entry.stored) for entry in entries}
            gone |= {child.pk: node for child in before if id(child) not in listed}
    _remove_owned(work, child_serializer, gone)
    plan(work, child_serializer, children)


def _remove_owned(work: UnitOfWork, serializer: RelatedSerializer, gone: dict[int, Node]) -> None:
    """Remove what these rows own, each of a node, whose unique values are then free."""
    for relation in relations_of(serializer):
        if gone and isinstance(relation, Owned):
            model_field = serializer.Meta.model._meta.get_field(relation.name)
            rows = model_field.related_model._default_manager.select_for_update(no_key=True)
            below = {}
            for row in rows.filter(**{f"{model_field.field.name}__in": list(gone)}).order_by("pk"):
                node = gone[getattr(row, model_field.field.attname)]
                work.remove(row, node.root)
                below[row.pk] = node
            nested = serializer.fields[relation.name]
            _remove_owned(work, getattr(nested, "child", nested), below)


def _only_child(
    relation: Owned,
    work: UnitOfWork,
    child_serializer: RelatedSerializer,
    node: Node,
    before: list[models.Model],
) -> list[Entry] | None:
    """A child that there is already is updated in place, with or without its id."""
    twin_items = list(take_twins(relation, work, node))
    news = []
    for name, items in twin_items:
        for item in items:
            if item.id is None and before:
                item.id = before[0].pk
        same = [item.means for item in items] == [each.pk for each in before]
        if same and not node.row.is_new:
            edited = [
                differences(child_serializer, child, item.attrs or {})
                for item, child in zip(items, before, strict=True)
            ]
            same = not any(edited)
        if not same:
            news.append((name, items))
    wanted = agreed_items(work, node, news)
    if wanted is None:
        return None
    return _entries(work, child_serializer.Meta.model, wanted, before)


def _children(
    relation: Owned,
    work: UnitOfWork,
    child_serializer: RelatedSerializer,
    views: Sequence["Via"],
    node: Node,
    before: list[models.Model],
) -> list[Entry] | None:
    value = node.attrs.get(relation.name)
    if isinstance(value, Edit):
        del node.attrs[relation.name]
        return _edited(value, before)
    items = next((items for _, items in take_twins(relation, work, node)), None)
    if items is not None and views and not node.row.is_new:
        # A list that says what is stored leaves the word to its views.
        fetch_mentioned(work, child_serializer, items)
        if says_what_is_stored(work, child_serializer, items, before):
            items = None
    entries = None
    if items is not None:
        entries = _entries(work, child_serializer.Meta.model, items, before)
    for view in views:
        entries = _merged(view, work, child_serializer, node, before, entries)
    if added := [Entry(node.row.pointer, attrs) for attrs in node.extra.get(relation.name, ())]:
        if node.row.is_new:
            return [added[0], *(entries or []), *added[1:]]
        stored_entries = [Entry(node.row.pointer, {}, child) for child in before]
        return [*(stored_entries if entries is None else entries), *added]
    return entries


def _edited(edit: Edit, before: list[models.Model]) -> list[Entry]:
    if edit.id is not None and edit.id not in {child.pk for child in before}:
        raise Http404
    entries = [
        Entry("", (edit.attrs or {}) if child.pk == edit.id else {}, child)
        for child in before
        if child.pk != edit.id or edit.attrs is not None
    ]
    return entries if edit.id is not None else [*entries, Entry("", edit.attrs or {})]


def _entries(
    work: UnitOfWork, model: type[models.Model], items: list[Item], before: list[models.Model]
) -> list[Entry]:
    """These items with the stored children that they name; none may be another parent's."""
    by_id = {child.pk: child for child in before}
    entries = []
    for item in items:
        stored = None if item.id is None else by_id.get(item.id)
        if item.id is not None and stored is None:
            detail = f"There is no {model._meta.verbose_name} {item.id} here."
            work.fault("does_not_exist", detail, item.id_pointer)
        else:
            entries.append(Entry(item.pointer, item.attrs or {}, stored))
    return entries


def _placed(
    relation: Owned,
    work: UnitOfWork,
    model_field: models.ManyToOneRel,
    node: Node,
    before: list[models.Model],
    entries: list[Entry],
) -> Iterator[Node]:
    if len(entries) > max(MAX_ITEMS, len(before)):
        detail = f"“{relation.name}” would have more than {MAX_ITEMS} items."
        work.fault("max_length", detail, node.row.pointer + pointer(relation.name))
    listed = {id(entry.stored) for entry in entries}
    for child in before:
        if id(child) not in listed:
            work.remove(child, node.root)
    for i, entry in enumerate(entries):
        if entry.stored is None:
            child = model_field.related_model(**{model_field.field.name: node.instance})
            row = RowState.new(child, entry.pointer, node.root)
        else:
            child = entry.stored
            row = RowState.stored(child, entry.pointer, node.root)
        if relation.position is not None:
            setattr(child, relation.position, i)
        yield Node(work.add(row), dict(entry.attrs))


# What is read and written through the rows of an owned list


def _merged(
    relation: Via,
    work: UnitOfWork,
    child_serializer: RelatedSerializer,
    node: Node,
    before: list[models.Model],
    entries: list[Entry] | None,
) -> list[Entry] | None:
    """The list's entries, given those that the body has for the list itself, if any."""
    twin_items = list(take_twins(relation, work, node))
    shown = [getattr(row, f"{relation.to}_id") for row in before if relation.has(row)]
    items = pick(work, node, twin_items, shown)
    target = child_serializer.Meta.model._meta.get_field(relation.to).related_model
    # Items that go into the list as they are get resolved there.
    placed = items if entries is None else None
    others = [item for _, each in twin_items if each is not placed for item in each]
    resolve_stored(work, child_serializer.fields.get(relation.to), target, others)
    if items is None:
        return entries
    if entries is None:
        return _with_block(relation, node, before, items)
    meanings = [
        _meaning_of(relation, work, child_serializer, entry)
        for entry in entries
        if _holds(relation, child_serializer, entry)
    ]
    if meanings != [item.means for item in items]:
        name = next(name for name, each in twin_items if each is items)
        detail = f"“{relation.through}” and “{name}” disagree."
        work.fault("conflicting_values", detail, node.row.pointer + pointer(name))
    return entries


def _with_block(
    relation: Via, node: Node, before: list[models.Model], items: list[Item]
) -> list[Entry]:
    """The stored list with these items in the place of the rows that the view shows."""
    rows_by_target = {getattr(row, f"{relation.to}_id"): row for row in before if relation.has(row)}
    block = [
        Entry(
            item.pointer,
            {relation.to: item}
            if item.id in rows_by_target
            else {**dict(relation.where), relation.to: item},
            rows_by_target.get(item.id) if item.id is not None else None,
        )
        for item in items
    ]
    first = next((i for i, row in enumerate(before) if relation.has(row)), 0)
    rest = [Entry(node.row.pointer, {}, row) for row in before if not relation.has(row)]
    return [*rest[:first], *block, *rest[first:]]


def _holds(relation: Via, child_serializer: RelatedSerializer, entry: Entry) -> bool:
    row = entry.stored or child_serializer.Meta.model()
    return all(entry.attrs.get(name, getattr(row, name)) == value for name, value in relation.where)


def _meaning_of(
    relation: Via, work: UnitOfWork, child_serializer: RelatedSerializer, entry: Entry
) -> object:
    inner = next(r for r in relations_of(child_serializer) if r.name == relation.to)
    model = child_serializer.Meta.model._meta.get_field(relation.to).related_model
    for name in (inner.name, inner.key):
        if name in entry.attrs:
            return item_of(work, model, entry.attrs[name], entry.pointer).means
    return getattr(entry.stored, f"{relation.to}_id") if entry.stored is not None else None


def _plan_reverse(
    relation: ReverseVia, work: UnitOfWork, serializer: RelatedSerializer, nodes: Sequence[Node]
) -> None:
    model = serializer.Meta.model._meta.get_field(relation.name).related_model
    joining: list[tuple[Node, Item]] = []
    for node in nodes:
        for name, items in take_twins(relation, work, node):
            if node.row.is_new:
                joining += [(node, item) for item in items]
            else:
                url = url_of(node.instance)
                detail = f"On an update, use {url}{name}/ instead."
                work.fault("not_editable_here", detail, node.row.pointer + pointer(name))
    child: Any = getattr(serializer.fields.get(relation.name), "child", None)
    stored = resolve_stored(work, child, model, [item for _, item in joining], lock=True)
    # By the identity of the object, which several nodes may join, and once each.
    children: dict[int, Node] = {}
    joined: set[tuple[Node, int]] = set()
    for node, item in joining:
        entrance = {**dict(relation.where), relation.to: Item(item.pointer, instance=node.instance)}
        if item.id is not None:
            instance = stored.get(item)
        elif (model, item.uid) in work.made_by_uid:
            first, instance = work.made_by_uid[model, item.uid]
            require_agreement(work, first, item)
        else:
            instance = made_by_key(work, model, item)
            if instance is None or (node, id(instance)) in joined:
                require_properties(work, child, item)
                instance = model()
                remember_new(work, model, item, instance)
        if instance is None:
            continue
        if id(instance) not in children:
            create = RowState.new if item.id is None else RowState.stored
            attrs = dict(item.attrs or {}) if item.id is None else {}
            row = work.add(create(instance, item.pointer, None))
            children[id(instance)] = Node(row, attrs, {relation.through: []})
        children[id(instance)].extra[relation.through].append(entrance)
        joined.add((node, id(instance)))
    if children:
        plan(work, child, list(children.values()))
