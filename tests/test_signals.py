"""Does whoever hears the signal learn of every row that a write has written?"""

import json

import pytest
from rest_framework.exceptions import ValidationError

from authors.models import Author, AuthorProfile
from books.importing import import_file
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from project.api.writes import deletions
from project.api.writes.signals import rows_written
from tests.catalogue import book, continue_ids, everything, faults, isbn, numbered, send
from tests.test_admin import add_page, browser, changelist, page, row, save, saved

pytestmark = pytest.mark.django_db


def values_of(row):
    return {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}


@pytest.fixture
def heard():
    """What each call of a receiver was told, as plain values."""
    calls = []

    def receiver(sender, created, changed, removed, **kwargs):
        calls.append(
            {
                "sender": sender,
                "created": {m: [values_of(row) for row in rows] for m, rows in created.items()},
                "changed": {
                    m: {row.pk: (before, values_of(row)) for row, before in rows.items()}
                    for m, rows in changed.items()
                },
                "removed": {m: [values_of(row) for row in rows] for m, rows in removed.items()},
                "stored": everything(),
            }
        )

    rows_written.connect(receiver)
    yield calls
    rows_written.disconnect(receiver)


def difference(before, after):
    """The rows that are new, changed and gone between two states of all tables."""
    created, changed, removed = {}, {}, {}
    for model in before:
        old = {row["id"]: row for row in before[model]}
        new = {row["id"]: row for row in after[model]}
        if rows := [row for key, row in new.items() if key not in old]:
            created[model] = rows
        if rows := [row for key, row in old.items() if key not in new]:
            removed[model] = rows
        for key in old.keys() & new.keys():
            if lost := {n: v for n, v in old[key].items() if new[key][n] != v}:
                changed.setdefault(model, {})[key] = (lost, new[key])
    return {"created": created, "changed": changed, "removed": removed}


def in_order(rows):
    return {model: sorted(each, key=lambda row: row["id"]) for model, each in rows.items()}


def assert_told(call, before, after, sender):
    told = {**call, "created": in_order(call["created"]), "removed": in_order(call["removed"])}
    expected = difference(before, after)
    assert told == {**expected, "sender": sender, "stored": after}


@pytest.fixture
def stored(db):
    """The catalogue of docs/relations.md, as far as it is written here."""
    terry, neil, paul = numbered(Author, "Terry Pratchett", "Neil Gaiman", "Paul Kidby")
    AuthorProfile.objects.create(author=paul)
    numbered(Series, "Discworld")
    [gollancz] = numbered(Publisher, "Gollancz")
    fantasy, _ = numbered(Subject, "Fantasy", "Humour")
    omens = book("Good Omens", [terry, neil], [isbn(1), isbn(2)], id=1, series_id=1)
    omens.editions.update(publisher=gollancz)
    omens.subjects.add(fantasy)
    book("Mort", [terry], [isbn(3)], id=2, series_id=1).subjects.add(fantasy)
    continue_ids()
    return {each.isbn13: each.pk for each in Edition.objects.all()}


def swapped(editions):
    one, two = editions[isbn(1)], editions[isbn(2)]
    return {"editions": [{"id": one, "isbn13": isbn(2)}, {"id": two, "isbn13": isbn(1)}]}


NESTED = {
    "title": "Dune",
    "series": {"name": "Dune Chronicles"},
    "authors": [{"name": "Frank Herbert"}, {"id": 1}],
    "subjects": [{"id": 2}, {"name": "Deserts"}],
    "editions": [{"isbn13": isbn(9), "publisher": {"name": "Chilton"}}, {"publisher_id": 1}],
}


@pytest.mark.parametrize(
    ("method", "path", "body", "sender"),
    [
        ("POST", "/books/", lambda _: {"title": "Dune"}, Book),
        ("POST", "/books/", lambda _: NESTED, Book),
        ("PATCH", "/books/1/", lambda _: NESTED, Book),
        ("PATCH", "/books/1/", lambda _: {"title": "Better Omens"}, Book),
        ("PATCH", "/books/1/", lambda _: {"series": {"name": "New"}}, Book),
        ("PATCH", "/books/1/", lambda _: {"editions": [], "subjects": []}, Book),
        ("PATCH", "/books/1/", lambda _: {"author_ids": [2, 1]}, Book),
        ("PATCH", "/books/1/", swapped, Book),
        ("PATCH", "/publishers/1/", lambda _: {"name": "GOLLANCZ"}, Publisher),
        (
            "POST",
            "/authors/",
            lambda _: {"name": "A", "profile": {}, "books": [{"id": 1}, {"title": "New"}]},
            Author,
        ),
        ("POST", "/series/1/books/", lambda _: {"title": "Sourcery"}, Book),
        ("POST", "/books/1/contributions/", lambda _: {"author": {"name": "New"}}, Book),
        ("DELETE", "/books/1/", lambda _: None, Book),
        ("DELETE", "/authors/3/", lambda _: None, Author),
    ],
)
def test_each_write_of_the_api_tells_all_its_rows_once(
    admin, stored, heard, method, path, body, sender
):
    before = everything()
    status = {"POST": 201, "DELETE": 204}.get(method, 200)
    send(admin, method, path, body(stored), status)
    [call] = heard
    assert_told(call, before, everything(), sender)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_write_of_an_item_tells_of_its_owner(librarian, stored, heard, method):
    path = f"/books/1/editions/{stored[isbn(1)]}/"
    before = everything()
    if method == "PATCH":
        send(librarian, method, path, {"pages": 7})
    else:
        send(librarian, method, path, status=204)
    [call] = heard
    assert_told(call, before, everything(), Book)


