"""BibTeX and BibLaTeX."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from bibtexparser.entrypoint import parse_string
from bibtexparser.middlewares import (
    RemoveEnclosingMiddleware,
    ResolveStringReferencesMiddleware,
    SeparateCoAuthors,
    SplitNameParts,
)
from pylatexenc.latex2text import LatexNodes2Text

from project.api.http.problems import Fault

from .citations import is_book, series
from .rows import MAX_LENGTH, FileRow, Lines, text_of, too_long_fault
from .tabular import number_of
from .vocabulary import contribution, date_of, editions, given, language_of, year_of

BLOCK = re.compile(rb"\s*@\s*(\w+)\s*[{(]")
STACK = [
    ResolveStringReferencesMiddleware(),
    RemoveEnclosingMiddleware(),
    SeparateCoAuthors(),
    SplitNameParts(),
]
# Types of entries that are parts of a book, or no book.
OTHERS = re.compile(
    r"article|review|periodical|conference|in(book|collection|proceedings|reference)|bookinbook"
    r"|supp\w+|set|xdata|patent|dataset|software|artwork|audio|video|movie|music|image"
)
ROLES = {
    "author": "author",
    "editor": "editor",
    "translator": "translator",
    "introduction": "introduction",
    "foreword": "foreword",
    "afterword": "afterword",
    "annotator": "annotator",
    "commentator": "commentator",
}


def begins_bibtex(text: str) -> bool:
    return re.match(r"(\s*(%[^\n]*\n)?)*@\s*\w+\s*[{(]", text) is not None


def bibtex(lines: Lines) -> Iterator[FileRow]:
    """An entry goes up to the line that begins the next one."""
    strings = b""
    for first, kind, block in _blocks(lines):
        if kind in (b"comment", b"preamble"):
            continue
        if kind == b"string":
            strings += block
            continue
        row = FileRow(first, text_of(block).strip())
        if len(strings) + len(block) > MAX_LENGTH:
            row.faults.append(too_long_fault())
        else:
            _take(row, text_of(strings + block))
        yield row


def _blocks(lines: Lines) -> Iterator[tuple[int, bytes, bytes]]:
    block, kind, first = b"", b"", 0
    for line in lines:
        # What was read is held here, so that `lines` need not.
        lines.of_row = []
        if match := BLOCK.match(line):
            if kind:
                yield first, kind, block
            block, kind, first = b"", match[1].lower(), lines.number
        if kind and len(block) <= MAX_LENGTH:
            block += line
    if kind:
        yield first, kind, block


def _take(row: FileRow, text: str) -> None:
    library = parse_string(text, parse_stack=STACK)
    if library.failed_blocks or not library.entries:
        row.faults.append(Fault("parse_error", "This is not BibTeX.", ""))
        return
    [entry, *_] = library.entries
    if is_book(row, entry.entry_type, OTHERS.fullmatch(entry.entry_type.lower()) is None):
        fields = {field.key.lower(): field.value for field in entry.fields}
        row.source = row.body = _body(fields)


@lru_cache
def _latex() -> LatexNodes2Text:
    return LatexNodes2Text(keep_braced_groups=False)


def plain(text: str) -> str:
    """What LaTeX shows for this."""
    if re.search(r"[\\{~$]|--", text):
        text = _latex().latex_to_text(text)
    return " ".join(text.split())


def _name(parts: Any, role: str) -> dict[str, Any]:
    first, von, last, jr = (
        plain(" ".join(part)) for part in (parts.first, parts.von, parts.last, parts.jr)
    )
    return contribution(" ".join(filter(None, [first, von, last, jr])), role)


def _body(fields: dict[str, Any]) -> dict[str, Any]:
    texts = {name: plain(value) for name, value in fields.items() if isinstance(value, str)}
    get = texts.get
    date = get("date") or f"{get('year', '')} {get('month', '')}"
    return given(
        {
            "title": get("title"),
            "subtitle": get("subtitle"),
            "original_title": get("origtitle"),
            "first_published_year": year_of(get("origdate", "")),
            "description": get("abstract"),
            **series(get("series", ""), get("number") or get("volume", "")),
            "subjects": [
                {"name": word.strip()}
                for word in re.split("[,;]", get("keywords", ""))
                if re.search(r"\w", word)
            ],
            "contributions": [
                _name(parts, role)
                for field, role in ROLES.items()
                for parts in fields.get(field, [])
                if not isinstance(parts, str)
            ],
            "editions": editions(
                re.findall(r"[\dXx-]{10,17}", get("isbn", "")),
                publisher=get("publisher"),
                pages=number_of(get("pagetotal", "")),
                published_on=date_of(date),
                language=language_of(get("langid") or get("language", "")),
            ),
        }
    )
