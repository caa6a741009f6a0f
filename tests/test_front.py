"""Does the server stand while clients are slow, writes wait, and processes die?"""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from threading import Event, Thread

import httpx
import psycopg
import pytest

from project import front
from tests.server import PASSWORD, ROOT, WORKERS, Server, wait_until, with_admins

# One worker of pytest-xdist runs them all, so that each server is started once.
pytestmark = [pytest.mark.reliability, pytest.mark.xdist_group(__name__)]

# More than a server with a thread for each body could take: it has eight.
MANY = 50
# Less than a body may take, and far more than an answer does, also on a busy machine.
SOON = httpx.Timeout(front.BODY_TIMEOUT - 2)


@pytest.fixture(scope="module")
def env(database_url):
    return with_admins(database_url, "admin")


@pytest.fixture(scope="module")
def served(env):
    with Server(env) as server:
        yield server


@pytest.fixture(scope="module")
def headers(served):
    body = {"username": "admin", "password": PASSWORD}
    return {
        "Authorization": f"Bearer {served.client.post('/api/token/', json=body).json()['access']}"
    }


def reads(server):
    """The statuses of what must not wait for anybody: each on a connection of its own."""

    def read(path):
        return httpx.get(f"{server.url}{path}", timeout=SOON).status_code

    # On a busy machine a check may take longer than a probe waits for it.
    wait_until(lambda: read("/readyz") == 200)
    return {path: read(path) for path in ("/livez", "/api/books/", "/api/authors/")}


BOOTED = "ASGI server listening"
ALL_ANSWERED = {"/livez": 200, "/api/books/": 200, "/api/authors/": 200}


def begin_post(server, headers, body):
    """A connection that has sent all of a request but the last byte of its body."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    lines = [
        "POST /api/authors/ HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:-1])
    return connection


def status_line(connection):
    with connection, connection.makefile("rb") as answer:
        return answer.readline()


def connection_after_a_read(server):
    """What becomes of the connection, as its answer says."""
    return httpx.get(f"{server.url}/api/books/", timeout=SOON).headers.get("connection")


def test_bodies_that_arrive_slowly_hold_nobody_up(served, headers):
    body = b'{"name": "Slow"}'
    connections = [begin_post(served, headers, body) for _ in range(MANY)]
    assert reads(served) == ALL_ANSWERED
    made = httpx.post(
        f"{served.url}/api/authors/", json={"name": "Quick"}, headers=headers, timeout=SOON
    )
    assert made.status_code == 201
    for connection in connections:
        connection.sendall(body[-1:])
    assert {status_line(connection) for connection in connections} == {b"HTTP/1.1 201 Created\r\n"}


@contextmanager
def locked(url):
    """While it lasts, writes wait and reads don't."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
    else:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE authors_author IN SHARE MODE")
            yield


def test_writes_that_wait_for_a_lock_hold_no_reader_up(served, headers, database_url):
    def write(number):
        body = {"name": f"Waiting {number}"}
        while True:
            answer = httpx.post(
                f"{served.url}/api/authors/", json=body, headers=headers, timeout=60
            )
            # What has waited for longer than a lock may last is to be asked again.
            if answer.status_code != 503:
                return answer
            time.sleep(int(answer.headers["Retry-After"]))

    with ThreadPoolExecutor(MANY) as writers:
        with locked(database_url):
            answers = [writers.submit(write, number) for number in range(MANY)]
            assert reads(served) == ALL_ANSWERED
            # A worker that is busy sends its clients to one that may be idle.
            assert connection_after_a_read(served) == "close"
            assert not any(answer.done() for answer in answers)
        assert {answer.result().status_code for answer in answers} == {201}
    assert connection_after_a_read(served) is None


def test_probes_are_answered_whatever_host_they_ask(served):
    served.wait_until_ready()
    for path in ("/livez", "/readyz"):
        answer = served.client.get(path, headers={"Host": "10.1.2.3"})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert served.client.get("/api/books/", headers={"Host": "10.1.2.3"}).status_code == 400


def test_a_connection_that_a_proxy_keeps_is_there_when_it_is_used_again(served):
    with closing(HTTPConnection("127.0.0.1", served.port, timeout=30)) as connection:
        connection.request("GET", "/livez")
        assert connection.getresponse().read()
        kept = connection.sock
        # gunicorn's own patience is two seconds.
        time.sleep(4)
        connection.request("GET", "/livez")
        assert connection.sock is kept is not None
        assert connection.getresponse().read()


