"""Does a move from SQLite to PostgreSQL lose nothing, and do its clients go on?"""

import json
import sqlite3

import psycopg
import pytest

from project.settings.base import sqlite_url
from tests.phone import SCHEMA, Client
from tests.server import Server, development, manage

# One worker of pytest-xdist runs them all, since they share the database that is moved to.
pytestmark = [pytest.mark.xdist_group(__name__), pytest.mark.usefixtures("postgresql")]


@pytest.fixture(scope="module")
def postgresql(database_url):
    """The URL of a database of PostgreSQL, which is the only one that is moved to."""
    if not database_url.startswith("postgresql"):
        pytest.skip("It is PostgreSQL that is moved to.")
    return database_url


class Api:
    """A client that is logged in, of whichever server it is at."""

    def __init__(self, server, name):
        self.server = server
        login = {"username": name, "password": f"demo-{name}"}
        self.pair = self.ask("POST", "/token/", login)[1]

    def ask(self, method, path, body=None, key=None, **headers):
        if key:
            headers["Idempotency-Key"] = key
        if hasattr(self, "pair"):
            headers["Authorization"] = f"Bearer {self.pair['access']}"
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        path = path if path.startswith("/api/") else f"/api{path}"
        answer = self.server.client.request(
            method,
            path,
            content=text,
            headers={"Content-Type": "application/json", **headers},
        )
        self.headers = answer.headers
        text = answer.text.replace(self.server.url, "")
        return answer.status_code, json.loads(text) if text else None


@pytest.fixture
def phone():
    """The client of docs/offline.md, at the API that is its `.api`."""
    store = sqlite3.connect(":memory:")
    store.executescript(SCHEMA)
    made = Client(store, lambda *request: made.api.ask(*request))
    yield made
    store.close()


@pytest.fixture(scope="module")
def target(postgresql):
    """The environment of a PostgreSQL that has been migrated."""
    env = development(postgresql)
    assert manage("migrate", env=env).returncode == 0
    return env


@pytest.fixture
def file(tmp_path):
    return tmp_path / "catalogue #1 at 100%20.sqlite3"


@pytest.fixture
def source(file):
    """The environment of an SQLite that has the demo catalogue."""
    env = development(sqlite_url(file))
    assert manage("load_demo", env=env).returncode == 0
    return env


def rows_of(url):
    """The number of rows of each table that is copied."""
    if isinstance(url, str):
        with psycopg.connect(url) as connection:
            names = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            return {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
                for (name,) in names.fetchall()
                if not is_made_anew(name)
            }
    connection = sqlite3.connect(url)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found = {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
        for (name,) in names
        if not is_made_anew(name)
    }
    connection.close()
    return found


def is_made_anew(name):
    of_engine = ("sqlite_", "api_definition", "changes_feed")
    return "search" in name or name.startswith(of_engine)


def refused(file, env):
    done = manage("copy_from_sqlite", str(file), env=env)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def work(librarian, admin):
    """All kinds of things that there are to lose."""
    status, made = librarian.ask("POST", "/books/", {"title": "Kept"}, key="once")
    assert status == 201
    for title in ("Kept for long", "Kept for good"):
        librarian.ask("PATCH", f"/books/{made['id']}/", {"title": title})
    assert admin.ask("DELETE", "/books/2/")[0] == 204
    assert admin.ask("POST", "/authors/2/merge/", {"into": 1})[0] == 200
    assert librarian.ask("POST", "/token/", {"username": "member", "password": "no"})[0] == 401
    body = {"name": "nightly", "read_only": True, "current_password": "demo-librarian"}
    status, token = librarian.ask("POST", "/me/tokens/", body)
    assert status == 201, token
    return made, token["token"]


def feed(api):
    """All pages of it."""
    pages = [api.ask("GET", "/changes/?documents=true&page_size=500")[1]]
    while pages[-1]["next"]:
        pages.append(api.ask("GET", pages[-1]["next"])[1])
    return pages


