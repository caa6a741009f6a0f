"""Does everybody read what they have written, whichever database answers?

A primary and one standby, whose replay is held up, which is killed, and which is promoted.
"""

import json
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import httpx
import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from project.api.databases.replicas import WALPosition
from project.settings.base import databases
from tests.postgres import PostgreSQL
from tests.server import PASSWORD, PATIENCE, Server, manage, wait_until, with_admins
from tests.standbys import Standby, replay_of, run
from tests.test_tracing import SERVICE, attributes_of, collecting, spans_in

PAIRS = 150
CLIENTS = 4
HEADER = "X-Database-Position"
STANDBY = "replica1"


# Settings


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://u:p%40@/db?host=a,b&target_session_attrs=read-write", "a,b", ""),
        ("postgresql://u:p%40@a,b/db?target_session_attrs=read-write", "a,b", ","),
        ("postgresql://u:p%40@a:1,b:2/db?target_session_attrs=read-write", "a,b", "1,2"),
        ("postgresql://u:p%40@[::1]:1,b/db?target_session_attrs=read-write", "::1,b", "1,"),
    ],
)
def test_a_url_may_name_several_hosts(url, host, port):
    settings = databases(url)["default"]
    named = {name: settings[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    assert named == {"NAME": "db", "USER": "u", "PASSWORD": "p@", "HOST": host, "PORT": port}
    assert settings["OPTIONS"]["target_session_attrs"] == "read-write"
    assert not {"host", "port"} & settings["OPTIONS"].keys()


def test_replicas_are_named_in_their_order():
    urls = "postgresql://a,b/db  postgresql://c/db"
    settings = databases("postgresql://primary/db", urls, "transaction")
    assert {alias: each["HOST"] for alias, each in settings.items()} == {
        "default": "primary",
        "replica1": "a,b",
        "replica2": "c",
    }
    assert settings["replica2"]["OPTIONS"]["prepare_threshold"] is None


@pytest.mark.parametrize(
    ("url", "replica"),
    [("sqlite:///a", "postgresql://b/db"), ("postgresql://a/db", "sqlite:///b")],
)
def test_standbys_are_of_postgresql(url, replica):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_REPLICAS are standbys"):
        databases(url, replica)


# Without standbys


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "1", "0/3000148", "1:0/3000148,1:0/3000148", "g:0/0", "1:0/"])
def test_a_position_that_is_none_is_refused_at_its_place(anonymous, librarian, text):
    for response in (
        anonymous.get("/api/books/", headers={HEADER: text}),
        librarian.post("/api/books/", {"title": "X"}, format="json", headers={HEADER: text}),
    ):
        assert response.status_code == 400
        [fault] = response.json()["errors"]
        assert (fault["code"], fault["header"]) == ("malformed", HEADER)


@pytest.mark.django_db
def test_without_standbys_a_position_says_nothing(anonymous, librarian):
    made = librarian.post("/api/books/", {"title": "X"}, format="json")
    assert (made.status_code, HEADER in made.headers) == (201, False)
    read = anonymous.get(f"/api/books/{made.json()['id']}/", headers={HEADER: "1:0/3000148"})
    assert (read.status_code, HEADER.lower() in read["Vary"]) == (200, False)


@pytest.mark.django_db
def test_pages_of_other_origins_may_send_and_read_the_position(client):
    origin = {"Origin": "https://app.example.org"}
    asked = {**origin, "Access-Control-Request-Method": "GET"}
    allowed = client.options("/api/books/", headers=asked)["Access-Control-Allow-Headers"]
    exposed = client.get("/api/books/", headers=origin)["Access-Control-Expose-Headers"]
    assert HEADER.lower() in allowed.split(", ")
    assert HEADER in exposed.split(", ")


@pytest.mark.reliability
def test_a_standby_that_is_silent_hides_no_other(database_url):
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        # Who waits for it waits for two seconds by each of its addresses, so eight. The second is
        # the primary itself.
        urls = f"postgresql://reader@{','.join([host] * 4)}/catalogue {database_url}"
        environment = with_admins(database_url) | {"DATABASE_REPLICAS": urls}
        with Server(environment) as server:
            ready = lambda: server.client.get("/readyz").json()  # noqa: E731
            expected = {"status": "ok", "replicas": {"replica1": False, "replica2": False}}
            wait_until(lambda: all(ready() == expected for _ in range(10)))
            until = time.monotonic() + 5
            while (started := time.monotonic()) < until:
                ready()
                assert time.monotonic() - started < 6
            wait_until(lambda: ready() == expected)


# With one, in processes of its own. What follows is one group, so that it is started once.

