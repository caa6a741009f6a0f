"""What does an orchestrator hear?"""

import socket
from unittest.mock import ANY

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tests.postgres import free_port
from tests.server import Server, development

NOT_READY = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "The service is not ready.",
    "code": "not_ready",
    "instance": "/readyz",
    "request_id": ANY,
}


def test_livez_answers_without_a_database(client):
    # No `db` fixture: a query would be an error.
    response = client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_readyz_answers_ok_when_the_database_is_migrated(client):
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_readyz_answers_503_while_a_migration_is_missing(transactional_db, client):
    def set_last_name(old, new):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE django_migrations SET name = %s WHERE app = 'books' AND name = %s",
                [new, old],
            )
            assert cursor.rowcount == 1

    [(_, newest)] = MigrationLoader(None).graph.leaf_nodes("books")
    set_last_name(newest, "unknown")
    try:
        response = client.get("/readyz")
    finally:
        set_last_name("unknown", newest)
    assert (response.status_code, response.json()) == (503, NOT_READY)
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"] == "1"
    assert client.get("/readyz").status_code == 200


def test_readyz_answers_503_while_the_database_takes_no_writes(transactional_db, client):
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's; of SQLite, root may write to what is read-only")
    name, user = connection.settings_dict["NAME"], connection.settings_dict["USER"]
    of_database = f"ALTER ROLE {user} IN DATABASE {name}"
    with connection.cursor() as cursor:
        cursor.execute(f"{of_database} SET default_transaction_read_only = on")
        try:
            response = client.get("/readyz")
        finally:
            cursor.execute(f"{of_database} RESET default_transaction_read_only")
    assert (response.status_code, response.json()) == (503, NOT_READY)
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/readyz?verbose=1"])
def test_a_probe_may_only_be_read(client, path):
    response = client.post(path)
    assert response.json() == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": 'Method "POST" not allowed.',
        "code": "method_not_allowed",
        "instance": path,
        "request_id": ANY,
    }
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_head_request_has_no_body(client, db, path):
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")


# How long who connects would wait; the client of the tests waits for half of it.
PATIENCE = "connect_timeout=60"


def assert_not_ready(server):
    response = server.client.get("/readyz")
    assert (response.status_code, response.json()) == (503, NOT_READY)
    assert response.headers["Retry-After"] == "1"


def test_readyz_answers_503_when_nothing_listens():
    url = f"postgresql://reader:a-secret@127.0.0.1:{free_port()}/catalogue?{PATIENCE}"
    with Server(development(url)) as server:
        assert_not_ready(server)
        assert server.client.get("/livez").json() == {"status": "ok"}


def test_readyz_answers_503_and_waits_for_no_database_that_is_silent():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://reader:a-secret@127.0.0.1:{port}/catalogue?{PATIENCE}"
        with Server(development(url)) as server:
            for _ in range(3):
                assert_not_ready(server)
            assert server.client.get("/livez").json() == {"status": "ok"}
            # One check waits for the silent database, whichever worker was asked how often.
            assert connections_to(silent) <= 2
            assert server.stop() == 0


def connections_to(listener):
    listener.setblocking(False)
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1
