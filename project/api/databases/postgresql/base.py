"""Django's PostgreSQL, in which the order of a text depends on no locale.

It need not be asked before each request whether it is still there, either.

https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends
"""

from django.db import Error, NotSupportedError
from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from psycopg import OperationalError, _queries
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus

from ..errors import has_lost_a_race, is_stale
from ..outcomes import Witness, WitnessedCursor
from ..races import ATTEMPTS, step_back
from .schema import COLLATION, DatabaseSchemaEditor

# psycopg looks for the parameters of a longer statement each time that it is carried out. The
# documents of a list come by one of 7 kB, of which that takes 0.03 of the time of one document.
_queries.MAX_CACHED_STATEMENT_LENGTH = 16_384


CSTRING = 2275  # the pseudo-type's fixed number, which psycopg has no name for


class _BytesLoader(Loader):
    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class _Cursor(WitnessedCursor):
    def _carry_out(self, sql: object, params: object, *ignored: object) -> object:
        for times in range(ATTEMPTS - 1):
            try:
                return super()._carry_out(sql, params, *ignored)
            except Error as error:
                # A statement that is a transaction by itself can be carried out again.
                if self.db.in_atomic_block or not (is_stale(error) or has_lost_a_race(error)):
                    raise
                if is_stale(error):
                    # So psycopg prepares none of them before it comes as often as at first.
                    super()._carry_out("DEALLOCATE ALL", None)
                else:
                    step_back(times)
        return super()._carry_out(sql, params, *ignored)


class _DebugCursor(_Cursor, base.CursorDebugWrapper):
    pass


class DatabaseWrapper(Witness, base.DatabaseWrapper):
    SchemaEditorClass = DatabaseSchemaEditor
    # `iexact`, `icontains` and the like put both sides in capitals, the column's side by its own
    # collation: by a Turkish one, the other side's `i` would become another letter.
    operators = {
        name: operator.replace("UPPER(%s)", f'UPPER(%s COLLATE "{COLLATION}")')
        for name, operator in base.DatabaseWrapper.operators.items()
    }

    def get_new_connection(self, conn_params: dict[str, object]) -> object:
        """Finished documents, which have this type (project.api.documents), come as bytes."""
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader(CSTRING, _BytesLoader)
        return connection

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

    def make_cursor(self, cursor: CursorWrapper) -> _Cursor:
        return _Cursor(cursor, self)

    def make_debug_cursor(self, cursor: CursorWrapper) -> _DebugCursor:
        return _DebugCursor(cursor, self)

    def is_usable(self) -> bool:
        """A server that ends a connection says so, and closes its side: what it says can be read,
        and then there is an end.

        Only within a transaction, which may have failed, a statement is sent to find out.
        """
        connection = self.connection
        if connection is None or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            return super().is_usable()
        try:
            for _ in range(2):
                connection.pgconn.consume_input()
        except OperationalError:
            return False
        return True