of_standby = [pytest.mark.reliability, pytest.mark.xdist_group(__name__)]


class Cluster:
    """A primary, its standby and a server, and who asks it."""

    def __init__(self, primary, standby, server):
        self.primary, self.standby, self.server = primary, standby, server
        self.anonymous = server.client
        self.ada = self.log_in()
        self.headers = {"Authorization": self.ada.headers["Authorization"]}

    def log_in(self):
        login = {"username": "ada", "password": PASSWORD}
        token = self.anonymous.post("/api/token/", json=login).json()["access"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.server.url, timeout=30, headers=headers)

    def create(self, **body):
        made = self.ada.post("/api/books/", json=body)
        assert made.status_code == 201, made.text
        return made

    def source(self, response):
        """The alias of the standby that has answered, as the log says; None of the primary."""
        name = response.headers["X-Request-ID"]

        def lines():
            texts = [each for each in self.server.log.splitlines() if name in each]
            return [line for line in map(json.loads, texts) if line["message"] == "request"]

        wait_until(lines)
        return lines()[-1].get("replica")

    @contextmanager
    def paused(self):
        """What is written meanwhile the standby has, and does not show."""
        run(self.standby, "SELECT pg_wal_replay_pause()")
        is_paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        wait_until(lambda: run(self.standby, is_paused) == [(True,)])
        try:
            yield
        finally:
            run(self.standby, "SELECT pg_wal_replay_resume()")
            self.catch_up()

    def flush(self):
        """Let the standby have what is written but not committed."""
        run(self.primary, "SELECT pg_logical_emit_message(true, '', '')")

    def say_how_it_is(self, *, is_read, doctor):
        """Wait until `/readyz` says so; and see what `manage.py doctor` says."""
        expected = {"status": "ok", "replicas": {STANDBY: is_read}}
        ready = lambda: self.anonymous.get("/readyz")  # noqa: E731
        wait_until(lambda: ready().json() == expected)
        done = manage("doctor", env=self.server.env)
        assert doctor in done.stdout, done.stdout + done.stderr
        assert (done.returncode == 0) == is_read

    def catch_up(self):
        wait_until(lambda: replay_of(self.standby, self.primary))

    def until_read(self):
        """Wait until the standby is asked again by every worker."""
        answers = lambda: {self.source(self.anonymous.get("/api/books/")) for _ in range(6)}  # noqa: E731
        wait_until(lambda: answers() == {STANDBY})


@pytest.fixture(scope="module")
def cluster():
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")
    with PostgreSQL() as primary:
        # What waits for a lock is to wait until it has been seen.
        environment = with_admins(primary.url, "ada") | PATIENCE
        with Standby(primary, "one", max_standby_streaming_delay="200ms") as standby:
            environment |= {"DATABASE_REPLICAS": standby.url}
            with Server(environment) as server:
                cluster = Cluster(primary, standby, server)
                yield cluster
                cluster.ada.close()


def pairs(cluster):
    """PAIRS writes, each with what is read after it: by others with its position, and without."""

    def pair(number):
        title = f"Title {number}"
        made = cluster.create(title=title)
        url = made.headers["Location"]
        position = {HEADER: made.headers[HEADER]}
        with_position = httpx.get(url, headers=position, timeout=30)
        answers = (with_position, cluster.ada.get(url))
        return [(each.status_code, each.json().get("title") == title) for each in answers]

    with ThreadPoolExecutor(CLIENTS) as threads:
        return list(threads.map(pair, range(PAIRS)))


