"""Is every answered write there, and read by whoever has written it, whatever is killed?

A primary and two standbys of which one must have each commit. Of two servers one asks them itself,
the other by a PgBouncer before each. Clients write and read by the proxy before these two all the
time, and repeat what is not answered.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event
from uuid import uuid4

import httpx
import pytest
from django.db import connection

from tests.pgbouncer import PROGRAM, REASON, PgBouncer
from tests.postgres import PostgreSQL, free_port
from tests.server import PASSWORD, ROOT, Server, wait_until, with_admins
from tests.standbys import Standby, replay_of, run

pytestmark = pytest.mark.failover

PAGE = (ROOT / "docs" / "replicas.md").read_text("utf-8")
HEADER = "X-Database-Position"
WRITERS, READERS = 4, 3
# How long clients go on between two kills, and how long one request is repeated.
STEP, PATIENCE = 5, 60  # seconds


def statements(name, **values):
    """What docs/replicas.md has in the block of this name, with these values in it."""
    [block] = re.findall(rf"```(?:sql|sh) {name}\n(.*?)```", PAGE, re.DOTALL)
    for word, value in values.items():
        block = re.sub(rf"\b{word}\b", value, block)
    return [line.strip().rstrip(";") for line in block.strip().splitlines()]


class Proxy:
    def __init__(self, *ports):
        self.ports = [free_port(), *ports]
        self.url = f"http://127.0.0.1:{self.ports[0]}"

    def __enter__(self):
        command = [sys.executable, "-m", "tests.proxy", *map(str, self.ports)]
        self.process = subprocess.Popen(command, cwd=ROOT)
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


class Clients:
    """Some write a book each and then change it, some read; all by the proxy."""

    def __init__(self, url):
        self.url = url
        self.is_over = Event()
        # By the id of each book, the number that was answered last.
        self.written = {}
        self.stale, self.statuses, self.repeated = [], Counter(), 0

    def answer(self, client, method, path, **request):
        """The answer to a request that is repeated, as the contract says, until it is done."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = client.request(method, path, **request)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500 and answer.status_code != 409:
                return answer
            assert time.monotonic() < deadline, answer and answer.text
            self.repeated += 1
            time.sleep(0.1)

    def log_in(self, client):
        login = {"username": "ada", "password": PASSWORD}
        token = self.answer(client, "POST", "/api/token/", json=login).json()["access"]
        client.headers["Authorization"] = f"Bearer {token}"

    def write(self, number):
        with self.client() as ada, self.client() as other:
            self.log_in(ada)
            body, path, method, times = {"title": f"Book {number}"}, "/api/books/", "POST", 0
            while not self.is_over.is_set():
                times += 1
                body["subtitle"] = str(times)
                key = {"Idempotency-Key": str(uuid4())}
                made = self.answer(ada, method, path, json=body, headers=key)
                assert made.status_code in (200, 201), made.text
                method, path = "PATCH", f"/api/books/{made.json()['id']}/"
                self.written[made.json()["id"]] = times
                position = {HEADER: made.headers[HEADER]}
                for client, headers in ((other, position), (ada, {})):
                    read = self.answer(client, "GET", path, headers=headers)
                    if read.status_code != 200 or read.json()["subtitle"] != str(times):
                        self.stale.append((path, times, read.status_code, read.text))

    def client(self):
        # Each request has a connection of its own, and so another server than the one before.
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(base_url=self.url, timeout=20, limits=limits)

    def read(self, number):
        with self.client() as client:
            while not self.is_over.is_set():
                try:
                    status = client.get("/api/books/?page_size=5&ordering=-id").status_code
                except httpx.TransportError:
                    # The proxy or the server has gone while it answered.
                    status = None
                self.statuses[status] += 1
                time.sleep(0.05)


def read_from(server):
    """The standbys that have answered, as the log says."""
    return set(re.findall(r'"replica": "(\w+)"', server.log))


@contextmanager
def away(process):
    process.__exit__()
    try:
        yield
    finally:
        process.__enter__()