def test_nothing_is_lost_and_clients_go_on(source, target, file, phone, postgresql):
    with Server(source) as server:
        librarian, admin = (Api(server, name) for name in ("librarian", "admin"))
        made, token = work(librarian, admin)
        phone.api = librarian
        phone.pull()
        # The phone has not heard of this one, nor the server of that one.
        librarian.ask("PATCH", "/books/1/", {"description": "Of the old server."})
        phone.create("authors", {"name": "Of the phone"})
        looks = [
            *("/books/?page_size=200", f"/books/{made['id']}/", "/changes/?documents=true"),
            *(f"/books/{made['id']}/history/", "/books/2/history/", "/authors/1/history/"),
            *("/users/", "/sessions/", "/books/?search=earthsea"),
        ]
        before = [admin.ask("GET", path) for path in looks]
        assert {status for status, _ in before} == {200}
    exported = manage("export_catalogue", env=source).stdout
    assert exported.count("\n") > 300
    done = manage("copy_from_sqlite", str(file), env=target)
    assert (done.returncode, done.stderr) == (0, "")
    assert manage("export_catalogue", env=target).stdout == exported
    assert rows_of(postgresql) == rows_of(file)
    assert manage("reindex", "--check", env=target).returncode == 0
    assert refused(file, target).startswith("CommandError: PostgreSQL is not empty: ")
    # Who still follows the old server is of another future.
    with Server(source) as server:
        librarian.server = admin.server = server
        librarian.ask("PATCH", "/books/3/", {"description": "Too late."})
        lost = feed(librarian)[-1]["next_cursor"]
    with Server(target) as server:
        librarian.server = admin.server = server
        assert [admin.ask("GET", path) for path in looks] == before
        phone.synchronise()
        assert phone.show("books", before[0][1]["results"][0]["uid"])
        assert librarian.ask("GET", f"/changes/?after={lost}")[1]["code"] == "resync"
        assert librarian.ask("POST", "/books/", {"title": "Kept"}, key="once") == (201, made)
        assert librarian.headers["Idempotency-Replayed"] == "true"
        assert admin.ask("GET", "/authors/2/")[0] == 308
        new = librarian.ask("POST", "/books/", {"title": "New"})[1]
        assert new["id"] == made["id"] + 1
        assert admin.ask("POST", "/books/2/restore/")[0] in (200, 201)
        status, librarian.pair = librarian.ask(
            "POST", "/token/refresh/", {"refresh": librarian.pair["refresh"]}
        )
        assert (status, librarian.ask("GET", "/me/")[1]["username"]) == (200, "librarian")
        phone.pull()
        stored = {uid for kind, uid in phone.store.execute("SELECT kind, uid FROM objects")}
        assert new["uid"] in stored
        entries = [each for page in feed(librarian) for each in page["results"]]
        assert stored == {each["uid"] for each in entries if each["operation"] == "upsert"}
        machine = {"Authorization": f"Bearer {token}"}
        assert server.client.get("/api/books/1/", headers=machine).json()["description"] == (
            "Of the old server."
        )


def test_what_cannot_be_moved_is_refused_and_nothing_is_copied(source, target, file, postgresql):
    before = rows_of(postgresql)
    assert (
        refused(file.with_name("no"), target) == f"CommandError: {file.with_name('no')} is no file."
    )
    assert refused(file, source) == "CommandError: DATABASE_URL names no PostgreSQL."
    empty = file.with_name("empty")
    sqlite3.connect(empty).close()
    empty.touch()
    assert refused(empty, target).endswith("is behind this code: run manage.py migrate.")
    assert rows_of(postgresql) == before


def test_what_postgresql_does_not_take_leaves_it_empty(source, file, postgresql):
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE by_hand (a)")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("UPDATE books_book SET title = title || char(0) WHERE id = 9")
    connection.commit()
    connection.close()
    with psycopg.connect(postgresql, autocommit=True) as session:
        session.execute("DROP SCHEMA public CASCADE")
        session.execute("CREATE SCHEMA public")
    env = development(postgresql)
    assert manage("migrate", env=env).returncode == 0
    before = rows_of(postgresql)
    done = manage("copy_from_sqlite", str(file), env=env)
    assert done.stderr.splitlines()[0] == "Left behind, since no model has them: by_hand."
    assert done.stderr.splitlines()[-1].startswith("CommandError: Nothing is copied: ")
    assert rows_of(postgresql) == before
    assert manage("doctor", env=env).stdout.count("triggers are there") == 1
