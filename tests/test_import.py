"""Does a file come into the catalogue once and whole, with a reason for what does not?"""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.utils import ConnectionHandler
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from authors.models import Author
from authors.serializers import AuthorItem
from books.importing import FORMS, UnreadableFileError, import_file
from books.importing.importer import prepare
from books.importing.rows import Lines
from books.importing.validation import Validation
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from books.serializers import BookSerializer, EditionItem
from project.api.writing import rows_written
from project.settings.base import database
from tests.catalogue import with_defaults
from tests.server import ROOT, development, manage

GOODBOOKS_HEADER = (
    "book_id,goodreads_book_id,isbn,isbn13,authors,original_publication_year,original_title,"
    "title,language_code"
)


def isbn(number):
    digits = f"978{number:09}"
    check = -sum(int(digit) * (1 + 2 * (i % 2)) for i, digit in enumerate(digits)) % 10
    return f"{digits}{check}"


@pytest.fixture
def run(db, tmp_path):
    """`run(data, **options)` imports these bytes, text, or rows as JSON Lines."""

    def run(data, **options):
        if isinstance(data, list):
            data = "\n".join(json.dumps(row) for row in data)
        path = tmp_path / "books"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return import_file(path, **options)

    return run


def created(report):
    return {kind: count.created for kind, count in report.counts.items() if count.created}


def reasons(report):
    return [(line, fault.pointer, fault.code) for line, fault in report.reasons]


def catalogue():
    """Every row of every table."""
    models = (
        *(Author, Book, Contribution, Edition, Publisher, Series, Subject),
        Book.subjects.through,
    )
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def without(body, *names):
    return {name: value for name, value in body.items() if name not in names}


def ids_left_out(value):
    if isinstance(value, list):
        return [ids_left_out(each) for each in value]
    if isinstance(value, dict):
        return {
            name: ids_left_out(each)
            for name, each in value.items()
            if name not in ("id", "uid") and not name.endswith(("_id", "_ids", "_at"))
        }
    return value


def uids_of(body):
    shared = [body["series"], *body["subjects"], *body["authors"]]
    shared += [edition["publisher"] for edition in body["editions"]]
    return [each["uid"] for each in (body, *shared)]


# The forms

HOBBIT = {
    "title": "The Hobbit",
    "original_title": "The Hobbit, or There and Back Again",
    "language": "en",
    "first_published_year": 1937,
    "description": "In a hole in the ground.",
    "series": {"name": "Middle-earth"},
    "series_position": "0.5",
    "subjects": [{"name": "Fantasy"}, {"name": "Children’s literature"}],
    "contributions": [
        {
            "author": {
                "name": "J. R. R. Tolkien",
                "sort_name": "Tolkien, J. R. R.",
                "kind": "person",
                "birth_year": 1892,
                "death_year": 1973,
                "openlibrary_key": "OL26320A",
            }
        },
        {
            "author": {"name": "Alan Lee"},
            "role": "illustrator",
            "credited_as": "A. Lee",
        },
    ],
    "editions": [
        {
            "isbn13": "978-0-261-10221-7",
            "publisher": {"name": "HarperCollins"},
            "format": "paperback",
            "pages": 310,
            "published_on": "1991-01-01",
            "language": "en-GB",
        }
    ],
    "openlibrary_key": "OL27482W",
}


def test_a_row_of_json_lines_becomes_the_book_that_the_api_shows(run, anonymous):
    report = run([HOBBIT])
    assert created(report) == {
        "books": 1,
        "editions": 1,
        "authors": 2,
        "series": 1,
        "subjects": 2,
        "publishers": 1,
    }
    body = anonymous.get(f"/api/books/{Book.objects.get().pk}/").json()
    tolkien = HOBBIT["contributions"][0]["author"]
    lee = {
        "name": "Alan Lee",
        "sort_name": "Lee, Alan",
        "kind": None,
        "birth_year": None,
        "death_year": None,
        "openlibrary_key": None,
    }
    assert ids_left_out(body) == {
        **with_defaults(Book, HOBBIT),
        "sort_title": "Hobbit, The",
        "series": {"name": "Middle-earth"},
        # In the order of their names.
        "subjects": [
            {"name": "Children’s literature", "slug": "childrens-literature"},
            {"name": "Fantasy", "slug": "fantasy"},
        ],
        "authors": [tolkien],
        "contributions": [
            with_defaults(Contribution, {"author": tolkien}),
            with_defaults(
                Contribution,
                {"author": lee, "role": "illustrator", "position": 1, "credited_as": "A. Lee"},
            ),
        ],
        "editions": [
            with_defaults(
                Edition,
                {
                    **HOBBIT["editions"][0],
                    "isbn13": "9780261102217",
                    "identifiers": [],
                    "cover": None,
                },
            )
        ],
        "version": 1,
    }


def test_what_the_api_shows_can_be_imported_elsewhere(run, anonymous):
    run([HOBBIT])
    body = anonymous.get(f"/api/books/{Book.objects.get().pk}/").json()
    assert run([body]).has_changed_nothing
    Contribution.objects.all().delete()
    for model in (Book, Author, Series, Subject, Publisher):
        model.objects.all().delete()
    report = run([body])
    assert reasons(report) == []
    again = anonymous.get(f"/api/books/{Book.objects.get().pk}/").json()
    assert ids_left_out(again) == ids_left_out(body)
    assert uids_of(again) == uids_of(body)


