"""Does Prometheus hear what the server does, and nothing that it should not?"""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import promql_parser
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from project.front import THREADS
from tests.postgres import free_port
from tests.server import (
    PASSWORD,
    PATIENCE,
    ROOT,
    WORKERS,
    Server,
    development,
    manage,
    wait_until,
    with_admins,
)

# One worker of pytest-xdist runs them all, so that each server is started once.
pytestmark = pytest.mark.xdist_group(__name__)

BOOK = "api/books/<id:pk>/"
WAITING = 8  # requests, beside those that have a thread
DASHBOARD = ROOT / "docs/grafana/catalogue.json"
# What Prometheus adds to each series.
ADDED = {"job", "instance"}


@pytest.fixture(scope="module")
def env(database_url, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("metrics"))
    # What waits for a lock is to wait until it has been seen.
    return with_admins(database_url, "admin") | PATIENCE | {"METRICS_DIR": folder}


@contextmanager
def serving(env):
    """A server that tells Prometheus, and a function that asks it."""
    port = free_port()
    with (
        Server(env | {"METRICS_PORT": str(port)}) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as prometheus,
    ):

        def ask():
            answer = prometheus.get("/metrics")
            assert answer.status_code == 200
            return Scrape(answer.text)

        def scrape():
            """What is told when each worker has written down what it has done by now."""
            # The first time that a worker writes, it may have begun before.
            for _ in range(2):
                before = ask()
                wait_until(lambda before=before: ask().is_later_than(before))
            return ask()

        scrape.client = prometheus
        yield server, scrape


@pytest.fixture(scope="module")
def served(env):
    with serving(env) as served:
        yield served


