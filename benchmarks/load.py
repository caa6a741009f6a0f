"""Serves a day's mix of readers, phones and librarians for minutes: `make bench-load`.

The server is that of production, on PostgreSQL. Locust first raises the rate until the server no
longer keeps up. Then it asks for SHARE of the capacity, minute by minute: a machine that others
share is now quicker and now slower, and so each minute begins with some seconds of more than the
server can answer, which are its capacity and do not count. It says how long each kind of request
took and what became of the workers' memory, and ends with 1 where a promise is broken: an answer
that is an error, a p99 of all of more than 5 × p50, or memory that grows. The clients work on the
same machine, so the capacity is that of both.
"""

# First, since it puts its own in the place of Python's sockets.
import gevent
import locust
from locust import FastHttpUser, task
from locust.env import Environment

# isort: split
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Any

import psutil

from benchmarks.run import ROOT, Peer
from benchmarks.scale import SERVER
from tests.postgres import PostgreSQL

SHARE = 0.7  # of the capacity
RATE = 2  # requests a second of each client
FIRST_RATE = 100  # requests a second
STEP = 1.25
STEP_SECONDS = 10
KEEPS_UP = 0.95  # of the requests that are due
MINUTE = 60  # seconds
SETTLING = 2  # seconds, until what was asked at another rate is answered
MAX_RATIO = 5  # p99 over p50
MAX_GROWTH = 1.05  # of memory, the last quarter over the second
MEMORY_PERIOD = 2  # seconds

BOOKS = "/api/books/"
WORDS = ("the", "river", "night", "house", "summer", "king")
# Set before clients are made: how many books there are, and how far the feed is.
books = 0
cursor = ""
numbers = count()

# Milliseconds of each request, by its kind.
Times = defaultdict[str, "array[float]"]


class Client(FastHttpUser):
    """Somebody with a session, who asks RATE times a second."""

    abstract = True
    token = ""
    # What was due before has become void.
    beginning = 0.0

    def on_start(self) -> None:
        self.due = 0.0
        gevent.sleep(self.wait_time())

    def wait_time(self) -> float:
        """Until the next request is due, at random and whenever the last one was answered: nobody
        knows when others ask. Locust's own `constant_throughput` has clients that begin together
        ask together ever after."""
        self.due = max(self.due, Client.beginning) + random.expovariate(RATE)
        return max(0.0, self.due - time.perf_counter())

    def ask(
        self, kind: str, path: str, method: str = "GET", body: object = None, **headers: str
    ) -> Any:
        """The answer, which counts as a request of this kind; an error where it is none of 2xx."""
        sent = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "gzip"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, name=kind, json=body, headers=sent)

    @staticmethod
    def book() -> str:
        return f"{BOOKS}{random.randint(1, books)}/"


class Reader(Client):
    weight = 80

    @task(5)
    def list_a_year(self) -> None:
        self.ask("reader: list", f"{BOOKS}?first_published_year={random.randint(1950, 2025)}")

    @task(3)
    def look_at_a_book(self) -> None:
        self.ask("reader: book", self.book())

    @task(2)
    def search(self) -> None:
        self.ask("reader: search", f"{BOOKS}?search={random.choice(WORDS)}")


class Phone(Client):
    """Does as docs/offline.md says: pulls what has changed, and pushes what was made meanwhile."""

    weight = 15

    def on_start(self) -> None:
        super().on_start()
        self.cursor = cursor
        self.tag = ""

    @task(5)
    def pull(self) -> None:
        query = f"documents=true&page_size=500&after={self.cursor}"
        answer = self.ask("phone: pull", f"/api/changes/?{query}")
        if answer.status_code == 200:
            self.cursor = answer.json()["next_cursor"]

    @task(3)
    def look_again(self) -> None:
        known = {"If_None_Match": self.tag} if self.tag else {}
        answer = self.ask("phone: list, if it has changed", f"{BOOKS}?page_size=20", **known)
        self.tag = answer.headers.get("ETag") or self.tag

    @task(2)
    def push(self) -> None:
        made = [{"uid": str(uuid.uuid4()), "title": f"A book of a phone, {next(numbers)}"}]
        body = {"create": made, "partial": True}
        key = str(uuid.uuid4())
        self.ask("phone: push", f"{BOOKS}bulk/", "POST", body, Idempotency_Key=key)


class Librarian(Client):
    weight = 5

    def on_start(self) -> None:
        super().on_start()
        self.written: tuple[str, str] | None = None

    @task
    def write(self) -> None:
        """A book with all that it nests; the next time, a change of it, if nobody was faster."""
        number = next(numbers)
        if self.written is None:
            answer = self.ask(
                "librarian: create, nested",
                BOOKS,
                "POST",
                {
                    "title": f"A book of a librarian, {number}",
                    "series": {"name": f"Series {number}"},
                    "subject_ids": [1, 2],
                    "contributions": [{"author_id": 1}, {"author": {"name": f"Author {number}"}}],
                    "editions": [{"format": "hardcover"}, {"format": "ebook"}],
                },
            )
            if answer.status_code == 201:
                self.written = f"{BOOKS}{answer.json()['id']}/", answer.headers["ETag"]
            return
        path, tag = self.written
        body = {"contributions": [{"author_id": 2}], "editions": [{"format": "paperback"}]}
        self.ask("librarian: change, nested", path, "PATCH", body, If_Match=tag)
        self.written = None


