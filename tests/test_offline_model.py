"""Do three phones, the admin, programs and a bad network end with one catalogue, and lose nothing?

The phones follow docs/offline.md: tests/phone.py takes the client from that page. Whoever changes
an object adds a mark of his own to its title or name, so a mark that is missing in the end was
overwritten, and one that stands twice was done twice. Some feeds are wrong on purpose, to see that
this test sees it.
"""

import json
import os
import sys
import tempfile
from contextlib import nullcontext
from datetime import timedelta
from io import StringIO
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rest_framework.test import APIClient

from auth_api.models import User
from books.importing import import_file
from books.models import Book
from project.api.changes.triggers import OWN_TABLES
from project.api.models import FormerKey, StoredAnswer
from tests.catalogue import TABLES, isbn
from tests.phone import Later, NoAnswerError, Phone
from tests.test_admin import browser, filled_in

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("OFFLINE_EXAMPLES", "12"))
KINDS = ("authors", "books", "publishers", "series", "subjects")
NAMED = {"authors": "name", "books": "title"}
TABLE = {"authors": "authors_author", "books": "books_book"}
NOW = timezone.now

PHONES = st.integers(0, 2)
SOME = st.integers(0, 3)
# Most do something with what others do something with.
SEVERAL = st.sets(PHONES, min_size=1).map(sorted)
FATES = st.sampled_from(["fine", "fine", "lost", "unheard", "late", "twice"])


def empty():
    """Let no object have been there, as in a new installation."""
    tables = [each._meta.db_table for each in (*TABLES, FormerKey, StoredAnswer)]
    own = sorted(OWN_TABLES - {"changes_feed"})
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            cursor.execute(f"TRUNCATE {', '.join(own)} CASCADE")
        else:
            cursor.execute("PRAGMA foreign_keys = OFF")
            for table in (*tables, *own):
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("UPDATE changes_feed SET last = 0")


