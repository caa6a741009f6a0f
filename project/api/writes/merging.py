"""Two objects of one kind made one: all that refers to the one refers to the other, which stays.

docs/merging.md says what becomes of what.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import connections, models
from django.http import Http404
from rest_framework.request import Request

from ..files import OwnedFileField
from ..http.problems import Fault, Refused
from ..http.resources import resource_of, visible
from ..models import AggregateRoot, Attrs, ForeignKey, FormerKey, ModelField
from ..relations import Owned, relations_of
from .attribution import merging_into
from .deletions import BLOCK, owner_of, raise_versions, remove
from .former_keys import survivor_of
from .signals import WrittenRows
from .transactions import retry
from .unit_of_work import RowState, UnitOfWork, natural_keys, unique_keys

# A number that nothing else locks.
MERGE_LOCK = 0x6D65726765
# What every object has of its own.
OWN = frozenset({"uid", "version", "created_at", "updated_at"})
# By row, the values that it gets, by the attributes of its columns.
Changes = dict[models.Model, dict[str, object]]


def merge(
    model: type[AggregateRoot],
    key: int,
    into: int,
    request: Request | None,
    confirm: Callable[[AggregateRoot], None] | None = None,
) -> AggregateRoot:
    """Merge the object with this key into another, which gets what it did not know; that one.

    `confirm` sees the object that goes, locked, and may refuse it. Http404 where that is not there,
    Refused where the other is not. The number of statements depends on the number of roots that
    refer to the object only by the thousand.
    """
    if key == into:
        raise Refused([Fault("invalid", "An object is not merged into itself.", pointer="/into")])
    return retry(lambda: _merge(model, key, into, request, confirm))


def _merge(
    model: type[AggregateRoot],
    key: int,
    into: int,
    request: Request | None,
    confirm: Callable[[AggregateRoot], None] | None,
) -> AggregateRoot:
    gone, survivor = _locked(model, key, into, request)
    if confirm is not None:
        confirm(gone)
    written = WrittenRows()
    for link in links_to(model):
        if owner_of(link.model) is link:
            _carry_over_owned(link, gone, survivor, written)
    raised: set[models.Model] = set()
    for link in links_to(model):
        if owner_of(link.model) is not link:
            for block in _carry_over(link, gone, survivor, raised):
                block.announce(model)
    _hand_on(gone, survivor)
    work = UnitOfWork(None)
    top = RowState.stored(survivor, "", None)
    work.tops.append(work.add(top))
    _fill(survivor, gone)
    for row in survivor.take_over(gone):
        work.add(RowState.new(row, "", top))
    work.remove(gone, top)
    work.check(None)
    with merging_into(survivor.pk):
        last = work.execute()
    for each, rows in written.changed.items():
        last.changed[each].update(rows)
    last.announce(model)
    return survivor


def _locked(
    model: type[AggregateRoot], key: int, into: int, request: Request | None
) -> tuple[AggregateRoot, AggregateRoot]:
    """Both, locked.

    Mergers take turns: one locks what else the books of its author refer to against a change of
    name, so that two would wait for each other.
    """
    rows = visible(model, request).select_for_update().order_by("pk")
    if connections[rows.db].vendor == "postgresql":
        with connections[rows.db].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MERGE_LOCK])
    found: dict[int, AggregateRoot] = {row.pk: row for row in rows.filter(pk__in=[key, into])}
    if key not in found:
        raise Http404
    if into in found:
        return found[key], found[into]
    name = str(model._meta.verbose_name)
    survivor = survivor_of(model, into)
    if survivor == key:
        detail = f"{name.capitalize()} {into} was merged into this one."
        raise Refused([Fault("merged", detail, pointer="/into", existing_id=key)])
    other = None if survivor is None else rows.filter(pk=survivor).first()
    if other is None:
        detail = f"There is no {name} {into}."
        raise Refused([Fault("does_not_exist", detail, pointer="/into")])
    return found[key], other


def links_to(model: type[models.Model]) -> list[ForeignKey]:
    """The foreign keys by which rows refer to the model's objects, those of sets as well."""
    return [
        relation.field
        for relation in model._meta.get_fields(include_hidden=True)
        # What is searched follows from the rest.
        if isinstance(relation, models.ManyToOneRel) and relation.related_model._meta.managed
    ]


