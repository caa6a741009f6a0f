"""What is kept so that a search is fast: for each object, the words by which it is found.

Each searchable model has a table of entries: columns of the type tsvector with a GIN index on
PostgreSQL, a virtual table of FTS5 on SQLite. An entry is written in the transaction that changes
its object, or what the object takes words from: by whatever sends `rows_written`, and by `save` and
`delete` of single objects. QuerySet.update(), bulk_create() and SQL by hand write none; then
`manage.py reindex` does.

All of it follows from the models' `index`, and `migrate` makes what is missing or has another
definition by now.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType
from typing import Any, TypeVar

from django.apps import apps
from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from ..databases.connections import fetch_all
from ..models import AnyField
from ..writes.signals import InsertedRows, rows_written
from . import postgresql, sqlite
from .words import Entry, words_of

Model = type[models.Model]

Item = TypeVar("Item")
# The entries of so many objects are written at once.
BATCH = 2000


@dataclass(frozen=True)
class SearchIndex:
    """By which texts an object is found.

    `titles` are fields of its own. What one of them is enough for is the better match, and of those
    the shorter title. `more` are fields that are found after these, of the object or of what it
    refers to or is referred to by: `contributions__author__name`.
    """

    titles: tuple[str, ...]
    more: tuple[str, ...] = ()


class WordsField(models.TextField):  # type: ignore[type-arg]  # no generic at run time
    """Words by which an object is found; only `entries` reads and writes them."""


class SearchEntry(models.Model):
    """What a search knows of one object."""

    index: SearchIndex
    entry_of: object

    # Those of the titles and all others. Those of a title are here once more with the number of its
    # words before them, on SQLite in a column `title`: so an index knows which titles are short.
    document = WordsField()

    class Meta:
        abstract = True
        managed = False

    @staticmethod
    def key(model: Model) -> "models.OneToOneField[models.Model, models.Model]":
        """The field that ties the entry to the object, from which it is `search`."""
        return models.OneToOneField(
            model,
            models.DO_NOTHING,
            primary_key=True,
            db_column="rowid",
            db_constraint=False,
            related_name="search",
        )


def entry_models() -> list[type[SearchEntry]]:
    return [model for model in apps.get_models() if issubclass(model, SearchEntry)]


def root_of(entries: type[SearchEntry]) -> Model:
    """The model whose objects are found."""
    root = entries._meta.pk.related_model
    assert root is not None  # noqa: S101  (the key is a OneToOneField)
    return root


def dialect(vendor: str) -> ModuleType:
    return {"postgresql": postgresql, "sqlite": sqlite}[vendor]


# Where the words come from


@dataclass(frozen=True)
class Source:
    """A model that objects take words from."""

    model: Model
    # The way there: "contributions__author"; empty for the objects' own model.
    path: str
    # What is found here.
    columns: tuple[str, ...]
    # What it refers to, each by the name of the foreign key's column.
    targets: tuple[tuple[str, "Source"], ...]
    # What refers to it: the same.
    children: tuple[tuple[str, "Source"], ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """What of a row matters to those who take words from it."""
        return (*self.columns, *(name for name, _ in self.targets))

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @cached_property
    def models(self) -> frozenset[Model]:
        """Its own, and those of all that it leads to."""
        return frozenset(source.model for source, _ in self.walk())

    def walk(self, foreign_key: str = "") -> Iterator[tuple["Source", str]]:
        """This and all that it leads to; what refers to another with its foreign key."""
        yield self, foreign_key
        for _, source in self.targets:
            yield from source.walk()
        for name, source in self.children:
            yield from source.walk(name)

    @property
    def owner_path(self) -> str:
        """The way to what its rows refer to; empty for the objects themselves."""
        return self.path.rpartition("__")[0]

    def joined(self, tables: str, alias: str, key: str) -> Iterator[tuple["Source", str, str, str]]:
        """This and all that it leads to, each with the tables to select from, the alias of its own
        and the column of the root's key."""
        yield self, tables, alias, key
        for i, (foreign_key, target) in enumerate(self.targets):
            to = f"{alias}_{i}"
            join = f"{tables} JOIN {target.table} {to} ON {to}.id = {alias}.{foreign_key}"
            yield from target.joined(join, to, key)
        for i, (foreign_key, child) in enumerate(self.children):
            if not self.path:
                of = f"child_{i}"
                yield from child.joined(f"{child.table} {of}", of, f"{of}.{foreign_key}")
                continue
            of = f"{alias}_child_{i}"
            join = f"{tables} JOIN {child.table} {of} ON {of}.{foreign_key} = {alias}.id"
            yield from child.joined(join, of, key)


