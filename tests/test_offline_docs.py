"""Does docs/offline.md say what happens: its requests, its codes, its interleavings?

Its store and its client are what tests/test_offline_model.py runs.
"""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection
from rest_framework.test import APIClient

from auth_api.models import User
from authors.models import Author
from project.api.models import StoredAnswer
from tests.catalogue import book, continue_ids, isbn, send
from tests.phone import NoAnswerError, Phone, Refused, section
from tests.test_admin import browser, filled_in
from tests.test_admin_conflicts import hidden_inputs
from tests.test_conditional_docs import parts

AUTHOR = "a0000000-0000-4000-8000-000000000001"
OMENS = "b0000000-0000-4000-8000-000000000001"
NEW = "b0000000-0000-4000-8000-00000000000f"
CHANGES = "/api/changes/"


def rows(text):
    lines = [line for line in text.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.fixture
def omens(db):
    """The catalogue that the page begins with."""
    author = Author.objects.create(id=1, uid=AUTHOR, name="Terry Pratchett")
    made = book("Good Omens", [author], id=1, uid=OMENS)
    continue_ids()
    return made


# A phone's life


def assert_shown(expected, actual):
    """The answer is what the page shows, as far as it shows it; `…` is anything."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_shown(value, actual[name])
    elif isinstance(expected, list):
        assert len(actual) == len(expected)
        for pair in zip(expected, actual, strict=True):
            assert_shown(*pair)
    elif expected != "…":
        assert actual == expected


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_a_phones_life_goes_as_the_page_says(librarian, omens):
    blocks = re.findall(r"```http\n(.*?)```", section("## A phone's life"), re.DOTALL)
    assert len(blocks) == 30
    cursor = tag = None
    for request, expected in zip(blocks[::2], blocks[1::2], strict=True):
        (line, headers, body), (status, said, document) = parts(request), parts(expected)
        method, path = line.split()
        answer = librarian.generic(
            method,
            path.replace("…", cursor or ""),
            body,
            "application/json",
            headers={name: value.replace('"…"', tag or "") for name, value in headers.items()},
        )
        assert answer.status_code == int(status), answer.content
        for name, value in said.items():
            assert value == '"…"' or answer[name] == value
        assert answer.has_header("Idempotency-Replayed") == ("Idempotency-Replayed" in said)
        assert bool(document) == bool(answer.content)
        if document:
            assert_shown(json.loads(document), answer.json())
            cursor = answer.json().get("next_cursor", cursor)
        tag = answer.headers.get("ETag", tag)


# What each code comes from


@pytest.fixture
def people(librarian, member, anonymous, admin):
    return {"librarian": librarian, "member": member, "anonymous": anonymous, "admin": admin}


def follow(who="librarian", **query):
    headers = {"If-None-Match": query.pop("tag")} if "tag" in query else {}
    return lambda people: people[who].get(CHANGES, query, headers=headers)


def sends(body, who="librarian", kind="books", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda people: people[who].post(
        f"/api/{kind}/bulk/", body, format="json", headers=headers
    )


def does(action, item, who="librarian", kind="books"):
    return sends({action: [item], "partial": True}, who, kind)


def after(first, then):
    def ask(people):
        first(people)
        return then(people)

    return ask


def held_up(people):
    """While another writes, and nobody waits for long."""
    hold, hurry, rest = {
        "postgresql": (
            "BEGIN; LOCK TABLE books_book IN ACCESS EXCLUSIVE MODE",
            "SET lock_timeout = 50",
            "RESET lock_timeout",
        ),
        "sqlite": ("BEGIN IMMEDIATE", "PRAGMA busy_timeout = 50", "PRAGMA busy_timeout = 60000"),
    }[connection.vendor]
    other = connection.copy()
    with connection.cursor() as cursor, other.cursor() as another:
        cursor.execute(hurry)
        another.execute(hold)
        people["librarian"].raise_request_exception = False
        answer = sends({"create": [{"title": "T"}]}, Idempotency_Key="k")(people)
        another.execute("ROLLBACK")
        cursor.execute(rest)
    other.close()
    return answer


def unknown(people):
    """The connection ends while what was written is stored."""
    other, commit = connection.copy(), connection._commit

    def cut():
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
        commit()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(backend,)] = cursor.fetchall()
    connection._commit = cut
    try:
        return sends({"create": [{"title": "T"}]})(people)
    finally:
        del connection._commit
        other.close()


def in_flight(people):
    """The first request with the key has not been answered."""
    user = people["librarian"].user
    other = connection.copy()
    with other.cursor() as another:
        another.execute("BEGIN")
        another.execute(
            "INSERT INTO api_storedanswer (user_id, key, method, path, body_digest, status,"
            " headers, content, created_at) VALUES (%s, 'k', '', '', '', 0, '{}', '', now())",
            [user.pk],
        )
        answer = sends({"create": []}, Idempotency_Key="k")(people)
        another.execute("ROLLBACK")
    other.close()
    return answer


def no_answer(people):
    """The write was done, and the same again gets its answer."""
    phone = Phone(people["librarian"])
    phone.create("authors", {"name": "Neil Gaiman"})
    phone.network.fate = "unheard"
    with pytest.raises(NoAnswerError):
        phone.push()
    assert Author.objects.filter(name="Neil Gaiman").count() == 1
    phone.network.fate = "fine"
    phone.push()
    assert phone.has_nothing_to_send
    assert Author.objects.filter(name="Neil Gaiman").count() == 1


ANY = {
    "401": follow("anonymous"),
    "403": sends({"create": []}, "member"),
    "503 `unavailable`": held_up,
    "503 `outcome_unknown`": unknown,
    "no answer": no_answer,
}
FEED = {
    "200": follow(),
    "304": lambda people: follow(tag=follow()(people)["ETag"])(people),
    "400 `invalid` at `after`": follow(after="x"),
    "400 `unknown` at `kinds`": follow(kinds="films"),
    "410 `resync`": follow(after="MS4xLjEubWVtYmVy"),
}
TWICE = {"create": [{"title": "T", "uid": NEW}]}
TAKEN = {"title": "T", "editions": [{"isbn13": isbn(1)}]}
BULK = {
    "200": sends({}),
    "400 `not_a_list`": sends({"create": 1}),
    "400 `malformed`": sends({}, Idempotency_Key="é"),
    "409 `idempotency_in_flight`": in_flight,
    "413": sends({"create": [{}] * 201}),
    "422 `idempotency_mismatch`": after(
        sends({"create": []}, Idempotency_Key="k"), sends({}, Idempotency_Key="k")
    ),
}


def merged(then):
    """The same after the object with this uid was merged into author 1."""

    def ask(people):
        made = people["admin"].post("/api/authors/", {"name": "N", "uid": NEW}, format="json")
        url = f"/api/authors/{made.json()['id']}/merge/"
        assert people["admin"].post(url, {"into": 1}, format="json").status_code == 200
        return then(people)

    return ask


DELETED = does("delete", {"uid": NEW})
ITEM = {
    "201": does("create", {"title": "T"}),
    "200": does("update", {"id": 1, "title": "T"}),
    "204": does("delete", {"id": 1}),
    "400 `blank`": does("create", {"title": ""}),
    "403 `permission_denied`": sends(
        {"create": [], "delete": [{"id": 1}], "partial": True}, kind="authors"
    ),
    "404 `not_found`": does("update", {"uid": NEW, "version": 1}),
    "409 `unique` at its `uid`": does("create", {"title": "T", "uid": OMENS}),
    "409 `unique` elsewhere": after(does("create", TAKEN), does("create", TAKEN)),
    "409 `deleted`": after(
        after(sends(TWICE), does("delete", {"uid": NEW})), does("create", TWICE["create"][0])
    ),
    "409 `merged`": merged(does("create", {"uid": NEW, "name": "N"}, kind="authors")),
    "409 `does_not_exist`": does("create", {"title": "T", "series_id": 999}),
    "409 `in_use`": does("delete", {"id": 1}, "admin", "authors"),
    "410 `merged`": merged(does("update", {"uid": NEW, "name": "M"}, kind="authors")),
    "412 `precondition_failed`": does("update", {"id": 1, "version": 7, "title": "T"}),
    "428 `precondition_required`": does("update", {"id": 1, "title": "T"}),
}


@pytest.mark.parametrize(
    ("title", "known"),
    [
        ("### Of any request", ANY),
        ("### Of the feed", FEED),
        ("### Of a bulk as a whole", BULK),
        ("### Of an item of a bulk", ITEM),
    ],
)
def test_each_row_of_the_codes_is_provoked_below(title, known):
    assert [row[0] for row in rows(section(title))] == list(known)


def codes_of(problem):
    """What the table may call this problem."""
    faults = []
    for fault in problem.get("errors", ()):
        place = fault.get("parameter") or fault.get("pointer", "").rpartition("/")[2]
        faults.append((fault["code"], f"at `{place}`"))
    return problem.get("code"), faults


def assert_is(row, status, problem):
    """The row's status, code and place are those of the answer."""
    number, code, _, place = (
        re.fullmatch(r"(\d+)(?: `(\w+)`)?( (?:its )?)?(.*)", row.replace("at its", "at"))
    ).groups()
    assert status == int(number), problem
    whole, faults = codes_of(problem)
    if code is not None:
        assert code == whole or code in [each for each, _ in faults]
    if place.startswith("at"):
        assert (code, place) in faults
    elif place == "elsewhere":
        assert (code, "at `uid`") not in faults


WHOLE = [(row, ask) for known in (ANY, FEED, BULK) for row, ask in known.items()]
# These need others who write at the same time.
LOCKED = [held_up, unknown, in_flight]


@pytest.mark.django_db
@pytest.mark.parametrize(("row", "ask"), [each for each in WHOLE if each[1] not in LOCKED])
def test_an_answer_as_a_whole_is_what_the_table_says(row, ask, people, omens):
    answer = ask(people)
    if row == "no answer":
        return
    assert_is(row, answer.status_code, answer.json() if answer.content else {})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("row", "ask"), [each for each in WHOLE if each[1] in LOCKED])
