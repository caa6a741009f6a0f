"""What became of the statements of one request, as each connection sees them."""

from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from .errors import has_lost_a_race, is_lost, is_outage, is_stale, is_unknown

# What stores nothing, by its first word. `SELECT` may call what does: none of ours that matters.
READS = ("SELECT", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET ", "SHOW", "PRAGMA", "DECLARE")

# Called with each statement, and the seconds that it took.
observer: ContextVar[Callable[[object, float], None] | None] = ContextVar("observer", default=None)


class Witness(BaseDatabaseWrapper):
    """A connection that knows, since the beginning of a request, what its statements have done."""

    # Whether anything is stored, or may be: nobody heard how a statement ended.
    has_written = False
    # Whether the same would succeed on a new connection,
    is_spoilt = False
    # or at another time, since another transaction was in its way.
    has_lost_a_race = False
    # Whether it was the database that failed, for one of these reasons or another.
    has_failed = False
    # Whether the transaction that is open will have stored something once it is committed.
    _will_have_written = False
    # Whose rows are fetched before it is used again.
    _kept_cursor: CursorWrapper | None = None

    def kept_cursor(self) -> CursorWrapper:
        """A cursor that lasts as long as the connection."""
        self.close_if_health_check_failed()
        self.ensure_connection()
        kept = self._kept_cursor
        if kept is None or kept.cursor.connection is not self.connection:
            kept = self._kept_cursor = self.cursor()
        return kept

    def begin_request(self) -> None:
        self.has_written = self.is_spoilt = self.has_lost_a_race = self._will_have_written = False
        self.has_failed = False

    def note_success(self, sql: object) -> None:
        if str(sql).lstrip().startswith(READS):
            return
        if self.in_atomic_block:
            self._will_have_written = True
        else:
            self.has_written = True

    def note_failure(self, sql: object, error: Error) -> None:
        self.is_spoilt |= is_stale(error) or is_lost(error)
        self.has_lost_a_race |= has_lost_a_race(error)
        self.has_failed |= is_outage(error)
        if is_unknown(error) and not self.in_atomic_block:
            self.has_written |= not str(sql).lstrip().startswith(READS)

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]  # stubs
        except Error as error:
            self.is_spoilt |= is_lost(error)
            self.has_lost_a_race |= has_lost_a_race(error)
            self.has_written |= self._will_have_written and is_unknown(error)
            raise
        else:
            self.has_written |= self._will_have_written
        finally:
            self._will_have_written = False

    def _rollback(self) -> None:
        self._will_have_written = False
        super()._rollback()  # type: ignore[misc]  # stubs


class WitnessedCursor(CursorWrapper):
    """Tells its connection what became of a statement, and the observer how long it took.

    Django's wrappers of each statement, put on all connections and taken off again, take 0.02 of
    the processor time of one document.
    """

    db: Witness

    def _execute(self, sql: object, params: object, *ignored: object) -> object:
        start = perf_counter()
        try:
            done = self._carry_out(sql, params, *ignored)
        except Error as error:
            self.db.note_failure(sql, error)
            raise
        finally:
            _observe(sql, start)
        self.db.note_success(sql)
        return done

    def _executemany(self, sql: object, params: object, *ignored: object) -> object:
        start = perf_counter()
        try:
            return super()._executemany(sql, params, *ignored)  # type: ignore[misc]  # stubs
        finally:
            _observe(sql, start)

    def _carry_out(self, sql: object, params: object, *ignored: object) -> object:
        return super()._execute(sql, params, *ignored)  # type: ignore[misc]  # stubs


def _observe(sql: object, start: float) -> None:
    if (observe := observer.get()) is not None:
        observe(sql, perf_counter() - start)