def source_of(entries: type[SearchEntry]) -> Source:
    return _source_of(entries, entries.index)


@cache
def _source_of(entries: type[SearchEntry], index: SearchIndex) -> Source:
    paths = (path.split("__") for path in (*index.titles, *index.more))
    return _source(root_of(entries), "", [*paths])


def _source(model: Model, path: str, paths: Sequence[Sequence[str]]) -> Source:
    columns, following = [], defaultdict(list)
    for name, *rest in paths:
        (following[name].append(rest) if rest else columns.append(name))
    targets, children = [], []
    for name, rests in following.items():
        relation: AnyField = model._meta.get_field(name)
        onward = _source(relation.related_model, f"{path}__{name}".removeprefix("__"), rests)
        if relation.many_to_one:
            targets.append((relation.attname, onward))
        elif relation.one_to_many:
            if any(onward.model._meta.get_field(key).null for key, _ in onward.targets):
                raise TypeError(f"{onward.model.__name__} may refer to nothing.")
            children.append((relation.field.attname, onward))
        else:
            raise TypeError(f"{model.__name__}.{name} neither is nor refers to one object.")
    return Source(model, path, tuple(columns), tuple(targets), tuple(children))


Row = Mapping[str, Any]
# By model, the rows that differ now, each with what they held before.
Changed = Mapping[Model, Mapping[models.Model, Row]]
Rows = Mapping[Model, Sequence[models.Model]]


def _columns(rows: Sequence[models.Model]) -> Sequence[Row]:
    return rows.columns if isinstance(rows, InsertedRows) else [vars(row) for row in rows]


