"""Rows taken away, with those that go along and those that let go of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from django.db import models, router, transaction
from django.db.models import signals
from django.db.models.deletion import Collector
from django.utils import timezone

from ..http.problems import Fault
from ..models import AggregateRoot, AnyField, AnyRow, ForeignKey
from .signals import WrittenRows

# How many of the objects that stand in the way of a deletion are named.
MAX_NAMED = 20
# How many of the rows that refer to an object let go of it at once: an object may have millions.
BLOCK = 1000


def remove(instances: Sequence[models.Model], written: WrittenRows) -> None:
    """Delete these stored rows of one model, and what goes with them, as their `on_delete` says.

    Raises ProtectedError or RestrictedError where something stands in the way.
    """
    model = type(instances[0])
    using = router.db_for_write(model)
    queryset = model._base_manager.using(using).filter(pk__in=[each.pk for each in instances])
    collector = Collector(using=using, origin=queryset)
    is_fast = collector.can_fast_delete(queryset)
    collector.collect(queryset if is_fast else instances)
    if not issubclass(model, AggregateRoot):
        # A nested write has removed before what such rows own.
        collector.fast_deletes = [e for e in collector.fast_deletes if e is queryset or len(e)]
    collected = [(each.model, each) for each in collector.fast_deletes if each is not queryset]
    for collected_model, rows in [*collector.data.items(), *collected]:
        if whole := _whole(collected_model, rows, using):
            written.removed[collected_model] += whole
    if is_fast:
        written.removed[model] += instances
    keys = [(row, row.pk) for rows in written.removed.values() for row in rows]
    if {*collector.data} == {model} and not (collector.fast_deletes or collector.field_updates):
        _delete_at_once(queryset, instances)
    else:
        collector.delete()
    # Django takes them away.
    for row, key in keys:
        row.pk = key


def _delete_at_once(
    queryset: models.QuerySet[models.Model], instances: Sequence[models.Model]
) -> None:
    """In one statement what nothing goes along with, where Django takes one for each hundred."""
    context = {"using": queryset.db, "origin": queryset}
    with transaction.atomic(using=queryset.db, savepoint=False):
        for row in instances:
            signals.pre_delete.send(type(row), instance=row, **context)
        queryset._raw_delete(queryset.db)
        for row in instances:
            signals.post_delete.send(type(row), instance=row, **context)


def _whole(model: type[models.Model], rows: Iterable[models.Model], using: str) -> list[AnyRow]:
    """These rows with all their values, some of which the collector may not have read."""
    whole = list(rows)
    if any(row.get_deferred_fields() for row in whole):
        return list(model._base_manager.using(using).filter(pk__in=[row.pk for row in whole]))
    return whole


def release(instances: Sequence[models.Model]) -> Iterator[WrittenRows]:
    """Let go of objects of one model what refers to them and lives on, block by block.

    The version of each root concerned rises by one. Roots are locked before their rows, in the
    order of their keys, as by every other write.
    """
    raised: set[tuple[type[models.Model], int]] = set()
    relations: list[AnyField] = instances[0]._meta.get_fields(include_hidden=True)
    for relation in relations:
        if relation.concrete or not relation.auto_created:
            continue
        if relation.many_to_many and relation.through._meta.auto_created:
            link: AnyField = relation.through._meta.get_field(
                relation.field.m2m_reverse_field_name()
            )
        elif getattr(relation, "on_delete", None) is models.SET_NULL:
            link = relation.field
        else:
            continue
        rows = link.model._base_manager.filter(**{f"{link.name}__in": instances}).order_by("pk")
        owner = owner_of(link.model)
        holders = rows
        if owner is not None:
            keys = rows.order_by().values(owner.attname)
            holders = owner.related_model._base_manager.filter(pk__in=keys).order_by("pk")
        block: list[models.Model] = []
        while not block or len(block) == BLOCK:
            block = list(holders.select_for_update(no_key=True)[:BLOCK])
            if not block:
                break
            referring = (
                block if owner is None else list(rows.filter(**{f"{owner.name}__in": block}))
            )
            written = WrittenRows()
            # Another request may have been faster.
            if referring and link.null:
                _unlink(referring, link, written)
            elif referring:
                remove(referring, written)
            roots = [each for each in block if isinstance(each, AggregateRoot)]
            raise_versions([r for r in roots if (type(r), r.pk) not in raised], written)
            raised.update((type(root), root.pk) for root in roots)
            yield written


def _unlink(rows: Sequence[models.Model], link: ForeignKey, written: WrittenRows) -> None:
    model = type(rows[0])
    model._base_manager.filter(pk__in=[row.pk for row in rows]).update(**{link.name: None})
    for row in rows:
        written.change(row, {link.attname: None})


def raise_versions_of_owners(written: WrittenRows) -> None:
    """Raise the version of the roots that are left and owned some of what is gone."""
    for model, rows in list(written.removed.items()):
        if (owner := owner_of(model)) is None:
            continue
        root: Any = owner.related_model
        gone = {each.pk for each in written.removed.get(root, ())}
        if keys := {getattr(row, owner.attname) for row in rows} - gone:
            queryset = root._base_manager.select_for_update(no_key=True).order_by("pk")
            raise_versions(list(queryset.filter(pk__in=keys)), written)


def raise_versions(roots: Sequence[AggregateRoot], written: WrittenRows) -> None:
    if not roots:
        return
    now = timezone.now()
    queryset = type(roots[0])._base_manager.filter(pk__in=[root.pk for root in roots])
    queryset.update(version=models.F("version") + 1, updated_at=now)
    for root in roots:
        written.change(root, {"version": root.version + 1, "updated_at": now})


def in_use(objects: Iterable[models.Model]) -> list[Fault]:
    """One fault for each object that stands in the way of a deletion, the first few of them."""
    first = sorted(objects, key=lambda each: (each._meta.label, each.pk))[:MAX_NAMED]
    keys = defaultdict(list)
    for each in first:
        keys[type(each)].append(each.pk)
    return [
        Fault(
            "in_use",
            f"In use by {model._meta.verbose_name} {each.pk}: {each}.",
            existing_id=each.pk,
        )
        for model, pks in keys.items()
        for each in model._default_manager.filter(pk__in=pks)
        .select_related(*(f.name for f in model._meta.concrete_fields if f.is_relation))
        .order_by("pk")
    ]


@cache
def way_to_root(model: type[models.Model]) -> tuple[ForeignKey, ...]:
    """The foreign keys from a row to the aggregate root that owns it, directly or through what it
    owns; none where there is none."""
    if (owner := owner_of(model)) is not None:
        return (owner,)
    for key in _foreign_keys(model):
        is_owned = key.remote_field.on_delete is models.CASCADE
        if is_owned and key.related_model is not model and (owner := owner_of(key.related_model)):
            return (key, owner)
    return ()


def _foreign_keys(model: type[models.Model]) -> list[ForeignKey]:
    return [f for f in model._meta.concrete_fields if isinstance(f, models.ForeignKey)]


@cache
def owner_of(model: type[models.Model]) -> ForeignKey | None:
    """The foreign key to the aggregate root that owns the model's rows; None where there is none.

    A link without a model of its own belongs to the object that has the field.
    """
    if issubclass(model, AggregateRoot):
        return None
    keys = _foreign_keys(model)
    if model._meta.auto_created:
        keys = keys[:1]
    return next(
        (
            key
            for key in keys
            if key.remote_field.on_delete is models.CASCADE
            and issubclass(key.related_model, AggregateRoot)
        ),
        None,
    )
