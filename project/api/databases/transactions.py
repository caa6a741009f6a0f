"""A transaction around all that a request does."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import transaction

from ..files import new_files

_is_open: ContextVar[bool] = ContextVar("request_transaction", default=False)


@contextmanager
def request_transaction() -> Iterator[None]:
    """Keep all that is written in here, or nothing; whoever writes must call `check_deferred`."""
    token = _is_open.set(True)
    try:
        with new_files(), transaction.atomic():
            yield
    finally:
        _is_open.reset(token)


def check_deferred() -> None:
    """Judge in a request's transaction what would be judged at its COMMIT, too late to try again.

    SQLite has one writer at a time, so nobody can have deleted what a row refers to.
    """
    connection = transaction.get_connection()
    if _is_open.get() and connection.vendor == "postgresql":
        connection.check_constraints()
