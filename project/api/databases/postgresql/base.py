"""Django's PostgreSQL, in which the order of a text depends on no locale.

It need not be asked before each request whether it is still there, either.

https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends
"""

from selectors import EVENT_READ, DefaultSelector

from django.db import NotSupportedError
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from .schema import COLLATION, DatabaseSchemaEditor


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = DatabaseSchemaEditor
    # `iexact`, `icontains` and the like put both sides in capitals, the column's side by its own
    # collation: by a Turkish one, the other side's `i` would become another letter.
    operators = {
        name: operator.replace("UPPER(%s)", f'UPPER(%s COLLATE "{COLLATION}")')
        for name, operator in base.DatabaseWrapper.operators.items()
    }

    def check_database_version_supported(self) -> None:
        """Refuse, with the first connection, a server too old for this Django, and a database that
        cannot store every text."""
        super().check_database_version_supported()
        encoding = self.connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise NotSupportedError(
                f"The database “{self.settings_dict['NAME']}” is in {encoding}; the catalogue needs"
                " one that was created with ENCODING 'UTF8'."
            )

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