def test_who_comes_at_the_wrong_moment_is_told_when_to_come_again(row, ask, people):
    if ask is not held_up and connection.vendor == "sqlite":
        pytest.skip("SQLite's writers wait for each other, and it has no connection to cut.")
    answer = ask(people)
    assert_is(row, answer.status_code, answer.json())
    assert answer["Retry-After"] == "1"


@pytest.mark.django_db
@pytest.mark.parametrize("row", list(ITEM))
def test_an_items_answer_is_what_the_table_says(row, people, omens, settings):
    settings.PRECONDITIONS_REQUIRED = row.startswith("428")
    answer = ITEM[row](people)
    assert answer.status_code == 200
    [result] = [each for results in answer.json().values() for each in results]
    assert_is(row, result["status"], result.get("problem", {}))
    if "existing_id" in json.dumps(result):
        assert row.startswith(("409 `unique`", "409 `in_use`", "409 `merged`"))
    assert ("document" in result) == (row[:3] in ("200", "201", "412"))


# What the client does when all of a request is refused


@pytest.mark.django_db
def test_who_may_not_write_keeps_the_queue_until_the_role_is_another(member):
    phone = Phone(member)
    phone.create("books", {"title": "T"})
    with pytest.raises(Refused):
        phone.push()
    member.user.role = "librarian"
    member.user.save()
    phone.push()
    assert phone.has_nothing_to_send
    assert [each["title"] for each in phone.objects().values()] == ["T"]


