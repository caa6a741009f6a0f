"""A deleted object, written again as it was."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import models
from django.http import Http404

from ..files import OwnedFileField
from ..http.problems import Fault, Refused, pointer
from ..models import AggregateRoot, AnyRow, ComputedFrom, ModelField
from ..relations import Owned, RelatedSerializer, Shared, relations_of
from ..writes.former_keys import survivor_of, survivors
from ..writes.transactions import retry
from ..writes.unit_of_work import RowState, UnitOfWork
from .history import values_of
from .models import Change, RowChange
from .tracking import kind_of, tracked_tables


def restore(serializer: RelatedSerializer, key: int) -> None:
    """Write a deleted object again, with all that it owned: the same id and uid, a higher version.

    Http404 where it never existed. Refused where it exists, where it was merged into another, where
    somebody has its unique values, and where something that it linked is gone.
    """
    retry(lambda: _restore(serializer, key))


def _restore(serializer: RelatedSerializer, key: int) -> None:
    model = serializer.Meta.model
    if model._base_manager.filter(pk=key).exists():
        detail = f"{str(model._meta.verbose_name).capitalize()} {key} exists."
        raise Refused([Fault("exists", detail, pointer="", existing_id=key)])
    same = {"kind": kind_of(model), "object_id": key}
    last = Change.objects.filter(**same).order_by("-id").first()
    if last is None or last.operation != Change.Operation.DELETE:
        raise Http404
    if last.merged_into is not None:
        into = survivor_of(model, key) or last.merged_into
        detail = f"{str(model._meta.verbose_name).capitalize()} {key} was merged into {into}."
        raise Refused([Fault("merged", detail, pointer="", existing_id=into)])
    gone = RowChange.objects.filter(
        **same, transaction=last.transaction, operation=RowChange.Operation.DELETE
    )
    rows = _rows(model, gone.order_by("id"))
    if len(rows[model]) != 1:
        # It was deleted before anything was kept.
        raise Http404
    [root] = rows[model]
    root.version = last.version + 1
    work = UnitOfWork(None, restores=True)
    top = work.add(_state(root, "", None))
    work.tops.append(top)
    places = {(type(row), row.pk): at for row, at in _places(serializer, root, rows)}
    for each, found in rows.items():
        for row in found:
            if each is not model:
                # What no document shows has no place in one.
                work.add(_state(row, places.get((each, row.pk), ""), top))
    work.faults += _missing(rows, places)
    work.check(None)
    created_at = root.created_at
    written = work.execute()
    # `auto_now_add` has put the present there.
    model._base_manager.filter(pk=key).update(created_at=created_at)
    root.created_at = created_at
    written.announce(model)


def _state(row: models.Model, path: str, root: RowState | None) -> RowState:
    state = RowState.new(row, path, root)
    state.given = {f.name for f in row._meta.concrete_fields if not isinstance(f, ComputedFrom)}
    return state


def _rows(
    root: type[AggregateRoot], gone: Iterable[RowChange]
) -> Mapping[type[models.Model], list[AnyRow]]:
    """What was deleted, by model, in the order of their keys."""
    known = {
        each.model._meta.label_lower: each.model for each in tracked_tables() if each.root is root
    }
    rows: dict[type[models.Model], dict[int, AnyRow]] = defaultdict(dict)
    rows[root] = {}
    for change in gone:
        if (model := known.get(change.model)) is None:
            continue
        row = model(**values_of(model, change.before))
        for f in model._meta.concrete_fields:
            if isinstance(f, OwnedFileField):
                file = getattr(row, f.attname)
                # It went with the row.
                if file and not file.storage.exists(file.name):
                    setattr(row, f.attname, "")
        rows[model][change.row_id] = row
    return {model: [found[key] for key in sorted(found)] for model, found in rows.items()}


def _places(
    serializer: RelatedSerializer,
    owner: models.Model,
    rows: Mapping[type[models.Model], list[AnyRow]],
    place: str = "",
) -> Iterator[tuple[models.Model, str]]:
    """What the owner owned, each row with its place in the document."""
    for relation in relations_of(serializer):
        found = serializer.Meta.model._meta.get_field(relation.name)
        if type(relation) is Owned:
            model, key, name = found.related_model, found.field.attname, relation.name
        elif type(relation) is Shared and found.many_to_many:
            model, key = found.remote_field.through, f"{found.m2m_field_name()}_id"
            name = relation.key or relation.name
        else:
            continue
        for number, row in enumerate(r for r in rows.get(model, ()) if getattr(r, key) == owner.pk):
            at = place + (pointer(name) if found.one_to_one else pointer(name, number))
            yield row, at
            if type(relation) is Owned:
                item = serializer.fields[name]
                yield from _places(getattr(item, "child", item), row, rows, at)


def _missing(
    rows: Mapping[type[models.Model], list[AnyRow]],
    places: Mapping[tuple[type[models.Model], int], str],
) -> list[Fault]:
    """What the rows refer to and is not there any more.

    What was merged is referred to as what it was merged into, unless another row does that.
    """
    restored = {(model, row.pk) for model, found in rows.items() for row in found}
    links: dict[Any, list[tuple[models.Model, ModelField, str]]] = defaultdict(list)
    for model, found in rows.items():
        for row in found:
            path = places.get((model, row.pk), "")
            for f in model._meta.concrete_fields:
                value = getattr(row, f.attname)
                if f.is_relation and value is not None and (f.related_model, value) not in restored:
                    place = path if model._meta.auto_created else path + pointer(f.attname)
                    links[f.related_model].append((row, f, place))
    faults = []
    for target, wanted in links.items():
        values = {getattr(row, f.attname) for row, f, _ in wanted}
        gone = values - _there(target, values)
        former = survivors((target, "id", value) for value in gone) if gone else {}
        left = _there(target, {*former.values()} - values) if former else set()
        means: dict[object, object] = {}
        for row, f, place in wanted:
            value = getattr(row, f.attname)
            survivor = former.get((target, "id", value))
            if survivor in left and means.setdefault((f, survivor), value) == value:
                setattr(row, f.attname, survivor)
            elif value in gone:
                detail = f"{str(target._meta.verbose_name).capitalize()} {value} is gone."
                faults.append(Fault("does_not_exist", detail, pointer=place))
    return faults


def _there(model: type[models.Model], keys: set[int]) -> set[int]:
    return set(model._base_manager.filter(pk__in=keys).values_list("pk", flat=True))