def test_authors_may_be_given_in_short(run, anonymous):
    names = [f"Author {n}" for n in range(47)]
    run([{"title": "Forty-seven", "authors": [{"name": name} for name in names]}])
    body = anonymous.get(f"/api/books/{Book.objects.get().pk}/").json()
    assert [author["name"] for author in body["authors"]] == names
    assert [each["position"] for each in body["contributions"]] == list(range(47))
    assert {each["role"] for each in body["contributions"]} == {"author"}


def test_a_row_of_our_csv_has_roles_and_an_edition(run, anonymous):
    header = (
        "title,sort_title,original_title,language,first_published_year,description,series,"
        "series_position,authors,subjects,openlibrary_key,isbn13,publisher,format,pages,"
        "published_on,edition_language"
    )
    row = (
        'The Iliad,"Iliad, The",Ἰλιάς,grc,-750,"Rage,\n""sing"" it",Epic Cycle,2,'
        '"Homer; Emily Wilson (translator);Smith;; Sons (foreword); Prince (singer)",'
        '"Epic poetry; Classics; epic  Poetry",OL675783W,0-441-17271-7,W. W. Norton,hardcover,848,'
        "2023-09-26,en-US"
    )
    report = run(f"{header}\n{row}\n")
    assert reasons(report) == []
    body = ids_left_out(anonymous.get(f"/api/books/{Book.objects.get().pk}/").json())
    contributions = body.pop("contributions")
    iliad = {
        "title": "The Iliad",
        "sort_title": "Iliad, The",
        "original_title": "Ἰλιάς",
        "language": "grc",
        "first_published_year": -750,
        "description": 'Rage,\n"sing" it',
        "series": {"name": "Epic Cycle"},
        "series_position": "2",
        "subjects": [
            {"name": "Classics", "slug": "classics"},
            {"name": "Epic poetry", "slug": "epic-poetry"},
        ],
        "editions": [
            {
                "isbn13": "9780441172719",
                "identifiers": [],
                "title": "",
                "volume": "",
                "publisher": {"name": "W. W. Norton"},
                "format": "hardcover",
                "pages": 848,
                "published_on": "2023-09-26",
                "language": "en-US",
                "cover": None,
            }
        ],
        "openlibrary_key": "OL675783W",
        "version": 1,
    }
    assert without(body, "authors") == with_defaults(Book, iliad)
    assert [(each["author"]["name"], each["role"]) for each in contributions] == [
        ("Homer", "author"),
        ("Emily Wilson", "translator"),
        ("Smith; Sons", "foreword"),
        ("Prince (singer)", "author"),
    ]


def test_rows_of_csv_that_describe_one_book_give_it_several_editions(run):
    header = "title,authors,isbn13,format,pages\n"
    rows = [
        f"Dune,Frank Herbert,{isbn(1)},hardcover,",
        f"Dune,Frank Herbert,{isbn(2)},ebook,",
        "Dune,Frank Herbert,,audiobook,",
        "Dune,Frank Herbert,,audiobook,",
        "Dune,Frank Herbert,,,",
        "Dune,Someone Else,,,",
    ]
    report = run(header + "\n".join(rows))
    assert created(report) == {"books": 2, "editions": 3, "authors": 2}
    before = catalogue()
    assert run(header + "\n".join(rows)).has_changed_nothing
    assert catalogue() == before


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Dune", ("Dune", None, "")),
        ("Dune (Dune Chronicles #1)", ("Dune", "Dune Chronicles", "1")),
        ("Dune (Dune Chronicles, #1)", ("Dune", "Dune Chronicles", "1")),
        ("Dune  (Dune Chronicles,  #1) ", ("Dune", "Dune Chronicles", "1")),
        ("Armageddon (Day by Day,#1)", ("Armageddon", "Day by Day", "1")),
        ("Fledgling (Women#1)", ("Fledgling", "Women", "1")),
        ("Dune Tales (Dune, #3.5)", ("Dune Tales", "Dune", "3.5")),
        ("Three Dunes (Dune, #1-3)", ("Three Dunes", "Dune", "1-3")),
        ("Half a Dune (Dune, #5, Part 1 of 2)", ("Half a Dune", "Dune", "5, Part 1 of 2")),
        ("Vol. 1 (Ranma ½ (US 2nd), #1)", ("Vol. 1", "Ranma ½ (US 2nd)", "1")),
        ("Dune (abridged) (Dune, #1)", ("Dune (abridged)", "Dune", "1")),
        # Which of two series is meant the file does not say.
        ("Mort (Death, #1; Discworld, #4)", ("Mort", "Death, #1; Discworld", "4")),
        ("Saga #1", ("Saga #1", None, "")),
        ("#GIRLBOSS", ("#GIRLBOSS", None, "")),
        ("(Dune, #1)", ("(Dune, #1)", None, "")),
        ("Dune (1965)", ("Dune (1965)", None, "")),
    ],
)
def test_a_title_of_goodbooks_leaves_its_series_behind(run, title, expected):
    run(f'{GOODBOOKS_HEADER}\n1,1,,,Frank Herbert,1965.0,,"{title}",eng\n')
    book = Book.objects.get()
    assert (book.title, book.series and book.series.name, book.series_position) == expected