class Reader:
    """Reads the texts of objects: those of new rows from memory, others from the database.

    What an object refers to is locked against a change of its name, FOR SHARE. Whoever comes first,
    the last to write the entry has seen both the name and the object: without the lock, a book
    written while its author is renamed would keep the old name. Many rows cost as many statements
    as one.
    """

    def __init__(
        self, connection: BaseDatabaseWrapper, created: Rows, *, takes_locks: bool = True
    ) -> None:
        self._connection = connection
        self._takes_locks = takes_locks and connection.features.has_select_for_update
        self._created = {model: _columns(rows) for model, rows in created.items()}
        # What came with the children of the rows at hand.
        self._joined: dict[Model, dict[int, Row]] = {}

    def entries(self, entries: type[SearchEntry], rows: Sequence[Row]) -> list[Entry]:
        """Those of these root rows."""
        source, titles = source_of(entries), entries.index.titles
        self._joined.clear()
        texts: dict[int, set[str]] = {row["id"]: set() for row in rows}
        for key, text in self._texts(source, [(row["id"], row) for row in rows]):
            if text:
                texts[key].add(text)
        return [
            Entry.of(
                row["id"], [title for name in titles if (title := row[name])], texts[row["id"]]
            )
            for row in rows
        ]

    def write(self, entries: type[SearchEntry], rows: Sequence[Row]) -> None:
        """Write the entries of these root rows and keep their words."""
        if rows:
            found = self.entries(entries, rows)
            with self._connection.cursor() as cursor:
                dialect(self._connection.vendor).write(cursor, entries._meta.db_table, found)

    def refile(
        self,
        entries: type[SearchEntry],
        source: Source,
        row: models.Model,
        before: Row,
        keys: Collection[int],
    ) -> None:
        """Change these entries by what a row that their objects refer to has become.

        To write them anew takes twice as long, or more where an object has many authors. The
        statement locks the entries, so that of two who do so the later sees what the first did;
        with locks on what else is read the two would wait for each other.
        """
        now = vars(row)
        had = words_of(*(before.get(name, now[name]) or "" for name in source.columns))
        has = words_of(*(now[name] or "" for name in source.columns))
        gone, engine = had - has, dialect(self._connection.vendor)
        if not keys or had == has:
            return
        with self._connection.cursor() as cursor:
            engine.replace(cursor, entries._meta.db_table, keys, gone, has - had)
        if gone:
            root, reader = source_of(entries), Reader(self._connection, {}, takes_locks=False)
            for batch in batches(sorted(self._find_with_words(root, keys, gone, row))):
                reader.write(entries, reader.select(root, "id", batch))

    def _find_with_words(
        self, root: Source, keys: Collection[int], words: set[str], row: models.Model
    ) -> set[int]:
        """Those of these objects that some text gives one of these words, other than this row's."""
        having: set[int] = set()
        engine = dialect(self._connection.vendor)
        has_any: dict[str, bool] = {}
        for source, tables, alias, key in root.joined(f"{root.table} it", "it", "it.id"):
            if not source.columns:
                continue
            columns = [f"{alias}.{name}" for name in source.columns]
            among, parameter = engine.any_of(key, keys)
            likely, parameters = engine.may_have(columns, words)
            sql = f"SELECT {key}, {', '.join(columns)} FROM {tables} WHERE {among} AND ({likely})"
            parameters.insert(0, parameter)
            if isinstance(row, source.model):
                sql += f" AND {alias}.id <> %s"
                parameters.append(row.pk)
            with self._connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                for found, *texts in cursor.fetchall():
                    for text in filter(None, texts):
                        if text not in has_any:
                            has_any[text] = not words.isdisjoint(words_of(text))
                        if has_any[text]:
                            having.add(found)
        return having

    def _texts(self, source: Source, found: Sequence[tuple[int, Row]]) -> Iterator[tuple[int, str]]:
        """Texts of these rows and of what they lead to, each with the key of its root.

        What refers to new rows is all among the created ones.
        """
        for name in source.columns:
            yield from [(key, row[name]) for key, row in found]
        for name, target in source.targets:
            rows = self._targets(target, {row[name] for _, row in found} - {None})
            onward = [(key, rows[row[name]]) for key, row in found if row[name] in rows]
            yield from self._texts(target, onward)
        if not source.children:
            return
        roots: dict[int, list[int]] = defaultdict(list)
        for key, row in found:
            roots[row["id"]].append(key)
        new = {row["id"] for row in self._created.get(source.model, ())} & roots.keys()
        for name, child in source.children:
            children = [row for row in self._created.get(child.model, ()) if row[name] in new]
            children += self.select(child, name, roots.keys() - new)
            onward = [(key, row) for row in children for key in roots[row[name]]]
            yield from self._texts(child, onward)

    def _targets(self, source: Source, keys: set[int]) -> dict[int, Row]:
        rows = {row["id"]: row for row in self._created.get(source.model, ()) if row["id"] in keys}
        joined = self._joined.get(source.model, {})
        rows |= {key: joined[key] for key in keys & joined.keys()}
        stored = self.select(source, "id", keys - rows.keys(), lock="FOR SHARE")
        return rows | {row["id"]: row for row in stored}

    def select(
        self, source: Source, column: str, values: Collection[int], lock: str = ""
    ) -> list[Row]:
        """The rows with one of these values in this column, with what matters of them."""
        if not values:
            return []
        names = [*dict.fromkeys(("id", column, *source.attributes))]
        condition, parameter = dialect(self._connection.vendor).any_of(f"it.{column}", values)
        # What children refer to comes with them.
        targets = [*source.targets] if column != "id" else []
        selected = [f"it.{name}" for name in names]
        tables, order = [f"{source.model._meta.db_table} it"], ["it.id"]
        for place, (foreign_key, target) in enumerate(targets):
            selected += [f"t{place}.{name}" for name in target.attributes]
            tables.append(
                f"{target.model._meta.db_table} t{place} ON t{place}.id = it.{foreign_key}"
            )
            order.insert(0, f"t{place}.id")
            lock = f"FOR SHARE OF {', '.join(f't{i}' for i in range(place + 1))}"
        sql = (
            f"SELECT {', '.join(selected)} FROM {' JOIN '.join(tables)}"
            f" WHERE {condition} ORDER BY {', '.join(order)}"
        )
        if lock and self._takes_locks:
            sql += f" {lock}"
        found = fetch_all(self._connection, sql, [parameter])
        rows: list[Row] = [dict(zip(names, row, strict=False)) for row in found]
        start = len(names)
        for foreign_key, target in targets:
            known, end = self._joined.setdefault(target.model, {}), start + len(target.attributes)
            for row, values_of in zip(rows, found, strict=True):
                if (key := row[foreign_key]) not in known:
                    values = values_of[start:end]
                    known[key] = {"id": key, **dict(zip(target.attributes, values, strict=True))}
            start = end
        return rows


# Writing


@receiver(rows_written)
def write_entries(
    sender: Model,
    created: Rows,
    changed: Changed,
    removed: Rows,
    **kwargs: object,
) -> None:
    """Write the entries that follow from what a write has done. Rows that are gone have none."""
    written = {*created, *changed, *removed}
    for entries in entry_models():
        source = source_of(entries)
        if source.models.isdisjoint(written):
            continue
        reader = Reader(connections[router.db_for_write(entries)], created)
        at_hand = {row.pk: vars(row) for row in changed.get(source.model, {})}
        new = _columns(created.get(source.model, ()))
        renamed = _find_renames(source, changed)
        keys = _find_affected(source, created, changed, removed, but=renamed)
        others = {row["id"] for row in new}.union(row.pk for row in removed.get(source.model, ()))
        keys -= others
        for batch in batches(new):
            reader.write(entries, batch)
        for batch in batches([at_hand[key] for key in keys & at_hand.keys()]):
            reader.write(entries, batch)
        for some in batches(sorted(keys - at_hand.keys())):
            reader.write(entries, reader.select(source, "id", some))
        for path, (each, row, before) in renamed.items():
            reader.refile(
                entries, each, row, before, _find_referrers(source, path, [row.pk]) - keys - others
            )


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[i : i + BATCH] for i in range(0, len(items), BATCH))


