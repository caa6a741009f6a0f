"""Does `manage.py doctor` say how things are, and what to do?"""

import io
import os
import re
import shutil
import time
from collections import namedtuple

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tests.pgbouncer import PROGRAM, REASON, PgBouncer
from tests.postgres import PostgreSQL, free_port
from tests.server import development, manage
from tests.test_production import production


def doctor():
    """What it says of each topic, its advice in the line below, and whether all is well."""
    out = io.StringIO()
    try:
        call_command("doctor", stdout=out)
    except CommandError:
        return out.getvalue(), False
    return out.getvalue(), True


@pytest.mark.django_db
def test_where_all_is_well_each_topic_is_a_line():
    text, is_well = doctor()
    assert is_well
    of_postgresql = [
        *("database: PostgreSQL", "locale:", "migrations: complete"),
        *("tables: search entries and triggers", "pooler:", "clock:"),
    ]
    of_sqlite = ["database: SQLite", "migrations: complete", "tables: search entries and triggers"]
    ours = of_postgresql if connection.vendor == "postgresql" else of_sqlite
    if connection.vendor == "postgresql" and connection.get_database_version() < (15,):
        ours.remove("locale:")
    *lines, last = text.splitlines()
    assert last == "All is well."
    begun = [*ours, "proxies: 0 believed", "keys: “insecure” signs", "disk:"]
    # One for each folder, which may be the same.
    assert {line[:7] for line in lines[len(begun) :]} <= {"  disk:"}
    assert [line[: len(each) + 2] for line, each in zip(lines, begun, strict=False)] == [
        f"  {each}" for each in begun
    ]


@pytest.mark.django_db
def test_a_missing_migration_is_to_be_made():
    [(_, newest)] = MigrationLoader(None).graph.leaf_nodes("books")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_migrations SET name = 'unknown' WHERE app = 'books' AND name = %s",
            [newest],
        )
    text, is_well = doctor()
    assert not is_well
    assert "! migrations: 1 missing\n    Run manage.py migrate.\n" in text


@pytest.mark.django_db
def test_a_disk_that_is_nearly_full_is_named(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**12, 10**12, 10**8))
    text, is_well = doctor()
    assert not is_well
    assert re.search(r"! disk: 0\.1 GB free in (/.*)\n    Make room in \1\.\n", text)


@pytest.mark.django_db
def test_a_folder_that_is_not_to_be_written_to_is_named(monkeypatch):
    # Root, who may run the tests, may write everywhere.
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    text, is_well = doctor()
    assert not is_well
    assert re.search(r"! disk: .* in (/.*)\n    Let the user who runs this write to \1\.\n", text)


@pytest.mark.django_db
def test_clocks_that_differ_are_to_be_set(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no clock of its own; run with --engine postgresql")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600)
    text, is_well = doctor()
    assert not is_well
    assert re.search(r"! clock: 36\d\d\.\d s from the database's\n    Set the clocks", text)


@pytest.mark.django_db
def test_a_pooler_that_is_not_there_is_not_to_be_reckoned_with(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "prepare_threshold", None)
    if connection.settings_dict["PORT"] != connection.connection.info.port:
        pytest.skip("a pooler is there")
    text, is_well = doctor()
    assert not is_well
    assert "! pooler: none\n    Unset DATABASE_POOLER, so that statements are prepared.\n" in text


def test_a_pooler_that_nobody_reckons_with_is_named():
    if PROGRAM is None:
        pytest.skip(REASON)
    with PostgreSQL() as database, PgBouncer(database) as pooler:
        done = manage("doctor", env=development(pooler.url))
    assert done.returncode == 1
    assert "! pooler: one is in front\n    Set DATABASE_POOLER=transaction" in done.stdout


def test_a_database_that_is_away_and_a_proxy_that_is_not_there_are_named(tmp_path):
    port = free_port()
    url = f"postgresql://reader:a-secret@127.0.0.1:{port}/catalogue"
    done = manage("doctor", env=production(tmp_path, DATABASE_URL=url, NUM_PROXIES="0"))
    assert (done.returncode, "a-secret" in done.stdout + done.stderr) == (1, False)
    assert done.stdout.startswith("! database: ")
    assert "Start it, see whether DATABASE_URL names it" in done.stdout
    assert "! proxies: 0 believed\n    X-Forwarded-Proto is believed" in done.stdout
    assert done.stderr.endswith("CommandError: There is something to do (2).\n")


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    done = manage("doctor", env=production(tmp_path, NUM_PROXIES="1"))
    assert done.returncode == 1
    assert done.stdout.startswith("! database: unable to open database file\n")
    assert not (tmp_path / "catalogue.sqlite3").exists()


@pytest.mark.django_db
def test_texts_that_are_ordered_by_other_rules_than_before_are_to_be_indexed_anew():
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    if connection.get_database_version() < (15,):
        pytest.skip("PostgreSQL keeps the version of a locale since 15")
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        if cursor.fetchone() != (True,):
            pytest.skip("only a superuser may pretend that")
        cursor.execute(
            "UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()"
        )
    text, is_well = doctor()
    assert not is_well
    assert f'REINDEX DATABASE "{name}"; then ALTER DATABASE "{name}" REFRESH' in text