class TestOneStandby:
    """Each ends with a standby that is read from; what takes it away comes last."""

    pytestmark = of_standby

    def test_who_has_written_reads_it_from_a_standby_that_goes_on(self, cluster):
        cluster.until_read()
        assert pairs(cluster) == [[(200, True)] * 2] * PAIRS

    def test_who_has_written_reads_it_while_the_standby_stands_still(self, cluster):
        cluster.until_read()
        with cluster.paused():
            made = cluster.create(title="Not there yet")
            stale = cluster.anonymous.get(made.headers["Location"])
            answers = pairs(cluster)
        # It could have been read from there.
        assert (stale.status_code, cluster.source(stale)) == (404, STANDBY)
        assert answers == [[(200, True)] * 2] * PAIRS

    def test_a_session_reads_from_the_primary_for_five_seconds_after_its_write(self, cluster):
        written = time.monotonic()
        url = cluster.create(title="Mine").headers["Location"]
        with cluster.log_in() as other:
            cluster.until_read()

            def is_over():
                mine = cluster.ada.get(url)
                # What is answered by then.
                is_early = time.monotonic() < written + 5
                assert not (is_early and cluster.source(mine))
                return cluster.source(mine) == cluster.source(other.get(url)) == STANDBY

            wait_until(is_over)

    def test_a_machine_token_reads_its_writes_and_a_browser_always_the_primary(self, cluster):
        body = {"name": "script", "current_password": PASSWORD, "read_only": False}
        made = cluster.ada.post("/api/me/tokens/", json=body)
        assert made.status_code == 201, made.text
        script = {"Authorization": f"Bearer {made.json()['token']}"}
        cluster.until_read()
        ask = cluster.anonymous.get
        assert cluster.source(ask("/api/books/", headers=script)) == STANDBY
        cluster.anonymous.post("/api/books/", json={"title": "By a script"}, headers=script)
        assert cluster.source(ask("/api/books/", headers=script)) is None
        with httpx.Client(base_url=cluster.server.url, timeout=30) as browser:
            browser.get("/admin/login/")
            form = {"username": "ada", "password": PASSWORD}
            form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
            assert browser.post("/admin/login/", data=form).status_code == 302
            for accept in ("application/json", "text/html"):
                read = browser.get("/api/books/", headers={"Accept": accept})
                assert (read.status_code, cluster.source(read)) == (200, None)

    def test_each_kind_of_read_gives_what_the_primary_gives(self, cluster):
        author = {"contributions": [{"author": {"name": "Ursula K. Le Guin"}}]}
        book = cluster.create(title="The Dispossessed", **author)
        key, author_id = book.json()["id"], book.json()["author_ids"][0]
        cluster.catch_up()
        cluster.until_read()
        primary = {**cluster.headers, HEADER: "FFFFFFFF:FFFFFFFF/FFFFFFFF"}
        paths = [
            *(f"/api/books/{key}/", f"/api/authors/{author_id}/books/"),
            *("/api/books/?search=dispossesed&count=true", "/api/authors/?expand=books"),
            *(
                f"/api/books/?author={author_id}&ordering=-title",
                f"/api/books/{key}/contributions/?count=true",
            ),
        ]
        for path in paths:
            here = cluster.anonymous.get(path)
            there = cluster.anonymous.get(path, headers=primary)
            assert (cluster.source(here), cluster.source(there)) == (STANDBY, None)
            assert (here.status_code, here.json()) == (200, there.json())
            if path == paths[0]:
                assert here.headers["ETag"] == there.headers["ETag"]

    def test_what_only_the_primary_knows_it_is_asked(self, cluster):
        key = cluster.create(title="Known").json()["id"]
        cluster.catch_up()
        cluster.until_read()
        position = {HEADER: "1:0/1"}
        for path, accept in [
            ("/api/changes/", "*/*"),
            (f"/api/books/{key}/history/", "*/*"),
            ("/api/me/", "*/*"),
            ("/api/books/", "text/csv"),
            ("/api/books/", "application/x-ndjson"),
        ]:
            read = cluster.ada.get(path, headers={**position, "Accept": accept})
            assert (read.status_code, cluster.source(read)) == (200, None), path

    def test_no_tag_of_the_primary_makes_a_standby_say_that_nothing_has_changed(self, cluster):
        cluster.create(title="Before")
        primary = {**cluster.headers, HEADER: "FFFFFFFF:FFFFFFFF/FFFFFFFF"}
        path, ask = "/api/books/?ordering=-id&page_size=2", cluster.anonymous.get
        tag = ask(path, headers=primary).headers["ETag"]
        assert ask(path, headers={**primary, "If-None-Match": tag}).status_code == 304
        cluster.catch_up()
        cluster.until_read()
        with cluster.paused():
            stale = ask(path)
            made = cluster.create(title="After")
            position = {HEADER: made.headers[HEADER]}
            newest = ask(path, headers={**primary, "If-None-Match": tag})
            assert newest.json()["results"][0]["title"] == "After"
            for known in (tag, newest.headers["ETag"]):
                here = ask(path, headers={"If-None-Match": known})
                assert (here.status_code, cluster.source(here)) == (200, STANDBY)
                assert here.headers["ETag"] == stale.headers["ETag"]
            # Nor does a standby's, where the position says what there has to be.
            for known in (tag, stale.headers["ETag"]):
                read = ask(path, headers={**position, "If-None-Match": known})
                assert (read.status_code, read.json()) == (200, newest.json())

    def test_a_repeated_write_and_a_refused_one_say_how_far_the_primary_is(self, cluster):
        once = {"Idempotency-Key": "once"}
        answers = [
            cluster.ada.post("/api/books/", json={"title": "Once"}, headers=once) for _ in range(2)
        ]
        first, second = (WALPosition.parse(each.headers[HEADER]) for each in answers)
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert second > first
        url = answers[0].headers["Location"]
        stale = cluster.ada.patch(url, json={"title": "Two"}, headers={"If-Match": '"7"'})
        assert (stale.status_code, HEADER in stale.headers) == (412, True)
        assert HEADER not in cluster.ada.post("/api/books/", json={}).headers

    def test_what_a_conflict_with_recovery_stops_the_primary_answers(self, cluster):
        made = cluster.create(title="Stopped", contributions=[{"author": {"name": "A. Reader"}}])
        path = f"/api/authors/{made.json()['author_ids'][0]}/books/"
        cluster.catch_up()
        cluster.until_read()
        with (
            ThreadPoolExecutor(1) as thread,
            psycopg.connect(cluster.primary.url) as first,
            psycopg.connect(cluster.primary.url) as second,
        ):
            # On the standby, too, as soon as their records are there.
            first.execute("LOCK TABLE books_book IN ACCESS EXCLUSIVE MODE")
            cluster.flush()
            of_books = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
            wait_until(lambda: run(cluster.standby, of_books))
            reading = thread.submit(cluster.anonymous.get, path)
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
            wait_until(lambda: run(cluster.standby, waits))
            # The reader has looked at the author, and so is in the way of this.
            second.execute("LOCK TABLE authors_author IN ACCESS EXCLUSIVE MODE")
            cluster.flush()
            wait_until(lambda: f"Repeating GET {path}" in cluster.server.log)
            first.rollback()
            second.rollback()
            read = reading.result()
        assert (read.status_code, cluster.source(read)) == (200, None)
        assert [each["title"] for each in read.json()["results"]] == ["Stopped"]
        assert "conflict with recovery" in cluster.server.log
        cluster.until_read()

    def test_what_it_is_asked_is_traced_as_well(self, cluster):
        cluster.catch_up()
        with collecting() as (url, received):
            traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SERVICE_NAME": SERVICE}
            with Server(cluster.server.env | traced) as server:
                for _ in range(20):
                    assert server.client.get("/api/books/").status_code == 200
                assert server.stop() == 0
                lines = [json.loads(line) for line in server.log.splitlines() if STANDBY in line]
        spans = spans_in(received)
        by_id = {attributes_of(each).get("catalogue.request_id"): each.span_id for each in spans}
        statements = Counter(each.parent_span_id for each in spans)
        assert lines
        for line in lines:
            assert statements[by_id[line["request_id"]]] == line["db_count"]

    def test_while_the_standby_is_away_nobody_notices(self, cluster):
        cluster.until_read()
        cluster.say_how_it_is(is_read=True, doctor="  replica1: a standby, ")
        is_over, statuses = Event(), []

        def read():
            while not is_over.is_set():
                statuses.append(cluster.anonymous.get("/api/books/").status_code)

        with ThreadPoolExecutor(CLIENTS) as threads:
            reading = [threads.submit(read) for _ in range(CLIENTS)]
            try:
                wait_until(lambda: len(statuses) > 40)
                before = len(cluster.server.log)
                cluster.standby.stop()
                aside = "replica1 is not read from: it "
                wait_until(lambda: aside in cluster.server.log[before:])
            finally:
                is_over.set()
        for each in reading:
            each.result()
        assert set(statuses) == {200}
        cluster.say_how_it_is(is_read=False, doctor="! replica1: does not answer: ")
        cluster.standby.start()
        cluster.until_read()
        assert "replica1 is read from again." in cluster.server.log
        cluster.say_how_it_is(is_read=True, doctor="  replica1: a standby, ")

    def test_one_that_was_promoted_is_read_from_no_more(self, cluster):
        cluster.until_read()
        run(cluster.standby, "SELECT pg_promote()")
        run(cluster.standby, "UPDATE books_book SET title = 'Another future'")
        for _ in range(20):
            read = cluster.anonymous.get("/api/books/?page_size=1")
            assert (read.status_code, cluster.source(read)) == (200, None)
            assert read.json()["results"][0]["title"] != "Another future"
        assert "replica1 is not read from: it is no standby." in cluster.server.log
        cluster.say_how_it_is(is_read=False, doctor="! replica1: is no standby")

    def test_one_of_another_timeline_is_read_from_no_more(self, cluster):
        cluster.standby.stop(signal.SIGINT)
        cluster.standby.signal.touch()
        cluster.standby.start()
        cluster.say_how_it_is(is_read=False, doctor="! replica1: is on timeline 2")
        for _ in range(20):
            read = cluster.anonymous.get("/api/books/?page_size=1")
            assert (read.status_code, cluster.source(read)) == (200, None)