def _find_renames(source: Source, changed: Changed) -> dict[str, tuple[Source, models.Model, Row]]:
    """What objects refer to, where it is a single row that differs in its own texts alone; by the
    way there."""
    renamed = {}
    for each, foreign_key in source.walk():
        rows = [*_find_differences(each, foreign_key, changed)]
        if each.path and not foreign_key and len(rows) == 1:
            [(row, before)] = rows
            if not any(name in before for name, _ in each.targets):
                renamed[each.path] = (each, row, before)
    return renamed


def _find_differences(
    source: Source, foreign_key: str, changed: Changed
) -> Iterator[tuple[models.Model, Row]]:
    for row, before in changed.get(source.model, {}).items():
        if not before.keys().isdisjoint((*source.attributes, foreign_key)):
            yield row, before


def _find_affected(
    source: Source, created: Rows, changed: Changed, removed: Rows, but: Collection[str] = ()
) -> set[int]:
    """The keys of the objects whose words a write has touched, and of new ones; but not for what
    stands at the end of these ways."""
    keys: set[int | None] = set()
    for each, foreign_key in source.walk():
        differing = [*_find_differences(each, foreign_key, changed)]
        if foreign_key:
            rows = [*_columns(created.get(each.model, ())), *map(vars, removed.get(each.model, ()))]
            owners = {row[foreign_key] for row in rows}
            owners.update(getattr(row, foreign_key) for row, _ in differing)
            owners.update(before.get(foreign_key) for _, before in differing)
            if each.owner_path and owners:
                # Nothing that is stored refers to a new one.
                key: AnyField = each.model._meta.get_field(foreign_key)
                owners -= {row["id"] for row in _columns(created.get(key.related_model, ()))}
                keys |= _find_referrers(source, each.owner_path, owners)
            else:
                keys |= owners
        elif not each.path:
            keys.update(row.pk for row, _ in differing)
        elif differing and each.path not in but:
            keys |= _find_referrers(source, each.path, {row.pk for row, _ in differing})
    return {key for key in keys if key is not None}


def _find_referrers(source: Source, path: str, keys: Collection[int | None]) -> set[int]:
    if not keys:
        return set()
    among = {f"{path}__in": keys}
    return set(source.model._base_manager.filter(**among).values_list("pk", flat=True))


# Single objects that `save` or `delete` is called of


_is_suppressed = ContextVar("_is_suppressed", default=False)


@contextmanager
def suppress_save_receivers() -> Iterator[None]:
    """What is saved in here is in a `rows_written` as well, which writes the entries."""
    token = _is_suppressed.set(True)
    try:
        yield
    finally:
        _is_suppressed.reset(token)


def connect() -> None:
    """Hear of single objects. To listen to all models would slow down every deletion."""
    for entries in entry_models():
        post_delete.connect(delete_entry, root_of(entries), dispatch_uid="search")
        for source, _ in source_of(entries).walk():
            post_save.connect(write_entries_of_saved, source.model, dispatch_uid="search")


def write_entries_of_saved(
    sender: Model, instance: models.Model, using: str, **kwargs: object
) -> None:
    if _is_suppressed.get():
        return
    for entries in entry_models():
        source = source_of(entries)
        if sender not in source.models:
            continue
        refresh(entries, _find_affected(source, {}, {sender: {instance: vars(instance)}}, {}))


def refresh(entries: type[SearchEntry], keys: Collection[int]) -> None:
    """Write the entries of these objects anew, each batch in a transaction of its own."""
    connection = connections[router.db_for_write(entries)]
    reader, source = Reader(connection, {}), source_of(entries)
    for batch in batches(sorted(keys)):
        with transaction.atomic(connection.alias):
            # Two who change what an object takes words from wait for each other.
            reader.write(entries, reader.select(source, "id", batch, lock="FOR NO KEY UPDATE"))


def delete_entry(sender: Model, instance: models.Model, using: str, **kwargs: object) -> None:
    connection = connections[using]
    for entries in entry_models():
        if root_of(entries) is sender:
            with connection.cursor() as cursor:
                table = connection.ops.quote_name(entries._meta.db_table)
                cursor.execute(f"DELETE FROM {table} WHERE rowid = %s", [instance.pk])
