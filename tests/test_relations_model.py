"""Whatever is written in whatever order, is what is read what the rules say?

The rules of docs/relations.md once more, in plain Python on plain dicts, with none of the
project's code. hypothesis sends one request after another to the API and to this reference;
after each, both must have refused it alike, or hold the same books and authors.
"""

import copy
import json
import os
from collections import defaultdict

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rest_framework.test import APIClient

from auth_api.models import User
from tests.catalogue import isbn

NOWHERE = 10**12
ROLES = ["author", "editor"]
NAMES = ["Ann", "Bob", "BOB"]
# Of these a name, in whatever case, is a natural key.
UNIQUE = ("subject", "publisher")
ISBNS = [isbn(number) for number in range(4)]
# The keys of the twins, by the name of the nested one, with the kind of what they refer to.
ONE = {"series": "series_id", "publisher": "publisher_id", "author": "author_id"}


class Reference:
    """The whole catalogue: shared objects by kind and id, and books by id."""

    def __init__(self):
        self.shared = {"author": {}, "series": {}, "subject": {}, "publisher": {}}
        self.books = {}

    # One write is applied to a copy, and forgotten where it has a fault

    def begin(self):
        draft = copy.deepcopy(self)
        draft.faults, draft.new = [], []
        return draft

    def refusal(self):
        """The status that refuses this write, or None."""
        return (409 if set(self.faults) == {409} else 400) if self.faults else None

    def create(self, kind, attrs):
        for made in self.new:
            if made["kind"] == kind and is_called(kind, made, attrs["name"]):
                return made
        made = {"id": None, "kind": kind, "name": attrs["name"]}
        self.new.append(made)
        return made

    def mention(self, kind, value):
        """What a key or an object says, comparable; faults where it says what is not so."""
        if value is None:
            return None
        if not isinstance(value, dict):
            value = {"id": value}
        if "id" not in value:
            stored = self.shared[kind].items()
            called = (pk for pk, each in stored if is_called(kind, each, value["name"]))
            return next(called, json.dumps(value))
        found = self.shared[kind].get(value["id"])
        if found is None:
            self.faults.append(409)
        elif value.get("name", found["name"]) != found["name"]:
            self.faults.append(400)
        return value["id"]

    def agreed(self, told, stored, is_new):
        """The one that says something new: (True, what it says), or (False, None)."""
        news = told if is_new else [each for each in told if each != stored]
        if any(each != news[0] for each in news):
            self.faults.append(400)
            return False, None
        return (True, news[0]) if news else (False, None)

    def meant(self, kind, meaning):
        """The id or the new object that a meaning stands for, each created once for a place."""
        if not isinstance(meaning, str):
            return meaning
        return self.create(kind, json.loads(meaning))

    def to_one(self, owner, name, body, is_new):
        key = ONE[name]
        told = [self.mention(name, body[twin]) for twin in (name, key) if twin in body]
        given, meaning = self.agreed(told, owner.get(key), is_new)
        if given:
            owner[key] = self.meant(name, meaning)

    def without_repeats(self, values):
        ids = [each["id"] if isinstance(each, dict) else each for each in values if has_id(each)]
        self.faults += [400] * (len(ids) - len(set(ids)))
        seen, kept = set(), []
        for each in values:
            pk = each["id"] if isinstance(each, dict) and "id" in each else each
            if has_id(each) and pk in seen:
                continue
            seen.add(pk if has_id(each) else id(each))
            kept.append(each)
        return kept

    # Books

    def write_book(self, book, body, is_new):
        book.update({name: body[name] for name in ("title",) if name in body})
        self.to_one(book, "series", body, is_new)
        self.write_subjects(book, body, is_new)
        self.write_contributions(book, body, is_new)
        if "editions" in body:
            self.write_editions(book, body["editions"])

    def write_subjects(self, book, body, is_new):
        told = []
        for twin in ("subjects", "subject_ids"):
            if twin in body:
                values = self.without_repeats(body[twin])
                told.append(self.set_of(values))
        given, meanings = self.agreed(told, sorted(book["subject_ids"], key=repr), is_new)
        if given:
            book["subject_ids"] = [self.meant("subject", each) for each in meanings]

    def set_of(self, values):
        """What these subjects mean.

        One that is called by its name beside its id stands once; of a new one's spellings the
        first is stored.
        """
        keys = [self.mention("subject", each) for each in values if has_id(each)]
        called = set()
        for each in values:
            if not has_id(each):
                meaning = self.mention("subject", each)
                if meaning not in keys and each["name"].casefold() not in called:
                    keys.append(meaning)
                called.add(each["name"].casefold())
        return sorted(keys, key=repr)

    def write_contributions(self, book, body, is_new):
        before = book["contributions"]
        writers = [row["author_id"] for row in before if row["role"] == "author"]
        views = []
        for twin in ("authors", "author_ids"):
            if twin in body:
                values = self.without_repeats(body[twin])
                views.append((twin, [self.mention("author", each) for each in values]))
        entries = None
        if "contributions" in body:
            items = self.without_repeats(body["contributions"])
            entries = self.entries(before, items)
            if not is_new and self.says_what_is_stored(before, items):
                entries = None
        given, meanings = self.agreed([each for _, each in views], writers, is_new)
        if given and entries is not None:
            told = [row["meaning"] for row in entries if row["role"] == "author"]
            if told != meanings:
                self.faults.append(400)
        elif given:
            kept = {row["author_id"]: row for row in before if row["role"] == "author"}
            block = [
                {**kept[each], "given": True, "meaning": each, "moves": False}
                if each in kept
                else {
                    "id": None,
                    "role": "author",
                    "meaning": each,
                    "credited_as": "",
                    "moves": False,
                }
                for each in meanings
            ]
            first = next((i for i, row in enumerate(before) if row["role"] == "author"), 0)
            rest = [
                {**row, "meaning": row["author_id"], "given": False, "moves": False}
                for row in before
                if row["role"] != "author"
            ]
            entries = rest[:first] + block + rest[first:]
        if entries is not None:
            self.place(book, entries)

    def write_items(self, book, items):
        self.place(book, self.entries(book["contributions"], items))

    def place(self, book, entries):
        known = self.shared["author"]
        self.refuse_repeated_keys(
            entries, lambda row: (row["meaning"], row["role"]) if row["meaning"] in known else None
        )
        book["contributions"] = [
            {
                "id": row["id"],
                "author_id": self.meant("author", row["meaning"]),
                "role": row["role"],
                "credited_as": row["credited_as"],
            }
            for row in entries
        ]

    def refuse_repeated_keys(self, rows, key):
        """Who keeps its value holds it; to repeat what the body says itself is 400, else 409."""
        holders = {}
        for row in sorted(rows, key=lambda row: row["id"] is None or row["moves"]):
            value = key(row)
            if value is None:
                continue
            if value in holders:
                holder = holders[value]
                self.faults.append(400 if holder["id"] is None or holder["given"] else 409)
            else:
                holders[value] = row

    def entries(self, before, items):
        stored = {row["id"]: row for row in before}
        found = []
        for item in items:
            old = stored.get(item.get("id"))
            if "id" in item and old is None:
                self.faults.append(409)
                continue
            row = dict(old or {"id": None, "author_id": None, "role": "author", "credited_as": ""})
            row.update({n: item[n] for n in ("role", "credited_as") if n in item})
            told = [self.mention("author", item[n]) for n in ("author", "author_id") if n in item]
            if old is None and not told:
                self.faults.append(400)
                continue
            given, meaning = self.agreed(told, row["author_id"], old is None)
            row["meaning"] = meaning if given else row["author_id"]
            row["given"] = bool({"role", "author", "author_id"} & item.keys())
            row["moves"] = old is not None and (row["meaning"], row["role"]) != (
                old["author_id"],
                old["role"],
            )
            found.append(row)
        return found

    def says_what_is_stored(self, before, items):
        if [item.get("id") for item in items] != [row["id"] for row in before]:
            return False
        for item, row in zip(items, before, strict=True):
            shown = {**row, "author": row["author_id"]}
            for name, value in item.items():
                if name == "author":
                    value = value.get("id", "new")
                if name in shown and shown[name] != value:
                    return False
        return True

    def write_editions(self, book, items):
        stored = {row["id"]: row for row in book["editions"]}
        rows = []
        for item in self.without_repeats(items):
            old = stored.get(item.get("id"))
            if "id" in item and old is None:
                self.faults.append(409)
                continue
            row = dict(old or {"id": None, "isbn13": None, "pages": None, "publisher_id": None})
            row.update({name: item[name] for name in ("isbn13", "pages") if name in item})
            self.to_one(row, "publisher", item, old is None)
            row["given"] = "isbn13" in item
            row["moves"] = old is not None and row["isbn13"] != old["isbn13"]
            rows.append(row)
        self.refuse_repeated_keys(rows, lambda row: row["isbn13"])
        others = {
            row["isbn13"]
            for other in self.books.values()
            if other is not book
            for row in other["editions"]
        }
        self.faults += [409 for row in rows if row["isbn13"] and row["isbn13"] in others]
        # Editions have no order of their own: the older ones come first.
        rows.sort(key=lambda row: (row["id"] is None, row["id"] or 0))
        names = ("id", "isbn13", "pages", "publisher_id")
        book["editions"] = [{name: row[name] for name in names} for row in rows]

    def new_book(self, body):
        book = {"title": "", "series_id": None, "subject_ids": set()}
        book.update({"contributions": [], "editions": [], "version": 1})
        self.write_book(book, body, is_new=True)
        return book

    def change(self, book, write):
        """Apply this; what is different afterwards has a new version."""
        before = copy.deepcopy(book)
        write(book)
        if book != before:
            book["version"] += 1

    # What has been created has the ids that the answer gives

    def learn(self, book, answer):
        def learn_one(made, pk):
            if not isinstance(made, dict):
                return made
            if made["id"] is None:
                assert pk not in self.shared[made["kind"]]
                self.shared[made["kind"]][pk] = {"name": made["name"], "version": 1}
                made["id"] = pk
            assert made["id"] == pk
            return pk

        book["id"] = answer["id"]
        book["series_id"] = learn_one(book["series_id"], answer["series_id"])
        subjects = {each["name"]: each["id"] for each in answer["subjects"]}
        book["subject_ids"] = {
            learn_one(made, subjects.get(made["name"]) if isinstance(made, dict) else None)
            for made in book["subject_ids"]
        }
        for name, kind in (("contributions", "author"), ("editions", "publisher")):
            for row, shown in zip(book[name], answer[name], strict=True):
                row["id"] = row["id"] or shown["id"]
                row[f"{kind}_id"] = learn_one(row[f"{kind}_id"], shown[f"{kind}_id"])
        self.books[book["id"]] = book

    # What it looks like

    def shown(self, kind, pk):
        return None if pk is None else {"id": pk, "name": self.shared[kind][pk]["name"]}

    def document(self, book):
        credited = [
            {**row, "position": position, "author": self.shown("author", row["author_id"])}
            for position, row in enumerate(book["contributions"])
        ]
        writers = [row for row in credited if row["role"] == "author"]
        by_name = sorted(
            book["subject_ids"], key=lambda pk: (self.shared["subject"][pk]["name"], pk)
        )
        return {
            "id": book["id"],
            "title": book["title"],
            "version": book["version"],
            "series": self.shown("series", book["series_id"]),
            "series_id": book["series_id"],
            "subjects": [self.shown("subject", pk) for pk in by_name],
            "subject_ids": by_name,
            "authors": [row["author"] for row in writers],
            "author_ids": [row["author_id"] for row in writers],
            "contributions": credited,
            "editions": [
                {**row, "publisher": self.shown("publisher", row["publisher_id"])}
                for row in book["editions"]
            ],
        }