class Scrape:
    """What one scrape tells: `scrape(name, **labels)` is the sum of the series that have these."""

    def __init__(self, text):
        self.text = text
        families = text_string_to_metric_families(text)
        self.samples = [sample for family in families for sample in family.samples]

    def series(self, name, **labels):
        return [
            sample
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def __call__(self, name, **labels):
        return sum(sample.value for sample in self.series(name, **labels))

    def is_later_than(self, before):
        """Whether each worker that is there has written since then, which takes it some time."""
        workers = [each.labels for each in self.series("process_resident_memory_bytes")]
        time = "process_cpu_seconds_total"
        return len(workers) >= WORKERS and all(
            self(time, **each) > before(time, **each) for each in workers
        )


def log_in(client, password=PASSWORD):
    return client.post("/api/token/", json={"username": "admin", "password": password})


@pytest.fixture(scope="module")
def headers(served):
    server, _ = served
    return {"Authorization": f"Bearer {log_in(server.client).json()['access']}"}


def test_requests_are_counted_by_their_route(served, headers):
    server, scrape = served
    before = scrape()
    book = server.client.post("/api/books/", json={"title": "Piranesi"}, headers=headers).json()
    for _ in range(6):
        assert server.client.get(f"/api/books/{book['id']}/").status_code == 200
    assert server.client.get("/api/books/987654321/?fields=title").status_code == 404
    assert server.client.get("/nothing/here-at-all").status_code == 404
    assert server.client.request("BREW", "/api/books/", headers=headers).status_code == 405
    after = scrape()

    def more(name, **labels):
        return after(name, **labels) - before(name, **labels)

    requests = "catalogue_requests_total"
    assert more(requests, route="api/books/", method="POST", status="201") == 1
    assert more(requests, route=BOOK, method="GET", status="200") == 6
    assert more(requests, route=BOOK, method="GET", status="404") == 1
    assert more(requests, route="", method="GET", status="404") == 1
    assert more(requests, route="api/books/", method="other", status="405") == 1
    duration = "catalogue_request_duration_seconds"
    assert more(f"{duration}_count", route=BOOK, method="GET") == 7
    assert more(f"{duration}_bucket", route=BOOK, method="GET", le="+Inf") == 7
    assert 0 < more(f"{duration}_sum", route=BOOK, method="GET") < 7
    assert more("catalogue_database_statements_total", route=BOOK) >= 7
    database, all_of_it = more("catalogue_database_seconds_total"), more(f"{duration}_sum")
    assert 0 < database < all_of_it
    # Nothing that somebody has typed, and nobody's name.
    for personal in ("admin@", "987654321", "here-at-all", "BREW", "Piranesi"):
        assert personal not in after.text
    labels = {name for sample in after.samples for name in sample.labels}
    assert labels == {"route", "method", "status", "le", "pool", "result", "worker"}


def test_logins_and_refusals_are_counted(served):
    server, scrape = served
    before = scrape()
    assert log_in(server.client).status_code == 200
    wrong = [log_in(server.client, "not-the-password").status_code for _ in range(7)]
    assert wrong == [401] * 5 + [429] * 2
    after = scrape()
    logins = "catalogue_logins_total"
    assert after(logins, result="succeeded") - before(logins, result="succeeded") == 1
    assert after(logins, result="failed") - before(logins, result="failed") == 5
    [throttled] = after.series("catalogue_throttled_total")
    assert (throttled.labels, throttled.value) == ({"scope": "failures"}, 2)


def test_the_feed_is_measured(served, headers, env):
    server, scrape = served
    assert server.client.get("/api/changes/", headers=headers).status_code == 200
    before = scrape()
    assert before("catalogue_feed_pending_changes") == before("catalogue_feed_lag_seconds") == 0
    for name in "ab":
        body = {"name": f"Series {name}"}
        assert server.client.post("/api/series/", json=body, headers=headers).status_code == 201
    changed = scrape()
    history = "catalogue_feed_history_changes"
    assert changed(history) - before(history) == 2
    if env["DATABASE_URL"].startswith("postgresql"):
        # Whoever reads gives the positions.
        assert changed("catalogue_feed_pending_changes") == 2
        assert 0 < changed("catalogue_feed_lag_seconds") < 60
        assert server.client.get("/api/changes/", headers=headers).status_code == 200
    read = scrape()
    assert read("catalogue_feed_position") - before("catalogue_feed_position") == 2
    assert read("catalogue_feed_pending_changes") == read("catalogue_feed_lag_seconds") == 0


def test_imports_are_counted(served, env, tmp_path):
    _, scrape = served
    file = tmp_path / "books.jsonl"
    file.write_text("".join(json.dumps({"title": f"Book {n}"}) + "\n" for n in range(3)) + "{}\n")
    dry = manage("import_books", str(file), "--dry-run", env=env)
    assert dry.returncode == 0, dry.stderr
    for _ in range(2):
        assert manage("import_books", str(file), env=env).returncode == 0
    imported = scrape().series("catalogue_imported_books_total")
    counts = {each.labels["result"]: each.value for each in imported}
    assert counts == {"created": 3, "changed": 0, "unchanged": 3, "rejected": 2}


def test_an_import_that_cannot_be_counted_has_been_done_all_the_same(served, env, tmp_path):
    file = tmp_path / "books.jsonl"
    file.write_text('{"title": "Uncounted"}\n')
    # In a folder that is none, which root may not write to either.
    done = manage("import_books", str(file), env=env | {"METRICS_DIR": str(file / "metrics")})
    assert done.returncode == 0, done.stderr
    assert "METRICS_DIR cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"books +1 +0 +0 +0", done.stdout)


@contextmanager
def locked(database_url):
    """Somebody else writes, and takes his time."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.rollback()
        return
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE books_series IN EXCLUSIVE MODE")
        yield
        connection.rollback()


def test_what_waits_for_a_thread_is_seen(served, headers, env):
    server, scrape = served
    number = WORKERS * THREADS + WAITING

    def write(number):
        body = {"name": f"Series of {number}"}
        return httpx.post(f"{server.url}/api/series/", json=body, headers=headers, timeout=30)

    with ThreadPoolExecutor(number) as writers:
        with locked(env["DATABASE_URL"]):
            answers = [writers.submit(write, each) for each in range(number)]

            def all_are_seen():
                seen = scrape()
                busy = seen("catalogue_pool_busy", pool="write")
                return busy, busy + seen("catalogue_pool_waiting", pool="write")

            # Which worker takes a connection is the kernel's choice.
            wait_until(lambda: all_are_seen()[1] == number)
            assert 0 < all_are_seen()[0] <= WORKERS * THREADS
        assert {answer.result().status_code for answer in answers} <= {201, 503}
    wait_until(lambda: all_are_seen() == (0, 0))
    assert scrape().series("catalogue_pool_refused_total", pool="write")


@pytest.mark.reliability
def test_who_takes_a_dead_workers_place_counts_on(env):
    def counted(scrape):
        return scrape("catalogue_requests_total", route=BOOK, method="GET", status="404")

    def ask(server, times=20):
        for _ in range(times):
            # A new connection each time, so that both workers are asked.
            assert httpx.get(f"{server.url}/api/books/987654321/").status_code == 404

    with serving(env) as (server, scrape):
        ask(server)
        first = scrape()
        assert counted(first) == 20
        places = {each.labels["worker"] for each in first.series("process_cpu_seconds_total")}
        assert places == {"0", "1"}
        for each in first.series("process_resident_memory_bytes"):
            assert 10e6 < each.value < 500e6

        supervisor, *workers = server.processes
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: server.log.count("Booting worker") == 2 * WORKERS)
        wait_until(lambda: len(scrape().series("process_resident_memory_bytes")) == WORKERS)
        second = scrape()
        assert counted(second) == 20
        for each in second.series("process_cpu_seconds_total"):
            assert each.value >= first("process_cpu_seconds_total", **each.labels)
        ask(server)
        assert counted(scrape()) == 40

        old = set(server.processes) - {supervisor}
        os.kill(supervisor, signal.SIGHUP)
        # They go, and what they were doing with them.
        wait_until(lambda: old.isdisjoint(server.processes))
        wait_until(lambda: len(scrape().series("process_resident_memory_bytes")) == WORKERS)
        ask(server)
        assert counted(scrape()) == 60


@pytest.mark.reliability
def test_what_a_killed_server_leaves_behind_the_next_one_removes(env, tmp_path):
    env = env | {"TMPDIR": str(tmp_path)}

    def folders():
        return set(tmp_path.glob("catalogue-metrics-*"))

    with serving(env) as (killed, _):
        [left] = folders()
        with serving(env):
            assert left in folders()
            assert len(folders()) == 2
        assert folders() == {left}
        os.kill(killed.process.pid, signal.SIGKILL)
        killed.process.wait()
        wait_until(lambda: killed.processes == [])
    with serving(env):
        [new] = folders()
        assert new != left
    assert folders() == set()


def test_a_database_that_is_silent_silences_nothing_else():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://reader:a-secret@127.0.0.1:{silent.getsockname()[1]}/catalogue"
        # Who waits for it waits for longer than the client of the tests.
        with serving(development(f"{url}?connect_timeout=60")) as (server, scrape):
            assert server.client.get("/livez").status_code == 200
            seen = scrape()
            assert seen("catalogue_requests_total", route="livez", status="200") == 1
            assert not seen.series("catalogue_feed_position")


def test_only_the_port_of_its_own_tells(served, env):
    server, scrape = served
    assert server.client.get("/metrics").status_code == 404
    # Nor is anything else to be had there.
    answer = scrape.client.get("/api/books/")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert scrape.client.post("/metrics", json={}).status_code == 405
    addresses = {
        line.split("//")[1].split(":")[0]
        for line in server.log.splitlines()
        if "ASGI server listening" in line
    }
    assert addresses == {"127.0.0.1"}


def use_everything(server, headers, env, folder):
    """Ask so that every metric has something to tell."""
    assert server.client.get("/api/books/").status_code == 200
    body = {"name": "A series"}
    assert server.client.post("/api/series/", json=body, headers=headers).status_code in (201, 409)
    wrong = {"username": "nobody", "password": "not-the-password"}
    while server.client.post("/api/token/", json=wrong).status_code != 429:
        pass
    file = folder / "books.jsonl"
    file.write_text('{"title": "A book"}')
    assert manage("import_books", str(file), env=env).returncode == 0


def queries():
    """The title of each panel, and each of its queries, as Grafana would ask."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$job", "catalogue").replace("$__rate_interval", "10s")
            yield panel["title"], query


