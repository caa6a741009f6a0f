"""The tables of entries: made by `migrate`, where they are missing or have another definition.

A row `(entries, definition)` says by which definition each was made. `/readyz` and `check` compare
it with this code's, so that whatever stopped the end of `migrate` does not go unnoticed.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import regex
from django.apps import AppConfig
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations import Migration, RunPython, RunSQL
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import receiver

from ..models import Definition
from .entries import BATCH, Reader, SearchEntry, dialect, entry_models, refresh, root_of, source_of
from .words import VERSION

DEFINITIONS = "search_definition"
WORDS = "search_word"


@receiver(pre_migrate, dispatch_uid="search")
def prepare_for_migrations(
    sender: AppConfig, using: str, plan: Sequence[tuple[Migration, bool]] = (), **kwargs: object
) -> None:
    """Drop what kept entries before 1.0.0: on SQLite a trigger keeps the tables that it reads from
    being altered. What migrations write tells nobody, so that the entries are due then."""
    if sender.label != "api":
        return
    connection = connections[using]
    with transaction.atomic(using), connection.cursor() as cursor:
        if not _has_definitions(connection):
            tables = [model._meta.db_table for model in entry_models()]
            dialect(connection.vendor).drop_former(cursor, tables)
        elif any(map(may_write_texts, (migration for migration, _ in plan))):
            cursor.execute(f"DELETE FROM {DEFINITIONS}")


def may_write_texts(migration: Migration) -> bool:
    """Whether entries may be made of what it writes, so that all are made anew."""
    sources = (source for model in entry_models() for source, _ in source_of(model).walk())
    return migration.app_label in {source.model._meta.app_label for source in sources} and any(
        isinstance(operation, RunPython | RunSQL) for operation in migration.operations
    )


@receiver(post_migrate, dispatch_uid="search")
def create_after_migrations(sender: AppConfig, using: str, **kwargs: object) -> None:
    if sender.label == "api":
        create(connections[using])


def create(connection: BaseDatabaseWrapper) -> None:
    """Make what is due, and what lacks entries or has too many, as after `flush`."""
    for model in entry_models():
        if not _has_table(connection, root_of(model)):
            continue
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            if not _has_definitions(connection):
                dialect(connection.vendor).create_words(cursor)
                cursor.execute(f"DROP TABLE IF EXISTS {DEFINITIONS}")
                cursor.execute(
                    f"CREATE TABLE {DEFINITIONS}"
                    " (entries varchar(100) PRIMARY KEY, definition varchar(64) NOT NULL)"
                )
            if model in find_outdated(connection) or differs_in_number(connection, model):
                _fill(connection, cursor, model)
            else:
                dialect(connection.vendor).complete(cursor, model._meta.db_table)
    Definition.note(connection.alias, {*_made(connection).values()})


def _fill(connection: BaseDatabaseWrapper, cursor: CursorWrapper, model: type[SearchEntry]) -> None:
    table, engine = model._meta.db_table, dialect(connection.vendor)
    engine.lock(cursor, [each.model._meta.db_table for each, _ in source_of(model).walk()])
    cursor.execute(f"DROP TABLE IF EXISTS {table}")
    engine.create(cursor, table)
    source, reader = source_of(model), Reader(connection, {})
    for keys in _keys(connection, model):
        reader.write(model, reader.select(source, "id", keys))
    engine.finish(cursor, table)
    cursor.execute(f"DELETE FROM {DEFINITIONS} WHERE entries = %s", [table])
    row = [table, definition(model, connection.vendor)]
    cursor.execute(f"INSERT INTO {DEFINITIONS} (entries, definition) VALUES (%s, %s)", row)


def drop(connection: BaseDatabaseWrapper) -> None:
    """Take everything away, to be made again. A bulk load is faster that way."""
    tables = [*(model._meta.db_table for model in entry_models()), WORDS, DEFINITIONS]
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


# What is due


def definition(model: type[SearchEntry], vendor: str) -> str:
    """What the words of these entries depend on, as a hash, and the form of their table."""
    parts = VERSION, unicodedata.unidata_version, regex.__version__, model.index
    return f"{dialect(vendor).LAYOUT}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:48]}"


def find_outdated(connection: BaseDatabaseWrapper) -> list[type[SearchEntry]]:
    """The models whose entries are missing, or made by another definition than this code's."""
    made = _made(connection)
    return [
        model
        for model in entry_models()
        if made.get(model._meta.db_table) != definition(model, connection.vendor)
    ]