@pytest.mark.parametrize(
    ("code", "tag"),
    [("eng", "en"), ("en-US", "en-US"), ("fre", "fr"), ("ara", "ar"), ("mul", "mul"), ("", None)],
)
def test_the_language_of_goodbooks_is_its_editions(run, code, tag):
    run(f"{GOODBOOKS_HEADER}\n1,1,439023483,9.78043902348e+12,A,1965.0,,B,{code}\n")
    assert Book.objects.get().language is None
    edition = Edition.objects.get()
    assert (edition.language, edition.isbn13) == (tag, "9780439023481")


@pytest.mark.parametrize(
    ("year", "expected"), [("-1750.0", -1750), ("2008.0", 2008), ("1595", 1595), ("", None)]
)
def test_the_year_of_goodbooks_is_a_whole_one(run, year, expected):
    run(f"{GOODBOOKS_HEADER}\n1,1,,,A,{year},,B,eng\n")
    assert Book.objects.get().first_published_year == expected


def test_an_original_title_is_kept_where_it_is_another_one(run):
    rows = [
        '1,1,,,A,,"Dune","Dune (Dune, #1)",eng',
        '2,2,,,B,,"Män som hatar kvinnor","The Girl with the Dragon Tattoo",eng',
        "3,3,,,C,,,Twilight,eng",
    ]
    run("\n".join([GOODBOOKS_HEADER, *rows]))
    assert dict(Book.objects.values_list("title", "original_title")) == {
        "Dune": "",
        "The Girl with the Dragon Tattoo": "Män som hatar kvinnor",
        "Twilight": "",
    }


def test_a_wrong_isbn_of_goodbooks_costs_the_edition_alone(run, tmp_path):
    row = '1,1,439023484,,"Ann, Bob , Ann",,,Dune,eng'
    rejects = tmp_path / "rejects"
    report = run(f"{GOODBOOKS_HEADER}\n{row}\n", rejects=rejects)
    assert created(report) == {"books": 1, "authors": 2}
    assert report.counts["editions"].rejected == 1
    assert report.counts["books"].rejected == 0
    assert json.loads(rejects.read_text()) == {
        "line": 2,
        "errors": [
            {
                "pointer": "/isbn",
                "code": "isbn_checksum",
                "detail": "The ISBN's check digit is wrong. "
                "The book has come in without this edition.",
            }
        ],
        "row": {
            "book_id": "1",
            "goodreads_book_id": "1",
            "isbn": "439023484",
            "isbn13": "",
            "authors": "Ann, Bob , Ann",
            "original_publication_year": "",
            "original_title": "",
            "title": "Dune",
            "language_code": "eng",
        },
    }
    assert run(f"{GOODBOOKS_HEADER}\n{row}\n").has_changed_nothing


# What is there already


def test_a_second_run_changes_nothing(run):
    rows = [HOBBIT] + [
        {
            "title": f"Book {n}",
            "authors": [{"name": f"Author {n % 7}"}, {"name": f"Author {n % 5}"}],
            "subjects": [{"name": "Fantasy"}],
            "editions": [{"isbn13": isbn(n), "publisher": {"name": "Ace"}}, {"format": "ebook"}],
        }
        for n in range(40)
    ]
    report = run(rows)
    assert not report.has_changed_nothing
    before = catalogue()
    report = run(rows)
    assert report.has_changed_nothing
    assert {kind: count.unchanged for kind, count in report.counts.items()} == {
        "books": 41,
        "editions": 81,
        "authors": 9,
        "series": 1,
        "subjects": 2,
        "publishers": 2,
    }
    assert catalogue() == before


STORED = {
    "title": "Dune",
    "authors": [{"name": "Frank Herbert"}],
    "first_published_year": 1965,
    "series": {"name": "Dune"},
    "series_position": "1",
    "editions": [{"isbn13": isbn(1)}],
}


@pytest.mark.parametrize(
    "row",
    [
        {"title": "Dune", "authors": [{"name": "Frank Herbert"}]},
        {"title": " Dune ", "authors": [{"name": "Frank  Herbert"}]},
        without(STORED, "series", "series_position", "editions"),
        without(STORED, "first_published_year", "editions"),
        # An ISBN with either the title or the authors.
        {**STORED, "title": "Dune, the first"},
        {**STORED, "authors": [{"name": "F. Herbert"}]},
        {**STORED, "first_published_year": 1966, "series_position": "2"},
    ],
)
def test_a_row_that_means_a_stored_book_leaves_it_as_it_is(run, row):
    run([STORED])
    before = catalogue()
    assert run([row]).has_changed_nothing
    assert catalogue() == before


@pytest.mark.parametrize(
    "row",
    [
        {"title": "dune", "authors": [{"name": "Frank Herbert"}]},
        {"title": "Dune"},
        {"title": "Dune", "authors": [{"name": "Brian Herbert"}]},
        {"title": "Dune", "authors": [{"name": "Frank Herbert"}, {"name": "Brian Herbert"}]},
        {**STORED, "first_published_year": 1966, "editions": []},
        {**STORED, "series_position": "2", "editions": []},
        {**STORED, "series": {"name": "Dunes"}, "editions": []},
    ],
)
def test_a_row_that_means_another_book_adds_it(run, row):
    run([STORED])
    assert created(run([row]))["books"] == 1
    assert run([row]).has_changed_nothing


