"""Does a nested write cost the same for one item as for two hundred?"""

import re

import pytest

from authors.models import Author
from books.models import Contribution, Edition, Publisher, Subject
from project.api.search.entries import write_entries
from project.api.writes.signals import rows_written
from tests.catalogue import book, isbn, send, statements

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_search():
    """What a search keeps costs statements of its own, which tests/test_search.py counts."""
    rows_written.disconnect(write_entries)
    yield
    rows_written.connect(write_entries)


@pytest.fixture
def editor(librarian):
    """A client whose own authentication costs no query."""
    librarian.credentials()
    librarian.force_authenticate(librarian.user)
    return librarian


def people(number):
    return Author.objects.bulk_create(
        Author(name=f"N{i}", sort_name=f"N{i}") for i in range(number)
    )


def keys(number):
    return [each.pk for each in people(number)]


def contributions(number):
    return [{"author_id": pk} for pk in keys(number)]


def mixed(number):
    """Authors to link and authors to create, by turns; one author is linked at least."""
    return [
        {"author": {"name": f"A{i}"}} if i % 2 else {"author_id": pk, "role": "editor"}
        for i, pk in enumerate(keys(max(number, 2)))
    ]


def numbers(number):
    return [{"isbn13": isbn(i), "pages": 1 + i} for i in range(number)]


def named(number):
    return [{"name": f"New {i}"} for i in range(number)]


def filled(number):
    """A book with this many contributions, editions and subjects."""
    stored = book("Stored")
    Contribution.objects.bulk_create(
        Contribution(book=stored, author=author, position=i)
        for i, author in enumerate(people(number))
    )
    Edition.objects.bulk_create(
        Edition(book=stored, isbn13=isbn(10_000 + i)) for i in range(number)
    )
    stored.subjects.set(subjects(number))
    return stored


def publisher():
    return Publisher.objects.get_or_create(name="P")[0].pk


def subjects(number, of="S"):
    return Subject.objects.bulk_create(
        Subject(name=f"{of}{i}", slug=f"{of}{i}") for i in range(number)
    )


def written(client, method, path, body):
    """The kinds of the statements of this write, up to where it reads its answer."""
    status = 201 if method == "POST" else 200
    kinds = kinds_of(lambda: send(client, method, path, body, status))
    return kinds.removesuffix(" SELECT")


def kinds_of(call):
    """What the statements of this call do, without the transaction's own.

    PostgreSQL takes several INSERTs as one statement, which tests/test_kept_statements.py counts.
    """
    kinds = []
    for sql in statements(call):
        if sql.startswith("WITH new_0"):
            kinds += re.findall(r"(?<= AS \()INSERT", sql)
        else:
            kinds.append("UPDATE" if "ON CONFLICT" in sql else sql.split()[0])
    return " ".join(kind for kind in kinds if kind not in ("SAVEPOINT", "RELEASE"))


@pytest.mark.parametrize("number", [1, 50, 200])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda n: {"author_ids": keys(n)}, "SELECT INSERT INSERT"),
        (lambda n: {"authors": [{"id": pk} for pk in keys(n)]}, "SELECT INSERT INSERT"),
        (lambda n: {"authors": named(n)}, "INSERT INSERT INSERT"),
        (lambda n: {"subject_ids": [s.pk for s in subjects(n)]}, "SELECT INSERT INSERT"),
        (
            lambda n: {
                "subject_ids": [s.pk for s in subjects(n)],
                "contributions": contributions(n),
                "editions": [{"publisher_id": publisher()} for _ in range(n)],
            },
            # What is linked is found by one for all three.
            "SELECT INSERT INSERT INSERT INSERT",
        ),
        # The third is for names that merged ones had.
        (lambda n: {"subjects": named(n)}, "SELECT SELECT SELECT INSERT INSERT INSERT"),
        (lambda n: {"contributions": contributions(n)}, "SELECT INSERT INSERT"),
        (lambda n: {"contributions": mixed(n)}, "SELECT INSERT INSERT INSERT"),
        (lambda n: {"editions": numbers(n)}, "SELECT INSERT INSERT"),
        (
            lambda n: {
                "editions": [
                    {**each, "publisher": {"name": f"P{i}"}} for i, each in enumerate(numbers(n))
                ]
            },
            "SELECT SELECT SELECT INSERT INSERT INSERT",
        ),
    ],
)
def test_creating_costs_the_same_for_any_number_of_items(editor, number, body, expected):
    body = {"title": "New", **body(number)}
    assert written(editor, "POST", "/books/", body) == expected


