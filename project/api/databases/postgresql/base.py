"""Django's PostgreSQL, in which the order of a text depends on no locale.

It need not be asked before each request whether it is still there, either.

https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends
"""

from functools import lru_cache
from typing import Self

from django.db import Error, NotSupportedError
from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from psycopg import Cursor, OperationalError, _queries
from psycopg.abc import Params, Query
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.rows import TupleRow

from ..errors import has_lost_a_race, is_stale
from ..outcomes import Witness, WitnessedCursor
from ..races import ATTEMPTS, step_back
from .schema import COLLATION, DatabaseSchemaEditor

# psycopg looks for the parameters of a longer statement each time that it is carried out. The
# documents of a list come by one of 7 kB, of which that takes 0.03 of the time of one document.
_queries.MAX_CACHED_STATEMENT_LENGTH = 16_384
# As many as psycopg keeps.
KEPT_STATEMENTS = 128


class _DriverCursor(base.CursorMixin, Cursor[TupleRow]):
    """Sends what is prepared, or never will be, by one call of libpq.

    psycopg itself makes several, between which it waits for the server, so that Ctrl-C can end a
    statement. Where two threads are at work, and wait for Python's lock after each call, that takes
    0.04 of the processor time of one document.
    """

    def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        session, pgconn = self._conn, self._pgconn
        if (
            not (isinstance(query, str) and isinstance(params, list | tuple))
            or prepare is not None
            or binary is not None
            or len(query) > _queries.MAX_CACHED_STATEMENT_LENGTH
            or self._closed
            or session._pipeline is not None
            # It would begin a transaction.
            or not (session.autocommit or pgconn.transaction_status == TransactionStatus.INTRANS)
        ):
            return super().execute(  # type: ignore[misc]  # its overloads
                query,  # type: ignore[arg-type]
                params,
                prepare=prepare,
                binary=binary,
            )
        statement, formats = _parsed(query)
        if len(params) != len(formats):
            return super().execute(query, params)
        transformer, prepared = Transformer(self), session._prepared
        values = transformer.dump_sequence(params, formats)
        key = statement, transformer.types or ()
        if name := prepared._names.get(key):
            # It is the last that would have to make room.
            prepared._names.move_to_end(key)
            result = pgconn.exec_prepared(name, values, transformer.formats)  # type: ignore[arg-type]
        elif prepared.prepare_threshold is None and params:
            result = pgconn.exec_params(statement, values, key[1], transformer.formats)
        else:
            return super().execute(query, params)
        if result.status == ExecStatus.FATAL_ERROR and pgconn.status == ConnStatus.BAD:
            raise OperationalError(result.get_error_message())
        self._reset()
        self._tx = transformer
        self._last_query = query
        self._check_results([result])
        self._set_results([result])
        return self


@lru_cache(maxsize=KEPT_STATEMENTS)
def _parsed(query: str) -> tuple[bytes, list[PyFormat]]:
    """The statement with PostgreSQL's placeholders, and how it takes each parameter."""
    statement, formats, _, _ = _queries._query2pg(query.encode(), "utf-8")
    return statement, formats


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

    def get_connection_params(self) -> dict[str, object]:
        return {**super().get_connection_params(), "cursor_factory": _DriverCursor}

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