def _hand_on(gone: AggregateRoot, survivor: AggregateRoot) -> None:
    """Have all names of an object, which is deleted, mean another one from here on.

    A name that somebody has got again since means that object, as long as there is one.
    """
    kind = gone._meta.label_lower
    FormerKey.objects.filter(kind=kind, survivor_id=gone.pk).update(survivor_id=survivor.pk)
    names = {"id": gone.pk, "uid": gone.uid}
    names |= {f.attname: getattr(gone, f.attname) for f in natural_keys(type(gone)).values()}
    FormerKey.objects.bulk_create(
        [
            FormerKey(kind=kind, name=name, value=str(value), survivor_id=survivor.pk)
            for name, value in names.items()
            if value is not None
        ],
        update_conflicts=True,
        unique_fields=["kind", "name", "value"],
        update_fields=["survivor_id"],
    )


# Rows


def _carry_over_owned(
    link: ForeignKey, gone: AggregateRoot, survivor: AggregateRoot, written: WrittenRows
) -> None:
    """Give the survivor what the other owned, behind its own. What both have goes with the other,
    once the survivor's row has got what it did not know."""
    position = _position_of(link.model, link.related_model)
    rows = link.model._base_manager.filter(**{f"{link.name}__in": [gone.pk, survivor.pk]})
    order = "pk" if position is None else position
    both = list(rows.select_for_update(no_key=True).order_by(order, "pk"))
    own = [row for row in both if getattr(row, link.attname) == survivor.pk]
    others = [row for row in both if getattr(row, link.attname) == gone.pk]
    twins = _twins(link, [*own, *others], gone, survivor)
    moved = [row for row in others if row not in twins]
    changes: Changes = defaultdict(dict)
    for row in moved:
        changes[row] = _moved(link, row, gone, survivor)
    for other, row in twins.items():
        changes[row] |= _unknown(row, other)
    if position is not None and moved:
        _number(position, [*own, *moved], changes)
    _update(changes, written)


def _carry_over(
    link: ForeignKey, gone: AggregateRoot, survivor: AggregateRoot, raised: set[models.Model]
) -> Iterator[WrittenRows]:
    """Have what referred to the one refer to the other, block by block.

    The version of each root concerned rises by one. Roots are locked before their rows, in the
    order of their keys, as by every other write. Where an owner has a row of both, one stays.
    """
    owner = owner_of(link.model)
    referring = link.model._base_manager.filter(**{link.name: gone.pk})
    holders = referring
    if owner is not None:
        keys = referring.order_by().values(owner.attname)
        holders = owner.related_model._base_manager.filter(pk__in=keys)
    block: list[models.Model] = []
    while not block or len(block) == BLOCK:
        block = list(holders.order_by("pk").select_for_update(no_key=True)[:BLOCK])
        if not block:
            break
        written = WrittenRows()
        changes: Changes = defaultdict(dict)
        if owner is None:
            for row in block:
                changes[row] = _moved(link, row, gone, survivor)
        else:
            remove_twins = _of_owners(link, owner, block, gone, survivor, changes)
            if remove_twins:
                remove(remove_twins, written)
        _update(changes, written)
        roots = [each for each in block if isinstance(each, AggregateRoot) and each not in raised]
        raise_versions(roots, written)
        raised.update(roots)
        yield written


def _of_owners(
    link: ForeignKey,
    owner: ForeignKey,
    owners: Sequence[models.Model],
    gone: AggregateRoot,
    survivor: AggregateRoot,
    changes: Changes,
) -> list[models.Model]:
    """Note what becomes of the rows of these owners; those that are to be removed."""
    position = _position_of(link.model, owner.related_model)
    rows = link.model._base_manager.filter(**{f"{owner.name}__in": owners})
    if not keys_with(link):
        rows = rows.filter(**{link.name: gone.pk})
    elif position is None:
        rows = rows.filter(**{f"{link.name}__in": [gone.pk, survivor.pk]})
    order = "pk" if position is None else position
    lists: dict[object, list[models.Model]] = defaultdict(list)
    for row in rows.select_for_update(no_key=True).order_by(owner.attname, order, "pk"):
        lists[getattr(row, owner.attname)].append(row)
    removed: list[models.Model] = []
    for each in lists.values():
        twins = _twins(link, each, gone, survivor)
        for row in each:
            if getattr(row, link.attname) == gone.pk and row not in twins:
                changes[row] = _moved(link, row, gone, survivor)
        for other, row in twins.items():
            changes[row] |= _unknown(row, other)
        if twins and position is not None:
            # The one that stays stands where the first of the two stood.
            order_of = {row: place for place, row in enumerate(each)}
            for other, row in twins.items():
                order_of[row] = min(order_of[row], order_of[other])
            left = [row for row in each if row not in twins]
            _number(position, sorted(left, key=order_of.__getitem__), changes)
        removed += twins
    return removed


