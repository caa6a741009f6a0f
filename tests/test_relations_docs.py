"""Does every example of docs/relations.md do what is written below it?"""

import json
import re
from pathlib import Path

import pytest

from authors.models import Author, AuthorProfile
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from tests.catalogue import continue_ids

PAGE = Path(__file__).parent.parent / "docs" / "relations.md"
TEXT = PAGE.read_text("utf-8")
BLOCK = re.compile(r"```http\n(.*?)\n\n(.*?)```", re.DOTALL)
BLOCKS = BLOCK.findall(TEXT)
EXAMPLES = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))


@pytest.fixture
def catalogue(db):
    """The catalogue that the page describes."""
    pratchett = Author.objects.create(id=1, name="Terry Pratchett")
    AuthorProfile.objects.create(id=1, author=pratchett, biography="Wrote.")
    gaiman = Author.objects.create(id=2, name="Neil Gaiman")
    kidby = Author.objects.create(id=3, name="Paul Kidby")
    series = Series.objects.create(id=1, name="Discworld")
    Publisher.objects.create(id=1, name="Gollancz")
    Subject.objects.create(id=1, name="Fantasy")
    Subject.objects.create(id=2, name="Humour")
    omens = Book.objects.create(id=1, title="Good Omens")
    omens.subjects.add(1)
    mort = Book.objects.create(id=2, title="Mort", series=series)
    for pk, book, author, role, position in [
        (1, omens, pratchett, "author", 0),
        (2, omens, gaiman, "author", 1),
        (3, omens, kidby, "illustrator", 2),
        (4, mort, pratchett, "author", 0),
    ]:
        Contribution.objects.create(id=pk, book=book, author=author, role=role, position=position)
    Edition.objects.create(id=1, book=omens, isbn13="9780575048003", format="hardcover")
    Edition.objects.create(id=2, book=omens, isbn13="9780060853983", format="paperback")
    continue_ids()


def shown(expected, actual):
    """What is read, as far as the page shows it."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: shown(value, actual.get(name)) for name, value in expected.items()}
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [shown(*pair) for pair in zip(expected, actual, strict=True)]
    return actual


@pytest.mark.parametrize(("request_", "answer"), EXAMPLES)
def test_an_example_does_what_the_page_says(librarian, catalogue, request_, answer):
    (first, body), (status, expected) = request_, answer
    method, path = first.split()
    response = librarian.generic(method, path, body.encode(), "application/json")
    assert response.status_code == int(status), response.content
    if not expected:
        assert response.content == b""
        return
    expected = json.loads(expected)
    assert shown(expected, response.json()) == expected


def test_every_row_of_the_table_has_its_example():
    links = re.findall(r"^\| \[.*\]\(#(.*)\) \|", TEXT, re.MULTILINE)
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    anchors = {part.split("\n")[0].lower().replace(" ", "-"): part for part in sections}
    assert links == list(anchors)
    assert all(BLOCK.search(part) for part in anchors.values())
