"""Does it hold in real processes, served as `make run` serves it?"""

import signal
import socket
import subprocess
import sys
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from tests.pictures import plain
from tests.server import PASSWORD, WORKERS, Server, manage, with_admins

# One worker of pytest-xdist runs them all, so that each server is started once.
pytestmark = [pytest.mark.reliability, pytest.mark.xdist_group(__name__)]

WRITERS = 16
WRITES = 5  # by each
BOOKS = 3  # by each, with five writes
ROUNDS = 3  # by each, with five writes to the account


@pytest.fixture(scope="module")
def env(database_url):
    return with_admins(database_url, "admin")


@pytest.fixture(scope="module")
def served(env):
    with Server(env) as server:
        yield server


def token(client, name="admin"):
    response = client.post("/api/token/", json={"username": name, "password": PASSWORD})
    assert response.status_code == 200, response.text
    return response.json()["access"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/books/",
        "/admin/login/",
        "/static/admin/css/base.css",
        "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js",
    ],
)
def test_the_first_request_of_each_kind_is_answered(served, path):
    assert served.client.get(path).status_code == 200


def test_what_is_loaded_before_the_workers_is_not_written_to_by_their_collectors(env):
    start = "from project import wsgi, serve; serve.on_starting(None)"
    check = "import gc, sys; sys.exit(gc.get_freeze_count() < 100_000 or not gc.isenabled())"
    done = subprocess.run([sys.executable, "-c", f"{start}; {check}"], env=env, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_signal_ends_every_process_cleanly(env, how):
    # A client that keeps its connection, and one that has never asked, are waited for by nobody.
    with Server(env) as server, closing(socket.create_connection(("127.0.0.1", server.port))):
        server.wait_until_ready()
        assert len(server.processes) == 1 + WORKERS
        assert server.stop(how) == 0
        assert server.processes == []
        # Each by itself: one that is killed says nothing.
        assert server.log.count("Worker exiting") == WORKERS
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()


def test_sixteen_writers_at_once_all_succeed(served):
    headers = {"Authorization": f"Bearer {token(served.client)}"}

    def write(writer):
        with httpx.Client(base_url=served.url, headers=headers, timeout=30) as client:
            return [
                client.post("/api/authors/", json={"name": f"Author {writer}.{number}"})
                for number in range(WRITES)
            ]

    with ThreadPoolExecutor(WRITERS) as writers:
        responses = [one for each in writers.map(write, range(WRITERS)) for one in each]

    assert {response.status_code for response in responses} == {201}
    stored = served.client.get("/api/authors/", params={"count": "true"}).json()
    assert stored["count"] == WRITERS * WRITES
    assert "database is locked" not in served.log


def at_serializable(env):
    """The URL of the database, whose transactions have this isolation by default."""
    if env["DATABASE_URL"].startswith("sqlite"):
        pytest.skip("SQLite has this isolation alone; run with --engine postgresql")
    return env["DATABASE_URL"] + "?options=-c%20default_transaction_isolation=serializable"


def test_unrelated_writes_all_succeed_at_serializable(env):
    with Server(env | {"DATABASE_URL": at_serializable(env)}) as server:
        headers = {"Authorization": f"Bearer {token(server.client)}"}

        def write(writer):
            statuses = []
            with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:

                def send(method, path, body=None, **more):
                    answer = client.request(method, path, json=body, headers=more)
                    statuses.append(answer.status_code)
                    return answer.json() if answer.content else {}

                for number in range(BOOKS):
                    name = f"{writer}.{number}"
                    book = send(
                        "POST",
                        "/api/books/",
                        {
                            "title": f"Book {name}",
                            "authors": [{"name": f"Author {name}"}],
                            "series": {"name": f"Series {name}"},
                            "editions": [{"format": "ebook"}],
                        },
                    )
                    path = f"/api/books/{book['id']}/"
                    send("PATCH", path, {"title": f"Book {name}, again"})
                    send("POST", f"{path}editions/", {"format": "hardcover"})
                    key = {"Idempotency-Key": str(uuid.uuid4())}
                    send("POST", "/api/publishers/", {"name": f"Publisher {name}"}, **key)
                    send("DELETE", path)
            return statuses

        with ThreadPoolExecutor(WRITERS) as writers:
            statuses = [one for each in writers.map(write, range(WRITERS)) for one in each]
        books = WRITERS * BOOKS
        assert Counter(statuses) == {201: 3 * books, 200: books, 204: books}


def test_unrelated_logins_all_succeed_at_serializable(env):
    # With hashes that cost nothing: the less there is to compute, the more transactions meet.
    env = env | {
        "DJANGO_SETTINGS_MODULE": "project.settings.test",
        "TEST_DATABASE_URL": at_serializable(env),
    }
    user = ("--username", "operator", "--email", "operator@example.org")
    made = manage("createsuperuser", "--no-input", *user, env=env)
    assert made.returncode == 0, made.stderr
    with Server(env) as server:
        operator = {"Authorization": f"Bearer {token(server.client, 'operator')}"}

        def write(writer):
            statuses = []
            name = f"reader-{writer}"
            with httpx.Client(base_url=server.url, timeout=60) as client:

                def send(method, path, body, access=None):
                    headers = {"Authorization": f"Bearer {access}"} if access else operator
                    answer = client.request(method, path, json=body, headers=headers)
                    statuses.append(answer.status_code)
                    return answer.json()

                account = {"email": f"{name}@example.org", "password": PASSWORD}
                send("POST", "/api/users/", account | {"username": name})
                for number in range(ROUNDS):
                    send("POST", "/api/token/", {"username": name, "password": "a-wrong-one"})
                    pair = send("POST", "/api/token/", {"username": name, "password": PASSWORD})
                    pair = send("POST", "/api/token/refresh/", {"refresh": pair["refresh"]})
                    name = f"reader-{writer}-{number}"
                    send("PATCH", "/api/me/", {"username": name}, pair["access"])
                    send("POST", "/api/token/blacklist/", {"refresh": pair["refresh"]})
            return statuses

        with ThreadPoolExecutor(WRITERS) as writers:
            statuses = [one for each in writers.map(write, range(WRITERS)) for one in each]
        logins = WRITERS * ROUNDS
        assert Counter(statuses) == {201: WRITERS, 200: 4 * logins, 401: logins}


def test_a_cover_that_is_uploaded_is_served_in_development(served):
    headers = {"Authorization": f"Bearer {token(served.client)}"}
    body = {"title": "Dune", "editions": [{"format": "ebook"}]}
    book = served.client.post("/api/books/", json=body, headers=headers).json()
    path = f"/api/editions/{book['editions'][0]['id']}/cover/"
    cover = served.client.put(path, files={"file": ("x", plain())}, headers=headers).json()
    for url in cover.values():
        answer = served.client.get(url)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content.startswith(b"\xff\xd8")
    assert served.client.delete(path, headers=headers).status_code == 204
    assert {served.client.get(url).status_code for url in cover.values()} == {404}
    # Larger than what is held in memory.
    large = plain() + bytes(3 * 1024 * 1024)
    assert served.client.put(path, files={"file": ("x", large)}, headers=headers).status_code == 200
    large += bytes(3 * 1024 * 1024)
    answer = served.client.put(path, files={"file": ("x", large)}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
