"""Does each engine really run as the settings say?"""

import sqlite3

import pytest
from django.db import (
    DataError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.utils import ConnectionHandler
from django.test.utils import CaptureQueriesContext

from project.api.databases.connections import fetch_all
from project.api.databases.sqlite import base as sqlite
from project.settings.base import _wal_is_safe, database
from tests.server import development, manage


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 3), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_wal_is_used_only_where_sqlite_has_the_fix(version, safe):
    assert _wal_is_safe(version) is safe


def test_columns_of_a_fixed_length_hold_texts(db):
    # As those of https://docs.djangoproject.com/en/stable/howto/custom-model-fields/
    with connection.cursor() as cursor:
        cursor.execute("SELECT CAST('eng' AS char(3))")
        assert cursor.fetchall() == [("eng",)]


def pragma(connection, name):
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]


def test_a_sqlite_connection_waits_its_turn_and_syncs_every_commit(db, tmp_path):
    handler = ConnectionHandler({"default": database(f"sqlite:///{tmp_path}/new.sqlite3")})
    connection = handler["default"]
    try:
        assert pragma(connection, "journal_mode") == (
            "wal" if _wal_is_safe(sqlite3.sqlite_version_info) else "delete"
        )
        assert pragma(connection, "synchronous") == 2  # FULL
        assert pragma(connection, "busy_timeout") == 5_000  # milliseconds
        assert pragma(connection, "mmap_size") == 0
        assert pragma(connection, "foreign_keys") == 1
        assert connection.transaction_mode == "IMMEDIATE"
        assert connection.settings_dict["CONN_MAX_AGE"] is None
        assert connection.settings_dict["ATOMIC_REQUESTS"] is False
    finally:
        connection.close()


def test_sqlite_translates_a_statement_once(db):
    if connection.vendor != "sqlite":
        pytest.skip("asks SQLite; run with --engine sqlite")
    with connection.cursor() as cursor:
        for value, translated in ((1, 1), (2, 0)):
            before = sqlite._converted.cache_info().misses
            cursor.execute("SELECT %s, '%%', 'once'", [value])
            assert cursor.fetchone() == (value, "%", "once")
            assert sqlite._converted.cache_info().misses - before == translated
        cursor.execute("SELECT %(named)s", {"named": 3})
        assert cursor.fetchone() == (3,)


@pytest.fixture
def postgresql(transactional_db):
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    return connection


def test_postgresql_binds_parameters_on_the_server(postgresql):
    with postgresql.cursor() as cursor:
        # Bound by the client, the statement would hold the value itself.
        own = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() AND {} > 0"
        cursor.execute(own.format("%s"), [1])
        assert cursor.fetchone() == (own.format("$1"),)


def test_a_database_that_cannot_store_every_text_is_refused(postgresql, database_url):
    name = database_url.rpartition("/")[2]
    latin = f"{name}_latin"
    provider = "LOCALE_PROVIDER libc" if postgresql.pg_version >= 150000 else ""
    with postgresql.cursor() as cursor:
        cursor.execute(
            f"CREATE DATABASE {latin} ENCODING 'LATIN1' {provider}"
            " LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    try:
        environment = development(database_url.replace(name, latin))
        for command in (["check", "--database", "default"], ["migrate"]):
            done = manage(*command, env=environment)
            assert done.returncode == 1
            assert done.stderr.startswith(
                "SystemCheckError: System check identified some issues:\n\n"
                f"ERRORS:\n?: (api.E002) The database “{latin}” is in LATIN1; the catalogue"
                " needs one that was created with ENCODING 'UTF8'.\n"
                "\tHINT: README.md, “In production”, says what can be used.\n"
            )
        # The checks come in any order, so that each must be able to be the first.
        alone = (
            "from project.api.checks import check_search, check_triggers;"
            " print(check_triggers(['default']) + check_search(['default']))"
        )
        done = manage("shell", "-c", alone, env=environment)
        assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["[]"]), done.stderr
        done = manage("check", "--database", "default", env=development(database_url))
        assert (done.returncode, done.stdout) == (
            0,
            "System check identified no issues (0 silenced).\n",
        )
    finally:
        with postgresql.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {latin}")


@pytest.fixture
def another(postgresql):
    """A second connection, with which to look at the first."""
    another = postgresql.copy()
    yield another
    another.close()


def asked(connection, statement, params=()):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchone()[0]


