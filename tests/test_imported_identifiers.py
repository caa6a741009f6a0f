"""Does an import find editions by what others call them, whatever comes first?"""

import json
from itertools import permutations

import pytest

from books.importing import import_file
from books.models import Book, Edition, Identifier
from tests.catalogue import book, everything, isbn, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(tmp_path):
    """`run(rows)` imports these bodies."""

    def run(*rows, **options):
        path = tmp_path / "books.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
        return import_file(path, **options)

    return run


def row(*identifiers, title="Roadside Picnic", **edition):
    pairs = (each.split(":") for each in identifiers)
    items = [{"scheme": scheme, "value": value} for scheme, value in pairs]
    return {
        "title": title,
        "authors": [{"name": "Arkady Strugatsky"}],
        "editions": [{"identifiers": items, **edition}],
    }


def editions():
    """The stored editions, each as its ISBN, its pages and its identifiers."""
    return sorted(
        (each.isbn13 or "", each.pages or 0, sorted(map(str, each.identifiers.all())))
        for each in Edition.objects.all()
    )


def test_an_edition_without_an_isbn_is_found_by_an_identifier(run):
    run(row("goodreads:1", pages=209))
    report = run(row("goodreads:1", "oclc:ocm0007", pages=209, published_on="2012"))
    assert report.counts["editions"].created == 0
    assert report.counts["editions"].changed == report.counts["books"].changed == 1
    assert editions() == [("", 209, ["goodreads:1", "oclc:7"])]
    edition = Edition.objects.get()
    assert (edition.published_on, edition.book.version) == ("2012", 2)
    before = everything()
    assert run(row("oclc:7", pages=209)).has_changed_nothing
    assert everything() == before


def test_a_book_is_found_by_an_identifier_with_another_title(run):
    run(row("oclc:7", title="Roadside Picnic"))
    assert run(row("oclc:7", title="Picnic by the Road")).has_changed_nothing
    assert Book.objects.get().title == "Roadside Picnic"


def test_an_identifier_of_another_book_is_left_out(run):
    other = book("Dune", isbns=[isbn(9)])
    other.editions.get().identifiers.create(scheme="oclc", value="7")
    report = run(row("oclc:7", "lccn:2001-2", isbn13=isbn(1)))
    assert dict(report.left_out) == {"editions/identifiers": 1}
    assert editions() == [(isbn(1), 0, ["lccn:2001000002"]), (isbn(9), 0, ["oclc:7"])]
    before = everything()
    run(row("oclc:7", "lccn:2001-2", isbn13=isbn(1)))
    assert everything() == before


ROWS = [
    row("oclc:1", isbn13=isbn(1)),
    row("oclc:1", "goodreads:5"),
    row("goodreads:5", pages=209),
    row("oclc:2"),
    row("oclc:2", "lccn:2001-2"),
]


@pytest.mark.parametrize("order", list(permutations(range(len(ROWS))))[::17])
def test_the_order_of_rows_does_not_matter(run, order):
    run(*(ROWS[place] for place in order))
    assert editions() == [
        ("", 0, ["lccn:2001000002", "oclc:2"]),
        (isbn(1), 209, ["goodreads:5", "oclc:1"]),
    ]
    before = everything()
    assert run(*ROWS).has_changed_nothing
    assert everything() == before


def test_who_has_an_isbn_keeps_it(run):
    run(row("oclc:1", isbn13=isbn(1)))
    report = run(row("oclc:1", isbn13=isbn(2)))
    assert dict(report.left_out) == {"editions/identifiers": 1}
    assert editions() == [(isbn(1), 0, ["oclc:1"]), (isbn(2), 0, [])]


def test_an_edition_that_is_stored_without_its_number_gets_it(run):
    run(row(pages=209))
    assert run(row("goodreads:1", pages=209)).counts["editions"].created == 0
    assert editions() == [("", 209, ["goodreads:1"])]


def test_a_stored_edition_gets_nothing_if_it_is_skipped(run):
    run(row("oclc:1", pages=209))
    assert run(row("oclc:1", "lccn:2001-2"), update="skip").has_changed_nothing
    assert editions() == [("", 209, ["oclc:1"])]


@pytest.mark.parametrize(
    ("items", "pointer", "code"),
    [
        ([{"scheme": "oclc", "value": "x"}], "/editions/0/identifiers/0/value", "invalid"),
        ([{"scheme": "isbn", "value": "1"}], "/editions/0/identifiers/0/scheme", "invalid"),
        ([{"scheme": "x"}], "/editions/0/identifiers/0/value", "required"),
        (
            [{"scheme": "oclc", "value": "1"}, {"scheme": "OCLC", "value": "01"}],
            "/editions/0/identifiers/1",
            "duplicate",
        ),
    ],
)
def test_an_import_refuses_what_the_api_refuses(run, librarian, items, pointer, code):
    body = {"title": "X", "editions": [{"identifiers": items}]}
    [(_, fault)] = run(body).reasons
    assert (fault.pointer, fault.code) == (pointer, code)
    [told] = send(librarian, "POST", "/books/", body, 400)["errors"]
    assert (told["pointer"], told["code"]) == (pointer, code)


def test_many_rows_cost_as_many_statements_as_few(run, django_assert_max_num_queries):
    rows = [row(f"oclc:{n}", f"x{n % 20}:{n}", title=f"Book {n}") for n in range(1, 300)]
    with django_assert_max_num_queries(40):
        run(*rows)
    assert Identifier.objects.count() == 598
    before = everything()
    assert run(*rows).has_changed_nothing
    assert everything() == before


def test_a_table_has_them_in_a_column_and_an_export_gives_it_back(librarian, tmp_path):
    path = tmp_path / "books.csv"
    path.write_text("title,identifiers\nX,oclc:ocm07; uri:a:b;; c\n", "utf-8")
    assert import_file(path).reasons == []
    assert editions() == [("", 0, ["oclc:7", "uri:a:b; c"])]
    answer = librarian.get("/api/books/", headers={"Accept": "text/csv"})
    text = b"".join(answer.streaming_content).decode()
    assert "oclc:7; uri:a:b;; c" in text
    path.write_text(text, "utf-8")
    assert import_file(path).has_changed_nothing
