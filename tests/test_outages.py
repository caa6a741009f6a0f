"""What does a client hear while the database is away, full of others or too slow?"""

import json
import shutil
from contextlib import contextmanager
from unittest.mock import ANY

import pytest
from django.db import connection

from project.settings.base import JOURNAL_MODE
from tests.postgres import PostgreSQL
from tests.server import Server, manage
from tests.test_production import OVER_TLS, production

TOKEN = {"username": "somebody", "password": "a password"}


def unavailable(path):
    return {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The database does not answer now. Try again.",
        "code": "unavailable",
        "instance": path,
        "request_id": ANY,
    }


def assert_unavailable(response, path):
    assert (response.status_code, response.json()) == (503, unavailable(path))
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "1"


def assert_nothing_is_available(client):
    assert_unavailable(client.get("/api/books/"), "/api/books/")
    assert_unavailable(client.post("/api/token/", json=TOKEN), "/api/token/")
    # No view of the API; it looks for the session.
    assert_unavailable(
        client.get("/admin/", headers={"Cookie": f"sessionid={'x' * 32}"}), "/admin/"
    )


def test_while_postgresql_is_away_all_is_503_and_then_goes_on(tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("stops PostgreSQL; run with --engine postgresql")
    with PostgreSQL() as database:
        environment = production(tmp_path, DATABASE_URL=database.url)
        assert manage("migrate", env=environment).returncode == 0
        with Server(environment) as server:
            server.client.headers.update(OVER_TLS)
            for _ in range(4):  # so that each worker has a connection
                assert server.client.get("/api/books/").status_code == 200
            database.stop()
            for _ in range(2):
                assert_nothing_is_available(server.client)
            database.start()
            for _ in range(4):
                assert server.client.get("/api/books/").status_code == 200
            assert server.client.post("/api/token/", json=TOKEN).status_code == 401
            assert "The database does not answer" in server.log


def test_while_a_file_of_sqlite_cannot_be_opened_all_is_503(tmp_path):
    environment = production(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/gone/catalogue.sqlite3")
    with Server(environment) as server:
        server.client.headers.update(OVER_TLS)
        assert_nothing_is_available(server.client)
        # The log says it once a request, and why.
        # WhiteNoise warns where nobody has collected static files.
        lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
        [first, *_] = [line["request_id"] for line in lines if "request_id" in line]
        cause, request = [line for line in lines if line.get("request_id") == first]
        assert (cause["level"], request["status"]) == ("WARNING", 503)
        assert cause["message"] == "The database does not answer: unable to open database file"


def test_while_a_file_of_sqlite_is_away_or_another_one_all_is_503(tmp_path):
    environment = production(tmp_path)
    file, elsewhere = tmp_path / "catalogue.sqlite3", tmp_path / "elsewhere.sqlite3"
    with Server(environment) as server:
        server.client.headers.update(OVER_TLS)
        # The server makes none, where `migrate` has not.
        assert_nothing_is_available(server.client)
        assert server.client.get("/readyz").status_code == 503
        assert manage("migrate", env=environment).returncode == 0

        def all_is_well():
            for _ in range(4):  # so that each worker has a connection
                assert server.client.get("/api/books/").status_code == 200
            assert server.client.post("/api/token/", json=TOKEN).status_code == 401
            server.wait_until_ready()

        all_is_well()
        file.rename(elsewhere)
        for _ in range(2):
            assert_nothing_is_available(server.client)
        assert server.client.get("/readyz").status_code == 503
        assert not file.exists()
        elsewhere.rename(file)
        all_is_well()
        file.rename(elsewhere)
        shutil.copy(elsewhere, file)
        for _ in range(2):
            assert_nothing_is_available(server.client)
        assert server.client.get("/readyz").status_code == 503
        assert f"Another file stands at {file}" in server.log


def test_no_worker_begins_with_another_file_of_sqlite_than_its_server(tmp_path):
    environment = production(tmp_path)
    file, copy = tmp_path / "catalogue.sqlite3", tmp_path / "copy.sqlite3"
    assert manage("migrate", env=environment).returncode == 0
    shutil.copy(file, copy)
    with Server(environment) as server:
        server.client.headers.update(OVER_TLS)
        # Before either of them has a connection.
        copy.rename(file)
        assert_nothing_is_available(server.client)
        assert server.client.get("/readyz").status_code == 503


def test_a_database_without_tables_is_no_outage(tmp_path):
    (tmp_path / "catalogue.sqlite3").touch()
    with Server(production(tmp_path)) as server:
        server.client.headers.update(OVER_TLS)
        response = server.client.get("/api/books/")
        assert (response.status_code, response.json()["code"]) == (500, "error")


@pytest.fixture
def held_up(transactional_db):
    """What is written waits for another's transaction, and may not wait for long."""
    hold, be_impatient, be_patient = {
        "postgresql": (
            "BEGIN; LOCK TABLE books_contribution IN ACCESS EXCLUSIVE MODE",
            "SET lock_timeout = 50",
            "RESET lock_timeout",
        ),
        "sqlite": (
            "BEGIN IMMEDIATE",
            "PRAGMA busy_timeout = 50",
            "PRAGMA busy_timeout = 60000",
        ),
    }[connection.vendor]
    other = connection.copy()
    with connection.cursor() as cursor, other.cursor() as another:

        @contextmanager
        def held_up():
            cursor.execute(be_impatient)
            another.execute(hold)
            yield
            another.execute("ROLLBACK")
            cursor.execute(be_patient)

        yield held_up
    other.close()


def test_what_takes_too_long_is_503_and_writes_nothing(held_up, librarian):
    body = {"title": "Solaris", "authors": [{"name": "Stanisław Lem"}]}
    with held_up():
        assert_unavailable(librarian.post("/api/books/", body, format="json"), "/api/books/")
    assert librarian.get("/api/authors/").json()["results"] == []
    assert librarian.post("/api/books/", body, format="json").status_code == 201


def test_what_is_stored_says_so_when_its_document_cannot_be_read(transactional_db, librarian):
    if connection.vendor != "sqlite":
        pytest.skip("locks SQLite; tests/test_unknown_outcomes.py asks PostgreSQL")
    if JOURNAL_MODE == "WAL":
        pytest.skip("nobody who writes holds up who reads with this journal")
    other, commit = connection.copy(), connection._commit

    def lock_up():
        commit()
        with other.cursor() as cursor:
            cursor.execute("BEGIN EXCLUSIVE")

    connection.ensure_connection()
    connection._commit = lock_up
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 50")
        response = librarian.post("/api/series/", {"name": "Earthsea"}, format="json")
    finally:
        del connection._commit
        other.close()
        connection.close()
    assert (response.status_code, response.json()["code"]) == (503, "outcome_unknown")
    assert [each["name"] for each in librarian.get("/api/series/").json()["results"]] == [
        "Earthsea"
    ]