def test_postgresql_is_not_asked_before_each_request_whether_it_is_there(postgresql, another):
    pid = asked(postgresql, "SELECT pg_backend_pid()")
    last_asked = "SELECT state_change FROM pg_stat_activity WHERE pid = %s"
    before = asked(another, last_asked, [pid])
    # As Django does when a request begins, and when that needs the database.
    postgresql.close_if_unusable_or_obsolete()
    postgresql.close_if_health_check_failed()
    assert asked(another, last_asked, [pid]) == before
    assert asked(postgresql, "SELECT pg_backend_pid()") == pid


def test_a_connection_goes_on_that_postgresql_only_has_news_for(postgresql, another):
    pid = asked(postgresql, "SELECT pg_backend_pid()")
    with postgresql.cursor() as cursor:
        cursor.execute("LISTEN news")
    with another.cursor() as cursor:
        cursor.execute("NOTIFY news")
    assert postgresql.is_usable()
    assert asked(postgresql, "SELECT pg_backend_pid()") == pid


def test_a_connection_is_of_no_use_in_a_transaction_that_failed(postgresql):
    with transaction.atomic():
        with pytest.raises(DataError):
            asked(postgresql, "SELECT 1 / 0")
        assert not postgresql.is_usable()
        transaction.set_rollback(True)
    assert postgresql.is_usable()


def test_a_connection_that_was_closed_is_of_no_use(postgresql):
    asked(postgresql, "SELECT 1")
    postgresql.connection.close()
    assert not postgresql.is_usable()
    # As Django does when the next request begins.
    postgresql.close_if_unusable_or_obsolete()
    assert asked(postgresql, "SELECT 1") == 1


def test_a_connection_that_postgresql_dropped_is_replaced(postgresql, another):
    pid = asked(postgresql, "SELECT pg_backend_pid()")
    assert asked(another, "SELECT pg_terminate_backend(%s, 5000)", [pid])
    # As Django does when the next request begins.
    postgresql.close_if_unusable_or_obsolete()
    assert asked(postgresql, "SELECT pg_backend_pid()") != pid


# Of the same statement, until it is prepared (prepare_threshold).
TIMES = 7


def test_what_is_prepared_fails_as_any_other(postgresql, another):
    for times in range(TIMES):
        for statement, params, expected in (
            ("SELECT 1 / %s::int", [0], DataError),
            ("INSERT INTO books_series (name) VALUES (%s)", [None], IntegrityError),
        ):
            with pytest.raises(expected) as caught:
                asked(postgresql, statement, params)
            assert caught.value.__cause__.sqlstate in ("22012", "23502"), times
    for number in range(1, TIMES):
        assert asked(postgresql, "SELECT 1 / %s::int", [number]) == 1 // number
    with pytest.raises(DataError):
        asked(postgresql, "SELECT 1 / %s::int", [0])
    pid = asked(postgresql, "SELECT pg_backend_pid()")
    assert asked(another, "SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(OperationalError):
        asked(postgresql, "SELECT 1 / %s::int", [1])
    postgresql.close_if_unusable_or_obsolete()
    assert asked(postgresql, "SELECT 1 / %s::int", [1]) == 1


def test_a_statement_is_prepared_again_once_a_transaction_is_rolled_back(postgresql):
    """psycopg forgets then what it has prepared."""
    for _ in range(3):
        for number in range(TIMES):
            assert asked(postgresql, "SELECT %s::int", [number]) == number
        with transaction.atomic():
            for number in range(TIMES):
                assert asked(postgresql, "SELECT %s::int", [number]) == number
            with pytest.raises(DataError), transaction.atomic():
                asked(postgresql, "SELECT 1 / %s::int", [0])
            assert asked(postgresql, "SELECT %s::int", [1]) == 1
            transaction.set_rollback(True)


def test_the_cursor_that_is_kept_is_of_the_connection_as_it_is(transactional_db):
    for _ in range(2):
        assert fetch_all(connections["default"], "SELECT 1, 2", []) == [(1, 2)]
        first = connections["default"]._kept_cursor
        assert fetch_all(connections["default"], "SELECT %s", [1]) == [(1,)]
        assert connections["default"]._kept_cursor is first
        connection.close()
    with CaptureQueriesContext(connection) as captured:
        assert fetch_all(connections["default"], "SELECT 3", []) == [(3,)]
    assert [each["sql"] for each in captured] == ["SELECT 3"]