def test_nothing_that_was_answered_is_lost_and_nothing_read_is_stale():
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    if PROGRAM is None:
        pytest.skip(REASON)
    with ExitStack() as stack:
        enter = stack.enter_context
        primary = enter(PostgreSQL())
        environment = with_admins(primary.url, "ada")
        run(primary, *statements("primary", catalogue="postgres"))
        [copy] = [line for line in statements("standby") if line.startswith("pg_basebackup")]
        copy = copy.replace("secret@db1/", f"secret@127.0.0.1:{primary.port}/")
        db2, db3 = (enter(Standby(primary, name, copy)) for name in ("db2", "db3"))
        run(primary, *statements("synchronous"))
        [block] = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
        settings = dict(line.split(" = ") for line in block.strip().splitlines())
        poolers = [enter(PgBouncer(each, **settings)) for each in (primary, db2, db3)]
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in (primary, db2, db3))
        url = f"postgresql://postgres:{primary.password}@{hosts}/postgres"
        directly = {
            "DATABASE_URL": f"{url}?target_session_attrs=read-write",
            "DATABASE_REPLICAS": f"{db2.url} {db3.url}",
        }
        pooled = {
            "DATABASE_URL": poolers[0].url,
            "DATABASE_REPLICAS": f"{poolers[1].url} {poolers[2].url}",
            "DATABASE_POOLER": "transaction",
        }
        servers = [enter(Server(environment | each)) for each in (directly, pooled)]
        proxy = enter(Proxy(*(each.port for each in servers)))
        clients = Clients(proxy.url)
        threads = enter(ThreadPoolExecutor(WRITERS + READERS))
        stack.callback(clients.is_over.set)
        jobs = [threads.submit(clients.write, number) for number in range(WRITERS)]
        jobs += [threads.submit(clients.read, number) for number in range(READERS)]

        def go_on():
            """Let each client write once more at the least, and then for a while."""
            before = dict(clients.written)
            failed = lambda: [each.exception() for each in jobs if each.done()]  # noqa: E731
            wait_until(
                lambda: (
                    failed()
                    or (
                        len(clients.written) == WRITERS
                        and all(clients.written[key] > times for key, times in before.items())
                    )
                ),
                PATIENCE,
            )
            time.sleep(STEP)
            assert failed() == []

        go_on()
        assert all(read_from(each) for each in servers)

        db3.stop()
        go_on()
        db3.start()
        wait_until(lambda: replay_of(db3, primary))

        for pooler in poolers[:2]:
            with away(pooler):
                go_on()
        for server in servers:
            os.killpg(server.process.pid, signal.SIGKILL)
            with away(server):
                go_on()
        with away(proxy):
            pass
        go_on()

        primary.stop()
        position = "SELECT pg_last_wal_receive_lsn() - '0/0'"
        other, received = sorted((db2, db3), key=lambda each: run(each, position))
        run(received, *statements("promoted"))
        conninfo = {"db2": f"127.0.0.1 port={received.port}", "db3": "follower"}
        run(other, *statements("follower", **conninfo))
        poolers[0].lead_to(received)
        go_on()
        run(received, *statements("again", db3="follower"))
        wait_until(lambda: replay_of(other, received), PATIENCE)
        go_on()
        # It is believed again, on the new timeline.
        alias = f"replica{[db2, db3].index(other) + 1}"
        marks = [len(each.log) for each in servers]
        wait_until(
            lambda: all(
                f'"replica": "{alias}"' in each.log[mark:]
                for each, mark in zip(servers, marks, strict=True)
            ),
            PATIENCE,
        )

        clients.is_over.set()
        for each in jobs:
            each.result()
        assert clients.stale == []
        stored = dict(run(received, "SELECT id, subtitle FROM books_book"))
        assert {key: int(stored[key]) for key in clients.written} == clients.written
        # Each was created once, however often it was sent.
        assert len(stored) == WRITERS
        # Who is not logged in has hardly noticed: a server or the proxy has gone, or both standbys
        # were of no use while the primary changed.
        assert clients.statuses[200] > 20 * (clients.statuses.total() - clients.statuses[200])
        assert clients.repeated > 0
