"""LibraryThing: “Export as tab-delimited text”, and as JSON."""

import re
from collections.abc import Iterator
from typing import Any

from .json_items import items
from .rows import FileRow, Lines
from .tabular import Record, Table
from .vocabulary import date_of, editions, format_of, given, inverted, language_of

COLUMNS = {
    "/title": "title",
    "/language": "original languages",
    r"/contributions/0": "primary author",
    "/contributions": "secondary author",
    "/description": "summary",
    "/subjects": "subjects",
    r"/editions/\d+/(format)": "media",
    r"/editions/\d+/pages": "page count",
    r"/editions/\d+/published_on": "date",
    r"/editions/\d+/publisher": "publication",
    r"/editions/\d+/language": "languages",
    "/editions": "isbn",
}
# “Ace (1990), Edition: Reissue, 535 pages”, “New York : Ace, 1990”
PUBLISHER = re.compile(
    r"(?:[^:,(]+:\s*)?([^(]*?)\s*(?:(?:,\s*\[?c?\d{4}|\(|, Edition:).*)?", re.DOTALL
)
IN_SERIES = re.compile(r"(.*\S)\s*\(([^()]+)\)")


def _publisher(publication: str) -> str:
    match = PUBLISHER.fullmatch(publication.strip())
    return match[1].strip(" ,") if match else ""


def _only_language(names: list[str]) -> str | None:
    return language_of(names[0]) if len(names) == 1 else None


def _split(cell: str, by: str) -> list[str]:
    return [part.strip() for part in re.split(by, cell) if part.strip()]


def _pages(text: str) -> int | None:
    return int(match[0]) or None if (match := re.match(r"\d{1,6}", text.strip())) else None


def _of_record(record: Record, row: FileRow) -> dict[str, Any]:
    get = record.get
    roles = [role.strip() for role in get("secondary author roles", "").split("|")]
    others = [name.strip() for name in get("secondary author", "").split("|")]
    roles += [""] * len(others)
    first, role = record["primary author"], get("primary author role", "")
    isbns = [isbn.strip(" []") for isbn in re.split("[,;]", get("isbns") or get("isbn", ""))]
    return given(
        {
            "title": record["title"],
            "language": _only_language(_split(get("original languages", ""), ",")),
            "description": get("summary", ""),
            "subjects": [{"name": name} for name in _split(get("subjects", ""), r"\|")],
            "contributions": [
                *([inverted(first, role)] if first else []),
                *(
                    inverted(name, role or "contributor")
                    for name, role in zip(others, roles, strict=False)
                    if name
                ),
            ],
            "editions": editions(
                isbns,
                publisher=_publisher(get("publication", "")),
                format=format_of(get("media", "")),
                pages=_pages(get("page count", "")),
                published_on=date_of(get("date", "")),
                language=_only_language(_split(get("languages", ""), ",")),
            ),
        }
    )


LIBRARYTHING = Table(
    frozenset({"book id", "title", "primary author"}),
    COLUMNS,
    _of_record,
    also=frozenset({"primary author role", "secondary author roles", "isbns", "sort character"}),
    # Its cells are not quoted.
    has_quotes=False,
)


def begins_librarything(text: str) -> bool:
    return re.match(r'\s*\{\s*"\d+"\s*:\s*\{\s*"books_id"', text) is not None


def librarything_json(lines: Lines) -> Iterator[FileRow]:
    """One object, in which each book stands under its number."""
    for row in items(lines, of_object=True):
        if not row.faults and isinstance(row.source, dict):
            row.body = _of_object(row.source)
        yield row


def _texts(value: Any) -> list[str]:
    """The texts of a list, or of an object that stands for one, or the one text."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) and value else []


def _of_object(book: dict[str, Any]) -> dict[str, Any]:
    text = {name: " ".join(_texts(value)) for name, value in book.items()}.get
    people = [each for each in book.get("authors") or [] if isinstance(each, dict)]
    series = next(iter(_texts(book.get("series"))), "")
    match = IN_SERIES.fullmatch(series)
    formats = [each.get("text", "") for each in book.get("format") or [] if isinstance(each, dict)]
    return given(
        {
            "title": text("title"),
            "language": _only_language(_texts(book.get("originallanguage"))),
            "description": text("summary", ""),
            "series": {"name": match[1] if match else series} if series else None,
            "series_position": match[2] if match else "",
            "subjects": [{"name": name} for name in dict.fromkeys(_texts(book.get("subject")))],
            "contributions": [
                inverted(str(each.get("lf") or each.get("fl")), str(each.get("role") or ""))
                for each in people
                if each.get("lf") or each.get("fl")
            ],
            "editions": editions(
                [*_texts(book.get("isbn")), *_texts(book.get("originalisbn"))],
                publisher=_publisher(text("publication", "")),
                format=format_of(str(formats[0])) if formats else None,
                pages=_pages(text("pages", "")),
                published_on=date_of(text("date", "")),
                language=_only_language(_texts(book.get("language"))),
            ),
        }
    )
