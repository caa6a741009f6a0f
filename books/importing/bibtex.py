"""BibTeX and BibLaTeX."""

import re
from collections.abc import Iterator

from bibtexparser.entrypoint import parse_string
from bibtexparser.middlewares import NameParts, SeparateCoAuthors, SplitNameParts
from django.core.exceptions import ValidationError

from books.publication_dates import first_year
from project.api.http.problems import Fault

from .bibtex_values import Strings
from .citations import is_book, isbns, keywords, series
from .identifiers import identifiers
from .latex import plain
from .rows import MAX_LENGTH, Body, FileRow, Lines, text_of, too_long_fault
from .tabular import number_of
from .vocabulary import contribution, date_of, editions, language_of, without_blanks, year_of

BEGINNING = r"(\s*(%[^\n]*\n)?)*@\s*\w+\s*[{(]"
BLOCK = re.compile(rb"\s*@\s*(\w+)\s*[{(]")
# Types of entries that are parts of a book, or no book.
OTHERS = re.compile(
    r"article|review|periodical|conference|in(book|collection|proceedings|reference)|bookinbook"
    r"|supp\w+|set|xdata|patent|dataset|software|artwork|audio|video|movie|music|image"
)
# The fields of people, which are called as the roles are.
PEOPLE = ("author", "editor", "translator", "introduction", "foreword", "afterword", "annotator")
NAMES = [SeparateCoAuthors(name_fields=PEOPLE), SplitNameParts(name_fields=PEOPLE)]


def bibtex(lines: Lines) -> Iterator[FileRow]:
    """Entries: what is wrong with one goes up to the line that begins the next one."""
    strings = Strings()
    for first, kind, block in _blocks(lines):
        if kind not in (b"comment", b"preamble"):
            yield from _rows(first, text_of(block).strip(), strings)


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


def _rows(line: int, block: str, strings: Strings) -> Iterator[FileRow]:
    if len(block) > MAX_LENGTH:
        yield FileRow(line, block, faults=[too_long_fault()])
        return
    library = parse_string(block, parse_stack=[])
    if not all(strings.define(string.key, string.value) for string in library.strings):
        yield FileRow(line, block, faults=[too_long_fault()])
        return
    for entry in library.entries:
        for field in entry.fields:
            field.key = field.key.lower()
            field.value = strings.evaluate(field.value)
    for names in NAMES:
        library = names.transform(library)
    if library.failed_blocks or not (library.strings or library.entries):
        yield FileRow(line, block, faults=[Fault("parse_error", "This is not BibTeX.", "")])
        return
    # More than one where they share a line.
    for entry in library.entries:
        row = FileRow(line, entry.raw)
        if is_book(row, entry.entry_type, OTHERS.fullmatch(entry.entry_type.lower()) is None):
            row.source = row.body = _body({field.key: field.value for field in entry.fields})
        yield row


def _name(parts: NameParts, role: str) -> Body:
    first, von, last, jr = (
        plain(" ".join(part)) for part in (parts.first, parts.von, parts.last, parts.jr)
    )
    return contribution(" ".join(filter(None, [first, von, last, jr])), role)


def _first_published(text: str) -> Body:
    # BibLaTeX's dates are EDTF: -0379 is 380 BCE, 0000 is 1 BCE, and “~” is no blank.
    if not (text.isdecimal() and int(text)):
        try:
            first_year(text)
        except ValidationError:
            pass
        else:
            return {"first_published": text}
    return {"first_published_year": year_of(plain(text))}


def _body(fields: Body) -> Body:
    texts = {name: plain(value) for name, value in fields.items() if isinstance(value, str)}
    get = texts.get
    date = get("date") or f"{get('year', '')}-{get('month', '')}".strip("-")
    return without_blanks(
        {
            "title": get("title"),
            "subtitle": get("subtitle"),
            "original_title": get("origtitle"),
            **_first_published(fields.get("origdate", "")),
            "description": get("abstract"),
            **series(get("series", ""), get("number") or get("volume", "")),
            "subjects": keywords(get("keywords", "")),
            "contributions": [
                _name(parts, role)
                for role in PEOPLE
                for parts in fields.get(role, [])
                if not isinstance(parts, str) and parts.last != ["others"]
            ],
            "editions": editions(
                isbns(get("isbn", "")),
                publisher=get("publisher"),
                pages=number_of(get("pagetotal", "")),
                published_on=date_of(date),
                language=language_of(get("langid") or get("language", "")),
                identifiers=identifiers({"doi": get("doi")}),
            ),
        }
    )
