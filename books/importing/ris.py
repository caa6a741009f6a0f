"""RIS, of EndNote, Zotero, RefWorks and others."""

import re
from collections.abc import Iterator

from rispy import RisParser
from rispy.config import LIST_TYPE_TAGS

from .citations import is_book, series
from .identifiers import identifiers
from .rows import Body, FileRow, Lines, text_of, too_long_fault
from .vocabulary import contribution_of_inverted, date_of, editions, language_of, without_blanks

BEGINNING = r"\s*TY  ?- "
BOOKS = frozenset({"BOOK", "EBOOK", "EDBOOK", "SERIAL", "THES", "RPRT", "MANSCPT", "GEN"})
# The parser takes the last ISBN alone; a book has several, for one number is its ISBN-10.
LISTS = [*LIST_TYPE_TAGS, "SN"]
BEGIN = re.compile(rb"TY  ?-")
END = re.compile(rb"ER  ?-")


def ris(lines: Lines) -> Iterator[FileRow]:
    first = lines.next_row()
    for line in lines:
        if not line.strip() and len(lines.of_row) == 1:
            first = lines.next_row()
        elif END.match(line):
            yield _row(first, lines)
            first = lines.next_row()
        elif BEGIN.match(line) and len(lines.of_row) > 1:
            # The one before has no end.
            lines.of_row.pop()
            yield _row(first, lines)
            lines.of_row, first = [line], lines.number
    if lines.of_row:
        yield _row(first, lines)


def _row(first: int, lines: Lines) -> FileRow:
    text = text_of(b"".join(line for line in lines.of_row if not END.match(line)))
    row = FileRow(first, text)
    if lines.row_is_too_long:
        row.faults.append(too_long_fault())
        return row
    if text.startswith("TY -"):
        # So write some; the parser takes two blanks alone.
        text = re.sub("^([A-Z][A-Z0-9]) - ?", r"\1  - ", text, flags=re.MULTILINE)
    # Without an end a record would be lost.
    found = RisParser(list_tags=LISTS).parse(f"{text.rstrip()}\nER  - \n")
    record: Body = found[0] if found else {}
    kind = record.get("type_of_reference", "")
    if is_book(row, kind, kind in BOOKS):
        row.source = row.body = _body(record)
    return row


def _body(record: Body) -> Body:
    is_edited = record["type_of_reference"] == "EDBOOK"
    people = [
        *((name, "editor" if is_edited else "author") for name in record.get("authors", [])),
        *((name, "author") for name in record.get("first_authors", [])),
        # Of a whole book A2 are the editors of its series, and A3 its own; A4 have translated it.
        *((name, "editor") for name in record.get("tertiary_authors", [])),
        *((name, "editor") for name in record.get("secondary_authors", [])),
        *((name, "translator") for name in record.get("subsidiary_authors", [])),
    ]
    number = record.get("number_of_volumes") if record.get("secondary_title") else None
    pages = re.fullmatch(r"(\d+)( ?p\.?| pages)?", record.get("start_page", ""))
    date = record.get("date") or record.get("year") or record.get("publication_year") or ""
    # The parser does not know the title of a whole book, as Reference Manager called it.
    whole = record.get("unknown_tag", {}).get("BT", [])
    return without_blanks(
        {
            "title": record.get("title") or record.get("primary_title") or " ".join(whole),
            "description": record.get("abstract") or record.get("notes_abstract"),
            **series(record.get("secondary_title", ""), record.get("volume") or number or ""),
            "subjects": [
                {"name": word} for word in record.get("keywords", []) if re.search(r"\w", word)
            ],
            "contributions": [
                contribution_of_inverted(name, role) for name, role in people if name
            ],
            "editions": editions(
                [
                    isbn
                    for value in record.get("issn", [])
                    for isbn in re.findall(r"[\dXx-]{10,17}", value)
                ],
                publisher=record.get("publisher"),
                pages=int(pages[1]) or None if pages else None,
                published_on=date_of(date.strip("/")),
                language=language_of(record.get("language", "")),
                format="ebook" if record["type_of_reference"] == "EBOOK" else None,
                identifiers=identifiers({"doi": record.get("doi")}),
            ),
        }
    )
