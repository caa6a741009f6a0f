"""Django's SQLite, which knows what became of its statements, and of its file.

https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends
"""

import os
import sqlite3
from functools import lru_cache
from urllib.parse import quote

from django.db.backends.sqlite3 import base
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper

from ..outcomes import Witness, WitnessedCursor

# 4 MB at most. Longer ones are of many rows, and hardly come again.
KEPT_STATEMENTS = 128
MAX_LENGTH = 16_384


class _Cursor(base.SQLiteCursorWrapper):
    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        """The statement with SQLite's placeholders.

        To look for those in the statement of a book's document takes 0.12 of the request's time.
        """
        if param_names is None and len(query) <= MAX_LENGTH:
            return _converted(query)
        return super().convert_query(query, param_names=param_names)


@lru_cache(maxsize=KEPT_STATEMENTS)
def _converted(query: str) -> str:
    return base.SQLiteCursorWrapper.convert_query(None, query)  # type: ignore[arg-type]


class _DebugCursor(WitnessedCursor, CursorDebugWrapper):
    pass


# The file that this process answers requests from, by its path: device and inode. Workers have it
# from their server.
_files: dict[str, tuple[int, int]] = {}


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  (a Path takes thrice the time, with each request)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class DatabaseWrapper(Witness, base.DatabaseWrapper):
    """A connection that answers requests makes no file, and leaves no file for another one.

    What is written to a file that has been moved is lost, and the journal of the one that stands
    in its place may be the other's (https://sqlite.org/howtocorrupt.html#unlink). So requests fail
    until the file is back, or the server has been started anew.
    """

    _path: str | None = None

    def begin_request(self) -> None:
        super().begin_request()
        name = str(self.settings_dict["NAME"])
        if not self.is_in_memory_db() and not name.startswith("file:"):
            self._path = name
            if name not in _files and (file := _identity(name)):
                _files[name] = file

    def get_new_connection(self, conn_params: dict[str, object]) -> object:
        if self._path is None:
            return super().get_new_connection(conn_params)
        if (file := _identity(self._path)) and _files.get(self._path, file) != file:
            error = sqlite3.OperationalError(
                f"Another file stands at {self._path} since the server was started. Start it anew."
            )
            error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED
            raise error
        uri = f"file:{quote(self._path)}?mode=rw"
        return super().get_new_connection({**conn_params, "database": uri})

    def is_usable(self) -> bool:
        return self._path is None or _identity(self._path) == _files.get(self._path)

    def create_cursor(self, name: str | None = None) -> object:
        return self.connection.cursor(factory=_Cursor)

    def make_cursor(self, cursor: CursorWrapper) -> WitnessedCursor:
        return WitnessedCursor(cursor, self)

    def make_debug_cursor(self, cursor: CursorWrapper) -> _DebugCursor:
        return _DebugCursor(cursor, self)
