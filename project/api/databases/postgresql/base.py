"""Django's PostgreSQL, which need not be asked before each request whether it is still there.

https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends
"""

from selectors import EVENT_READ, DefaultSelector

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """A server that ends a connection says so, and closes its side: there is something to read.

        Only then, and within a transaction, which may have failed, a statement is sent to find out.
        What else a server says by itself, as that a setting has changed, is no end.
        """
        connection = self.connection
        if (
            connection is None
            or connection.info.transaction_status != TransactionStatus.IDLE
            or _has_something(connection.fileno())
        ):
            return super().is_usable()
        return True


def _has_something(socket: int) -> bool:
    with DefaultSelector() as selector:
        selector.register(socket, EVENT_READ)
        return bool(selector.select(timeout=0))