def test_the_open_library_key_stands_above_everything_else(run):
    run([{"title": "Dune", "openlibrary_key": "OL1W", "editions": [{"isbn13": isbn(1)}]}])
    report = run(
        [
            {"title": "Arrakis", "openlibrary_key": "OL1W"},
            {"title": "Dune", "openlibrary_key": "OL2W"},
            {"title": "Dune", "openlibrary_key": "OL3W", "editions": [{"isbn13": isbn(1)}]},
        ]
    )
    assert created(report) == {"books": 1}
    assert report.counts["books"].unchanged == 1
    assert reasons(report) == [(3, "/editions/0/isbn13", "unique")]


def test_an_isbn_of_a_book_with_another_title_and_other_authors_is_refused(run):
    run([STORED])
    before = catalogue()
    other = {"title": "Emma", "authors": [{"name": "Jane Austen"}], "editions": STORED["editions"]}
    report = run([other])
    assert [(line, fault.as_json()) for line, fault in report.reasons] == [
        (
            1,
            {
                "pointer": "/editions/0/isbn13",
                "code": "unique",
                "detail": "This is the ISBN of an edition of “Dune”.",
            },
        )
    ]
    assert report.counts["books"].rejected == 1
    assert catalogue() == before


def test_a_new_edition_joins_its_stored_book_and_raises_its_version(run):
    run([STORED])
    before = Book.objects.get()
    report = run([{**STORED, "editions": [{"isbn13": isbn(1)}, {"isbn13": isbn(2)}]}])
    assert created(report) == {"editions": 1}
    assert report.counts["books"].changed == 1
    after = Book.objects.get()
    assert after.version == before.version + 1
    assert after.updated_at > before.updated_at
    assert set(after.editions.values_list("isbn13", flat=True)) == {isbn(1), isbn(2)}


def test_an_edition_knows_as_much_of_its_date_as_the_row(run):
    header = "title,authors,isbn13,format,published_on\n"
    run(header + "Timeline,Michael Crichton,0345417623,paperback,2000\nCongo,,,ebook,1980-06\n")
    editions = Edition.objects.order_by("pk").values_list("published_on", flat=True)
    assert list(editions) == ["2000", "1980-06"]


def test_authors_are_told_apart_by_key_and_by_year_of_birth(run):
    def row(n, **author):
        return {"title": f"Book {n}", "authors": [{"name": "Alexandre Dumas", **author}]}

    rows = [
        row(1, birth_year=1802),
        row(2, birth_year=1824),
        row(3, birth_year=1824, openlibrary_key="OL1A"),
        row(4, birth_year=1870, openlibrary_key="OL2A"),
        row(5, name="Dumas fils fils", openlibrary_key="OL2A"),
        row(6),
    ]
    run(rows)
    years = dict(Book.objects.values_list("title", "authors__birth_year"))
    assert list(years.values()) == [1802, 1824, 1824, 1870, 1870, 1802]
    assert Author.objects.count() == 3
    before = catalogue()
    assert run(rows).has_changed_nothing
    assert catalogue() == before


def test_publishers_and_subjects_are_told_apart_by_name_whatever_its_case(run):
    run(
        [
            {
                "title": f"Book {n}",
                "subjects": [{"name": subject}],
                "editions": [{"publisher": {"name": publisher}}],
            }
            for n, (subject, publisher) in enumerate(
                [("Sci-fi", "Ace"), ("sci fi", "ACE"), ("SCI-FI", "ace"), ("Sci", "Àce")]
            )
        ]
    )
    assert sorted(Publisher.objects.values_list("name", flat=True)) == ["Ace", "Àce"]
    assert sorted(Subject.objects.values_list("name", flat=True)) == ["Sci", "Sci-fi", "sci fi"]


def test_subjects_whose_slugs_meet_are_several(run):
    names = ["C++", "C", "C#", "c", "A.I.", "Ai"]
    run([{"title": "Big business", "subjects": [{"name": name} for name in names]}])
    assert dict(Subject.objects.values_list("name", "slug")) == {
        # In the order of their names, whatever that of the rows.
        "C": "c",
        "C#": "c-2",
        "C++": "c-3",
        "A.I.": "ai",
        "Ai": "ai-2",
    }
    run([{"title": "Small talk", "subjects": [{"name": "C?"}, {"name": "C#"}]}])
    assert Subject.objects.get(name="C?").slug == "c-4"
    assert Subject.objects.count() == 6


def test_a_subjects_slug_that_another_has_is_left_out(run):
    Subject.objects.create(name="Sea stories")
    rows = [
        {"title": "A", "subjects": [{"name": "Ships", "slug": "sea-stories"}]},
        {"title": "B", "subjects": [{"name": "Ships", "slug": "vessels"}]},
        {"title": "C", "subjects": [{"name": "SHIPS", "slug": "sea-stories"}]},
        # A number that a catalogue elsewhere gave says nothing here.
        {"title": "D", "subjects": [{"name": "Sea stories!", "slug": "sea-stories"}]},
    ]
    report = run(rows)
    assert reasons(report) == []
    assert [(line, fault.pointer, fault.detail) for line, fault in report.notes] == [
        (line, "/subjects/0/slug", "“sea-stories” is left out: another one has it.")
        for line in (1, 3)
    ]
    assert dict(Subject.objects.values_list("name", "slug")) == {
        "Sea stories": "sea-stories",
        "Ships": "vessels",
        "Sea stories!": "sea-stories-2",
    }


