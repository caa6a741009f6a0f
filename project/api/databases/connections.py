"""What every new database connection is told, what became of it, and how a statement is planned."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from .outcomes import Witness


@receiver(connection_created)
def use_all_query_parameters(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Let one statement hold as many parameters as this SQLite really takes.

    Django before 6.1 assumes 999, SQLite's limit before 3.32, and would split a bulk insert of 200
    editions into several statements.
    """
    if connection.vendor == "sqlite" and django.VERSION < (6, 1):
        limit = connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        connection.features.max_query_params = limit


def fetch_row(connection: BaseDatabaseWrapper, sql: str) -> Any:
    """The first row of what this statement gives."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def fetch_all(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] = ()) -> list[Any]:
    """All rows that a statement gives which comes with each request, as tuples.

    To make a cursor for each takes 0.03 of the processor time of one document.
    """
    if not isinstance(connection, Witness) or connection.queries_logged:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    kept = connection.kept_cursor()
    kept.execute(sql, params)
    with connection.wrap_database_errors:
        return list(kept.cursor.fetchall())


def begin_request() -> None:
    """Forget what became of the statements of the request before."""
    for connection in connections.all():
        if isinstance(connection, Witness):
            connection.begin_request()


def may_have_written() -> bool:
    """Whether this request may have stored something, whatever it has failed by since."""
    return any(connection.has_written for connection in _witnesses())


def would_succeed_anew() -> bool:
    """Whether the request that failed has stored nothing and met a connection that is spoilt, which
    this closes."""
    spoilt = [each for each in _witnesses() if each.is_spoilt and not each.in_atomic_block]
    for connection in spoilt:
        connection.close()
    return bool(spoilt) and not may_have_written()


def would_succeed_later() -> bool:
    """Whether the request that failed has stored nothing and lost a race with another one."""
    lost = any(each.has_lost_a_race and not each.in_atomic_block for each in _witnesses())
    return lost and not may_have_written()


def _witnesses() -> Iterator[Witness]:
    return (
        connection
        for connection in connections.all(initialized_only=True)
        if isinstance(connection, Witness)
    )


@contextmanager
def each_statement(wrapper: Callable[..., object]) -> Iterator[None]:
    """Execute each statement in here by this wrapper, whichever database it is for.

    https://docs.djangoproject.com/en/stable/topics/db/instrumentation/
    """
    every = connections.all()
    for connection in every:
        connection.execute_wrappers.append(wrapper)
    try:
        yield
    finally:
        for connection in every:
            connection.execute_wrappers.remove(wrapper)


def unwritable(connection: BaseDatabaseWrapper) -> str | None:
    """Why nothing can be written, if that is so: PostgreSQL is a standby, or was told to take
    nothing; a file or its folder, where the journal stands, is not ours to write to."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')::bool")
            [(is_read_only,)] = cursor.fetchall()
        return "The database is read-only." if is_read_only else None
    path = Path(connection.settings_dict["NAME"])
    places = [each for each in (path, path.parent) if each.exists()]
    unwritable = [str(each) for each in places if not os.access(each, os.W_OK)]
    return f"{unwritable[0]} is read-only." if unwritable else None


@contextmanager
def without_prepared_plans(using: str) -> Iterator[None]:
    """Let PostgreSQL plan the statements in here for the values that they come with.

    In the end it keeps one plan of a prepared statement for all values. Made for a filter that
    matches many rows of a million, such a plan took 4 s for one that matches none.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    session = connection.connection
    before, session.prepare_threshold = session.prepare_threshold, None
    try:
        yield
    finally:
        session.prepare_threshold = before


@contextmanager
def snapshot(using: str) -> Iterator[None]:
    """What is read in here is all of one moment, and waits for no writer.

    Within a transaction that has begun already, its own isolation holds.
    """
    connection = connections[using]
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "postgresql":
        with transaction.atomic(using):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    # Django would begin with the lock of a writer.
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