class Everybody(RuleBasedStateMachine):
    """Each rule is what somebody does. `phone_class` is what the phones run."""

    phone_class = Phone
    people: SimpleNamespace

    @initialize()
    def begin(self):
        empty()
        self.numbers = count(1)
        self.skew = timedelta()
        self.clock = mock.patch.object(timezone, "now", self.now)
        self.clock.start()
        self.writer = self.elsewhere = self.form = None
        # What is in the catalogue for sure, and what its author has given up, was told or undone.
        self.marks, self.given_up = {}, set()
        self.phones = []
        for user in self.people.users:
            client = APIClient()
            client.force_authenticate(user)
            phone = self.phone_class(client)
            arrive = phone.network.arrive
            phone.network.arrive = lambda *args, arrive=arrive: self.witness(arrive, *args)
            self.phones.append(phone)
        self.root = APIClient()
        self.root.force_authenticate(self.people.root)
        self.root.raise_request_exception = self.people.desk.raise_request_exception = False
        if connection.vendor == "postgresql":
            self.execute(connection, "SET lock_timeout = 40")
        else:
            self.execute(connection, "PRAGMA busy_timeout = 40")
        # Everybody starts with something to edit.
        self.a_phone_creates(0, with_author=True, isbn_number=1)
        self.all_synchronise()

    def teardown(self):
        if not hasattr(self, "phones"):
            return
        try:
            # Whatever has happened, unless it has failed already.
            if sys.exc_info()[0] is None:
                self.all_synchronise()
        finally:
            self.end()

    def end(self):
        for other in (self.writer, self.elsewhere):
            if other is not None:
                other.close()
        self.clock.stop()
        if connection.vendor == "postgresql":
            self.execute(connection, "RESET lock_timeout")
        else:
            self.execute(connection, "PRAGMA busy_timeout = 60000")

    def now(self):
        return NOW() + self.skew

    # What there is

    def execute(self, on, sql, *params):
        with on.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall() if cursor.description else []

    def stored(self, kind):
        """What is committed, by id: the uid, the name and the version."""
        name = NAMED[kind]
        rows = self.execute(
            connection, f"SELECT id, uid, {name}, version FROM {TABLE[kind]} ORDER BY id"
        )
        return {key: (str(uid), title, version) for key, uid, title, version in rows}

    def some(self, kind, number):
        rows = list(self.stored(kind).items())
        return rows[number % len(rows)] if rows else None

    def mark(self, kind, uid):
        """A new mark, which whoever adds it to this object will find there."""
        made = f"m{next(self.numbers)}"
        self.marks[made] = (kind, uid)
        return made

    # What phones do

    def witness(self, arrive, method, path, body, key):
        """A write that is accepted must have been made from what was there."""
        if not path.endswith("/bulk/"):
            return arrive(method, path, body, key)
        kind = path.split("/")[2]
        before = (
            {uid: version for uid, _, version in self.stored(kind).values()}
            if kind in NAMED
            else {}
        )
        is_known = StoredAnswer.objects.filter(key=key).exists()
        status, answer = arrive(method, path, body, key)
        if status == 200 and not is_known:
            for action in ("update", "delete"):
                for item, result in zip(json.loads(body)[action], answer[action], strict=True):
                    if result["status"] < 300 and item["uid"] in before:
                        assert before[item["uid"]] == item["version"], "It overwrote what was new."
        return status, answer

    @rule(number=PHONES, with_author=st.booleans(), isbn_number=st.none() | st.integers(1, 3))
    def a_phone_creates(self, number, with_author, isbn_number):
        phone = self.phones[number]
        first = f"m{next(self.numbers)}"
        author = phone.create("authors", {"name": f"Author {first}"})
        self.marks[first] = ("authors", author)
        if not with_author:
            return
        second = f"m{next(self.numbers)}"
        body = {"title": f"Book {second}", "authors": [{"uid": author}]}
        if isbn_number:
            body["editions"] = [{"isbn13": isbn(isbn_number)}]
        self.marks[second] = ("books", phone.create("books", body))

    def seen(self, phone, number):
        """Something that the phone shows, with what it shows."""
        keys = {
            (kind, uid)
            for table in ("objects", "queue")
            for kind, uid in phone.store.execute(f"SELECT kind, uid FROM {table}")
            if kind in NAMED
        }
        # In an order that another run has, too: by who was first to mark it.
        shown = [(*key, phone.show(*key)) for key in keys]
        shown = [each for each in shown if each[2]]
        shown.sort(key=lambda each: each[2][NAMED[each[0]]])
        return shown[number % len(shown)] if shown else None

    @rule(numbers=SEVERAL, some=SOME)
    def phones_edit(self, numbers, some):
        for phone in (self.phones[number] for number in numbers):
            if found := self.seen(phone, some):
                kind, uid, shown = found
                name = NAMED[kind]
                phone.edit(kind, uid, {name: f"{shown[name]} {self.mark(kind, uid)}"})

    @rule(number=PHONES, some=SOME)
    def a_phone_deletes(self, number, some):
        phone = self.phones[number]
        if found := self.seen(phone, some):
            kind, uid, shown = found
            # What its user has not sent yet goes with it.
            self.given_up |= set(shown[NAMED[kind]].split()) & self.unsent(phone, kind, uid)
            phone.delete(kind, uid)

    def unsent(self, phone, kind, uid):
        bodies = phone.store.execute(
            "SELECT body FROM queue WHERE kind = ? AND uid = ?", [kind, uid]
        )
        return {word for (body,) in bodies for word in body.replace('"', " ").split()}

    @rule(number=PHONES, keeps=st.booleans())
    def a_phone_decides(self, number, keeps):
        for problem in self.phones[number].problems()[:1]:
            self.decide(self.phones[number], problem, keeps=keeps)

    def decide(self, phone, problem, *, keeps):
        place, kind, uid, action, body, refusal = problem
        name = NAMED[kind]
        stored = phone.store.execute(
            "SELECT document FROM objects WHERE kind = ? AND uid = ?", [kind, uid]
        ).fetchone()
        mine = body.get(name, "").split()
        if keeps and refusal["status"] == 412 and action == "update" and stored:
            theirs = json.loads(stored[0])[name].split()
            both = [*theirs, *(word for word in mine if word not in theirs)]
            phone.try_again(place, {**body, name: " ".join(both)})
        elif keeps and action == "create" and "editions" in body:
            phone.try_again(place, {each: body[each] for each in body if each != "editions"})
        else:
            self.given_up |= set(mine)
            phone.drop(place)

    @rule(numbers=SEVERAL, fate=FATES, pulls=st.booleans())
    def phones_send(self, numbers, fate, pulls):
        for phone in (self.phones[number] for number in numbers):
            phone.network.fate = fate
            try:
                phone.push()
                if pulls:
                    phone.pull()
            except (NoAnswerError, Later):
                pass
            finally:
                phone.network.fate = "fine"

    @rule(number=PHONES)
    def what_was_late_arrives(self, number):
        self.phones[number].network.deliver()

    @precondition(lambda self: self.writer is None)
    @rule(number=PHONES)
    def a_role_changes(self, number):
        user = self.people.users[number]
        user.role = "admin" if user.role == "librarian" else "librarian"
        user.save()

    # What others do

    def root_may_fail(self, answer, *statuses):
        # Somebody else writes it now.
        assert answer.status_code in (*statuses, 503), answer.content
        return answer.status_code != 503

    def add_mark(self, kind, found, write):
        """Let this write the name with a mark more, if it can now."""
        key, (uid, name, _) = found
        mark = f"m{next(self.numbers)}"
        if write(key, f"{name} {mark}"):
            self.marks[mark] = (kind, uid)

    @rule(kind=st.sampled_from(list(NAMED)), some=SOME)
    def a_program_edits(self, kind, some):
        """Without a precondition, from what is there now."""

        def write(key, name):
            url = f"/api/{kind}/{key}/"
            answer = self.root.patch(url, {NAMED[kind]: name}, format="json")
            return self.root_may_fail(answer, 200)

        if found := self.some(kind, some):
            self.add_mark(kind, found, write)

    @rule(kind=st.sampled_from(list(NAMED)), some=SOME)
    def somebody_deletes(self, kind, some):
        if found := self.some(kind, some):
            self.root_may_fail(self.root.delete(f"/api/{kind}/{found[0]}/"), 204, 409)

    @rule(some=SOME, into=SOME)
    def somebody_merges(self, some, into):
        gone, kept = self.some("authors", some), self.some("authors", into)
        if gone and kept:
            url = f"/api/authors/{gone[0]}/merge/"
            answer = self.root.post(url, {"into": kept[0]}, format="json")
            # 400: it is the same.
            self.root_may_fail(answer, 200, 400)

    @rule(some=SOME)
    def somebody_restores(self, some):
        deleted = self.execute(
            connection,
            "SELECT DISTINCT object_id FROM changes_change WHERE kind = 'books.book'"
            " AND operation = 'delete' ORDER BY object_id",
        )
        if deleted:
            [key] = deleted[some % len(deleted)]
            answer = self.root.post(f"/api/books/{key}/restore/")
            self.root_may_fail(answer, 200, 409)

    @rule(some=SOME)
    def the_admin_opens_a_form(self, some):
        if found := self.some("books", some):
            key, (uid, _, _) = found
            url = f"/admin/books/book/{key}/change/"
            self.form = (url, uid, filled_in(self.people.desk.get(url)))

    @precondition(lambda self: self.form)
    @rule()
    def the_admin_saves_it(self):
        (url, uid, form), self.form = self.form, None
        mark = f"m{next(self.numbers)}"
        answer = self.people.desk.post(url, form | {"title": f"{form['title']} {mark}"})
        # 200: the page again, which says who was faster. To a deleted one's it leads elsewhere.
        assert answer.status_code in (302, 200, 503), answer.content
        if any(mark in name for _, name, _ in self.stored("books").values()):
            assert answer.status_code == 302
            self.marks[mark] = ("books", uid)

    @precondition(lambda self: self.writer is None)
    @rule(isbn_number=st.integers(1, 3))
    def a_file_is_imported(self, isbn_number):
        """One book that is stored, if any has this number, and a new one."""
        new, edit = (f"m{next(self.numbers)}" for _ in range(2))
        rows = [{"title": f"Book {new}", "authors": [{"name": "Imported"}]}]
        for stored in Book.objects.filter(editions__isbn13=isbn(isbn_number)):
            authors = [
                {"name": each.author.name} for each in stored.contributions.select_related("author")
            ]
            title = f"{stored.title} {edit}"
            editions = [{"isbn13": isbn(isbn_number)}]
            rows.append({"title": title, "authors": authors, "editions": editions})
            self.marks[edit] = ("books", str(stored.uid))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "books.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            report = import_file(file, update="overwrite")
        assert report.reasons == []
        [uid] = [uid for uid, name, _ in self.stored("books").values() if new in name.split()]
        self.marks[new] = ("books", uid)

    @rule(hours=st.sampled_from([-30, 0, 25, 50]))
    def the_clock_is_set(self, hours):
        self.skew = timedelta(hours=hours)

    @precondition(lambda self: self.writer is None)
    @rule()
    def old_keys_are_forgotten(self):
        call_command("housekeeping", stdout=StringIO())

    # Writes that last

    @precondition(lambda self: self.writer is None)
    @rule(kind=st.sampled_from(list(NAMED)), some=SOME)
    def a_long_write_begins(self, kind, some):
        """A hand with SQL, which raises the version itself."""
        found = self.some(kind, some)
        self.writer = connection.copy()
        self.writing = None
        begin = "BEGIN" if connection.vendor == "postgresql" else "BEGIN IMMEDIATE"
        self.execute(self.writer, begin)
        if found is None:
            return
        key, (uid, name, _) = found
        mark = f"m{next(self.numbers)}"
        self.execute(
            self.writer,
            f"UPDATE {TABLE[kind]} SET {NAMED[kind]} = %s, version = version + 1, updated_at = %s"
            " WHERE id = %s",
            f"{name} {mark}",
            timezone.now(),
            key,
        )
        self.writing = (mark, kind, uid)

    @precondition(lambda self: self.writer is not None)
    @rule(commits=st.booleans())
    def the_long_write_ends(self, commits):
        self.execute(self.writer, "COMMIT" if commits else "ROLLBACK")
        self.writer.close()
        self.writer = None
        if commits and self.writing:
            mark, *where = self.writing
            self.marks[mark] = tuple(where)

    @precondition(lambda self: connection.vendor == "postgresql" and self.elsewhere is None)
    @rule()
    def a_write_begins_in_another_database(self):
        """It never ends."""
        url = connection.settings_dict
        self.elsewhere = psycopg.connect(
            host=url["HOST"],
            port=url["PORT"] or None,
            user=url["USER"],
            password=url["PASSWORD"],
            dbname="postgres",
        )
        self.elsewhere.execute("SELECT pg_current_xact_id()")

    # In the end

    @rule()
    def all_synchronise(self):
        if self.writer is not None:
            self.the_long_write_ends(commits=True)
        for phone in self.phones:
            phone.network.deliver()
        for turn in range(20):
            for number, phone in enumerate(self.phones):
                phone.synchronise()
                for problem in phone.problems():
                    self.decide(phone, problem, keeps=(turn + number) % 2 == 0)
            if all(phone.has_nothing_to_send for phone in self.phones):
                break
        for phone in self.phones:
            phone.synchronise()
        self.compare()

    def compare(self):
        shown = {}
        for kind in KINDS:
            page = self.root.get(f"/api/{kind}/?page_size=200").json()
            shown |= {(kind, each["uid"]): each for each in page["results"]}
        for phone in self.phones:
            assert phone.has_nothing_to_send
            held = phone.objects()
            differing = {
                key: (held.get(key), shown.get(key))
                for key in held.keys() | shown.keys()
                if held.get(key) != shown.get(key)
            }
            assert not differing, f"A store differs: {differing}"
        words = [
            word for (kind, _), each in shown.items() if kind in NAMED
            for word in each[NAMED[kind]].split() if word in self.marks
        ]  # fmt: skip
        assert len(words) == len(set(words)), "Something was done twice."
        for mark, where in self.marks.items():
            if mark not in self.given_up and where in shown:
                kind, _ = where
                assert mark in shown[where][NAMED[kind]].split(), "An edit is lost."


