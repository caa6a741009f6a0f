"""Is one name one thing, however its letters were typed and its blanks set?"""

import json
from unicodedata import normalize

import pytest

from authors.models import Author, AuthorProfile
from books.importing import import_file
from books.models import Book, Contribution, Publisher, Series, Subject
from tests.catalogue import faults, send

pytestmark = pytest.mark.django_db

NAME = "Gabriel  José\u00a0García Márquez "
STORED = "Gabriel José García Márquez"


def decomposed(value):
    if isinstance(value, dict):
        return {name: decomposed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [decomposed(each) for each in value]
    return normalize("NFD", value)


BODY = {
    "title": "El  otoño del patriarca",
    "original_title": "El otoño  del patriarca",
    "description": "Poésie.\n\n  Prosa  poética.",
    "series": {"name": "Colección  Ñ"},
    "series_position": "n.º  Ñ",
    "subjects": [{"name": "Poésie  lyrique"}],
    "contributions": [{"author": {"name": NAME}, "credited_as": "García  Márquez"}],
    "editions": [{"publisher": {"name": "Éditions  du Seuil"}}],
}


def stored_texts():
    """Each text that the catalogue holds, but what tells of language, role and format."""
    texts = {
        text
        for model in (Author, AuthorProfile, Book, Contribution, Publisher, Series, Subject)
        for row in model.objects.values()
        for text in row.values()
        if isinstance(text, str)
    }
    return texts - {"", "es", "author", "other"}


NORMAL = {
    "El otoño del patriarca",
    "otoño del patriarca, El",
    BODY["description"],
    "Colección Ñ",
    "n.º Ñ",
    "0n.º ñ",
    "Poésie lyrique",
    "poésie lyrique",
    "poésie-lyrique",
    STORED,
    "García Márquez, Gabriel José",
    "García Márquez",
    "Éditions du Seuil",
    "éditions du seuil",
}


def test_a_body_is_stored_in_nfc_and_names_with_single_blanks(librarian):
    send(librarian, "POST", "/books/", {**decomposed(BODY), "language": "es"}, 201)
    assert stored_texts() == NORMAL


def test_a_file_is_stored_as_a_body_is(tmp_path, librarian):
    rows = [{**BODY, "language": "es"}, {**decomposed(BODY), "language": "es"}]
    path = tmp_path / "books.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    report = import_file(path)
    assert {kind: count.created for kind, count in report.counts.items()} == dict.fromkeys(
        ["books", "editions", "authors", "series", "subjects", "publishers"], 1
    )
    assert stored_texts() == NORMAL


@pytest.mark.parametrize("path", ["authors", "series", "publishers", "subjects"])
def test_a_list_is_asked_for_a_name_however_it_is_typed(librarian, path):
    made = send(librarian, "POST", f"/{path}/", {"name": decomposed(NAME)}, 201)
    assert made["name"] == STORED
    [found] = send(librarian, "GET", f"/{path}/?name={decomposed(NAME)}")["results"]
    assert found["id"] == made["id"]


def test_books_are_asked_for_a_title_however_it_is_typed(librarian):
    send(librarian, "POST", "/books/", {"title": "El otoño"}, 201)
    [found] = send(librarian, "GET", f"/books/?title={decomposed(' El  otoño')}")["results"]
    assert found["title"] == "El otoño"


def test_another_spelling_is_no_change(librarian):
    made = send(librarian, "POST", "/books/", BODY, 201)
    one = f"/books/{made['id']}/"
    same = {**decomposed(BODY), "series": {"id": made["series_id"], **decomposed(BODY["series"])}}
    changed = send(librarian, "PATCH", one, {"title": same["title"], "series": same["series"]})
    assert changed == made


@pytest.mark.parametrize("path", ["publishers", "subjects"])
@pytest.mark.parametrize("name", ["éditions  du seuil", "ÉDITIONS DU SEUIL"])
def test_a_unique_name_is_unique_however_it_is_typed(librarian, path, name):
    made = send(librarian, "POST", f"/{path}/", {"name": "Éditions du Seuil"}, 201)
    refused = send(librarian, "POST", f"/{path}/", {"name": decomposed(name)}, 409)
    assert faults(refused) == [("/name", "unique")]
    [found] = send(librarian, "GET", f"/{path}/?name={decomposed(name)}")["results"]
    assert found == made


@pytest.mark.parametrize(
    "name", ["\u3000 \u00a0", "\u200b", " \ufeff \u200e", "\u3164", "\u202e\u2066", "\ufe0f\x01"]
)
def test_a_name_of_blanks_is_blank(librarian, name):
    refused = send(librarian, "POST", "/authors/", {"name": name}, 400)
    assert faults(refused) == [("/name", "blank")]


def test_nothing_unseen_stands_around_a_name(librarian):
    for name in ("\ufeffWar", "War \u200b", "\u200eWar\u200f"):
        body = {"title": "B", "subjects": [{"name": name}]}
        [subject] = send(librarian, "POST", "/books/", body, 201)["subjects"]
        assert subject["name"] == "War"
    # Inside it may tell where a line breaks.
    name = "ភាសា\u200bខ្មែរ"
    assert send(librarian, "POST", "/subjects/", {"name": name}, 201)["name"] == name


def test_the_model_itself_stores_one_spelling():
    author = Author.objects.create(name=decomposed(NAME))
    assert (author.name, author.sort_name) == (STORED, "García Márquez, Gabriel José")