class Load:
    """The clients, and what they have seen since the rate is what it is."""

    def __init__(self, url: str) -> None:
        self.environment = Environment(user_classes=[Reader, Phone, Librarian], host=url)
        self.runner = self.environment.create_local_runner()
        self.environment.events.request.add_listener(self._note)
        self._begin()

    def _begin(self) -> None:
        self.times: Times = defaultdict(lambda: array("d"))
        self.errors: list[str] = []

    def _note(
        self, name: str, response_time: float, response: Any, exception: object, **kwargs: object
    ) -> None:
        self.times[name].append(response_time)
        # 304 is an answer, and Locust knows it for one.
        if exception is not None or response.status_code >= 400:
            self.errors.append(f"{name}: {exception or response.text[:300]}")

    def ask_for(self, rate: float, seconds: float) -> float:
        """Let clients ask so often a second, and say how often they had an answer."""
        clients = round(rate / RATE)
        self.runner.start(clients, spawn_rate=100)
        while self.runner.user_count != clients:
            gevent.sleep(0.1)
        Client.beginning = time.perf_counter()
        gevent.sleep(SETTLING)
        self._begin()
        gevent.sleep(seconds)
        return (sum(map(len, self.times.values())) - len(self.errors)) / seconds

    def capacity(self) -> float:
        """Requests a second that are answered at most."""
        rate = float(FIRST_RATE)
        while (answered := self.ask_for(rate, STEP_SECONDS)) >= rate * KEEPS_UP:
            rate *= STEP
        return answered

    def stop(self) -> None:
        self.runner.quit()


def watch_memory(process: psutil.Process, seen: list[float]) -> None:
    """Note the bytes that each worker holds for itself, the largest of them."""
    while True:
        seen.append(max(each.memory_full_info().uss for each in process.children()))
        gevent.sleep(MEMORY_PERIOD)


def quantiles(times: Iterable[float]) -> tuple[int, float, float]:
    """How many there are, their median and their 99th percentile."""
    ordered = sorted(times)
    return len(ordered), ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def report(times: Times, errors: list[str], memory: list[float]) -> Iterator[str]:
    """Print what was seen, and give each promise that was broken."""
    print("\n| kind | requests | p50 ms | p99 ms | p99 / p50 |\n|---|---|---|---|---|")
    for kind, each in (*sorted(times.items()), ("all", chain(*times.values()))):
        number, p50, p99 = quantiles(each)
        print(f"| {kind} | {number:,} | {p50:.1f} | {p99:.1f} | {p99 / p50:.1f} |")
    # The last row: what takes 2 ms by itself waits behind what takes 10.
    if p99 > MAX_RATIO * p50:
        yield f"p99 is {p99 / p50:.1f} × p50, and {MAX_RATIO} is the goal."
    quarter = max(len(memory) // 4, 1)
    before, after = (
        statistics.mean(part) for part in (memory[quarter : 2 * quarter], memory[-quarter:])
    )
    print(
        f"\nA worker holds {before / 1e6:.1f} MB in the second quarter and {after / 1e6:.1f} MB in"
        f" the last. {len(errors)} errors."
    )
    if after > before * MAX_GROWTH:
        yield f"Memory has grown {after / before:.2f} ×."
    yield from errors[:5]


def main() -> None:
    global books, cursor
    parser = argparse.ArgumentParser()
    parser.add_argument("--books", type=int, default=30_000)
    parser.add_argument("--minutes", type=int, default=10)
    options = parser.parse_args()
    books = options.books
    with PostgreSQL(**SERVER) as database:
        env = {
            **os.environ,
            "DATABASE_URL": database.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        }
        fill = [sys.executable, "-m", "benchmarks.fill", str(books), "librarian"]
        done = subprocess.run(
            fill, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True
        )
        Client.token = done.stdout.splitlines()[-1]
        server = Peer("production", env)
        try:
            server.wait()
            cursor = end_of_feed(server.port, Client.token)
            load = Load(f"http://127.0.0.1:{server.port}")
            capacity = load.capacity()
            times: Times = defaultdict(lambda: array("d"))
            errors: list[str] = []
            memory: list[float] = []
            watching = gevent.spawn(watch_memory, server.process, memory)
            for minute in range(options.minutes):
                capacity = load.ask_for(capacity * STEP, STEP_SECONDS)
                answered = load.ask_for(capacity * SHARE, MINUTE)
                _, p50, p99 = quantiles(chain(*load.times.values()))
                print(
                    f"Minute {minute + 1}: {answered:.0f} of {capacity:.0f} requests/s,"
                    f" p50 {p50:.1f} ms, p99 {p99:.1f} ms",
                    flush=True,
                )
                for kind, each in load.times.items():
                    times[kind].extend(each)
                errors += load.errors
            watching.kill()
            load.stop()
            broken = list(report(times, errors, memory))
        finally:
            server.stop()
    raise SystemExit("\n".join(broken) or 0)


def end_of_feed(port: int, token: str) -> str:
    """The cursor of a phone that has everything."""
    from geventhttpclient import HTTPClient

    client = HTTPClient("127.0.0.1", port, network_timeout=60)
    path = "/api/changes/?page_size=500"
    headers = {"Authorization": f"Bearer {token}"}
    while True:
        page = json.loads(client.get(path, headers=headers).read())
        if page["next"] is None:
            return str(page["next_cursor"])
        path = page["next"]


if __name__ == "__main__":
    locust.log.setup_logging("WARNING")
    main()