@pytest.fixture
def people(db):
    users = [
        User.objects.create_user(username=name, email=f"{name}@example.org", role=role)
        for name, role in [("ann", "librarian"), ("bob", "librarian"), ("eve", "admin")]
    ]
    root = User.objects.create_user(username="root", email="root@example.org", role="admin")
    return SimpleNamespace(users=users, root=root, desk=browser("admin"))


def test_phones_that_follow_the_page_miss_nothing_and_overwrite_nobody(people):
    run_state_machine_as_test(
        type("Everybody", (Everybody,), {"people": people}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
            # To shrink what it has found would take many minutes.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )


# The feeds that are wrong


class WrongPhone(Phone):
    """It follows `changes`, which gives places and objects in an order of its own."""

    def pull(self):
        [(cursor,)] = self.store.execute("SELECT cursor FROM state")
        last = cursor
        for place, kind, key in self.changes(cursor):
            status, document = self.send("GET", f"/api/{kind}/{key}/")
            assert status == 200
            with self.store:
                self._put(kind, document)
            last = place
        with self.store:
            self.store.execute("UPDATE state SET cursor = ?", [last])


class BySequence(WrongPhone):
    where = "id > %s"

    def changes(self, cursor):
        """In the order in which their ids were given."""
        with connection.cursor() as found:
            found.execute(
                "SELECT id, kind, object_id FROM changes_change"
                f" WHERE kind IN ('authors.author', 'books.book') AND {self.where} ORDER BY id",
                [int(cursor or 0)],
            )
            return [
                (str(place), f"{kind.partition('.')[2]}s", key)
                for place, kind, key in found.fetchall()
            ]


class ByXmin(BySequence):
    """Of these, what is older than every transaction that is under way in the cluster."""

    where = "id > %s AND transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


class ByTimestamp(WrongPhone):
    def changes(self, cursor):
        """As `updated_since` tells of them."""
        since = f"&updated_since={cursor.replace('+', '%2B')}" if cursor else ""
        found = []
        for kind in NAMED:
            _, page = self.send("GET", f"/api/{kind}/?page_size=200{since}")
            found += [(each["updated_at"], kind, each["id"]) for each in page["results"]]
        return sorted(found)


STAGES = [
    "a write lasts longer than one that began later",
    "a clock is set back",
    "another database is written",
]


def live(everybody, passed):
    """What happens in each stage, after which all synchronise and must hold the same."""
    everybody.begin()
    everybody.a_long_write_begins("books", 0)
    everybody.a_program_edits("authors", 0)
    everybody.phones_send([1], "fine", pulls=True)
    everybody.all_synchronise()
    passed.append(STAGES[0])
    everybody.the_clock_is_set(-30)
    everybody.a_program_edits("books", 0)
    everybody.all_synchronise()
    passed.append(STAGES[1])
    if connection.vendor == "postgresql":
        everybody.a_write_begins_in_another_database()
    everybody.a_program_edits("books", 0)
    everybody.all_synchronise()
    passed.append(STAGES[2])


@pytest.mark.parametrize(
    ("phone_class", "expected"),
    [
        (Phone, {"sqlite": 3, "postgresql": 3}),
        # SQLite has one writer at a time: the order of ids is that of commits.
        (BySequence, {"sqlite": 3, "postgresql": 0}),
        (ByTimestamp, {"sqlite": 1, "postgresql": 0}),
        (ByXmin, {"postgresql": 2}),
    ],
)
def test_phones_that_follow_another_order_are_found_out(people, phone_class, expected):
    if connection.vendor not in expected:
        pytest.skip("SQLite has no ids of transactions.")
    number = expected[connection.vendor]
    everybody = type("Everybody", (Everybody,), {"people": people, "phone_class": phone_class})()
    differs = pytest.raises(AssertionError, match=r"^A store differs")
    passed = []
    try:
        with differs if number < len(STAGES) else nullcontext():
            live(everybody, passed)
    finally:
        everybody.end()
    # A write of another test, in its own database, holds that of xmin up as well.
    assert passed == STAGES[: len(passed) if phone_class is ByXmin else number]