@pytest.mark.django_db
def test_what_is_too_large_goes_in_smaller_parts(librarian):
    phone = Phone(librarian)
    phone.size = 300
    for number in range(201):
        phone.create("series", {"name": f"Series {number}"})
    with pytest.raises(Refused) as refused:
        phone.push()
    assert refused.value.args[0] == 413
    phone.size = 150
    phone.push()
    assert phone.has_nothing_to_send
    assert len(phone.objects()) == 201


# Two phones and the admin


class Scene:
    """What the words of the table do."""

    def __init__(self, made):
        self.book, self.author = made, made.authors.get()
        self.root = APIClient()
        self.root.force_authenticate(
            User.objects.create_user(username="c", email="c@example.org", role="admin")
        )
        self.desk = browser("admin", "desk")
        self.form, self.told = None, []
        self.phones = {}
        for name in "AB":
            client = APIClient()
            email = f"{name}@example.org"
            client.force_authenticate(
                User.objects.create_user(username=name, email=email, role="librarian")
            )
            self.phones[name] = Phone(client)
            self.phones[name].pull()

    def act(self, words):
        who, _, what = words.partition(" ")
        if who in self.phones:
            self.let_phone(who, self.phones[who], what)
        elif who == "C":
            self.let_admin(what)
        elif words == "a day passes":
            for stored in StoredAnswer.objects.all():
                stored.created_at -= timedelta(hours=25)
                stored.save()
        else:
            assert words == "what is late arrives"
            for phone in self.phones.values():
                phone.network.deliver()

    def let_phone(self, name, phone, what):
        uid = str(self.book.uid)
        verb, _, fate = what.partition(" ")
        match verb:
            case "edits":
                phone.edit("books", uid, {"title": f"{phone.show('books', uid)['title']} {name}"})
            case "deletes":
                phone.delete("books", uid)
            case "creates":
                author = {"uid": str(self.author.uid)} if fate else None
                phone.create("books", {"title": "Second", "authors": [author] if author else []})
            case "pulls":
                phone.pull()
            case "keeps":
                [(place, kind, uid, _, body, _)] = phone.problems()
                stored = phone.store.execute(
                    "SELECT document FROM objects WHERE kind = ? AND uid = ?", [kind, uid]
                ).fetchone()
                title = f"{json.loads(stored[0])['title']} {name}"
                phone.try_again(place, {**body, "title": title})
            case "sends":
                phone.network.fate = fate or "fine"
                if fate:
                    with pytest.raises(NoAnswerError):
                        phone.push()
                else:
                    phone.push()
                    for *_, problem in phone.problems():
                        self.told.append(f"{name}: {problem['status']}")
                phone.network.fate = "fine"
            case _:
                raise AssertionError(what)

    def let_admin(self, what):
        path = f"/books/{self.book.pk}/"
        url = f"/admin/books/book/{self.book.pk}/change/"
        deletion = f"/admin/books/book/{self.book.pk}/delete/"
        match what:
            case "opens":
                self.form = filled_in(self.desk.get(url))
            case "saves":
                self.save(self.form)
            case "edits":
                self.save(filled_in(self.desk.get(url)))
            case "opens the deletion":
                self.form = hidden_inputs(self.desk.get(deletion).content.decode())
            case "confirms it":
                self.hear(self.desk.post(deletion, self.form, follow=True))
            case "deletes":
                send(self.root, "DELETE", path, status=204)
            case "restores":
                send(self.root, "POST", f"{path}restore/")
            case "renames the author":
                send(self.root, "PATCH", f"/authors/{self.author.pk}/", {"name": "Sir Terry"})
            case "merges the author":
                into = send(self.root, "POST", "/authors/", {"name": "Terry Pratchett"}, 201)["id"]
                send(self.root, "POST", f"/authors/{self.author.pk}/merge/", {"into": into})
            case _:
                raise AssertionError(what)

    def save(self, form):
        url = f"/admin/books/book/{self.book.pk}/change/"
        self.hear(self.desk.post(url, form | {"title": f"{form['title']} C"}, follow=True))

    def hear(self, answer):
        text = answer.content.decode()
        if "Perhaps it was deleted" in text:
            self.told.append("C: it is gone")
        elif "has changed it" in text:
            self.told.append("C: who was faster")


