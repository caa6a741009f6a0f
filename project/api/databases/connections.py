"""What every new database connection is told, what became of it, and how a statement is planned."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from .postgresql.base import DatabaseWrapper


@receiver(connection_created)
def use_all_query_parameters(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Let one statement hold as many parameters as this SQLite really takes.

    Django before 6.1 assumes 999, SQLite's limit before 3.32, and would split a bulk insert of 200
    editions into several statements.
    """
    if connection.vendor == "sqlite" and django.VERSION < (6, 1):
        limit = connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        connection.features.max_query_params = limit


def begin_request() -> None:
    """Forget what became of the statements of the request before."""
    for connection in _of_postgresql():
        connection.is_spoilt = connection.has_written = False


def drop_spoilt() -> bool:
    """Close the connections that have failed where new ones would not, if there are any; whether
    the request may then be repeated, since none has stored anything."""
    ours = [*_of_postgresql()]
    spoilt = [each for each in ours if each.is_spoilt and not each.in_atomic_block]
    for connection in spoilt:
        connection.close()
    return bool(spoilt) and not any(connection.has_written for connection in ours)


def _of_postgresql() -> Iterator[DatabaseWrapper]:
    return (
        connection
        for connection in connections.all(initialized_only=True)
        if isinstance(connection, DatabaseWrapper)
    )


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