def test_a_second_server_on_the_port_says_that_it_is_taken(served, env):
    command = [sys.executable, "-m", "gunicorn", "--config", "project/serve.py"]
    second = subprocess.run(
        command,
        cwd=ROOT,
        env=env | {"PORT": str(served.port)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "Connection in use" in second.stderr
    assert reads(served) == ALL_ANSWERED


def test_a_reload_loses_no_request(env):
    with Server(env) as server:
        before = set(server.processes[1:])
        over = Event()
        statuses, closed = [], []

        def ask():
            with httpx.Client(base_url=server.url, timeout=SOON) as client:
                while not over.is_set():
                    try:
                        statuses.append(client.get("/api/books/").status_code)
                    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                        # The end of a connection that was kept met the next request, which
                        # browsers and proxies send again by themselves (RFC 9112, 9.3.1).
                        closed.append(str(error))

        asking = [Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: len(set(server.processes[1:]) - before) == WORKERS)
        wait_until(lambda: not before & set(server.processes))
        over.set()
        for thread in asking:
            thread.join()
        assert set(statuses) == {200}
        # Once by each of those who go.
        assert len(closed) <= len(asking) * WORKERS
        assert not [line for line in server.log.splitlines() if line.startswith("[")]


def test_workers_that_are_killed_are_replaced(env):
    with Server(env) as server:
        for _ in range(2):
            killed, other = server.processes[1:]
            booted = server.log.count(BOOTED)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda before=booted: server.log.count(BOOTED) > before)
            assert other in server.processes
            assert len(server.processes) == 1 + WORKERS
            assert reads(server) == ALL_ANSWERED


def test_nothing_serves_on_when_the_supervisor_is_killed(env):
    with Server(env) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        wait_until(lambda: server.processes == [])


def test_a_stop_does_not_wait_for_bodies(env):
    with Server(env) as server:
        connection = begin_post(server, {}, b'{"name": "Never"}')
        assert server.stop() == 0
        with connection, suppress(ConnectionResetError):
            # Not even that it is 408.
            assert connection.recv(1024) == b""


# The front itself, as a server calls it


def scope_of(path, method="GET", headers=()):
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers],
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 50000),
    }


def ask(application, path, receive, method="GET", headers=()):
    """The status, the headers and the body that it sends."""
    scope, messages = scope_of(path, method, headers), []

    async def send(message):
        messages.append(message)

    async def run():
        async with asyncio.timeout(60):
            await application(scope, receive, send)

    asyncio.run(run())
    start, *parts = messages
    headers = {name.decode().title(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, b"".join(part["body"] for part in parts)


async def never():
    await asyncio.Event().wait()


def test_a_body_that_does_not_come_in_time_is_408(monkeypatch):
    monkeypatch.setattr(front, "BODY_TIMEOUT", 0.1)
    length = [(b"content-length", b"10")]
    status, headers, body = ask(front.Front(), "/api/books/", never, "POST", length)
    assert (status, headers["Content-Type"]) == (408, "application/problem+json")
    assert b'"code": "request_timeout"' in body
    assert "Content-Security-Policy" in headers


def test_bodies_that_are_too_many_at_a_time_are_503(monkeypatch):
    monkeypatch.setattr(front, "MAX_BODIES", 9)
    length = [(b"content-length", b"10")]
    status, headers, _ = ask(front.Front(), "/api/books/", never, "POST", length)
    assert (status, headers["Retry-After"]) == (503, "1")


def test_a_body_that_is_refused_takes_no_room_from_others(monkeypatch):
    monkeypatch.setattr(front, "MAX_BODIES", front.MAX_BODY)
    application, statuses = front.Front(), []

    async def receive():
        return {"type": "http.request", "body": b"0123456789"}

    async def send(message):
        if "status" in message:
            statuses.append(message["status"])

    def post(length, receive):
        headers = [(b"content-length", b"%d" % length)]
        return application(scope_of("/api/docs/", "POST", headers), receive, send)

    async def run():
        refused = asyncio.create_task(post(front.MAX_BODY + 1, never))
        while not statuses:
            await asyncio.sleep(0.01)
        # Its client may be sending still.
        await post(10, receive)
        assert not refused.done()
        await refused

    asyncio.run(run())
    assert statuses == [413, 405]


def test_a_queue_that_is_full_is_503(monkeypatch):
    monkeypatch.setattr(front, "THREADS", 1)
    monkeypatch.setattr(front, "MAX_WAITING", 0)
    application, gate = front.Front(), Event()
    reading = application._reads.submit(gate.wait)
    try:
        status, headers, body = ask(application, "/api/schema/", never)
        assert (status, headers["Retry-After"]) == (503, "1")
        assert b'"code": "unavailable"' in body
        assert ask(application, "/livez", never)[0] == 200
    finally:
        gate.set()
    reading.result()
    assert ask(application, "/api/docs/", never)[0] == 200


def test_who_has_waited_for_a_thread_comes_back_by_another_connection(monkeypatch):
    monkeypatch.setattr(front, "THREADS", 1)
    application, gate = front.Front(), Event()
    reads = application._reads
    reads.submit(gate.wait)

    def let_go():
        wait_until(lambda: reads.waiting)
        gate.set()

    Thread(target=let_go).start()
    status, headers, _ = ask(application, "/api/docs/", never)
    assert (status, headers["Connection"]) == (200, "close")
    wait_until(lambda: not reads.busy)
    status, headers, _ = ask(application, "/api/docs/", never)
    assert (status, headers.get("Connection")) == (200, None)


def test_a_stream_ends_when_its_client_has_gone(monkeypatch):
    sent, closed = [], Event()

    class Stream:
        """As long as somebody takes it, and a minute at most."""

        def __iter__(self):
            for number in range(600):
                time.sleep(0.1)
                yield b"%d" % number

        def close(self):
            closed.set()

    def endless(environ, start_response):
        start_response("200 OK", [])
        return Stream()

    monkeypatch.setattr(front, "wsgi_application", endless)

    async def send(message):
        sent.append(message)

    async def go_away():
        asking = asyncio.create_task(front.Front()(scope_of("/api/books/"), never, send))
        while len(sent) < 3:
            await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.to_thread(closed.wait, 40)

    asyncio.run(go_away())
    assert closed.is_set()
