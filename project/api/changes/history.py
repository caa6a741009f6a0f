"""What each change of an object has done, told from the old values that triggers keep.

Only old values are stored. So the object is read as it is now, and its changes are taken back one
by one, the last one first: what a column held after a change is what it held before the next one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, Min, OuterRef, QuerySet
from django.utils import timezone
from rest_framework import serializers

from ..fields import StoredFiles
from ..housekeeping import remove
from ..http.problems import pointer
from ..models import AggregateRoot, Attrs
from ..relations import Owned, RelatedSerializer, Relation, Shared, relations_of
from .models import Change, RowChange
from .tracking import OF_EACH_WRITE, Tracked, aware, kind_of, tracked_tables

# By a model's label and a row's key: what its columns hold, by the attributes of its fields.
Rows = dict[str, dict[int, Attrs]]


def changes_of(model: type[AggregateRoot], key: int) -> QuerySet[Change]:
    """The changes of an object, newest first: of those in one transaction the last."""
    same = {"kind": kind_of(model), "object_id": key}
    later = Change.objects.filter(
        **same, transaction=OuterRef("transaction"), pk__gt=OuterRef("pk")
    )
    return Change.objects.filter(~Exists(later), **same).order_by("-id")


@dataclass
class State:
    """All rows of one object, which changes are taken back from."""

    tables: Mapping[str, Tracked]
    rows: Rows = field(default_factory=dict)

    @classmethod
    def of(cls, model: type[AggregateRoot], key: int) -> "State":
        """As they are stored now."""
        tables = {
            each.model._meta.label_lower: each for each in tracked_tables() if each.root is model
        }
        state = cls(tables)
        for label, each in tables.items():
            names = [f.attname for f in each.model._meta.concrete_fields]
            found = each.model._base_manager.filter(**{each.lookup: key}).values_list(*names)
            rows = [dict(zip(names, values, strict=True)) for values in found]
            pk = each.model._meta.pk.attname
            state.rows[label] = {row[pk]: row for row in rows}
        return state

    def take_back(self, change: RowChange) -> None:
        table = self.tables.get(change.model)
        if table is None:
            # A model that is no more.
            return
        rows = self.rows[change.model]
        if change.operation == RowChange.Operation.INSERT:
            rows.pop(change.row_id, None)
        else:
            before = values_of(table.model, change.before)
            rows[change.row_id] = {**rows.get(change.row_id, {}), **before}

    def copy(self) -> "State":
        rows = {label: {key: {**row} for key, row in r.items()} for label, r in self.rows.items()}
        return State(self.tables, rows)


def values_of(model: type[models.Model], columns: Any) -> Attrs:
    """What a trigger has kept of a row, by the attributes of the model's fields, in their types.

    Columns that the model has no more are left out.
    """
    values = {}
    for f in model._meta.concrete_fields:
        if f.column in columns:
            value = columns[f.column]
            if isinstance(f, models.JSONField) and isinstance(value, str):
                # SQLite has JSON in texts.
                value = json.loads(value)
            if isinstance(f, models.DateTimeField) and value is not None:
                value = aware(value)
            values[f.attname] = f.to_python(value)
    return values


def describe_changes(
    serializer_class: type[RelatedSerializer], key: int, page: Sequence[Change]
) -> Mapping[int, tuple[str, list[Attrs]]]:
    """By the transaction of each of these: the operation, and where the document has changed."""
    if not page:
        return {}
    model = serializer_class.Meta.model
    same = {"kind": kind_of(model), "object_id": key}
    transactions = [change.transaction for change in page]
    operations: dict[int, list[str]] = {transaction: [] for transaction in transactions}
    all_changes = Change.objects.filter(**same, transaction__in=transactions).order_by("id")
    for transaction, operation in all_changes.values_list("transaction", "operation"):
        operations[transaction].append(operation)
    row_changes = RowChange.objects.filter(**same)
    first = row_changes.filter(transaction__in=transactions).aggregate(first=Min("id"))["first"]
    state = State.of(model, key)
    after: dict[int, State] = {}
    before: dict[int, State] = {}
    for change in row_changes.filter(pk__gte=first or 0).order_by("-id"):
        if change.transaction in operations:
            after.setdefault(change.transaction, state.copy())
        state.take_back(change)
        if change.transaction in operations:
            before[change.transaction] = state.copy()
    shape = Shape(serializer_class())
    found = {}
    for transaction, names in operations.items():
        operation = _operation(names)
        changes: list[Attrs] = []
        if transaction in before and operation == Change.Operation.UPDATE:
            old, new = shape.document(before[transaction]), shape.document(after[transaction])
            changes = list(_differences(old, new))
        elif transaction in before and operation == Change.Operation.DELETE:
            old = shape.document(before[transaction])
            changes = [{"pointer": "", "from": old, "to": None}]
        found[transaction] = (operation, changes)
    return found


def _operation(names: Sequence[str]) -> str:
    if names and names[-1] == Change.Operation.DELETE:
        return names[-1]
    return "create" if Change.Operation.CREATE in names else "update"


@dataclass(frozen=True)
class Shape:
    """How a serializer shows the rows of an object, as far as its own columns go."""

    serializer: RelatedSerializer

    def document(self, state: State) -> Attrs:
        meta = self.serializer.Meta
        roots = state.rows[meta.model._meta.label_lower]
        if not roots:
            return {}
        [root] = roots.values()
        return self._object(self.serializer, root, state)

    def _object(self, serializer: RelatedSerializer, row: Attrs, state: State) -> Attrs:
        model = serializer.Meta.model
        document = self._columns(serializer, row)
        for relation in relations_of(serializer):
            found = model._meta.get_field(relation.name)
            key = row[model._meta.pk.attname]
            if type(relation) is Shared and relation.key and found.many_to_many:
                through = found.remote_field.through
                source, target = (
                    f"{found.m2m_field_name()}_id",
                    f"{found.m2m_reverse_field_name()}_id",
                )
                links = state.rows.get(through._meta.label_lower, {}).values()
                document[relation.key] = sorted(
                    link[target] for link in links if link[source] == key
                )
            elif type(relation) is Owned:
                document[relation.name] = self._owned(serializer, relation, key, state)
        return document

    def _owned(
        self, serializer: RelatedSerializer, relation: Owned, key: int, state: State
    ) -> object:
        found = serializer.Meta.model._meta.get_field(relation.name)
        item = serializer.fields[relation.name]
        item = getattr(item, "child", item)
        rows = state.rows.get(found.related_model._meta.label_lower, {})
        ordered = sorted(
            (each for each in rows.items() if each[1][found.field.attname] == key),
            key=lambda each: (each[1].get(relation.position or "") or 0, each[0]),
        )
        items = [self._object(item, row, state) for _, row in ordered]
        if found.one_to_one:
            return items[0] if items else None
        return items

    @staticmethod
    def _columns(serializer: RelatedSerializer, row: Mapping[str, object]) -> Attrs:
        """The properties that a column of the row makes, by themselves."""
        model = serializer.Meta.model
        columns = {f.name: f for f in model._meta.concrete_fields}
        instance = model(**row)
        keys: dict[str, Relation] = {r.key: r for r in relations_of(serializer) if r.key}
        values: Attrs = {}
        for each in serializer._readable_fields:
            if each.field_name in keys:
                f = columns.get(keys[each.field_name].name)
                if f is not None:
                    values[each.field_name] = getattr(instance, f.attname)
            elif each.source in columns and each.source not in OF_EACH_WRITE:
                f = columns[each.source]
                if not isinstance(each, serializers.BaseSerializer) and not f.is_relation:
                    value = each.get_attribute(instance)
                    values[str(each.field_name)] = (
                        None if value is None else each.to_representation(value)
                    )
            elif isinstance(each, StoredFiles):
                values[str(each.field_name)] = each.to_representation(instance)
        return values


def _differences(old: Any, new: Any, *place: str | int) -> Iterator[Attrs]:
    """Where two documents differ. Items of a list are the same by their ids."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in new:
            yield from _differences(old.get(name), new[name], *place, name)
    elif _has_ids(old) and _has_ids(new):
        before = {item["id"]: item for item in old}
        now = {item["id"] for item in new}
        for number, item in enumerate(old):
            if item["id"] not in now:
                yield {"pointer": pointer(*place, number), "from": item, "to": None}
        for number, item in enumerate(new):
            yield from _differences(before.get(item["id"]), item, *place, number)
    else:
        yield {"pointer": pointer(*place), "from": old, "to": new}


def _has_ids(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(e, dict) and "id" in e for e in value)


def forget_old() -> int:
    """Remove what was changed more than HISTORY_DAYS ago, but for each object's last change, which
    the feed tells; the number of changes that are gone."""
    if settings.HISTORY_DAYS is None:
        return 0
    before = timezone.now() - timedelta(days=settings.HISTORY_DAYS)
    same = {"kind": OuterRef("kind"), "object_id": OuterRef("object_id")}
    old = Change.objects.filter(at__lt=before)
    of_old = Exists(old.filter(**same, transaction=OuterRef("transaction")))
    remove(RowChange.objects.filter(of_old))
    later = Change.objects.filter(**same, pk__gt=OuterRef("pk"))
    return remove(old.filter(Exists(later)))