def _made(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """By their table, by which definition entries are made; none without their words."""
    tables = connection.introspection.table_names()
    if not {WORDS, DEFINITIONS}.issubset(tables):
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT entries, definition FROM {DEFINITIONS}")
        return {entries: made for entries, made in cursor.fetchall() if entries in tables}


def mark_due(connection: BaseDatabaseWrapper) -> None:
    """Let the end of `migrate` make all entries anew, since texts change that they are made of."""
    if _has_definitions(connection):
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {DEFINITIONS}")


def fault_of(connection: BaseDatabaseWrapper) -> str | None:
    """What is due and not of a later version, in words."""
    return in_words(
        model for model in find_outdated(connection) if not _is_of_later_version(connection, model)
    )


def _is_of_later_version(connection: BaseDatabaseWrapper, model: type[SearchEntry]) -> bool:
    """Whether the entries are those of a version after this one, in a table of the same form."""
    own, made = definition(model, connection.vendor), _made(connection).get(model._meta.db_table)
    return (
        made is not None
        and made.partition("-")[0] == own.partition("-")[0]
        and bool(Definition.noted(connection.alias, [own]))
    )


def in_words(models: Iterable[type[SearchEntry]]) -> str | None:
    """That these are due, and what to do about it."""
    names = [str(root_of(model)._meta.verbose_name_plural) for model in models]
    if not names:
        return None
    return f"What a search finds of {', '.join(names)} is due: run `manage.py migrate`."


def fault_of_numbers(connection: BaseDatabaseWrapper) -> str | None:
    """The same, or whose entries are more or fewer than its objects; None before `migrate`."""
    models = entry_models()
    if not all(_has_table(connection, root_of(model)) for model in models):
        return None
    if fault := fault_of(connection):
        return fault
    names = [
        str(root_of(model)._meta.verbose_name_plural)
        for model in models
        if differs_in_number(connection, model)
    ]
    if not names:
        return None
    return f"A search does not find all {', '.join(names)}: run `manage.py reindex`."


def differs_in_number(connection: BaseDatabaseWrapper, model: type[SearchEntry]) -> bool:
    """Whether there are more entries than objects, or fewer."""
    objects, entries = root_of(model)._meta.db_table, model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT count(*) FROM {objects}) <> (SELECT count(*) FROM {entries})"
        )
        [(differs,)] = cursor.fetchall()
    return bool(differs)


def _has_definitions(connection: BaseDatabaseWrapper) -> bool:
    return {WORDS, DEFINITIONS}.issubset(connection.introspection.table_names())


def _has_table(connection: BaseDatabaseWrapper, model: type[models.Model]) -> bool:
    return model._meta.db_table in connection.introspection.table_names()


# After hands with SQL


def reindex(connection: BaseDatabaseWrapper) -> Iterator[tuple[type[models.Model], int]]:
    """Write all entries anew while the API serves; each model with the number of its objects."""
    for model in entry_models():
        number = 0
        for keys in _keys(connection, model):
            refresh(model, keys)
            number += len(keys)
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE {_is_orphan(model)}")
        yield root_of(model), number


def find_differences(connection: BaseDatabaseWrapper) -> Iterator[tuple[type[models.Model], int]]:
    """The objects whose entries are not what their words are now, and those that are no more."""
    for model in entry_models():
        source, reader = source_of(model), Reader(connection, {})
        engine, table = dialect(connection.vendor), model._meta.db_table
        for keys in _keys(connection, model):
            with connection.cursor() as cursor:
                stored = engine.read_entries(cursor, table, keys)
            for entry in reader.entries(model, reader.select(source, "id", keys)):
                if stored.get(entry.key) != entry:
                    yield source.model, entry.key
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT rowid FROM {table} WHERE {_is_orphan(model)} ORDER BY rowid")
            yield from ((source.model, key) for (key,) in cursor.fetchall())


def _is_orphan(model: type[SearchEntry]) -> str:
    return f"rowid NOT IN (SELECT id FROM {root_of(model)._meta.db_table})"


def _keys(connection: BaseDatabaseWrapper, model: type[SearchEntry]) -> Iterator[list[int]]:
    queryset = root_of(model)._base_manager.using(connection.alias).order_by("pk")
    keys = list(queryset.values_list("pk", flat=True)[:BATCH])
    while keys:
        yield keys
        keys = list(queryset.filter(pk__gt=keys[-1]).values_list("pk", flat=True)[:BATCH])
