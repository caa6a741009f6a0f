"""Do two versions serve at once, as docs/operations.md has it, while the database changes?

Four versions of the code after one another: this tree, one with a field more, as CONTRIBUTING.md
adds it, one without the field and still with its column, and one that takes the column away.
"""

import re
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from threading import Event

import httpx
import pytest
from django.db import connection

from tests.copies import Copy
from tests.server import PASSWORD, PATIENCE, ROOT, Server, manage, wait_until, with_admins

pytestmark = pytest.mark.reliability
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
CLIENTS = 3
# Of one migrate, since a statement of a server may be in the way.
ATTEMPTS = 20


def section(title):
    """Of CONTRIBUTING.md."""
    return re.search(rf"^## {title}$(.*?)(?=^## )", GUIDE, re.DOTALL | re.MULTILINE)[1]


class Version(Copy):
    def write_migration(self, *arguments, block=None):
        """Have one written, and give it the operations that the guide has in this block."""
        before = self.migrations()
        self.manage("makemigrations", "books", "--verbosity", "0", *arguments)
        [path] = self.migrations() - before
        if block is not None:
            [text] = re.findall(rf"```python {block}\n(.+?) +```", GUIDE, re.DOTALL)
            source = path.read_text("utf-8").partition("    operations = ")[0]
            source = source.replace("import migrations\n", "import migrations, models\n")
            path.write_text(source + textwrap.indent(textwrap.dedent(text), "    "), "utf-8")

    def migrations(self):
        return set((self.folder / "books" / "migrations").glob("0*.py"))

    def migrate(self, env):
        """As the page has it, with an end to how long all wait for it, and so repeated."""
        [options] = re.findall(r"PGOPTIONS='(.+?)' catalogue migrate", PAGE)
        for _ in range(ATTEMPTS):
            done = manage("migrate", env=env | {"PGOPTIONS": options}, folder=self.folder)
            if done.returncode == 0:
                return
            assert "lock timeout" in done.stderr or "deadlock detected" in done.stderr, done.stderr
        raise AssertionError(done.stderr)


def versions(folder):
    expanded = Version(folder / "2")
    expanded.follow(section("Add a field"))
    expanded.write_migration()
    left = Version(folder / "3", expanded.folder)
    for name in ("models", "serializers"):
        path = left.folder / "books" / f"{name}.py"
        path.write_text(re.sub(r".*dedication.*\n", "", path.read_text("utf-8")), "utf-8")
    left.write_migration(block="stays")
    contracted = Version(folder / "4", left.folder)
    contracted.write_migration("--empty", block="goes")
    return [expanded, left, contracted]


class Clients:
    """Each writes and reads books of its own, of whichever server the proxy would ask."""

    def __init__(self):
        self.servers, self.is_over = [], Event()
        self.faults, self.subtitles = [], {}
        self.rounds = [0] * CLIENTS

    def ask(self, number, method, path, **request):
        servers = self.servers
        url = servers[(number + sum(self.rounds)) % len(servers)].url
        answer = httpx.request(method, url + path, timeout=60, **request)
        self.rounds[number] += 1
        if not answer.is_success:
            self.faults.append((url, method, path, answer.status_code, answer.text))
        return answer

    def write(self, number):
        login = {"username": "ada", "password": PASSWORD}
        for times in count():
            if times % 20 == 0:
                token = self.ask(number, "POST", "/api/token/", json=login).json()["access"]
                headers = self.headers = {"Authorization": f"Bearer {token}"}
            body = {
                "title": f"Book {number} {times}",
                "authors": [{"name": f"Author {number} {times}"}],
                "editions": [{"format": "ebook"}],
            }
            made = self.ask(number, "POST", "/api/books/", json=body, headers=headers).json()
            path = f"/api/books/{made['id']}/"
            self.subtitles[made["id"]] = f"{number} {times}"
            body = {"subtitle": self.subtitles[made["id"]], "editions": []}
            self.ask(number, "PATCH", path, json=body, headers=headers)
            self.ask(number, "DELETE", path, headers=headers)
            self.ask(number, "POST", f"{path}restore/", headers=headers)
            for each in (path, f"{path}history/", "/api/books/?search=book", "/api/changes/"):
                self.ask(number, "GET", each, headers=headers)
            if self.is_over.is_set():
                return

    def go_on(self):
        """Let each ask what stands in `servers` now, and then some more."""
        before = [*self.rounds]
        wait_until(
            lambda: (
                self.faults
                or all(now > then + 10 for now, then in zip(self.rounds, before, strict=True))
            ),
            60,
        )
        assert self.faults == []
        for server in self.servers:
            server.wait_until_ready()


def test_two_versions_serve_while_a_column_comes_and_goes(database_url, tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("of SQLite the page says to pause; run with --engine postgresql")
    later = versions(tmp_path)
    env = with_admins(database_url, "ada") | PATIENCE
    clients = Clients()
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as threads:
        old = stack.enter_context(Server(env))
        clients.servers = [old]
        jobs = [threads.submit(clients.write, number) for number in range(CLIENTS)]
        try:
            clients.go_on()
            for version in later:
                version.migrate(env)
                clients.go_on()
                new = stack.enter_context(Server(env, version.folder))
                clients.servers = [old, new]
                clients.go_on()
                clients.servers = [new]
                clients.go_on()
                assert "run `manage.py migrate`" not in old.log + new.log
                assert old.stop() == 0
                old = new
        finally:
            clients.is_over.set()
        for job in jobs:
            job.result()
        assert clients.faults == []
        # Whoever wrote it, it is there, and the feed tells of it.
        told, next_page = {}, "/api/changes/"
        while next_page:
            page = old.client.get(next_page, headers=clients.headers).json()
            told |= {row["id"]: row["version"] for row in page["results"] if row["kind"] == "books"}
            next_page = page["next"]
        assert told.keys() == clients.subtitles.keys()
        for key, subtitle in clients.subtitles.items():
            stored = old.client.get(f"/api/books/{key}/").json()
            assert (stored["subtitle"], stored["version"]) == (subtitle, told[key])
