"""Can a book say as much of its date as is known, and is it sorted and asked for by that?"""

import pytest

from books.importing import import_file
from books.models import Book
from tests.catalogue import book, faults, send
from tests.test_admin import browser, filled_in

pytestmark = pytest.mark.django_db

YEARS = {
    "1850": 1850,
    "1850-06": 1850,
    "1850-06-15": 1850,
    "1850~": 1850,
    "1850?": 1850,
    "1850%": 1850,
    "1850-06~": 1850,
    "185X": 1850,
    "18XX": 1800,
    "18XX?": 1800,
    "1850-XX": 1850,
    "1850-21": 1850,
    "1850/1860": 1850,
    "1850~/1860?": 1850,
    "1850/..": 1850,
    "../1860": 1860,
    "/1860": 1860,
    "185X/1860": 1850,
    # There is a year 0 in ISO 8601, which is 1 BCE.
    "0000": -1,
    "-0749": -750,
    "-07XX": -800,
}


@pytest.mark.parametrize(("text", "year"), YEARS.items())
def test_a_date_is_kept_as_it_is_written_with_its_first_year(librarian, text, year):
    made = send(librarian, "POST", "/books/", {"title": "X", "first_published": text}, 201)
    assert (made["first_published"], made["first_published_year"]) == (text, year)


@pytest.mark.parametrize(
    "text",
    [
        *("199-", "19--", "c1850", "[1850]", "1850s", "1850 ~", "١٨٥٠", "1XXX", "XXXX", "..", "/"),
        *("../..", "1860/1850", "1850/1851/1852", "1850-13", "1850-02-30", "Y17000", "-9999", "85"),
        *("1850-05-06T10:00:00Z", "{1850,1851}", "1850/1860/", "(" * 40),
    ],
)
def test_what_is_no_such_date_is_refused(librarian, text):
    body = {"title": "X", "first_published": text}
    [(at, _)] = faults(send(librarian, "POST", "/books/", body, 400))
    assert at == "/first_published"


@pytest.mark.parametrize(
    ("body", "text", "year"),
    [
        # The twin that differs from what is stored wins.
        ({"first_published": "1860~"}, "1860~", 1860),
        ({"first_published": "1860~", "first_published_year": 1850}, "1860~", 1860),
        ({"first_published": "1860~", "first_published_year": 1860}, "1860~", 1860),
        ({"first_published_year": 1860}, "", 1860),
        ({"first_published_year": 1860, "first_published": "1850~"}, "", 1860),
        ({"first_published_year": None}, "", None),
        ({"first_published": ""}, "", 1850),
        ({"first_published": "", "first_published_year": None}, "", None),
        ({"title": "Y"}, "1850~", 1850),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_date_and_its_year_are_twins(librarian, method, body, text, year):
    stored = book(first_published="1850~")
    assert stored.first_published_year == 1850
    answer = send(librarian, method, f"/books/{stored.pk}/", {"title": "X", **body})
    assert (answer["first_published"], answer["first_published_year"]) == (text, year)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_date_and_another_year_are_refused(librarian, method):
    path = "/books/" if method == "POST" else f"/books/{book(first_published='1850~').pk}/"
    body = {"title": "X", "first_published": "1860~", "first_published_year": 1870}
    problem = send(librarian, method, path, body, 400)
    assert faults(problem) == [("/first_published", "conflicting_values")]


def test_books_are_sorted_and_asked_for_by_the_first_year(anonymous):
    for text in ("1850/1860", "18XX", "1849", "-0749~", "1851?"):
        book(title=text, first_published=text)

    def titles(query):
        page = send(anonymous, "GET", f"/books/?ordering=first_published_year&{query}")
        return [each["title"] for each in page["results"]]

    assert titles("fields=title") == ["-0749~", "18XX", "1849", "1850/1860", "1851?"]
    assert titles("first_published_year_min=1850") == ["1850/1860", "1851?"]
    assert titles("first_published_year_max=1800") == ["-0749~", "18XX"]


def test_an_import_takes_dates_and_finds_by_their_years(tmp_path):
    rows = "title,authors,first_published\nDune,Frank Herbert,1965~\nEmma,Jane Austen,1815-12\n"
    rows += "Ilias,Homer,-08XX/-0700\nWrong,Somebody,19--\n"
    path = tmp_path / "books.csv"
    path.write_text(rows, "utf-8")
    for created in (3, 0):
        report = import_file(path)
        assert report.counts["books"].created == created
        assert [(line, fault.pointer) for line, fault in report.reasons] == [
            (5, "/first_published")
        ]
    stored = Book.objects.order_by("first_published_year")
    assert list(stored.values_list("first_published", "first_published_year")) == [
        ("-08XX/-0700", -900),
        ("1815-12", 1815),
        ("1965~", 1965),
    ]


@pytest.mark.parametrize(
    ("typed", "text", "year"),
    [
        ({"first_published": "1860~"}, "1860~", 1860),
        ({"first_published_year": "1870"}, "", 1870),
    ],
)
def test_a_form_has_the_same_twins(typed, text, year):
    stored, desk = book(first_published="1850~"), browser("librarian")
    page = f"/admin/books/book/{stored.pk}/change/"
    assert desk.post(page, filled_in(desk.get(page)) | typed).status_code == 302
    stored.refresh_from_db()
    assert (stored.first_published, stored.first_published_year) == (text, year)
