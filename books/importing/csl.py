"""CSL-JSON, of Zotero, Mendeley and pandoc (https://docs.citationstyles.org)."""

import re

from .citations import is_book, isbns, keywords, series
from .identifiers import identifiers
from .jsonl import JSONForm
from .rows import Body, FileRow
from .vocabulary import contribution, date_of, editions, language_of, without_blanks, year_of

BOOKS = frozenset(
    ["book", "collection", "thesis", "report", "manuscript", "classic", "document", "pamphlet"]
)
ROLES = {
    "author": "author",
    "editor": "editor",
    "translator": "translator",
    "illustrator": "illustrator",
    "narrator": "narrator",
    "compiler": "compiler",
    "contributor": "contributor",
}


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _date(value: object) -> str:
    """An EDTF date, or the parts of the first date, as ISO 8601 has them."""
    if not isinstance(value, dict):
        return _text(value)
    match value.get("date-parts"):
        case [[*parts], *_] if parts:
            return "-".join(
                # A sign counts as well.
                _text(part).zfill(2 if place else 4 + _text(part).startswith("-"))
                for place, part in enumerate(parts[:3])
            )
    return _text(value.get("raw")) or _text(value.get("literal"))


def _name(given_name: object, role: str) -> Body | None:
    if not isinstance(given_name, dict):
        return None
    get = given_name.get
    if literal := _text(get("literal")):
        return contribution(literal, role)
    names = ("given", "dropping-particle", "non-dropping-particle", "family", "suffix")
    name = " ".join(filter(None, (_text(get(part)) for part in names)))
    return contribution(name, role) if name else None


def _body(item: Body, row: FileRow) -> Body:
    kind = _text(item.get("type"))
    if not is_book(row, kind, kind in BOOKS):
        return {}
    people = [
        _name(each, role)
        for field, role in ROLES.items()
        if isinstance(item.get(field), list)
        for each in item[field]
    ]
    pages = re.match(r"\d{1,6}(?!\d)", _text(item.get("number-of-pages")))
    number = _text(item.get("collection-number")) or _text(item.get("volume"))
    row.source = body = without_blanks(
        {
            "title": _text(item.get("title")),
            "original_title": _text(item.get("original-title")),
            "first_published_year": year_of(_date(item.get("original-date"))),
            "description": _text(item.get("abstract")),
            **series(_text(item.get("collection-title")), number),
            "subjects": keywords(_text(item.get("keyword"))),
            "contributions": [person for person in people if person is not None],
            "editions": editions(
                isbns(_text(item.get("ISBN"))),
                publisher=_text(item.get("publisher")),
                pages=int(pages[0]) or None if pages else None,
                published_on=date_of(_date(item.get("issued"))),
                language=language_of(_text(item.get("language"))),
                identifiers=identifiers({"doi": _text(item.get("DOI"))}),
            ),
        }
    )
    return body


CSL = JSONForm(r'\s*\[\s*\{(?=.*"(issued|author|ISBN)")(?=.*?"type"\s*:\s*"[a-z-]+")', _body)
