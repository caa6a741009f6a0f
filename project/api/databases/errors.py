"""What an error of the database means: an outage, or a transaction to be made again."""

import sqlite3

from django.db import InterfaceError, InternalError, OperationalError

# A serialization failure, and a deadlock: PostgreSQL asks for the whole transaction again
# (https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html).
RACES = frozenset({"40001", "40P01"})
# What PostgreSQL refuses without the statement being wrong: there is no connection, or memory, disk
# or connections are used up, or somebody stopped the statement or the server, or the disk fails
# (classes), or other transactions were in the way (codes).
# https://www.postgresql.org/docs/current/errcodes-appendix.html
OUTAGE_CLASSES = frozenset({"08", "53", "57", "58"})
OUTAGE_CODES = frozenset({"40001", "40P01", "55P03"})
# Prepared statements that PostgreSQL has not, or has already, since a pooler gave the connection
# another server connection than before.
MISPLACED = frozenset({"26000", "42P05"})
# What refuses a statement whose columns a migration has changed, be it prepared or in a trigger, by
# the function of PostgreSQL that raises it: the codes are those of much else as well, and the
# messages are in the server's language.
STALE = {"0A000": "RevalidateCachedQuery", "42804": "plpgsql_param_eval_recfield"}
# Somebody or something has ended the connection: the server's, or a limit of time.
ENDED = frozenset({"57P01", "57P02", "57P05", "25P03", "25P04"})
# The connection is of no use, either, when its server is a standby by now.
LOST = ENDED | {"25006"}
# The same of SQLite, https://www.sqlite.org/rescode.html
SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


def is_stale(error: BaseException | None) -> bool:
    """Whether a statement is refused that would be carried out on a new connection."""
    cause = error and error.__cause__
    code = getattr(cause, "sqlstate", None)
    return code in MISPLACED or (
        code in STALE and getattr(cause, "diag").source_function == STALE[code]  # noqa: B009
    )


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection is of no use any more. Without a code it is the driver who says so."""
    return getattr(error and error.__cause__, "sqlstate", "") in LOST | {None}


def is_unknown(error: BaseException) -> bool:
    """Whether the statement that failed so may have been carried out all the same."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR
    return getattr(cause, "sqlstate", "") in ENDED | {None}


def has_lost_a_race(error: BaseException) -> bool:
    """Whether the same transaction may succeed once another one, which was in its way, is over."""
    return getattr(error.__cause__, "sqlstate", "") in RACES


def is_outage(error: BaseException | None) -> bool:
    if is_stale(error) or (isinstance(error, InternalError) and is_lost(error)):
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # The lowest byte of an extended code is the kind of error.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE_OUTAGES
    # Without a code it is the driver who says that there is no connection.
    code = getattr(cause, "sqlstate", None)
    return code is None or code in OUTAGE_CODES or code[:2] in OUTAGE_CLASSES
