"""Goodreads: “Export Library”, goodreads_library_export.csv."""

from .goodbooks import title_in_series
from .identifiers import identifiers
from .rows import FileRow
from .tabular import Record, Table, number_of
from .vocabulary import contribution, date_of, editions, format_of, without_blanks

COLUMNS = {
    "/(title|series.*)": "title",
    "/first_published_year": "original publication year",
    r"/contributions/0": "author",
    "/contributions": "additional authors",
    r"/editions/\d+/publisher": "publisher",
    r"/editions/\d+/format": "binding",
    r"/editions/\d+/pages": "number of pages",
    r"/editions/\d+/published_on": "year published",
    r"/editions/\d+/identifiers": "book id",
    "/editions": "isbn13",
}


def _body(record: Record, row: FileRow) -> dict[str, object]:
    # Whether they are authors or translators the file does not say.
    others = [name.strip() for name in record.get("additional authors", "").split(",")]
    pages = record.get("number of pages", "")
    return without_blanks(
        {
            **title_in_series(record["title"]),
            "first_published_year": number_of(record.get("original publication year", "")),
            "contributions": [
                *([contribution(record["author"])] if record["author"] else []),
                *(contribution(name, "contributor") for name in others if name),
            ],
            "editions": editions(
                [record["isbn13"], record["isbn"]],
                publisher=record.get("publisher"),
                format=format_of(record.get("binding", "")),
                pages=number_of(pages) if pages != "0" else None,
                published_on=date_of(record.get("year published", "")),
                identifiers=identifiers({"goodreads": record["book id"]}),
            ),
        }
    )


GOODREADS = Table(
    frozenset({"book id", "title", "author", "isbn", "isbn13", "exclusive shelf"}),
    COLUMNS,
    _body,
    # How a name is filed is not told by its last word.
    also=frozenset({"isbn", "author l-f"}),
)