def test_a_write_that_changes_nothing_tells_nothing(librarian, stored, heard):
    send(librarian, "PATCH", "/books/1/", send(librarian, "GET", "/books/1/"))
    send(librarian, "PATCH", "/books/1/", {"title": ""}, 400)
    send(librarian, "PATCH", "/books/1/", {"author_ids": [99]}, 409)
    assert heard == []


@pytest.mark.parametrize("block", [1, 1000])
@pytest.mark.parametrize("path", ["/series/1/", "/subjects/1/", "/publishers/1/"])
def test_a_deletion_tells_of_all_that_let_go(admin, stored, heard, monkeypatch, path, block):
    monkeypatch.setattr(deletions, "BLOCK", block)
    before = everything()
    send(admin, "DELETE", path, status=204)
    after = everything()
    told = {"created": {}, "changed": {}, "removed": {}}
    for call in heard:
        for kind in ("created", "removed"):
            for model, rows in call[kind].items():
                told[kind].setdefault(model, []).extend(rows)
        for model, rows in call["changed"].items():
            told["changed"].setdefault(model, {}).update(rows)
    told["removed"] = in_order(told["removed"])
    assert told == difference(before, after)
    assert set(Book.objects.values_list("version", flat=True)) <= {1, 2}
    assert heard[-1]["stored"] == after


# Who hears it can refuse


@pytest.fixture
def refusing():
    """`refusing(error)` lets every write end in this error."""

    def refusing(error):
        def receiver(**kwargs):
            raise error

        rows_written.connect(receiver, weak=False)
        receivers.append(receiver)

    receivers = []
    yield refusing
    for each in receivers:
        rows_written.disconnect(each)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/books/", NESTED),
        ("PATCH", "/books/1/", {"title": "X"}),
        ("DELETE", "/books/1/", None),
        ("POST", "/books/1/contributions/", {"author_id": 3}),
    ],
)
def test_what_a_receiver_refuses_is_not_written(admin, stored, refusing, method, path, body):
    refusing(ValidationError({"title": ["No."]}, code="invalid"))
    before = everything()
    problem = send(admin, method, path, body, 400)
    assert faults(problem) == [("/title", "invalid")]
    assert everything() == before


def test_a_receiver_hears_of_every_model(db):
    with pytest.raises(TypeError, match="Connect without a sender"):
        rows_written.connect(lambda **kwargs: None, sender=Book)


# The admin


@pytest.fixture
def desk(db):
    return browser("admin", "root")


@pytest.mark.parametrize(
    ("changes", "sender"),
    [
        (lambda _: {"title": "Better Omens"}, Book),
        (lambda _: {"subjects": [1, 2]}, Book),
        (lambda _: {"subjects": []}, Book),
        (lambda _: row("editions", 0, pages=7, DELETE=""), Book),
        (lambda _: row("editions", 0, DELETE="on"), Book),
        (
            lambda _: {
                **row("contributions", 2, author=3, role="editor", position=0),
                "contributions-TOTAL_FORMS": 3,
                "series": "",
            },
            Book,
        ),
    ],
)
def test_each_page_of_the_admin_tells_all_its_rows_once(desk, stored, heard, changes, sender):
    before = everything()
    saved(save(desk, page(Book.objects.get(pk=1)), **changes(stored)))
    [call] = heard
    assert_told(call, before, everything(), sender)
    assert Book.objects.get(pk=1).version == 2


def test_a_new_page_of_the_admin_tells_all_its_rows_once(desk, stored, heard):
    before = everything()
    rows = row("contributions", 0, author=3, role="author") | {"contributions-TOTAL_FORMS": 1}
    saved(save(desk, add_page(Book), title="Dune", subjects=[1], **rows))
    [call] = heard
    assert_told(call, before, everything(), Book)


def test_the_admin_that_saves_nothing_tells_nothing(desk, stored, heard):
    saved(save(desk, page(Book.objects.get(pk=1))))
    assert heard == []


@pytest.mark.parametrize("by_list", [True, False])
def test_the_admin_deletes_as_the_api_does(desk, stored, heard, by_list):
    before = everything()
    series = Series.objects.get()
    if by_list:
        action = {"action": "delete_selected", "_selected_action": [series.pk], "post": "yes"}
        assert desk.post(changelist(Series), action).status_code == 302
    else:
        url = page(series).replace("/change/", "/delete/")
        assert desk.post(url, {"post": "yes"}).status_code == 302
    released, gone = heard
    expected = difference(before, everything())
    assert set(Book.objects.values_list("version", "series")) == {(2, None)}
    assert (released["changed"], gone["removed"]) == (expected["changed"], expected["removed"])


# The import


def without_keys(rows):
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


def test_an_import_tells_of_each_batch(db, stored, heard, tmp_path):
    before = everything()
    file = tmp_path / "books"
    bodies = [
        {**NESTED, "authors": [{"name": "Frank Herbert"}], "editions": [{"isbn13": isbn(9)}]},
        {"title": "Mort", "editions": [{"isbn13": isbn(3)}, {"isbn13": isbn(4)}]},
    ]
    for each in bodies:
        each["subjects"] = [{"name": "Deserts"}]
    file.write_text("\n".join(json.dumps(each) for each in bodies))
    import_file(file)
    [call] = heard
    after = everything()
    expected = difference(before, after)
    assert (call["sender"], call["stored"]) == (Book, after)
    assert (call["changed"], call["removed"]) == (expected["changed"], {})
    owned = {Contribution, Edition, Book.subjects.through}
    for model, rows in expected["created"].items():
        told = call["created"][model]
        if model in owned:
            told, rows = without_keys(told), without_keys(rows)
        assert told == rows, model
    assert call["created"].keys() == expected["created"].keys()