@pytest.mark.parametrize("number", [1, 50, 200])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # Replaced: the old ones go, new ones come
        (lambda n, _: {"author_ids": keys(n)}, "SELECT DELETE UPDATE INSERT"),
        (lambda n, _: {"authors": named(n)}, "DELETE UPDATE INSERT INSERT"),
        (lambda n, _: {"contributions": contributions(n)}, "SELECT DELETE UPDATE INSERT"),
        # Two more look for what the old ones own.
        (lambda n, _: {"editions": numbers(n)}, "SELECT SELECT SELECT DELETE UPDATE INSERT"),
        (
            lambda n, _: {"subject_ids": [s.pk for s in subjects(n, "T")]},
            "SELECT DELETE UPDATE INSERT",
        ),
        # Changed in place
        (
            lambda n, old: {"editions": [{"id": e["id"], "pages": 7} for e in old["editions"]]},
            "UPDATE UPDATE",
        ),
        (
            lambda n, old: {
                "editions": [
                    {"id": e["id"], "isbn13": isbn(n)} for n, e in enumerate(old["editions"])
                ]
            },
            "SELECT UPDATE UPDATE",
        ),
        # Cleared
        (lambda n, _: {"author_ids": []}, "DELETE UPDATE"),
        (lambda n, _: {"contributions": []}, "DELETE UPDATE"),
        (lambda n, _: {"editions": []}, "SELECT SELECT DELETE UPDATE"),
        (lambda n, _: {"subjects": []}, "DELETE UPDATE"),
        # All at once, and nothing at all
        (
            lambda n, _: {
                "contributions": mixed(n),
                "editions": numbers(n),
                "subjects": named(n),
                "series": {"name": "S"},
            },
            "SELECT " * 9 + "DELETE " * 3 + "INSERT INSERT UPDATE INSERT INSERT INSERT INSERT",
        ),
        (lambda n, old: old, "SELECT SELECT SELECT SELECT SELECT"),
    ],
)
def test_updating_costs_the_same_for_any_number_of_items(editor, number, body, expected):
    path = f"/books/{filled(number).pk}/"
    body = body(number, send(editor, "GET", path))
    # Before these: the book as the URL names it, the book locked, and the list as it is stored.
    assert written(editor, "PATCH", path, body) == "SELECT SELECT SELECT " + expected


@pytest.mark.parametrize("number", [2, 50, 200])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda old: {"author_ids": old["author_ids"][::-1]}, "SELECT UPDATE UPDATE"),
        (lambda old: {"contributions": old["contributions"][::-1]}, "SELECT UPDATE UPDATE"),
        # Editions have no order: they trade what is unique among them
        (
            lambda old: {
                "editions": [
                    {"id": e["id"], "isbn13": other["isbn13"]}
                    for e, other in zip(old["editions"], old["editions"][::-1], strict=True)
                ]
            },
            "SELECT DELETE UPDATE INSERT",
        ),
    ],
)
def test_reordering_costs_the_same_for_any_number_of_items(editor, number, body, expected):
    path = f"/books/{filled(number).pk}/"
    body = body(send(editor, "GET", path))
    assert written(editor, "PATCH", path, body) == "SELECT SELECT SELECT " + expected


@pytest.mark.parametrize("number", [2, 50, 200])
def test_an_author_with_books_costs_the_same_for_any_number(editor, number):
    linked = [{"id": book(f"{i}").pk} for i in range(number // 2)]
    books = [*linked, *({"title": f"New {i}"} for i in range(number // 2))]
    body = {"name": "A", "profile": {}, "books": books}
    expected = "SELECT SELECT INSERT UPDATE INSERT INSERT INSERT"
    assert written(editor, "POST", "/authors/", body) == expected


@pytest.mark.parametrize("number", [2, 50, 199])
@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "", {"author": {"name": "New"}}, "SELECT SELECT SELECT UPDATE INSERT INSERT"),
        ("PATCH", "{}/", {"credited_as": "X"}, "SELECT SELECT SELECT SELECT SELECT UPDATE UPDATE"),
        ("DELETE", "{}/", None, "SELECT SELECT SELECT SELECT SELECT DELETE UPDATE UPDATE"),
    ],
)
def test_one_item_costs_the_same_beside_any_number(editor, number, method, path, body, expected):
    stored = filled(number)
    path = f"/books/{stored.pk}/contributions/{path}".format(stored.contributions.first().pk)
    status = {"POST": 201, "PATCH": 200, "DELETE": 204}[method]
    kinds = kinds_of(lambda: send(editor, method, path, body, status))
    assert kinds.removesuffix(" SELECT") == expected
