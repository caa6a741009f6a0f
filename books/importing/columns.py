"""CSV in columns of our own: a book a row, with an edition."""

import re
from collections.abc import Iterator
from typing import Any

from books.models import Role

from .rows import FileRow, Lines, UnreadableFileError
from .tabular import Record, number_of, read_table

BOOK_COLUMNS = (
    "title",
    "sort_title",
    "original_title",
    "language",
    "first_published_year",
    "description",
    "series",
    "series_position",
    "authors",
    "subjects",
    "openlibrary_key",
)
EDITION_COLUMNS = {
    "isbn13": "isbn13",
    "publisher": "publisher",
    "format": "format",
    "pages": "pages",
    "published_on": "published_on",
    "edition_language": "language",
}
OUR_COLUMNS = {
    "/contributions": "authors",
    **{f"/editions/0/{name}": column for column, name in EDITION_COLUMNS.items()},
    **{f"/{name}": name for name in BOOK_COLUMNS},
}
SEMICOLON = re.compile(r"(?<!;);(?!;)")
WITH_ROLE = re.compile(rf"(.*\S)\s*\(({'|'.join(Role.values)})\)")


def our_table(lines: Lines) -> Iterator[FileRow]:
    return read_table(lines, OUR_COLUMNS, _check_our_header, _our_body)


def _check_our_header(header: list[str]) -> None:
    known = [*BOOK_COLUMNS, *EDITION_COLUMNS]
    for name in header:
        if name not in known:
            raise UnreadableFileError(f"There is no column “{name}”; there are {', '.join(known)}.")
    if "title" not in header:
        raise UnreadableFileError("The column “title” is missing.")


def _our_body(record: Record, row: FileRow) -> dict[str, Any]:
    given = {name: cell for name, cell in record.items() if cell}
    body: dict[str, Any] = {name: given[name] for name in BOOK_COLUMNS if name in given}
    if year := given.get("first_published_year"):
        body["first_published_year"] = number_of(year)
    if series := given.get("series"):
        body["series"] = {"name": series}
    if subjects := given.get("subjects"):
        body["subjects"] = [{"name": name} for name in _items(subjects)]
    if authors := body.pop("authors", ""):
        body["contributions"] = [_contribution(item) for item in _items(authors)]
    edition: dict[str, Any] = {
        name: given[column] for column, name in EDITION_COLUMNS.items() if column in given
    }
    if pages := given.get("pages"):
        edition["pages"] = number_of(pages)
    if publisher := given.get("publisher"):
        edition["publisher"] = {"name": publisher}
    if edition:
        body["editions"] = [edition]
    return body


def _items(cell: str) -> list[str]:
    """The parts between semicolons; a double one is a semicolon within a part."""
    parts = (part.strip().replace(";;", ";") for part in SEMICOLON.split(cell))
    return [part for part in parts if part]


def _contribution(item: str) -> dict[str, Any]:
    if match := WITH_ROLE.fullmatch(item):
        return {"author": {"name": match[1]}, "role": match[2]}
    return {"author": {"name": item}}
