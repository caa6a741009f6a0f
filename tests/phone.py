"""The client of docs/offline.md, taken from that page, and the network between it and the API."""

import json
import re
import sqlite3
import weakref
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "offline.md"
TEXT = PAGE.read_text("utf-8")


def section(title):
    """The text below this heading, to the next one that is not deeper."""
    level = len(title.split()[0])
    text = re.search(rf"^{title}\n(.*?)(?=^#{{1,{level}}} |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    return text[1]


def block(title, language):
    """The one block in this language below this heading."""
    [found] = re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)
    return found


SCHEMA = block("## The store", "sql")
_names: dict = {}
exec(compile(block("## The client", "python"), str(PAGE), "exec"), _names)  # noqa: S102
Client, Later, Refused = (_names[name] for name in ("Client", "Later", "Refused"))


class NoAnswerError(OSError):
    """The request or its answer was lost."""


class Network:
    """Between a phone and the API.

    `fate` is that of the requests from now on: "fine"; "lost", they never arrive; "unheard", they
    do, but their answers are lost; "late", they arrive when `deliver` is called; "twice".
    """

    def __init__(self, client):
        self.client = client
        # What a server says of it counts.
        self.client.raise_request_exception = False
        self.fate = "fine"
        self.late = []

    def send(self, method, path, body=None, key=None):
        if self.fate == "lost":
            raise NoAnswerError
        if self.fate == "late":
            self.late.append((method, path, body, key))
            raise NoAnswerError
        if self.fate == "twice":
            self.arrive(method, path, body, key)
        answer = self.arrive(method, path, body, key)
        if self.fate == "unheard":
            raise NoAnswerError
        return answer

    def deliver(self):
        """Let arrive what is late. Nobody waits for the answers any more."""
        while self.late:
            self.arrive(*self.late.pop(0))

    def arrive(self, method, path, body, key):
        answer = self.client.generic(
            method,
            path,
            body or "",
            "application/json",
            headers={"Idempotency-Key": key} if key else {},
        )
        assert answer.status_code != 500
        return answer.status_code, json.loads(answer.content) if answer.content else None


class Phone(Client):
    """A client with a store and a network of its own."""

    def __init__(self, client):
        self.network = Network(client)
        store = sqlite3.connect(":memory:", check_same_thread=False)
        store.executescript(SCHEMA)
        # Python warns of one that nobody has closed.
        weakref.finalize(self, store.close)
        super().__init__(store, self.network.send)

    def objects(self):
        """All that is shown, by kind and uid."""
        keys = self.store.execute("SELECT kind, uid FROM objects").fetchall()
        return {(kind, uid): self.show(kind, uid) for kind, uid in keys}

    @property
    def has_nothing_to_send(self):
        return self.store.execute("SELECT count(*) FROM queue").fetchone() == (0,)
