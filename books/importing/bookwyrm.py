"""BookWyrm: “Export Books”, bookwyrm-export.csv."""

import re

from .identifiers import identifiers
from .rows import FileRow
from .tabular import Record, Table, number_of
from .vocabulary import contribution, editions, without_blanks

COLUMNS = {
    "/title": "title",
    "/contributions": "author_text",
    r"/editions/\d+/pages": "pages",
    "/editions": "isbn_13",
    "/openlibrary_key": "openlibrary_key",
}


def _body(record: Record, row: FileRow) -> dict[str, object]:
    # An edition's key is not the work's.
    key = re.search(r"OL[1-9]\d*W", record.get("openlibrary_key", ""))
    edition = re.search(r"OL[1-9]\d*M", record.get("openlibrary_key", ""))
    if record.get("openlibrary_key") and key is None and edition is None:
        row.left_out.append("openlibrary_key")
    names = [name.strip() for name in record["author_text"].split(",")]
    return without_blanks(
        {
            "title": record["title"],
            "contributions": [contribution(name) for name in names if name],
            "editions": editions(
                [record.get("isbn_13"), record.get("isbn_10")],
                pages=number_of(record.get("pages", "")),
                identifiers=identifiers(
                    {
                        "openlibrary": edition and edition[0],
                        "goodreads": record.get("goodreads_key"),
                        "oclc": record.get("oclc_number"),
                        "asin": record.get("asin"),
                    }
                ),
            ),
            "openlibrary_key": key and key[0],
        }
    )


BOOKWYRM = Table(
    frozenset({"title", "author_text", "remote_id"}),
    COLUMNS,
    _body,
    also=frozenset({"isbn_10", "goodreads_key", "oclc_number", "asin"}),
)