INTERLEAVINGS = rows(section("## Two phones and the admin"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("number", "happens", "title", "told"), INTERLEAVINGS, ids=[row[0] for row in INTERLEAVINGS]
)
def test_an_interleaving_ends_as_the_table_says(number, happens, title, told):
    made = book("Book", [Author.objects.create(name="Terry")])
    scene = Scene(made)
    for words in happens.split(", "):
        scene.act(words)
    assert ", ".join(scene.told) == told
    stored = {}
    for kind in ("authors", "books"):
        page = send(scene.root, "GET", f"/{kind}/")
        stored |= {(kind, each["uid"]): each for each in page["results"]}
    for phone in scene.phones.values():
        for place, *_ in phone.problems():
            phone.drop(place)
        phone.synchronise()
        assert phone.objects() == stored
    found = stored.get(("books", str(made.uid)))
    assert (found["title"] if found else "") == title
    second = [each for each in stored.values() if each.get("title") == "Second"]
    assert len(second) == ("creates" in happens)


def test_the_interleavings_are_twenty_at_least():
    assert [row[0] for row in INTERLEAVINGS] == [str(i + 1) for i in range(len(INTERLEAVINGS))]
    assert len(INTERLEAVINGS) >= 20
    assert len({row[1] for row in INTERLEAVINGS}) == len(INTERLEAVINGS)