def test_an_imported_book_is_found_by_all_of_its_words(run, anonymous):
    translator = {"author": {"name": "Walter Scheidt"}, "role": "translator"}
    credited = {"author": {"name": "J. R. R. Tolkien"}, "credited_as": "Ronald Reuel"}
    run([{"title": "Sigurd", "contributions": [translator]}])
    row = {"title": "Kleiner Hobbit", "original_title": "The Hobbit", "series": {"name": "Arda"}}
    run([{**row, "contributions": [credited, translator]}])
    for words in ("kleiner", "the hobbit", "arda", "tolkien", "reuel scheidt", "hobbit walter"):
        found = anonymous.get("/api/books/", {"search": words}).json()["results"]
        assert [book["title"] for book in found] == ["Kleiner Hobbit"], words


# What does not come in


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, [("/title", "required")]),
        ({"title": 5}, [("/title", "invalid")]),
        ({"title": "A" * 2001}, [("/title", "max_length")]),
        ({"title": "A", "titel": "B"}, [("/titel", "unknown")]),
        ({"title": "A", "language": "eng"}, [("/language", "language")]),
        ({"title": "A", "first_published_year": 0}, [("/first_published_year", "year_zero")]),
        ({"title": "A", "editions": {}}, [("/editions", "not_a_list")]),
        ({"title": "A", "authors": [{"name": ""}]}, [("/authors/0/name", "blank")]),
        (
            {"title": "A", "authors": [{"name": "B", "birth_year": 9, "death_year": 8}]},
            [("/authors/0/death_year", "dies_before_birth")],
        ),
        ({"title": "A", "subjects": [{"name": "!"}]}, [("/subjects/0/name", "no_slug")]),
        (
            {"title": "A", "contributions": [{"role": "author"}]},
            [("/contributions/0/author", "required")],
        ),
        (
            {
                "title": "A",
                "authors": [{"name": "B"}],
                "contributions": [{"author": {"name": "C"}}],
            },
            [("/authors", "conflicting_values")],
        ),
        (
            {"title": "A", "language": "eng", "editions": [{"isbn13": "9780441172710"}]},
            [("/language", "language"), ("/editions/0/isbn13", "isbn_checksum")],
        ),
        (
            {"title": "A", "editions": [{"isbn13": isbn(1)}, {"isbn13": isbn(1)}]},
            [("/editions/1/isbn13", "duplicate")],
        ),
        ({"title": "A", "series": {"id": 1}}, [("/series/name", "required")]),
        (
            {"title": "A", "series_id": 1, "author_ids": [2]},
            [("/series_id", "invalid"), ("/author_ids", "invalid")],
        ),
    ],
)
def test_a_row_that_the_api_would_refuse_is_rejected_with_its_places(run, row, expected):
    good = {"title": "Dune", "authors": [{"name": "Frank Herbert"}]}
    report = run([good, row, {**good, "title": "Dune Messiah"}])
    assert reasons(report) == [(2, *each) for each in expected]
    assert created(report) == {"books": 2, "authors": 1}
    assert report.counts["books"].rejected == 1


def test_a_rejected_row_leaves_nothing_of_itself(run):
    row = {**HOBBIT, "editions": [*HOBBIT["editions"], {"pages": 0}]}
    run([row])
    assert not any(catalogue().values())


@pytest.mark.parametrize(
    ("line", "code", "row"),
    [
        (b'{"title": "Du', "parse_error", '{"title": "Du'),
        (b'{"title": "D\xfcne"}', "parse_error", '{"title": "D\udcfcne"}'),
        (b'{"title": "A\\u0000B"}', "invalid", '{"title": "A\\u0000B"}'),
        (b'{"title": "\\ud800"}', "invalid", '{"title": "\\ud800"}'),
        (b'{"title": "A", "title": "B"}', "repeated_key", '{"title": "A", "title": "B"}'),
        (b'["Dune"]', "invalid", ["Dune"]),
        (b"[" * 20_000, "too_deep", "[" * 20_000),
        (b'{"title": "' + b"A" * 1_000_000 + b'"}', "max_length", {"title": "A" * 1_000_000}),
    ],
)
def test_a_line_that_is_no_row_is_kept_as_it_was(run, tmp_path, line, code, row):
    rejects = tmp_path / "rejects"
    report = run(b'\xef\xbb\xbf{"title": "Dune"}\r\n\r\n' + line, rejects=rejects)
    assert [(at, fault.code) for at, fault in report.reasons] == [(3, code)]
    [kept] = map(json.loads, rejects.read_text().splitlines())
    assert (kept["line"], kept["row"]) == (3, row)
    assert [book.title for book in Book.objects.all()] == ["Dune"]


def test_large_rows_do_not_pile_up(run):
    rows = []
    run(
        "\n".join(['{"title": "Dune"}'.ljust(1_000_000)] * 40),
        progress=lambda report: rows.append((report.rows_read, report.rows)),
    )
    read = [(number, 0) for number in (0, 9, 18, 27, 36, 40)]
    assert rows == [*read, *((40, number) for number in (9, 18, 27, 36, 40))]


