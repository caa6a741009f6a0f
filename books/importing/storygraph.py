"""The StoryGraph: “Export StoryGraph Library”."""

import re

from .rows import Body, FileRow
from .tabular import Record, Table
from .vocabulary import contribution, editions, format_of, without_blanks

COLUMNS = {
    "/title": "title",
    r"/contributions": "authors",
    r"/editions/\d+/format": "format",
    "/editions": "isbn/uid",
}
# “Jane Doe (Translator)”; what a reader calls them stands in the same column as who they are.
WITH_ROLE = re.compile(r"(.*\S)\s*\(([^()]*)\)")


def _body(record: Record, row: FileRow) -> Body:
    authors = [name.strip() for name in record["authors"].split(",")]
    others = [name.strip() for name in record.get("contributors", "").split(",")]
    matches = [(name, WITH_ROLE.fullmatch(name)) for name in others if name]
    uid = record["isbn/uid"]
    is_isbn = re.fullmatch(r"[\dXx-]{10,17}", uid) is not None
    if uid and not is_isbn:
        row.left_out.append("ISBN/UID")
    return without_blanks(
        {
            "title": record["title"],
            "contributions": [
                *(contribution(name) for name in authors if name),
                *(
                    contribution(match[1], match[2]) if match else contribution(name, "contributor")
                    for name, match in matches
                ),
            ],
            "editions": editions(
                [uid if is_isbn else None], format=format_of(record.get("format", ""))
            ),
        }
    )


STORYGRAPH = Table(
    frozenset({"title", "authors", "isbn/uid", "read status"}),
    COLUMNS,
    _body,
    also=frozenset({"contributors"}),
)
