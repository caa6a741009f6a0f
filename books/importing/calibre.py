"""Calibre: “Create catalog” as CSV, with any of its columns."""

import re
from html.parser import HTMLParser

from .identifiers import identifiers
from .rows import FileRow
from .tabular import Record, Table
from .vocabulary import contribution, date_of, editions, language_of, without_blanks

COLUMNS = {
    "/title": "title",
    "/sort_title": "title_sort",
    "/contributions": "authors",
    "/description": "comments",
    "/series_position": "series_index",
    "/series": "series",
    "/subjects": "tags",
    r"/editions/\d+/publisher": "publisher",
    r"/editions/\d+/published_on": "pubdate",
    r"/editions/\d+/language": "languages",
    "/editions": "isbn",
}
# What stands for “no date”.
UNDEFINED = "0101-01-01"


class _Text(HTMLParser):
    """The text of a comment, with a line for each block."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "div", "li", "h1", "h2", "h3"):
            self.parts.append("\n")

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "br":
            self.parts.append("\n")


def plain_text(html: str) -> str:
    """What a description in HTML says."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return re.sub(r"\n{3,}", "\n\n", "".join(parser.parts)).strip()


def _body(record: Record, row: FileRow) -> dict[str, object]:
    series = record.get("series", "")
    codes = [language_of(code) for code in record.get("languages", "").split(",") if code.strip()]
    published = record.get("pubdate", "")
    numbers = re.findall(r"([\w.-]+):([^,]+)", record.get("identifiers", ""))
    names = [name.strip() for name in record["authors"].split(" & ")]
    return without_blanks(
        {
            "title": record["title"],
            "sort_title": record.get("title_sort"),
            "description": plain_text(record.get("comments", "")),
            "series": {"name": series} if series else None,
            "series_position": re.sub(r"\.0+\Z", "", record.get("series_index", ""))
            if series
            else None,
            "subjects": [
                {"name": tag.strip()} for tag in record.get("tags", "").split(",") if tag.strip()
            ],
            "contributions": [contribution(name) for name in names if name],
            "editions": editions(
                [record.get("isbn") or dict(numbers).get("isbn")],
                publisher=record.get("publisher"),
                published_on=None if published.startswith(UNDEFINED) else date_of(published),
                language=codes[0] if len(codes) == 1 else None,
                format="ebook" if record.get("formats") else None,
                identifiers=identifiers(*({name: each} for name, each in numbers)),
            ),
        }
    )


CALIBRE = Table(
    frozenset({"title", "authors", "title_sort"}),
    COLUMNS,
    _body,
    also=frozenset({"identifiers", "formats", "author_sort"}),
)
