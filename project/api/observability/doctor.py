"""What is wrong with this installation, and what to do about it: `manage.py doctor`."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from ..databases.connections import begin_request, fetch_row
from ..databases.replicas import states
from .health import questions

MOST_SECONDS_APART = 5  # as far as a token's times are believed
LEAST_FREE = 500_000_000  # bytes


class Finding(NamedTuple):
    """How something is; and what to do about it, if anything is."""

    topic: str
    state: str
    advice: str = ""


def examine(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    """All findings; where the database does not answer, those that need none."""
    # As for a request: no file is made.
    begin_request()
    try:
        connection.ensure_connection()
        for examination in (_version, _locale, _tables, _pooler, _clock, _replicas):
            yield from examination(connection)
    except Error as error:
        advice = "Start it, see whether DATABASE_URL names it, and what its log says."
        yield Finding("database", " ".join(str(error).split()), advice)
    yield from _proxies()
    yield from _keys()
    yield from _disk()


def _version(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    number = ".".join(map(str, connection.get_database_version()))
    if connection.vendor == "sqlite":
        [journal] = fetch_row(connection, "PRAGMA journal_mode")
        yield Finding("database", f"SQLite {number}, journal {journal.upper()}")
    else:
        # What is older, or not in UTF-8, has been refused by now.
        yield Finding("database", f"PostgreSQL {number}")


def _locale(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    if connection.vendor != "postgresql" or connection.get_database_version() < (15,):
        return
    name, locale, before, now = fetch_row(
        connection,
        "SELECT datname, datcollate, datcollversion, pg_database_collation_actual_version(oid)"
        " FROM pg_database WHERE datname = current_database()",
    )
    advice = ""
    if before != now:
        advice = (
            f"The operating system orders texts by other rules than before. REINDEX DATABASE"
            f' "{name}"; then ALTER DATABASE "{name}" REFRESH COLLATION VERSION.'
        )
    yield Finding("locale", locale if now is None else f"{locale}, version {now}", advice)


def count_missing_migrations(connection: BaseDatabaseWrapper) -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _tables(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    if missing := count_missing_migrations(connection):
        yield Finding("migrations", f"{missing} missing", "Run manage.py migrate.")
        return
    yield Finding("migrations", "complete")
    faults = [*filter(None, (question(connection) for question in questions))]
    yield from (Finding("tables", "not as the server needs them", fault) for fault in faults)
    if not faults:
        yield Finding("tables", "search entries and triggers are there, and can be written")


def _pooler(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        return
    [process] = fetch_row(connection, "SELECT pg_backend_pid()")
    # A pooler gives its clients numbers of its own.
    is_there = connection.connection.info.backend_pid != process
    is_expected = connection.settings_dict["OPTIONS"].get("prepare_threshold") is None
    state = "one is in front" if is_there else "none"
    advice = ""
    if is_there and not is_expected:
        advice = "Set DATABASE_POOLER=transaction, unless it keeps a connection for each client."
    elif is_expected and not is_there:
        advice = "Unset DATABASE_POOLER, so that statements are prepared."
    yield Finding("pooler", state, advice)


def _clock(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        return
    [there] = fetch_row(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
    apart = abs(time.time() - there)
    advice = "" if apart < MOST_SECONDS_APART else "Set the clocks of both machines by NTP."
    yield Finding("clock", f"{apart:.1f} s from the database's", advice)


def _replicas(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    """Of the standbys, while the primary is there to compare them with."""
    for alias, (fault, behind) in states().items():
        if fault:
            advice = "The primary is read in its place. See its log, and docs/replicas.md."
            yield Finding(alias, fault, advice)
        else:
            yield Finding(alias, f"a standby, {behind:,} bytes behind")


def _proxies() -> Iterator[Finding]:
    number = settings.REST_FRAMEWORK["NUM_PROXIES"]
    advice = ""
    if number == 0 and settings.SECURE_PROXY_SSL_HEADER:
        advice = (
            "X-Forwarded-Proto is believed, whoever sends it, and TLS needs a proxy. Set"
            " NUM_PROXIES to how many are in front."
        )
    yield Finding("proxies", f"{number} believed", advice)


def _keys() -> Iterator[Finding]:
    # Which are no use, or guessed easily, has stopped the start.
    first, *others = (jwk["kid"] for jwk in json.loads(settings.JWT_KEYS))
    old = f", {len(others)} more verify: drop them a day after they signed last" if others else ""
    yield Finding("keys", f"“{first}” signs{old}")


def _disk() -> Iterator[Finding]:
    for place in dict.fromkeys(map(_existing, [settings.MEDIA_ROOT, *_folders()])):
        free = shutil.disk_usage(place).free
        advice = "" if free >= LEAST_FREE else f"Make room in {place}."
        if not os.access(place, os.W_OK):
            advice = f"Let the user who runs this write to {place}."
        yield Finding("disk", f"{free / 1e9:.1f} GB free in {place}", advice)


def _folders() -> Iterator[str | Path]:
    yield tempfile.gettempdir()
    if "sqlite" in settings.DATABASES["default"]["ENGINE"]:
        yield Path(settings.DATABASES["default"]["NAME"]).parent
    if folder := os.environ.get("METRICS_DIR"):
        yield folder


def _existing(folder: str | Path) -> Path:
    """The folder, or the one that it will be made in."""
    path = Path(folder).resolve()
    return next(each for each in (path, *path.parents) if each.exists())