def _moved(
    link: ForeignKey, row: models.Model, gone: AggregateRoot, survivor: AggregateRoot
) -> dict[str, object]:
    """What a row gets that refers to the survivor from here on, by its model's `carry_over` too."""
    carry_over = getattr(row, "carry_over", None)
    own: Attrs = {} if carry_over is None else carry_over(gone, survivor)
    return {link.attname: survivor.pk, **own}


def _number(position: str, rows: Sequence[models.Model], changes: Changes) -> None:
    for place, row in enumerate(rows):
        if getattr(row, position) != place:
            changes[row][position] = place


def keys_with(link: ForeignKey) -> list[list[ModelField]]:
    """What else is in each unique key that the link is in."""
    meta = link.model._meta
    by_name = {f.name: f for f in meta.concrete_fields}
    keys = [*unique_keys(link.model)]
    keys += [tuple(map(by_name.__getitem__, names)) for names in meta.unique_together]
    return [[f for f in key if f is not link] for key in keys if link in key]


def _twins(
    link: ForeignKey, rows: Sequence[models.Model], gone: AggregateRoot, survivor: AggregateRoot
) -> dict[models.Model, models.Model]:
    """Of one owner's rows, those that cannot refer to the survivor since one does that is like
    them in all that is unique; each with that."""
    twins: dict[models.Model, models.Model] = {}
    for key in keys_with(link):
        held: dict[tuple[object, ...], models.Model] = {}
        for of in (survivor, gone):
            for row in rows:
                values = tuple(getattr(row, f.attname) for f in key)
                if getattr(row, link.attname) != of.pk or None in values:
                    continue
                twin = held.setdefault(values, row)
                if twin is not row:
                    twins.setdefault(row, twin)
    return twins


def _position_of(model: type[models.Model], owner: type[models.Model]) -> str | None:
    """The column with the places of the rows in their owner's list, if its serializer has one."""
    resource = resource_of(owner)
    for relation in () if resource is None else relations_of(resource.view_class.serializer_class):
        if isinstance(relation, Owned):
            found = owner._meta.get_field(relation.name)
            if found.related_model is model:
                return relation.position
    return None


def _update(changes: Mapping[models.Model, Mapping[str, object]], written: WrittenRows) -> None:
    """Write these rows of one model with one statement."""
    changes = {row: values for row, values in changes.items() if values}
    if not changes:
        return
    first, *others = changes.values()
    rows = list(changes)
    columns = type(rows[0])._base_manager
    for row, values in changes.items():
        written.change(row, values)
    if all(each == first for each in others):
        columns.filter(pk__in=[row.pk for row in rows]).update(**first)
        return
    attributes = {name for values in changes.values() for name in values}
    fields = rows[0]._meta.concrete_fields
    # As an upsert of rows that are all there, like those of the unit of work.
    columns.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=[f.name for f in fields if f.attname in attributes],
    )


# What one of the two did not know


def _unknown(row: models.Model, other: models.Model) -> dict[str, object]:
    """What the other row knows and this one does not: neither null nor an empty text."""
    values = {}
    for f in row._meta.concrete_fields:
        # A file would go with what owns it.
        if not (f.primary_key or f.name in OWN or isinstance(f, OwnedFileField)):
            value = getattr(other, f.attname)
            if value not in (None, "") and getattr(row, f.attname) in (None, ""):
                values[f.attname] = value
    return values


def _fill(survivor: AggregateRoot, gone: AggregateRoot) -> None:
    """Give an object what it does not know, unless that contradicts what it does; and files."""
    for name, value in _unknown(survivor, gone).items():
        before = getattr(survivor, name)
        setattr(survivor, name, value)
        try:
            survivor.clean()
        except ValidationError:
            setattr(survivor, name, before)
    for f in gone._meta.concrete_fields:
        if isinstance(f, OwnedFileField) and not getattr(survivor, f.attname):
            setattr(survivor, f.attname, getattr(gone, f.attname).name)
            setattr(gone, f.attname, "")
