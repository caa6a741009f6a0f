"""The Open Library's monthly dumps: works, editions and authors, in lines of type, key and JSON.

Works and editions name authors by key alone. Until the dump of authors comes, they are called so.
https://openlibrary.org/developers/dumps
"""

import re
from collections.abc import Iterator
from typing import Any

from project.api.http.problems import Fault
from project.api.relations import MAX_ITEMS

from .authors import other_names
from .identifiers import of_open_library
from .json_items import line_of
from .rows import Body, FileRow, Lines
from .vocabulary import (
    contribution,
    date_of,
    editions,
    format_of,
    language_of,
    without_blanks,
    year_of,
)

BEGINNING = r"/type/\w+\t/\w+/OL\d+[AMW]\t\d+\t[^\t]+\t\{"


def open_library(lines: Lines) -> Iterator[FileRow]:
    while (first := lines.next_row()) and (line := next(lines, b"")):
        columns = line.split(b"\t", 4)
        body_of = BODIES.get(columns[0].rpartition(b"/")[2])
        # What was deleted, or leads elsewhere, is no row; nor are the other types of record.
        if body_of is None:
            continue
        row = line_of(lines, first, columns[-1])
        if not row.faults and isinstance(row.source, dict):
            row.source = row.body = body_of(row.source, row)
        elif not row.faults:
            row.faults.append(Fault("invalid", "A record is a JSON object.", ""))
        yield row


def _key(value: object) -> str:
    """`OL1A` of `/authors/OL1A`, and of an object that has it as its `key`."""
    while isinstance(value, dict):
        value = value.get("author") or value.get("key")
    return str(value or "").rpartition("/")[2]


def _text(value: object) -> str:
    return str(value.get("value", "") if isinstance(value, dict) else value or "")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _credits(record: dict[str, object]) -> list[dict[str, object]]:
    keys = dict.fromkeys(filter(None, map(_key, _list(record.get("authors")))))
    return [contribution(key, openlibrary_key=key) for key in keys]


def _subjects(record: dict[str, object], row: FileRow) -> list[Body]:
    names = [each for each in _list(record.get("subjects")) if re.search(r"\w", _text(each))]
    row.left_out += ["subjects"] if len(names) > MAX_ITEMS else []
    return [{"name": _text(name)} for name in names[:MAX_ITEMS]]


def _work(record: dict[str, object], row: FileRow) -> dict[str, object]:
    return without_blanks(
        {
            "title": _text(record.get("title")),
            "subtitle": _text(record.get("subtitle")),
            "description": _text(record.get("description")),
            "first_published_year": year_of(_text(record.get("first_publish_date"))),
            "subjects": _subjects(record, row),
            "contributions": _credits(record),
            "openlibrary_key": _key(record.get("key")),
        }
    )


def _edition(record: dict[str, object], row: FileRow) -> dict[str, object]:
    works = _list(record.get("works"))
    languages = [language_of(_key(each)) for each in _list(record.get("languages"))]
    pages, publishers = record.get("number_of_pages"), _list(record.get("publishers"))
    return without_blanks(
        {
            "title": _text(record.get("title")),
            "subtitle": _text(record.get("subtitle")),
            "contributions": _credits(record),
            "editions": editions(
                map(_text, [*_list(record.get("isbn_13")), *_list(record.get("isbn_10"))]),
                publisher=_text(publishers[0]) if publishers else None,
                format=format_of(_text(record.get("physical_format"))),
                pages=pages if isinstance(pages, int) and pages > 0 else None,
                published_on=date_of(_text(record.get("publish_date"))),
                language=languages[0] if len(languages) == 1 else None,
                identifiers=of_open_library(record, _key(record.get("key"))),
            ),
            "openlibrary_key": _key(works[0]) if works else None,
        }
    )


def _author(record: Body, row: FileRow) -> dict[str, object]:
    row.is_author = True
    return without_blanks(
        {
            "name": _text(record.get("name")) or _text(record.get("personal_name")),
            "birth_year": year_of(_text(record.get("birth_date"))),
            "death_year": year_of(_text(record.get("death_date"))),
            "openlibrary_key": _key(record.get("key")),
            "other_names": other_names(record.get("alternate_names")),
        }
    )


BODIES = {b"work": _work, b"edition": _edition, b"author": _author}
