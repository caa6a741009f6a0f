"""Who writes: named once in each transaction, for the triggers that record changes.

On PostgreSQL the names are settings of the transaction, on SQLite a row that is there as long as
it. Where nobody is named, as for a hand with SQL, the changes have no actor.
"""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ..databases.connections import fetch_all
from ..http.current import current_request

# Bytes that PostgreSQL takes of a name.
MAX_NAME = 63


class Writer(NamedTuple):
    """The key of an account, or the name of a program; and the id of what it was asked for."""

    actor: str | None
    request: str | None


_program: ContextVar[Writer | None] = ContextVar("program", default=None)
_is_named: ContextVar[bool] = ContextVar("writer is named", default=False)


@contextmanager
def program(name: str) -> Iterator[None]:
    """What is written in here, this program has written, whoever started it."""
    token = _program.set(Writer(name, str(uuid.uuid4())))
    try:
        yield
    finally:
        _program.reset(token)


@contextmanager
def attribute_writes(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """A transaction, or a savepoint in one, whose changes tell who has made them."""
    with transaction.atomic(using):
        writer = None if _is_named.get() else _writer()
        if writer is None:
            yield
            return
        token = _is_named.set(True)
        try:
            name_writer(connections[using], writer)
            yield
            forget_writer(connections[using])
        finally:
            _is_named.reset(token)


def _writer() -> Writer | None:
    if writer := _program.get():
        return writer
    request = current_request.get()
    if request is None:
        return None
    user = getattr(request, "user", None)
    key = getattr(user, "pk", None)
    return Writer(None if key is None else str(key), getattr(request, "id", None))


def name_writer(connection: BaseDatabaseWrapper, writer: Writer) -> None:
    if connection.vendor == "postgresql":
        # The last one tells who looks at pg_stat_activity which request holds others up.
        application = connection.settings_dict["OPTIONS"].get("application_name", "")
        fetch_all(
            connection,
            "SELECT set_config('catalogue.actor', %s, true),"
            " set_config('catalogue.request', %s, true),"
            " set_config('application_name', %s, true)",
            [
                writer.actor or "",
                writer.request or "",
                f"{application} {writer.request or ''}"[:MAX_NAME].strip(),
            ],
        )
    else:
        fetch_all(
            connection,
            'INSERT OR REPLACE INTO changes_writer (id, actor, request, "transaction")'
            " VALUES (1, %s, %s, %s)",
            [writer.actor, writer.request, secrets.randbits(62)],
        )


def forget_writer(connection: BaseDatabaseWrapper) -> None:
    """PostgreSQL forgets at the end of the transaction."""
    if connection.vendor != "postgresql":
        fetch_all(connection, "DELETE FROM changes_writer")


@contextmanager
def merging_into(key: int | None, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Of the roots that are deleted in here, the feed says that they went into this one.

    To be used in a transaction that is `attributed`.
    """
    connection = connections[using]
    _set_merged(connection, key)
    yield
    _set_merged(connection, None)


def _set_merged(connection: BaseDatabaseWrapper, key: int | None) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            value = "" if key is None else str(key)
            cursor.execute("SELECT set_config('catalogue.merged_into', %s, true)", [value])
        else:
            cursor.execute("UPDATE changes_writer SET merged_into = %s", [key])