def test_what_several_batches_mention_counts_once(run):
    run([{"title": "Iliad", "authors": [{"name": "Homer"}]}])
    rows = [
        json.dumps({"title": f"Book {n}", "authors": [{"name": name}, {"name": "Homer"}]})
        for n, name in enumerate(["Sappho", "Pindar", "Hesiod"] * 7)
    ]
    # So large that a batch has but a few.
    data = "\n".join(row.ljust(1_000_000) for row in rows)
    for numbers in ((3, 1), (0, 4)):
        batches = []
        count = run(data, progress=batches.append).counts["authors"]
        assert len(batches) > 3
        assert (count.created, count.unchanged) == numbers


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_row_longer_than_a_request_may_be_is_skipped(run, form):
    title = b'"' + b"A" * 6_000_000 + b'"'
    first, last = (
        (b'{"title": "Dune"}', b'{"title": "Emma"}')
        if form == "jsonl"
        else (b"title\nDune", b"Emma")
    )
    report = run(first + b"\n" + title + b"\n" + last)
    line = 2 if form == "jsonl" else 3
    assert reasons(report) == [(line, "", "too_large")]
    assert sorted(book.title for book in Book.objects.all()) == ["Dune", "Emma"]


def test_the_place_of_a_fault_in_csv_is_its_column(run):
    header = (
        "title,language,first_published_year,series,series_position,authors,subjects,isbn13,"
        "publisher,format,pages,published_on,edition_language"
    )
    long = "A" * 2001
    row = f"{long},eng,1e3,{long},{long},{long},{long},12,{long},vinyl,0,yesterday,english"
    report = run(f"{header}\n{row}\n")
    assert sorted(fault.pointer for _, fault in report.reasons) == sorted(
        f"/{column}" for column in header.split(",")
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"A,B,C,D", ("", "columns")),
        (b"A", ("", "columns")),
        (b'A,"B,C', ("", "parse_error")),
        (b'A,"B"x,C', ("", "parse_error")),
        (b"A,B\xff,C", ("/authors", "parse_error")),
        (b"A,B\0,1", ("/authors", "null_characters_not_allowed")),
        (b"A,B,12.5", ("/pages", "invalid")),
        (b"A,B," + b"9" * 5000, ("/pages", "invalid")),
        (b"A,B,-1", ("/pages", "min_value")),
        (b",B,1", ("/title", "required")),
    ],
)
def test_a_bad_row_of_csv_does_not_take_its_neighbours_along(run, row, expected):
    report = run(b"\xef\xbb\xbftitle,authors,pages\r\nDune,,\r\n" + row + b"\r\nEmma,,\r\n")
    assert reasons(report) == [(3, *expected)]
    assert sorted(book.title for book in Book.objects.all()) == ["Dune", "Emma"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty."),
        (b" \r\n\n", "The file is empty."),
        (b"PK\x03\x04\x14\x00", "This begins like no form that is known: docs/import.md"),
        (b"\x1f\x8b\x08", "It can't be unpacked: "),
        (b"title,authors,autors\n", "There is no column “autors”; there are uid, title,"),
        (b"title,authors,title\n", "Column “title” stands twice in the header."),
        (b'title,"authors', "The header can't be read. This is not CSV:"),
    ],
)
def test_a_file_that_is_none_of_the_forms_says_so(db, tmp_path, data, message):
    file = tmp_path / "books.csv"
    file.write_bytes(data)
    with pytest.raises(CommandError, match=f"books.csv: {message}"):
        call_command("import_books", file)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("csv", "The column “title” is missing."),
        ("goodbooks", "The column “goodreads_book_id” is missing."),
    ],
)
def test_a_header_of_another_form_says_what_is_missing(db, tmp_path, form, message):
    file = tmp_path / "books"
    file.write_text("authors\nA\n")
    with pytest.raises(CommandError, match=message):
        call_command("import_books", file, format=form)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no disk that is always full")
def test_a_full_disk_is_named_with_what_is_in_by_then(db, tmp_path):
    (tmp_path / "books").write_text('{"title": "Dune"}\n{}\n')
    out = StringIO()
    with pytest.raises(CommandError, match=r"^/dev/full, or /.*: No space left on device$"):
        call_command("import_books", tmp_path / "books", rejects=Path("/dev/full"), stdout=out)
    assert ["books", "0", "0", "0", "1"] in map(str.split, out.getvalue().splitlines())


def test_a_file_that_cannot_be_read_or_would_be_overwritten_is_an_error(db, tmp_path):
    with pytest.raises(CommandError, match="nothing: No such file or directory"):
        call_command("import_books", tmp_path / "nothing")
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("import_books", tmp_path)
    file = tmp_path / "books"
    file.write_text('{"title": "Dune"}')
    with pytest.raises(CommandError, match="would overwrite the file itself"):
        call_command("import_books", file, rejects=file)
    assert file.read_text() == '{"title": "Dune"}'


@given(st.sampled_from(sorted(FORMS)), st.binary() | st.text().map(str.encode))
def test_whatever_a_file_holds_is_read_to_its_end_or_refused(form, data):
    headers = {
        "csv": b"title,authors,isbn13,published_on\n",
        "goodbooks": GOODBOOKS_HEADER.encode(),
    }
    lines = Lines(BytesIO(headers.get(form, b"") + b"\n" + data))
    try:
        for row in FORMS[form].read(lines):
            prepare(row, Validation((AuthorItem if row.is_author else BookSerializer)()))
            assert bool(row.draft) != bool(row.faults)
    except UnreadableFileError:
        pass
    else:
        assert lines.bytes_read >= len(data)