def is_called(kind, stored, name):
    return kind in UNIQUE and stored["name"].casefold() == name.casefold()


def has_id(value):
    return "id" in value if isinstance(value, dict) else True


def as_far_as(expected, actual):
    """What is read, with the properties alone that the reference knows."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: as_far_as(expected[name], actual[name]) for name in expected}
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [as_far_as(*pair) for pair in zip(expected, actual, strict=True)]
    return actual


class Requests(RuleBasedStateMachine):
    """One request after another, to the API and to the reference."""

    @initialize()
    def begin(self):
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.client = APIClient()
        self.client.force_authenticate(
            User.objects.create_user(username="root", email="root@example.org", role="admin")
        )
        self.reference = Reference()
        # Everybody starts with something to edit.
        self.create(
            {
                "title": "T",
                "contributions": [
                    {"author": {"name": "Ann"}, "role": "editor"},
                    {"author": {"name": "Bob"}},
                    {"author": {"name": "Eve"}},
                ],
                "editions": [{"isbn13": ISBNS[0]}, {"publisher": {"name": "Pub"}}],
                "subjects": [{"name": "Sub"}],
            }
        )

    def teardown(self):
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def send(self, method, path, body=None):
        response = getattr(self.client, method.lower())(f"/api{path}", body, format="json")
        return response.status_code, json.loads(response.content) if response.content else None

    # What a body may say

    def some_id(self, data, kind):
        return data.draw(st.sampled_from([*self.reference.shared[kind], NOWHERE]))

    def some_object(self, data, kind):
        """One to create or to link, that says nothing, the truth or something else beside."""
        if data.draw(st.booleans()):
            return {"name": data.draw(st.sampled_from(NAMES))}
        found = {"id": self.some_id(data, kind)}
        if data.draw(st.booleans()):
            stored = self.reference.shared[kind].get(found["id"], {"name": "?"})
            found["name"] = data.draw(st.sampled_from([stored["name"], stored["name"], "Other"]))
        return found

    def some_to_one(self, data, name):
        body = {}
        for twin in data.draw(st.sampled_from([(), (name,), (ONE[name],), (name, ONE[name])])):
            if name != "author" and data.draw(st.integers(0, 3)) == 0:
                body[twin] = None
            elif twin == name:
                body[twin] = self.some_object(data, name)
            else:
                body[twin] = self.some_id(data, name)
        return body

    def some_list(self, data, one):
        return [one() for _ in range(data.draw(st.integers(0, 3)))]

    def some_item_id(self, data, name):
        own = [row["id"] for book in self.reference.books.values() for row in book[name]]
        return data.draw(st.sampled_from([*own, NOWHERE]))

    def some_contribution(self, data):
        item = self.some_to_one(data, "author")
        if data.draw(st.booleans()):
            item["role"] = data.draw(st.sampled_from(ROLES))
        if data.draw(st.integers(0, 3)) == 0:
            item["credited_as"] = data.draw(st.sampled_from(["", "X"]))
        return item

    def some_edition(self, data):
        item = self.some_to_one(data, "publisher")
        if data.draw(st.booleans()):
            item["isbn13"] = data.draw(st.sampled_from([*ISBNS, None]))
        if data.draw(st.booleans()):
            item["pages"] = data.draw(st.sampled_from([1, 2, None]))
        return item

    def some_items(self, data, book, name, some):
        """Mostly the book's own items, in any order, some of them changed, and new ones."""
        own = data.draw(st.permutations([row["id"] for row in book[name]] if book else []))
        items = [
            {"id": pk, **(some(data) if data.draw(st.booleans()) else {})}
            for pk in own[data.draw(st.integers(0, 1)) :]
        ]
        if data.draw(st.integers(0, 9)) == 0:
            items.append({"id": self.some_item_id(data, name)})
        return items + self.some_list(data, lambda: some(data))

    def some_body(self, data, book=None):
        one = {
            "title": lambda: {"title": data.draw(st.sampled_from(["T", "U"]))},
            "series": lambda: self.some_to_one(data, "series"),
            "subjects": lambda: {
                "subjects": self.some_list(data, lambda: self.some_object(data, "subject"))
            },
            "subject_ids": lambda: {
                "subject_ids": self.some_list(data, lambda: self.some_id(data, "subject"))
            },
            "authors": lambda: {
                "authors": self.some_list(data, lambda: self.some_object(data, "author"))
            },
            "author_ids": lambda: {
                "author_ids": self.some_list(data, lambda: self.some_id(data, "author"))
            },
            "contributions": lambda: {
                "contributions": self.some_items(
                    data, book, "contributions", self.some_contribution
                )
            },
            "editions": lambda: {
                "editions": self.some_items(data, book, "editions", self.some_edition)
            },
        }
        names = data.draw(st.lists(st.sampled_from(list(one)), max_size=3, unique=True))
        return {name: value for key in names for name, value in one[key]().items()}

    def some_book(self, data):
        return self.reference.books[data.draw(st.sampled_from(list(self.reference.books)))]

    # What is compared

    def compare(self, answer, draft, book, success):
        """The answer, with what the reference says of this write; the draft holds if it passed."""
        status, body = answer
        refusal = draft.refusal()
        assert status == (refusal or success), body
        if refusal is None:
            draft.learn(book, body)
            self.reference = draft
            expected = draft.document(book)
            assert as_far_as(expected, body) == expected

    @invariant()
    def what_is_read_is_what_the_reference_holds(self):
        if not hasattr(self, "reference"):
            return
        _, page = self.send("GET", "/books/?page_size=200&ordering=id")
        expected = [
            self.reference.document(each) for _, each in sorted(self.reference.books.items())
        ]
        assert as_far_as(expected, page["results"]) == expected
        books = defaultdict(set)
        for book in self.reference.books.values():
            for row in book["contributions"]:
                books[row["author_id"]].add(book["id"])
        _, page = self.send("GET", "/authors/?page_size=200&ordering=id")
        expected = [
            {"id": pk, "name": each["name"], "version": 1, "book_ids": sorted(books[pk])}
            for pk, each in sorted(self.reference.shared["author"].items())
        ]
        assert as_far_as(expected, page["results"]) == expected

    # What is sent

    @rule(data=st.data())
    def create_a_book(self, data):
        self.create({"title": "T", **self.some_body(data)})

    def create(self, body):
        draft = self.reference.begin()
        book = draft.new_book(body)
        self.compare(self.send("POST", "/books/", body), draft, book, 201)

    @precondition(lambda self: self.reference.books)
    @rule(data=st.data(), method=st.sampled_from(["PUT", "PATCH"]))
    def update_a_book(self, data, method):
        pk = self.some_book(data)["id"]
        body = self.some_body(data, self.reference.books[pk])
        self.update(method, pk, {"title": "T", **body} if method == "PUT" else body)

    @precondition(lambda self: self.reference.books)
    @rule(data=st.data(), method=st.sampled_from(["PUT", "PATCH"]))
    def get_edit_and_put_a_book(self, data, method):
        pk = self.some_book(data)["id"]
        _, body = self.send("GET", f"/books/{pk}/")
        self.update(method, pk, {**body, **self.some_body(data, self.reference.books[pk])})

    def update(self, method, pk, body):
        draft = self.reference.begin()
        book = draft.books[pk]
        draft.change(book, lambda book: draft.write_book(book, body, is_new=False))
        self.compare(self.send(method, f"/books/{pk}/", body), draft, book, 200)

    @precondition(lambda self: self.reference.books)
    @rule(
        data=st.data(),
        name=st.sampled_from(["contributions", "editions"]),
        method=st.sampled_from(["POST", "PATCH", "DELETE"]),
    )
    def write_one_item(self, data, name, method):
        pk = self.some_book(data)["id"]
        draft = self.reference.begin()
        book = draft.books[pk]
        ids = [row["id"] for row in book[name]]
        item = self.some_contribution(data) if name == "contributions" else self.some_edition(data)
        path, items = f"/books/{pk}/{name}/", [{"id": each} for each in ids]
        if method != "POST":
            chosen = data.draw(st.sampled_from([*ids, self.some_item_id(data, name)]))
            path += f"{chosen}/"
            if chosen not in ids:
                status, _ = self.send(method, path, None if method == "DELETE" else item)
                assert status == 404
                return
            items = [each for each in items if each["id"] != chosen or method != "DELETE"]
            for each in items:
                each.update(item if each["id"] == chosen else {})
        else:
            items.append(item)
        write = draft.write_items if name == "contributions" else draft.write_editions
        draft.change(book, lambda book: write(book, items))
        status, problem = self.send(method, path, None if method == "DELETE" else item)
        success = {"POST": 201, "PATCH": 200, "DELETE": 204}[method]
        if status == success:
            status, problem = self.send("GET", f"/books/{pk}/")
            success = status
        self.compare((status, problem), draft, book, success)

    @rule(data=st.data())
    def create_an_author_with_books(self, data):
        draft = self.reference.begin()
        books = self.some_list(
            data,
            lambda: (
                {"title": "T"}
                if data.draw(st.booleans())
                else {"id": data.draw(st.sampled_from([*self.reference.books, NOWHERE]))}
            ),
        )
        author = draft.create("author", {"name": "Ann"})
        status, body = self.send(
            "POST", "/authors/?expand=books", {"name": "Ann", "profile": {}, "books": books}
        )
        entered = []
        for each in draft.without_repeats(books):
            if "id" in each and each["id"] not in draft.books:
                draft.faults.append(409)
                continue
            book = draft.books[each["id"]] if "id" in each else draft.new_book(each)
            row = {"id": None, "author_id": author, "role": "author", "credited_as": ""}
            book["contributions"].append(row)
            book["version"] += "id" in each
            entered.append(book)
        refusal = draft.refusal()
        assert status == (refusal or 201), body
        if refusal is None:
            draft.shared["author"][body["id"]] = {"name": "Ann", "version": 1}
            new = (pk for pk in body["book_ids"] if pk not in self.reference.books)
            for book in entered:
                book["contributions"][-1]["author_id"] = body["id"]
                _, answer = self.send("GET", f"/books/{book.get('id') or next(new)}/")
                draft.learn(book, answer)
            self.reference = draft

    @precondition(lambda self: any(self.reference.shared.values()))
    @rule(data=st.data())
    def delete_something_shared(self, data):
        kind, pk = data.draw(
            st.sampled_from(
                [(k, pk) for k, stored in self.reference.shared.items() for pk in stored]
            )
        )
        used = [
            book
            for book in self.reference.books.values()
            if {
                "author": any(row["author_id"] == pk for row in book["contributions"]),
                "series": book["series_id"] == pk,
                "subject": pk in book["subject_ids"],
                "publisher": any(row["publisher_id"] == pk for row in book["editions"]),
            }[kind]
        ]
        path = {"series": "series"}.get(kind, f"{kind}s")
        status, _ = self.send("DELETE", f"/{path}/{pk}/")
        if kind == "author" and used:
            assert status == 409
            return
        assert status == 204
        del self.reference.shared[kind][pk]
        for book in used:
            book["version"] += 1
            if kind == "series":
                book["series_id"] = None
            book["subject_ids"] -= {pk} if kind == "subject" else set()
            for row in book["editions"]:
                if kind == "publisher" and row["publisher_id"] == pk:
                    row["publisher_id"] = None

    @precondition(lambda self: self.reference.books)
    @rule(data=st.data())
    def delete_a_book(self, data):
        pk = self.some_book(data)["id"]
        status, _ = self.send("DELETE", f"/books/{pk}/")
        assert status == 204
        del self.reference.books[pk]


@pytest.mark.django_db
def test_every_sequence_of_requests_ends_where_the_rules_say():
    examples = int(os.environ.get("RELATIONS_EXAMPLES", "300"))
    run_state_machine_as_test(
        Requests,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            suppress_health_check=list(HealthCheck),
        ),
    )
