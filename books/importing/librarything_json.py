"""LibraryThing: “Export as JSON”."""

import re
from collections.abc import Iterator

from . import librarything
from .identifiers import identifiers
from .json_items import items
from .rows import Body, FileRow, Lines
from .vocabulary import contribution_of_inverted, date_of, editions, format_of, without_blanks

BEGINNING = r'\s*\{\s*"\d+"\s*:\s*\{\s*"books_id"'
IN_SERIES = re.compile(r"(.*\S)\s*\(([^()]+)\)")


def read(lines: Lines) -> Iterator[FileRow]:
    """One object, in which each book stands under its number."""
    for row in items(lines, of_object=True):
        if not row.faults and isinstance(row.source, dict):
            row.source = row.body = _of_object(row.source)
        yield row


def _texts(value: object) -> list[str]:
    """The texts of a list, or of an object that stands for one, or the one text."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) and value else []


def _objects(value: object) -> list[Body]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _of_object(book: Body) -> Body:
    text = {name: " ".join(_texts(value)) for name, value in book.items()}.get
    people = _objects(book.get("authors"))
    series = next(iter(_texts(book.get("series"))), "")
    match = IN_SERIES.fullmatch(series)
    formats = [each.get("text", "") for each in _objects(book.get("format"))]
    return without_blanks(
        {
            "title": text("title"),
            "language": librarything.only_language(_texts(book.get("originallanguage"))),
            "description": text("summary", ""),
            "series": {"name": match[1] if match else series} if series else None,
            "series_position": match[2] if match else "",
            "subjects": [{"name": name} for name in dict.fromkeys(_texts(book.get("subject")))],
            "contributions": [
                contribution_of_inverted(
                    str(each.get("lf") or each.get("fl")), str(each.get("role") or "")
                )
                for each in people
                if each.get("lf") or each.get("fl")
            ],
            "editions": editions(
                [*_texts(book.get("isbn")), *_texts(book.get("originalisbn"))],
                publisher=librarything.publisher(text("publication", "")),
                format=format_of(str(formats[0])) if formats else None,
                pages=librarything.pages(text("pages", "")),
                published_on=date_of(text("date", "")),
                language=librarything.only_language(_texts(book.get("language"))),
                identifiers=identifiers(
                    {"librarything": text("books_id")},
                    {name: _texts(book.get(name)) for name in ("oclc", "lccn", "asin")},
                ),
            ),
        }
    )