def selectors(expression):
    """The series that a query asks for, each with the labels that are looked at further out."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression, set()
        return
    modifier = getattr(expression, "modifier", None)
    labels = set(getattr(modifier, "labels", ()))
    for name in ("expr", "vector_selector", "lhs", "rhs", "args"):
        inner = getattr(expression, name, None)
        for each in inner if isinstance(inner, list) else [inner] if inner is not None else []:
            for selector, further in selectors(each):
                yield selector, further | labels


def test_each_query_of_the_dashboard_asks_for_what_there_is(served, headers, env, tmp_path):
    server, scrape = served
    use_everything(server, headers, env, tmp_path)
    there = {}
    for sample in scrape().samples:
        there.setdefault(sample.name, set()).update(sample.labels)
    shown = set()
    for title, query in queries():
        for selector, labels in selectors(promql_parser.parse(query)):
            shown.add(selector.name)
            labels |= {matcher.name for matcher in selector.matchers.matchers}
            assert selector.name in there, (title, query)
            assert labels - ADDED <= there[selector.name], (title, query)
    # And all that there is it shows, and the guide describes.
    families = {re.sub("_(bucket|count|sum|created)$", "", name) for name in there}
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in shown} == families
    guide = (ROOT / "docs/metrics.md").read_text().partition("## What there is")[2]
    assert set(re.findall(r"`((?:catalogue|process)_\w+)`", guide)) == families


@pytest.mark.reliability
def test_prometheus_answers_each_query_of_the_dashboard(served, headers, env, tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus is not installed: tests/databases/install takes it from Debian")
    server, scrape = served
    target = scrape.client.base_url.netloc.decode()
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        "global: {scrape_interval: 2s, scrape_timeout: 2s}\n"
        f'scrape_configs: [{{job_name: catalogue, static_configs: [{{targets: ["{target}"]}}]}}]\n'
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        *("prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path}/data"),
        *(f"--web.listen-address={address}", "--log.level=error"),
    ]
    with subprocess.Popen(command) as process:
        try:

            def is_ready():
                try:
                    return httpx.get(f"http://{address}/-/ready", timeout=30).is_success
                except httpx.TransportError:
                    return False

            def answer(query):
                url = f"http://{address}/api/v1/query"
                found = httpx.get(url, params={"query": query}, timeout=30).json()
                assert found["status"] == "success", (query, found)
                return found["data"]["result"]

            wait_until(is_ready)
            wait_until(lambda: [each["value"][1] for each in answer("up")] == ["1"])
            use_everything(server, headers, env, tmp_path)
            for title, query in queries():
                wait_until(lambda query=query: answer(query))
                for each in answer(query):
                    # What nobody has asked for in that time is NaN.
                    assert not float(each["value"][1]) < 0, (title, query, each)

            def rate():
                # It has what comes between two scrapes, of what the first has seen already.
                assert server.client.get("/api/books/").status_code == 200
                found = answer('sum(rate(catalogue_requests_total{job="catalogue"}[1m]))')
                return float(found[0]["value"][1])

            wait_until(lambda: rate() > 0)
        finally:
            process.terminate()


def test_without_a_port_there_is_nothing_to_pay_for(env):
    look = "import sys; from project import front; print('prometheus_client' in sys.modules)"

    def is_loaded(env):
        command = [sys.executable, "-c", look]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True).stdout

    assert is_loaded(env) == "False\n"
    assert is_loaded(env | {"METRICS_PORT": str(free_port())}) == "True\n"
