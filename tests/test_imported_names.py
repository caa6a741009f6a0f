"""Does a file's name of a person, a body, a subject become one, filed as a librarian would?

The files are in `imports/cases`: names that other catalogues have got wrong, and pairs of rows that
mean the same by other characters.
"""

from pathlib import Path

import pytest
from django.core.management import call_command

from tests.catalogue import send

pytestmark = pytest.mark.django_db

CASES = Path(__file__).parent / "imports" / "cases"


def imported(name, anonymous):
    """Import the file; then all books, authors and so on, each by the property that says most."""
    call_command("import_books", CASES / f"{name}.jsonl", verbosity=0)
    shown = {"books": "title", "authors": "sort_name"}
    lists = ("books", "authors", "subjects", "series", "publishers")
    return {
        path: [
            row[shown.get(path, "name")]
            for row in send(anonymous, "GET", f"/{path}/?ordering=id")["results"]
        ]
        for path in lists
    }


def test_no_name_loses_a_word(anonymous):
    assert imported("sort_names", anonymous)["authors"] == [
        "Woodrow, Wilson, Mrs.",
        "Campbell, Patrick, Mrs.",
        "Johnson, Charles, Captain",
        "National Geographic Society",
        "United States. Central Intelligence Agency",
        "1st World Library",
        "Thomas Percy, Bishop",
        "한강",
        "Fabian Society",
        "H. D.",
    ]


def test_decomposed_characters_make_no_second_one(anonymous):
    assert imported("nfc_nfd", anonymous) == {
        "books": ["El oto\u00f1o del patriarca"],
        "authors": ["Garc\u00eda M\u00e1rquez, Gabriel"],
        "subjects": ["Po\u00e9sie"],
        "series": ["Colecci\u00f3n \u00d1"],
        "publishers": ["\u00c9ditions du Seuil"],
    }


def test_two_blanks_make_no_second_author(anonymous):
    found = imported("blanks_two_authors", anonymous)
    assert found["books"] == ["Young Mungo", "Shuggie Bain"]
    assert found["authors"] == ["Stuart, Douglas"]


def test_a_subject_in_small_letters_is_the_same(anonymous):
    found = imported("subjects_case", anonymous)
    assert (found["books"], found["subjects"]) == (["Big business"], ["Magic"])


def test_the_api_says_the_same_of_a_subject_in_small_letters(librarian):
    body = {"title": "Big business", "subjects": [{"name": "Magic"}, {"name": "magic"}]}
    made = send(librarian, "POST", "/books/", body, 201)
    assert [each["name"] for each in made["subjects"]] == ["Magic"]
    body = {"title": "Small talk", "subjects": [{"name": "MAGIC"}]}
    assert send(librarian, "POST", "/books/", body, 201)["subjects"] == made["subjects"]
    [error] = send(librarian, "POST", "/subjects/", {"name": "magic"}, 409)["errors"]
    assert (error["pointer"], error["code"]) == ("/name", "unique")
