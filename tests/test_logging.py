"""Does the log say what was asked, by whom and with what end, and never a secret?"""

import json
import logging
import re

import pytest
from django.db import connection
from django.http import HttpRequest
from django.urls import path
from pythonjsonlogger.json import JsonFormatter

from books.models import Book
from project.api.observability.logging import Formatter
from project.urls import *  # noqa: F403  (handlers and URLs, and one more)
from project.urls import urlpatterns as served
from tests.server import PASSWORD, Server, secrets_in, with_admins

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def fail(request: HttpRequest):
    raise RuntimeError("This view is broken.")


urlpatterns = [path("broken/", fail), *served]


@pytest.fixture
def lines(caplog):
    """A function that gives the lines since the last call, without Python's own."""
    caplog.set_level(logging.INFO)

    def lines():
        taken = [json.loads(Formatter().format(record)) for record in caplog.records]
        caplog.clear()
        return [line for line in taken if line["logger"] != "httpx"]

    return lines


def test_a_request_is_a_line(member, lines):
    answer = member.get("/api/books/?search=secret", headers={"X-Request-ID": "phone-7"})
    assert answer.headers["X-Request-ID"] == "phone-7"
    [line] = lines()
    assert {name: type(line.pop(name)) for name in ("time", "ms", "db_ms")} == {
        "time": str,
        "ms": float,
        "db_ms": float,
    }
    assert line.pop("db_count") >= 1
    user, session = line.pop("user"), line.pop("session")
    assert isinstance(user, int)
    assert session
    assert line == {
        "level": "INFO",
        "logger": "project.api.observability.logging",
        "message": "request",
        "method": "GET",
        "route": "api/books/",
        "status": 200,
        "client": "127.0.0.1",
        "request_id": "phone-7",
    }


def test_a_host_that_is_not_ours_is_named_without_a_traceback(anonymous, lines):
    answer = anonymous.get("/api/books/", headers={"Host": "elsewhere.example"})
    refusal, request = lines()
    assert answer.status_code == request["status"] == 400
    assert "elsewhere.example" in refusal["message"]
    assert "exc_info" not in refusal


def test_a_requests_line_is_written_by_itself_and_as_the_library_would(member, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    member.get("/api/books/1/")
    [record] = [each for each in caplog.records if each.name != "httpx"]
    theirs = JsonFormatter.format(Formatter(), record)
    monkeypatch.setattr(JsonFormatter, "format", None)
    assert Formatter().format(record) == theirs


def test_a_request_without_a_usable_id_is_given_one(anonymous, lines):
    for sent in ({}, {"X-Request-ID": "a b"}, {"X-Request-ID": "x" * 101}):
        answer = anonymous.get("/nothing/here/", headers=sent)
        assert UUID.fullmatch(answer.headers["X-Request-ID"])
        [line] = lines()
        assert (line["status"], line["route"], line["user"], line["session"]) == (
            404,
            None,
            None,
            None,
        )


@pytest.mark.parametrize("taken", ["all", "a part", "nothing"])
def test_the_line_of_a_stream_comes_with_its_end(member, lines, taken):
    Book.objects.create(title="Dune", sort_title="Dune")
    answer = member.get("/api/books/?format=ndjson", headers={"X-Request-ID": "phone-7"})
    assert not lines()
    parts = iter(answer.streaming_content)
    if taken != "nothing":
        next(parts)
    if taken == "all":
        assert list(parts) == []
    answer.close()
    [line] = lines()
    assert (line["route"], line["status"], line["request_id"]) == ("api/books/", 200, "phone-7")
    # The token, and the keys and documents of the only block.
    assert line["db_count"] == (1 if taken == "nothing" else 3)


@pytest.mark.urls(__name__)
def test_a_bug_leaves_its_traceback(anonymous, lines):
    anonymous.raise_request_exception = False
    assert anonymous.get("/broken/").status_code == 500
    bug, request = lines()
    assert (bug["level"], bug["logger"]) == ("ERROR", "django.request")
    assert "RuntimeError: This view is broken." in bug["exc_info"]
    assert request["status"] == 500


@pytest.mark.django_db
def test_a_slow_statement_is_named_without_its_values(anonymous, settings, lines):
    settings.SLOW_STATEMENT = 0
    anonymous.get("/api/books/?title=Dune")
    *slow, _ = lines()
    assert slow
    assert {line["message"] for line in slow} == {"slow statement"}
    assert any("books_book" in line["sql"] for line in slow)
    assert not any("Dune" in json.dumps(line) for line in slow)


def test_a_write_tells_postgresql_its_id(transactional_db, librarian):
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    names, other = [], connection.copy()
    look = "SELECT application_name FROM pg_stat_activity WHERE pid = %s"
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    def look_at_inserts(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if sql.startswith('INSERT INTO "books_series"'):
            with other.cursor() as cursor:
                cursor.execute(look, [pid])
                names.append(cursor.fetchone()[0])
        return done

    try:
        for number, given in enumerate(["phone-7", "x" * 100]):
            with connection.execute_wrapper(look_at_inserts):
                body = {"name": f"Series {number}"}
                answer = librarian.post(
                    "/api/series/", body, format="json", headers={"X-Request-ID": given}
                )
            assert answer.status_code == 201
    finally:
        other.close()
    assert names == ["book-catalogue phone-7", f"book-catalogue {48 * 'x'}"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW application_name")
        assert cursor.fetchone() == ("book-catalogue",)


@pytest.mark.xdist_group(__name__)
def test_all_that_a_server_says_is_json_and_none_of_it_is_secret(database_url):
    env = with_admins(database_url, "admin")
    with Server(env) as server:
        client = server.client
        wrong = {"username": "admin", "password": "not-the-password"}
        assert client.post("/api/token/", json=wrong).status_code == 401
        right = {"username": "admin", "password": PASSWORD}
        tokens = client.post("/api/token/", json=right).json()
        headers = {"Authorization": f"Bearer {tokens['access']}", "X-Request-ID": "mine"}
        assert client.get("/api/me/", headers=headers).status_code == 200
        refresh = {"refresh": tokens["refresh"]}
        assert client.post("/api/token/refresh/", json=refresh).status_code == 200
        lines = [json.loads(line) for line in server.log.splitlines()]
        [own] = [line for line in lines if line.get("request_id") == "mine"]
        assert (own["route"], own["status"]) == ("api/me/", 200)
        logins = [line["succeeded"] for line in lines if line["message"] == "login"]
        assert logins == [False, True]
        assert "not-the-password" not in server.log
        # When it ends, the server looks for such itself, as that of every test does.
        secrets = [PASSWORD, tokens["access"], tokens["refresh"]]
        assert [bool(secrets_in(f"… {each} …", env)) for each in secrets] == [True] * 3
        for each in secrets:
            assert each not in server.log


def test_each_kind_of_secret_is_found_in_a_log():
    env = {
        "DATABASE_URL": "postgresql://catalogue:kept-to-itself@db.example/catalogue",
        "DJANGO_SECRET_KEY": "k8Jw2vXyQmZr5tLcB7nHsD3fGpA9eUoI",
        "JWT_KEYS": '[{"kty": "oct", "kid": "1", "k": "U2lnbnMgdG9rZW5z"}]',
    }
    found = [
        *("kept-to-itself", env["DJANGO_SECRET_KEY"], "U2lnbnMgdG9rZW5z"),
        *("eyJhbGciOiJIUzI1NiJ9", "bookcat_0123456789", "Bearer 0123456789.0123456789"),
    ]
    assert secrets_in(f"catalogue Bearer realm {' '.join(found)}", env) == found
