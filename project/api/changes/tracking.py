"""Which tables are recorded: those of every aggregate root, and of what roots own."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.apps import apps
from django.db import models

from ..models import AggregateRoot, AnyField, ForeignKey
from ..writes.deletions import way_to_root

Model = type[models.Model]

# What changes with each write; the change itself has the version and the time.
OF_EACH_WRITE = frozenset({"version", "updated_at"})


@dataclass(frozen=True)
class Tracked:
    """A table whose rows are recorded as changes of a root."""

    model: Model
    root: type[AggregateRoot]
    # The foreign keys from a row to the root; none where it is the root.
    way: tuple[ForeignKey, ...]
    # The root's column with the account that alone sees the object, if its model says so.
    viewer: str | None

    @property
    def is_root(self) -> bool:
        return self.model is self.root

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def pk(self) -> str:
        return str(self.model._meta.pk.column)

    @property
    def lookup(self) -> str:
        """The way to the root, as the ORM's lookups have it."""
        return "__".join(key.name for key in self.way) or "pk"

    def root_key(self, row: str) -> str:
        """The SQL of the key of the root that a row belongs to, by the name of the row.

        It is null where what is in between has gone before.
        """
        if self.is_root:
            return f'{row}."{self.pk}"'
        first, *others = self.way
        sql = f'{row}."{first.column}"'
        for key in others:
            owner = key.model._meta
            sql = (
                f'(SELECT owner."{key.column}" FROM "{owner.db_table}" owner'
                f' WHERE owner."{owner.pk.column}" = {sql})'
            )
        return sql

    @property
    def kind(self) -> str:
        return kind_of(self.root)

    @property
    def columns(self) -> list[str]:
        """All columns, those that every write changes aside."""
        return [
            str(f.column)
            for f in self.model._meta.concrete_fields
            if not (self.is_root and f.name in OF_EACH_WRITE)
        ]


def aware(moment: datetime | str) -> datetime:
    """A moment as a trigger has written it, which on SQLite is a text without its zone, UTC."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def kind_of(root: Model) -> str:
    """What the feed's tables call the objects of a root: the model's label, `books.book`."""
    return root._meta.label_lower


def roots() -> list[type[AggregateRoot]]:
    """Every aggregate root that has a table, wherever it is declared."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, AggregateRoot) and model._meta.managed and not model._meta.proxy
    ]


def tracked_tables() -> list[Tracked]:
    """Every table that is recorded: of roots first, each table once."""
    found = [Tracked(root, root, (), _viewer(root)) for root in roots()]
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            way = way_to_root(model)
            if way and way[-1].related_model in {each.root for each in found}:
                root = way[-1].related_model
                found.append(Tracked(model, root, way, _viewer(root)))
    return found


def _viewer(root: type[AggregateRoot]) -> str | None:
    field: AnyField = None if root.private_to is None else root._meta.get_field(root.private_to)
    return None if field is None else str(field.column)
