"""Does everything work through a PgBouncer in transaction mode, with DATABASE_POOLER?

Each transaction of a connection may have another of PgBouncer's connections to PostgreSQL.
"""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from project.settings.base import database
from tests.pgbouncer import PROGRAM, REASON, PgBouncer
from tests.postgres import PostgreSQL
from tests.server import Server, development, manage

# One worker of pytest-xdist runs them all, so that the servers are started once.
pytestmark = [pytest.mark.reliability, pytest.mark.xdist_group(__name__)]

REQUESTS = 200
CLIENTS = 8


def test_nothing_outlives_a_transaction_behind_a_pooler():
    pooled = database("postgresql://db.example/catalogue", "transaction")
    assert pooled["OPTIONS"]["prepare_threshold"] is None
    assert pooled["DISABLE_SERVER_SIDE_CURSORS"] is True
    direct = database("postgresql://db.example/catalogue")
    assert direct["OPTIONS"]["prepare_threshold"] == 5
    assert direct["DISABLE_SERVER_SIDE_CURSORS"] is False
    # It has no pooler, and takes no option of PostgreSQL's.
    assert database("sqlite:///a", "transaction")["OPTIONS"] == database("sqlite:///a")["OPTIONS"]


def test_a_pooler_that_is_none_of_those_known_is_refused():
    with pytest.raises(ImproperlyConfigured, match="DATABASE_POOLER is `transaction`"):
        database("postgresql://db.example/catalogue", "on")


def version():
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    return tuple(map(int, re.search(r"(\d+)\.(\d+)", said.stdout).groups()))


@pytest.fixture(scope="module", params=["transaction", ""], ids=["without", "prepared"])
def pooled(request):
    """A server whose PgBouncer has two connections for all of its threads, without prepared
    statements and with those that PgBouncer keeps itself."""
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    if PROGRAM is None:
        pytest.skip(REASON)
    settings = {} if request.param else {"max_prepared_statements": 200}
    if settings and version() < (1, 21):
        pytest.skip("PgBouncer keeps prepared statements from 1.21 on; PGBOUNCER names one")
    with (
        PostgreSQL() as postgresql,
        PgBouncer(postgresql, default_pool_size=2, **settings) as pgbouncer,
    ):
        environment = {**development(pgbouncer.url), "DATABASE_POOLER": request.param}
        # It migrates, and imports.
        done = manage("load_demo", env=environment)
        assert done.returncode == 0, done.stderr
        with Server(environment) as server:
            yield server


def at_once(call, times):
    with ThreadPoolExecutor(CLIENTS) as threads:
        return list(threads.map(call, range(times)))


def test_no_read_of_many_at_once_fails(pooled):
    paths = [
        "/api/books/?search=earthsea",
        "/api/books/?page_size=5&count=true",
        "/api/books/1/",
        "/api/authors/?ordering=-sort_name",
        "/api/subjects/",
    ]
    statuses = at_once(
        lambda number: pooled.client.get(paths[number % len(paths)]).status_code, REQUESTS
    )
    assert statuses == [200] * REQUESTS


def test_no_write_of_many_at_once_fails(pooled):
    login = {"username": "librarian", "password": "demo-librarian"}
    token = pooled.client.post("/api/token/", json=login).json()["access"]
    headers = {"Authorization": f"Bearer {token}"}

    def write(number):
        body = {"title": f"Title {number}", "contributions": [{"author": {"name": f"A{number}"}}]}
        made = pooled.client.post("/api/books/", json=body, headers=headers)
        changed = pooled.client.patch(
            f"/api/books/{made.json()['id']}/", json={"title": f"T {number}"}, headers=headers
        )
        return made.status_code, changed.status_code, changed.json()["title"]

    times = REQUESTS // 4
    assert at_once(write, times) == [(201, 200, f"T {number}") for number in range(times)]
