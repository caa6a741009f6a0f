"""Which database the suite runs on, and who asks.

Django is configured by `pytest_configure` below, once it is known where the database is; so
nothing at the top of this file may import a model.
"""

import os
import secrets
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest

from tests.pgbouncer import PgBouncer
from tests.postgres import PostgreSQL
from tests.server import wait_until


def pytest_addoption(parser):
    parser.addoption(
        "--engine",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="The database to test on; TEST_DATABASE_URL names a running one instead.",
    )
    parser.addoption(
        "--pgbouncer",
        action="store_true",
        help="Ask PostgreSQL through a PgBouncer in transaction mode.",
    )
    parser.addoption(
        "--both-ways",
        action="store_true",
        help="Compare each document that the database writes with its serializer's representation.",
    )


def pytest_configure(config):
    # `kill` and `timeout` end the run as Ctrl-C does: with everything stopped and removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell's background jobs ignore Ctrl-C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Workers of pytest-xdist inherit both from the process that started them.
    if "TEST_DATABASE_URL" not in os.environ:
        if "DJANGO_SETTINGS_MODULE" in os.environ:
            # pytest-django would have set Django up by now, with a database in memory.
            raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE; the tests set it themselves.")
        os.environ["TEST_DATABASE_URL"] = _new_database(config)
        config.add_cleanup(lambda: os.environ.pop("TEST_DATABASE_URL"))
        media = tempfile.TemporaryDirectory(prefix="media-")
        config.add_cleanup(media.cleanup)
        os.environ["MEDIA_ROOT"] = media.name
    if config.getoption("pgbouncer"):
        # Its connections would be in the way of dropping what goes with the server.
        config.option.reuse_db = True
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.test")
    from django.conf import settings

    # Loads the settings, which makes pytest-django set Django up.
    assert settings.DATABASES
    # How long an example takes says more of the machine, and of what else it does.
    hypothesis.settings.register_profile("tests", deadline=None)
    hypothesis.settings.load_profile("tests")


def _new_database(config):
    """The URL of an empty database that lives as long as the run."""
    if config.getoption("engine") == "postgresql":
        server = PostgreSQL()
        config.add_cleanup(server.remove)
        server.start()
        if config.getoption("pgbouncer"):
            pooler = PgBouncer(server)
            config.add_cleanup(pooler.__exit__)
            os.environ["DATABASE_POOLER"] = "transaction"
            return pooler.__enter__().url
        return server.url
    folder = tempfile.TemporaryDirectory(prefix="sqlite-")
    config.add_cleanup(folder.cleanup)
    return f"sqlite:///{folder.name}/catalogue.sqlite3"


def pytest_report_header():
    from django.conf import settings

    return f"engine: {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with what takes minutes, so that no process is waited for at the end."""
    items.sort(key=lambda item: item.path.name != "test_contributing.py")


@pytest.fixture(autouse=True)
def compare_documents(request, monkeypatch):
    """With --both-ways, in the tests that ask in this process."""
    alone = request.node.get_closest_marker("documents_alone")
    if request.config.getoption("both_ways") and alone is None:
        from tests import serializer_oracle

        for name in ("documents", "get_document"):
            monkeypatch.setattr(
                serializer_oracle.ResourceViewSet, name, getattr(serializer_oracle, name)
            )


@pytest.fixture(autouse=True)
def patient_probes(monkeypatch):
    """On a busy machine a check may take longer than a probe waits for it."""
    monkeypatch.setattr("project.api.observability.questions.TIMEOUT", 60)


@pytest.fixture(scope="module")
def database_url(tmp_path_factory):
    """The URL of one more empty database on the same engine, for processes of their own."""
    url = os.environ["TEST_DATABASE_URL"]
    if url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path_factory.mktemp('database')}/catalogue.sqlite3"
        return
    name = f"catalogue_{secrets.token_hex(8)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


# Who asks: a client that sends a real access token, or none


def _client(role):
    from rest_framework.test import APIClient

    from auth_api.models import User
    from auth_api.tokens import RefreshToken

    client = APIClient()
    client.user = User.objects.create_user(
        username=role, email=f"{role}@example.org", password=f"test-{role}", role=role
    )
    client.credentials(
        HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(client.user).access_token}"
    )
    return client


@pytest.fixture
def anonymous():
    """A client without a token."""
    from rest_framework.test import APIClient

    return APIClient()


@pytest.fixture
def member(db):
    """A client with the token of the user `member`, who is its `.user`."""
    return _client("member")


@pytest.fixture
def librarian(db):
    """A client with the token of the user `librarian`, who is its `.user`."""
    return _client("librarian")


@pytest.fixture
def admin(db):
    """A client with the token of the user `admin`, who is its `.user`."""
    return _client("admin")


# Many at once


@pytest.fixture
def at_once(transactional_db):
    """`at_once(call, 8)` calls call(0) … call(7) at the same moment, each in a thread with a
    connection of its own, and returns what they returned, in order."""

    def at_once(call, times):
        from django.db import connections

        barrier = Barrier(times)

        def one(number):
            barrier.wait()
            try:
                return call(number)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(one, range(times)))

    return at_once


@pytest.fixture
def meanwhile(at_once):
    """`meanwhile(change, ask)` is what `ask` answers while `change` is under way in a transaction.

    That ends when `ask` has answered, or a second after it has come to where it waits: on SQLite at
    its first write.
    """

    def meanwhile(change, ask):
        from django.db import connection, transaction

        changing, waiting, answered = Event(), Event(), Event()

        def note_writes(execute, sql, params, many, context):
            if sql.startswith(("BEGIN", "INSERT", "UPDATE", "DELETE")):
                waiting.set()
            return execute(sql, params, many, context)

        def is_waiting():
            if connection.vendor == "sqlite":
                return waiting.is_set()
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return cursor.fetchone() != (0,)

        def first():
            with transaction.atomic():
                try:
                    change()
                finally:
                    changing.set()
                wait_until(lambda: answered.is_set() or is_waiting())
                answered.wait(timeout=1)

        def second():
            changing.wait()
            try:
                with connection.execute_wrapper(note_writes):
                    return ask()
            finally:
                answered.set()

        return at_once(lambda number: (first, second)[number](), 2)[1]

    return meanwhile
