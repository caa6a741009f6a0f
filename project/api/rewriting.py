"""Stored texts written anew by rules that have changed, which a migration says before it does."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState, StateApps
from django.utils import timezone

from .models import AnyField, AnyQuerySet, HyphenatedUUIDField
from .search.tables import mark_due

BATCH = 1_000


@dataclass
class Rewrite:
    """New values for the columns of a row, or what else a librarian should know of it."""

    row: models.Model
    values: dict[str, str] = field(default_factory=dict)
    note: str = ""
    # The foreign key to the root that owns the row; a root is its own.
    owner: str | None = None

    def __str__(self) -> str:
        thing = f"{self.row._meta.verbose_name} {self.row.pk}"
        if self.note:
            return f"{thing} {self.note}"
        return "; ".join(
            f"{thing}, {name}: “{getattr(self.row, name)}” → “{value}”"
            for name, value in self.values.items()
        )


def namesakes(rows: "AnyQuerySet", respelt: dict[str, list[models.Model]]) -> Iterator[Rewrite]:
    """Says which rows that get these names have those of others, or of one another, then."""
    names = sorted(respelt)
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        stored = rows.filter(name__in=some).values_list("name", "pk")
        # The oldest of several.
        others: dict[str, int] = dict(stored.order_by("-pk"))
        for name in some:
            for row in respelt[name]:
                if (pk := others.setdefault(name, row.pk)) != row.pk:
                    note = f"has the name of {row._meta.verbose_name} {pk} then, “{name}”"
                    yield Rewrite(row, note=note)


Rewrites = Callable[[object, str], Iterator[Rewrite]]


class RewriteTexts(migrations.RunPython):
    """Writes what `rewrites` finds, which itself writes nothing.

    So `manage.py preview_migrate` says beforehand what `migrate` will do. `rewrites` is called with
    the apps and the alias of a database that may have the columns of an earlier migration, and
    reads no others. Versions rise, for whoever keeps copies.
    """

    def __init__(self, rewrites: Rewrites) -> None:
        super().__init__(self._write, migrations.RunPython.noop, elidable=True)
        self.rewrites = rewrites

    def _write(self, apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        using = schema_editor.connection.alias
        count: Counter[str] = Counter()
        batch: dict[type[models.Model], list[Rewrite]] = defaultdict(list)
        owners: dict[tuple[type[models.Model], str], set[int]] = defaultdict(set)
        for rewrite in self.rewrites(apps, using):
            model = type(rewrite.row)
            if rewrite.note:
                print(f"\n  {rewrite}", end="")  # noqa: T201
                continue
            count[str(model._meta.verbose_name_plural)] += 1
            if rewrite.owner is not None:
                owner: AnyField = model._meta.get_field(rewrite.owner)
                key = getattr(rewrite.row, owner.attname)
                owners[owner.related_model, owner.attname].add(key)
            batch[model].append(rewrite)
            if len(batch[model]) >= BATCH:
                _update(batch.pop(model), using)
        for rewrites in batch.values():
            _update(rewrites, using)
        for (model, _), keys in owners.items():
            _raise_versions(model, keys, using)
        if count:
            mark_due(schema_editor.connection)
        for name, number in count.items():
            print(f"\n  {number} {name} written anew", end="")  # noqa: T201


class HyphenateUUIDs(migrations.AlterField):
    """Alters a UUIDField to a HyphenatedUUIDField, and what SQLite has stored in it.

    An operation of its own, since all that is searched is due after RunPython and RunSQL.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        super().database_forwards(app_label, schema_editor, from_state, to_state)
        if schema_editor.connection.vendor != "sqlite":
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        column = self.name
        stored = f"replace({column}, '-', '')"
        # This method takes migrations back, too.
        if isinstance(model._meta.get_field(column), HyphenatedUUIDField):
            starts, lengths = (1, 9, 13, 17, 21), (8, 4, 4, 4, 12)
            parts = (f"substr({stored}, {s}, {n})" for s, n in zip(starts, lengths, strict=True))
            stored = " || '-' || ".join(parts)
        schema_editor.execute(f"UPDATE {model._meta.db_table} SET {column} = {stored}")  # noqa: S608


def _update(rewrites: list[Rewrite], using: str) -> None:
    model = type(rewrites[0].row)
    for rewrite in rewrites:
        for name, value in rewrite.values.items():
            setattr(rewrite.row, name, value)
    names = sorted({name for rewrite in rewrites for name in rewrite.values})
    rows = [rewrite.row for rewrite in rewrites]
    model._base_manager.using(using).bulk_update(rows, names, batch_size=BATCH)
    if rewrites[0].owner is None:
        _raise_versions(model, {row.pk for row in rows}, using)


def _raise_versions(model: type[models.Model], keys: set[int], using: str) -> None:
    pending = sorted(keys)
    while pending:
        some, pending = pending[:BATCH], pending[BATCH:]
        model._base_manager.using(using).filter(pk__in=some).update(
            version=models.F("version") + 1, updated_at=timezone.now()
        )
