"""LibraryThing: “Export as tab-delimited text”."""

import re

from .identifiers import identifiers
from .rows import FileRow
from .tabular import Record, Table
from .vocabulary import (
    contribution_of_inverted,
    date_of,
    editions,
    format_of,
    language_of,
    without_blanks,
)

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
    r"/editions/\d+/identifiers": "book id",
    "/editions": "isbn",
}
# “Ace (1990), Edition: Reissue, 535 pages”, “New York : Ace, 1990”
PUBLISHER = re.compile(
    r"(?:[^:,(]+:\s*)?([^(]*?)\s*(?:(?:,\s*\[?c?\d{4}|\(|, Edition:).*)?", re.DOTALL
)


def publisher(publication: str) -> str:
    match = PUBLISHER.fullmatch(publication.strip())
    return match[1].strip(" ,") if match else ""


def only_language(names: list[str]) -> str | None:
    return language_of(names[0]) if len(names) == 1 else None


def _split(cell: str, by: str) -> list[str]:
    return [part.strip() for part in re.split(by, cell) if part.strip()]


def pages(text: str) -> int | None:
    return int(match[0]) or None if (match := re.match(r"\d{1,6}", text.strip())) else None


def _of_record(record: Record, row: FileRow) -> dict[str, object]:
    get = record.get
    roles = [role.strip() for role in get("secondary author roles", "").split("|")]
    others = [name.strip() for name in get("secondary author", "").split("|")]
    roles += [""] * len(others)
    first, role = record["primary author"], get("primary author role", "")
    isbns = [isbn.strip(" []") for isbn in re.split("[,;]", get("isbns") or get("isbn", ""))]
    return without_blanks(
        {
            "title": record["title"],
            "language": only_language(_split(get("original languages", ""), ",")),
            "description": get("summary", ""),
            "subjects": [{"name": name} for name in _split(get("subjects", ""), r"\|")],
            "contributions": [
                *([contribution_of_inverted(first, role)] if first else []),
                *(
                    contribution_of_inverted(name, role or "contributor")
                    for name, role in zip(others, roles, strict=False)
                    if name
                ),
            ],
            "editions": editions(
                isbns,
                publisher=publisher(get("publication", "")),
                format=format_of(get("media", "")),
                pages=pages(get("page count", "")),
                published_on=date_of(get("date", "")),
                language=only_language(_split(get("languages", ""), ",")),
                identifiers=identifiers(
                    {
                        "librarything": record["book id"],
                        "oclc": get("oclc"),
                        "lccn": get("lccn"),
                    }
                ),
            ),
        }
    )


LIBRARYTHING = Table(
    frozenset({"book id", "title", "primary author"}),
    COLUMNS,
    _of_record,
    also=frozenset(
        {"oclc", "lccn", "primary author role", "secondary author roles", "isbns", "sort character"}
    ),
    # Its cells are not quoted.
    has_quotes=False,
)