SCALARS = [None, True, 0, 1, 1.0, -750, 2**40, "", " ", "A", " A ", "A\0", "A\ud800", "A" * 2001]
MEANT = ["en", "eng", "author", "ebook", "OL1W", "OL1A", "0-441-17271-7", isbn(1), "1965-08-01"]
NESTED = [
    *([], {}, [1], [{}], {"name": "A"}, {"name": "A", "slug": ""}),
    *([{"name": "A"}], [{"name": "A"}] * 201, [{"name": "A", "birth_year": -750}]),
    *([{"author": {"name": "A"}}], [{"author": None, "role": "translator"}]),
]
ANYTHING = st.sampled_from([*SCALARS, *MEANT, *NESTED])
EDITION = st.fixed_dictionaries({}, optional=dict.fromkeys(EditionItem().fields, ANYTHING))
BODY = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys([*BookSerializer().fields, "unknown"], ANYTHING),
        "title": st.just("A") | ANYTHING,
        "editions": st.lists(EDITION, max_size=2) | ANYTHING,
    },
)


@given(BODY)
def test_the_short_way_of_validation_leads_where_the_serializer_does(body):
    validate = Validation(BookSerializer())
    plain = validate.plainly(body)
    if plain is not None:
        full = validate.fully(body)
        assert repr(plain) == repr({name: full[name] for name in plain})
        assert plain.keys() == full.keys()


def test_what_most_of_a_file_is_takes_the_short_way():
    for body in (HOBBIT, {"title": "A", "authors": [{"name": "B"}]}):
        assert Validation(BookSerializer()).plainly(body) is not None


# The command


def test_the_command_says_what_it_did(db, tmp_path):
    file = tmp_path / "books"
    file.write_text(json.dumps(HOBBIT) + "\n{}\n")
    out, errors = StringIO(), StringIO()
    call_command("import_books", file, stdout=out, stderr=errors)
    first, *table = out.getvalue().splitlines()
    assert first.startswith("2 rows in ")
    assert [line.split() for line in table] == [
        ["created", "changed", "unchanged", "rejected"],
        ["books", "1", "0", "0", "1"],
        ["editions", "1", "0", "0", "0"],
        ["authors", "2", "0", "0", "0"],
        ["series", "1", "0", "0", "0"],
        ["subjects", "2", "0", "0", "0"],
        ["publishers", "1", "0", "0", "0"],
    ]
    assert errors.getvalue().splitlines() == [
        "line 2: /title This field is required.",
        "--rejects FILE keeps every rejected row with its reasons.",
    ]
    out = StringIO()
    call_command("import_books", file, stdout=out, rejects=tmp_path / "rejects")
    assert out.getvalue().splitlines()[-1] == "Nothing has changed."


