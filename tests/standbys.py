"""Streaming standbys of a PostgreSQL of the tests."""

from pathlib import Path

import psycopg

from tests.postgres import PostgreSQL

# What docs/replicas.md has, by its first words.
COPY = 'pg_basebackup -D "$PGDATA" -d "$PRIMARY?application_name=$NAME" -R -c fast'


class Standby(PostgreSQL):
    """`with Standby(primary, "first") as standby:` copies the primary, and follows it.

    By its name the primary's `synchronous_standby_names` know it. `copy` is the line of a shell
    that copies the primary.
    """

    def __init__(self, primary: PostgreSQL, name: str, copy: str = COPY, **settings: str) -> None:
        self._copy = f'PRIMARY="{primary.url}" NAME="{name}"; {copy}'
        super().__init__(**settings)
        self.password = primary.password

    def _make_cluster(self) -> None:
        where = f'PATH="{self.bin}:$PATH" PGDATA="{self.folder / "data"}"'
        self._run("sh", "-c", f"{where}; {self._copy}")

    @property
    def signal(self) -> Path:
        return self.folder / "data" / "standby.signal"


def run(server: PostgreSQL, *statements: str) -> list[tuple[object, ...]]:
    """The rows of the last of these statements, each a transaction."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for each in statements:
            cursor = connection.execute(each)
        return cursor.fetchall() if cursor.description else []


def replay_of(standby: PostgreSQL, primary: PostgreSQL) -> bool:
    """Whether the standby has replayed all that the primary has written by now."""
    [(lsn,)] = run(primary, "SELECT pg_current_wal_lsn()::text")
    [(has_it,)] = run(standby, f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn")
    return bool(has_it)
