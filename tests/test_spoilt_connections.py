"""Does a request succeed whose connection a migration, a failover or a pooler has spoilt?"""

from contextlib import contextmanager

import pytest
from django.db import connection
from rest_framework.test import APIClient

from auth_api.models import User
from books.models import Series

# Of the same statement, until it is prepared (prepare_threshold).
TIMES = 7


@pytest.fixture
def postgresql(transactional_db):
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    if connection.settings_dict["OPTIONS"]["prepare_threshold"] is None:
        pytest.skip("prepares statements, which a pooler has not")
    return connection


@pytest.fixture
def another(postgresql):
    """The connection of somebody else."""
    another = postgresql.copy()
    with another.cursor() as cursor:
        yield cursor
    another.close()


def backend(of):
    with of.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@contextmanager
def migrated(cursor, table, column, before, after):
    """The column has another type, as after a migration."""
    cursor.execute(f"ALTER TABLE {table} ALTER {column} TYPE {after}")
    yield
    cursor.execute(f"ALTER TABLE {table} ALTER {column} TYPE {before}")


name_is_longer = ("books_series", "name", 'varchar(300) COLLATE "C"', 'text COLLATE "C"')


def test_a_read_goes_on_after_a_migration(another, anonymous):
    Series.objects.create(name="Earthsea")
    pages = [anonymous.get("/api/series/", {"page_size": 1}).json() for _ in range(TIMES)]
    with migrated(another, *name_is_longer):
        for page in pages:
            response = anonymous.get("/api/series/", {"page_size": 1})
            assert (response.status_code, response.json()) == (200, page)


def test_a_write_goes_on_after_a_migration(another, librarian):
    series = Series.objects.create(name="Earthsea")

    def change(name):
        body = {"name": name}
        return librarian.patch(f"/api/series/{series.pk}/", body, format="json")

    for number in range(TIMES):
        assert change(f"Earthsea {number}").status_code == 200
    with migrated(another, *name_is_longer):
        response = change("The Books of Earthsea")
        assert (response.status_code, response.json()["name"]) == (200, "The Books of Earthsea")
        assert response.json()["version"] == TIMES + 2


def test_a_write_goes_on_when_a_migration_comes_while_it_is_under_way(another, librarian):
    series = Series.objects.create(name="Earthsea")
    table, column, before, after = name_is_longer

    def change(name):
        body = {"name": name}
        return librarian.patch(f"/api/series/{series.pk}/", body, format="json")

    def migrate(execute, sql, params, many, context):
        # The transaction has begun, and only another connection can begin it anew.
        if "FOR NO KEY UPDATE" in sql and backend(connection) == pid:
            another.execute(f"ALTER TABLE {table} ALTER {column} TYPE {after}")
        return execute(sql, params, many, context)

    for number in range(TIMES):
        assert change(f"Earthsea {number}").status_code == 200
    pid = backend(connection)
    try:
        with connection.execute_wrapper(migrate):
            response = change("The Books of Earthsea")
        assert (response.status_code, response.json()["version"]) == (200, TIMES + 2)
        pid, before_it = backend(connection), pid
        assert pid != before_it
        assert change("Earthsea").json()["version"] == TIMES + 3
        assert backend(connection) == pid
    finally:
        another.execute(f"ALTER TABLE {table} ALTER {column} TYPE {before}")


def test_a_nested_creation_goes_on_after_a_migration(another, librarian):
    def create(number):
        body = {"title": f"Book {number}", "series": {"name": f"Series {number}"}}
        return librarian.post("/api/books/", body, format="json")

    for number in range(TIMES):
        assert create(number).status_code == 201
    with migrated(another, *name_is_longer):
        for number in range(TIMES):
            assert create(number).status_code == 201
    assert Series.objects.count() == 2 * TIMES


def test_a_login_goes_on_after_a_migration(another, member):
    """Its attempt is counted, which is stored, before the account is looked up."""

    def log_in():
        login = {"username": "member", "password": "test-member"}
        return APIClient().post("/api/token/", login, format="json").status_code

    assert [log_in() for _ in range(TIMES)] == [200] * TIMES
    before, after = 'varchar(150) COLLATE "C"', 'text COLLATE "C"'
    with migrated(another, "auth_api_user", "username", before, after):
        assert log_in() == 200
    assert User.objects.get(username="member").check_password("test-member")


@contextmanager
def cut_off(cursor, statement):
    """The first statement like this finds its connection ended by the server."""
    pid, times = backend(connection), 0

    def cut(execute, sql, params, many, context):
        nonlocal times
        if statement in sql and not times:
            times += 1
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(cut):
        yield
    assert times == 1


def test_what_reads_is_repeated_when_the_connection_ends(another, anonymous):
    Series.objects.create(name="Earthsea")
    with cut_off(another, "books_series"):
        response = anonymous.get("/api/series/")
    assert response.status_code == 200
    assert [series["name"] for series in response.json()["results"]] == ["Earthsea"]


def test_what_has_written_nothing_yet_is_repeated_when_the_connection_ends(another, librarian):
    body = {"title": "Piranesi", "series": {"name": "Tales of the House"}}
    with cut_off(another, 'INSERT INTO "books_book"'):
        assert librarian.post("/api/books/", body, format="json").status_code == 201
    assert Series.objects.count() == 1


def test_what_may_have_been_stored_is_not_repeated(another, librarian):
    """Nobody knows whether a COMMIT reached a server that has gone."""
    body = {"title": "Piranesi", "series": {"name": "Tales of the House"}}
    commit, times = connection._commit, 0

    def cut():
        nonlocal times
        times += 1
        another.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        commit()

    pid = backend(connection)
    connection._commit = cut
    try:
        response = librarian.post("/api/books/", body, format="json")
    finally:
        del connection._commit
    assert (response.status_code, response.json()["code"], times) == (503, "outcome_unknown", 1)
    assert Series.objects.count() == 0


def test_a_connection_to_what_is_a_standby_by_now_is_replaced(another, librarian):
    """After a failover the old primary takes no writes, and the address leads to the new one."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    response = librarian.post("/api/series/", {"name": "Earthsea"}, format="json")
    assert response.status_code == 201


def test_a_database_that_takes_no_writes_is_503(another, librarian):
    another.execute("SELECT current_database(), current_user")
    database, user = another.fetchone()
    another.execute(
        f"ALTER ROLE {user} IN DATABASE {database} SET default_transaction_read_only = on"
    )
    try:
        connection.close()
        response = librarian.post("/api/series/", {"name": "Earthsea"}, format="json")
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert librarian.get("/api/series/").status_code == 200
    finally:
        another.execute(
            f"ALTER ROLE {user} IN DATABASE {database} RESET default_transaction_read_only"
        )
        connection.close()


def test_prepared_statements_that_a_pooler_has_mixed_up_are_made_anew(postgresql, librarian):
    series = Series.objects.create(name="Earthsea")

    def change(number):
        body = {"name": f"Earthsea {number}"}
        return librarian.patch(f"/api/series/{series.pk}/", body, format="json").status_code

    assert {change(number) for number in range(TIMES)} == {200}
    # As if another server connection stood behind it: psycopg does not notice.
    connection.connection.pgconn.exec_(b"DEALLOCATE ALL")
    assert change(0) == 200