def test_the_command_keeps_no_statements_in_development(db, settings, tmp_path):
    settings.DEBUG = True
    file = tmp_path / "books"
    file.write_text('{"title": "Dune"}')
    call_command("import_books", file, stdout=StringIO())
    assert Book.objects.exists()
    [last] = connection.queries
    assert "Dune" not in last["sql"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(run):
    def statements(first, last):
        rows = [
            {
                **HOBBIT,
                "title": f"Book {n}",
                "series": {"name": f"Series {n}"},
                "subjects": [{"name": f"Subject {n}"}],
                "authors": [{"name": f"Author {n}"}],
                "contributions": [{"author": {"name": f"Author {n}"}}],
                "editions": [{"isbn13": isbn(n), "publisher": {"name": f"Publisher {n}"}}],
                "openlibrary_key": f"OL{n}W",
            }
            for n in range(first, last)
        ]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert created(run(rows))["books"] == last - first
        return len(captured)

    # A savepoint and its release; whether anything was merged; eight looks for what is there, keys
    # for six tables and eight inserts; what a search finds of five models, for which SQLite takes
    # two statements each; on PostgreSQL the turn to write, and a word to the planner; who writes,
    # and on SQLite that this is over.
    expected = 33 if connection.vendor == "postgresql" else 37
    assert statements(1, 2) == statements(2, 302) == expected


# Interrupted, and at the same time


TABLES = [
    *("authors_author", "books_series", "books_subject", "books_publisher"),
    *("books_book", "books_contribution", "books_book_subjects", "books_edition"),
]


@contextmanager
def failing(table):
    """No row can be inserted into this table."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RAISE 'out of order'; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"
            )
        else:
            # An error of SQLite itself, as RAISE() would be one of integrity.
            cursor.execute(
                f"CREATE TRIGGER fail BEFORE INSERT ON {table} BEGIN SELECT out_of_order(); END"
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("DROP FUNCTION fail CASCADE")
            else:
                cursor.execute("DROP TRIGGER fail")


@pytest.mark.django_db(transaction=True)
def test_a_broken_statement_leaves_nothing_of_its_batch(run):
    """A row of each table in turn fails, as if the database had failed there."""
    for table in TABLES:
        with failing(table), pytest.raises(DatabaseError, match=r"out.of.order"):
            run([HOBBIT])
        assert not any(catalogue().values())
    assert created(run([HOBBIT]))["books"] == 1


@pytest.fixture(scope="module")
def environment(database_url):
    """Of processes that use a database of their own."""
    env = development(database_url)
    assert manage("migrate", "-v0", env=env).returncode == 0
    return env


def count_books(url):
    connections = ConnectionHandler({"default": database(url)})
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM books_book")
        [count] = cursor.fetchone()
    connections.close_all()
    return count


def test_what_only_the_database_refuses_is_rejected_by_itself(run):
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX one_of_a_title ON books_book (title)")
    rows = [{"title": f"Book {n % 12}", "authors": [{"name": f"Author {n:02}"}]} for n in range(15)]
    report = run(rows)
    assert reasons(report) == [(line, "", "refused") for line in (13, 14, 15)]
    assert created(report) == {"books": 12, "authors": 12}
    assert Author.objects.count() == Contribution.objects.count() == 12


def test_a_database_without_tables_is_an_error_and_no_traceback(tmp_path):
    file = tmp_path / "books"
    file.write_text('{"title": "Dune"}')
    done = manage("import_books", str(file), env=development(f"sqlite:///{tmp_path}/new.sqlite3"))
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The database failed: no such table: ")


def test_ctrl_c_leaves_whole_batches(environment, database_url, django_db_blocker, tmp_path):
    file = tmp_path / "books"
    # A batch has a hundred of them.
    subjects = [{"name": f"Subject {n}"} for n in range(200)]
    # Far more than are in before a busy machine tells of the first.
    rows = [{"title": f"Book {n}", "subjects": subjects} for n in range(2_000)]
    file.write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, "manage.py", "import_books", file]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with django_db_blocker.unblock():
        before = count_books(database_url)
        with subprocess.Popen(command, cwd=ROOT, env=environment, **output) as process:
            deadline = time.monotonic() + 60
            while count_books(database_url) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=60)
        found = count_books(database_url) - before
    assert process.returncode == 130
    assert found in range(100, 2_000, 100)
    assert ["books", str(found), "0", "0", "0"] in map(str.split, out.splitlines())
    assert errors.endswith("Interrupted. What is counted above is in the catalogue.\n")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dry_run", [False, True])
def test_ctrl_c_right_after_a_commit_waits_for_its_count(dry_run, tmp_path):
    def interrupt(**_):
        transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGINT))
        if dry_run:
            os.kill(os.getpid(), signal.SIGINT)

    file = tmp_path / "books"
    file.write_text('{"title": "Dune"}\n')
    out = StringIO()
    # What runs in the background of a shell may be told to ignore it.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    rows_written.connect(interrupt)
    try:
        with pytest.raises(CommandError, match=r"^Interrupted\.") as interrupted:
            call_command("import_books", file, dry_run=dry_run, stdout=out)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        rows_written.disconnect(interrupt)
        signal.signal(signal.SIGINT, usual)
    assert interrupted.value.returncode == 130
    assert ("is in the catalogue" in str(interrupted.value)) is not dry_run
    created = [int(line.split()[1]) for line in out.getvalue().splitlines() if "books" in line]
    assert created == ([0] if dry_run else [1])
    assert Book.objects.count() == (0 if dry_run else 1)


def test_what_cannot_be_read_to_its_end_stays_out(run):
    with pytest.raises(UnreadableFileError, match="ends before its JSON does"):
        run('[{"title": "Dune"}, {"title": "Emma"}')
    assert not any(catalogue().values())


def test_a_terminal_shows_the_progress(environment, tmp_path):
    file = tmp_path / "books"
    file.write_text('{"title": "Dune"}\n')
    command = [sys.executable, "manage.py", "import_books", file]
    options = {"cwd": ROOT, "env": environment, "stdout": subprocess.PIPE, "check": True}
    terminal, end = pty.openpty()
    subprocess.run(command, stderr=end, **options)
    os.close(end)
    shown = b""
    while b"100%" not in shown:
        shown += os.read(terminal, 1024)
    os.close(terminal)
    assert b"1 rows" in shown
    assert subprocess.run(command, stderr=subprocess.PIPE, **options).stderr == b""


def test_files_imported_at_the_same_time_add_each_thing_once(at_once, tmp_path):
    file = tmp_path / "books"
    rows = [
        {
            "title": f"Book {n}",
            "subjects": [{"name": f"Subject {n % 3}"}],
            "editions": [{"isbn13": isbn(n), "publisher": {"name": f"Publisher {n % 5}"}}],
        }
        for n in range(30)
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    reports = at_once(lambda _: import_file(file), 4)
    assert [reasons(report) for report in reports] == [[], [], [], []]
    assert sum(report.counts["books"].created for report in reports) == 30
    counts = {name: len(rows) for name, rows in catalogue().items()}
    assert counts == {
        "Author": 0,
        "Book": 30,
        "Contribution": 0,
        "Edition": 30,
        "Publisher": 5,
        "Series": 0,
        "Subject": 3,
        "Book_subjects": 30,
    }


def test_files_in_opposite_orders_do_not_lock_each_other_out(at_once, tmp_path):
    lines = [
        json.dumps(
            {
                "title": f"Book {n}",
                "authors": [{"name": f"Author {n}"}],
                "editions": [{"isbn13": isbn(n)}],
                "openlibrary_key": f"OL{n + 1}W",
            }
        )
        for n in range(1_000)
    ]
    files = [tmp_path / "forwards", tmp_path / "backwards"]
    files[0].write_text("\n".join(lines))
    files[1].write_text("\n".join(reversed(lines)))
    reports = at_once(lambda number: import_file(files[number % 2]), 4)
    assert [reasons(report) for report in reports] == [[], [], [], []]
    assert sum(report.counts["books"].created for report in reports) == 1_000
    assert Book.objects.count() == Edition.objects.count() == 1_000
