"""The forms of a catalogue file, each read row by row as bodies that `POST /api/books/` takes."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import langcodes
import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from rest_framework.exceptions import ParseError

from books.isbn import normalize_isbn
from books.models import Role
from project.api.http.parsers import parse_json
from project.api.http.problems import Fault, Refused, pointer

from .drafts import Draft

# What the API takes as a body is what a row may hold.
MAX_LENGTH: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_UTF_8 = re.compile("[\udc80-\udcff]")


class UnreadableFileError(Exception):
    """The file as a whole can't be read; the message says why to a person."""


@dataclass(slots=True)
class Row:
    """One row of a file, and what was made of it."""

    line: int
    # As the file has it, to be kept with the reasons of a refusal.
    source: Any
    body: dict[str, Any] = field(default_factory=dict)
    # What speaks against the row.
    faults: list[Fault] = field(default_factory=list)
    # What speaks against parts of it, which the body leaves out.
    omitted: list[Fault] = field(default_factory=list)
    # The column behind each place of the body; empty where the body is the row itself.
    columns: Mapping[str, str] = field(default_factory=dict)
    # The line of JSON that `body` was read from in haste: right if it is valid, else `read_again`.
    hasty: bytes = b""
    # What is to go in, once the row is found good.
    draft: Draft | None = None

    def read_again(self) -> None:
        """Read with all rules what was read in haste."""
        if self.hasty:
            _parse(self, self.hasty)

    def located(self, fault: Fault) -> Fault:
        """The fault with a pointer into the row rather than into the body made from it."""
        for place, column in self.columns.items():
            if re.match(rf"{place}(/|\Z)", fault.pointer or ""):
                return replace(fault, pointer=pointer(column))
        return fault


class Lines:
    """A file's lines without a byte order mark, counted; those of the current row are kept.

    Of a line longer than MAX_LENGTH only the beginning is given; `too_long` has its number.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._returned: list[bytes] = []
        self.of_row: list[bytes] = []
        self.number = 0
        self.bytes_read = 0
        self.too_long: set[int] = set()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> bytes:
        line = self._returned.pop() if self._returned else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.of_row.append(line)
        return line

    def _read(self) -> bytes:
        line = self._file.readline(MAX_LENGTH)
        is_first = self.bytes_read == 0
        self.bytes_read += len(line)
        rest = line
        while len(rest) == MAX_LENGTH and not rest.endswith(b"\n"):
            self.too_long.add(self.number + 1)
            rest = self._file.readline(MAX_LENGTH)
            self.bytes_read += len(rest)
        if is_first and line.startswith(BYTE_ORDER_MARK):
            # Never empty, which would be the end.
            return line.removeprefix(BYTE_ORDER_MARK) or b"\n"
        return line

    def next_row(self) -> int:
        """Begin a row at the next line, whose number it returns."""
        self.of_row = []
        return self.number + 1

    def keep_first(self) -> None:
        """Take the first line alone as the row: the others are given again."""
        others = self.of_row[1:]
        self._returned += reversed(others)
        self.number -= len(others)

    @property
    def row_is_too_long(self) -> bool:
        return not self.too_long.isdisjoint(
            range(self.number - len(self.of_row) + 1, self.number + 1)
        )

    @property
    def beginning_of_row(self) -> str:
        """The row's first line, with a surrogate for each byte that is no UTF-8."""
        return _text(self.of_row[0]).rstrip("\r\n")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _too_long() -> Fault:
    return Fault("too_large", f"A row has {MAX_LENGTH} bytes at most.", "")


# JSON Lines (https://jsonlines.org)


def json_lines(lines: Lines) -> Iterator[Row]:
    while True:
        first = lines.next_row()
        line = next(lines, b"")
        if not line:
            return
        if not line.strip():
            continue
        row = Row(first, None)
        if lines.row_is_too_long:
            row.source = lines.beginning_of_row
            row.faults.append(_too_long())
        elif (document := _plain_object(line)) is not None:
            row.source = row.body = document
            row.hasty = line
        else:
            _parse(row, line)
        yield row


def _plain_object(line: bytes) -> dict[str, Any] | None:
    """What `parse_json` gives for this line; None where that is no object, or doubtful.

    Depth and size of numbers are not looked at: the validation, which knows what belongs where,
    refuses what is too deep or too large.
    """
    if b"\\u00" in line:
        # NUL may stand here, or a colon.
        return None
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    # A key that stands twice has one more colon in the line than in what was read.
    if type(document) is dict and orjson.dumps(document).count(b":") == line.count(b":"):
        return document
    return None


def _parse(row: Row, line: bytes) -> None:
    row.source = _text(line).rstrip("\r\n")
    try:
        document = parse_json(line)
    except Refused as error:
        row.faults += error.faults
    except ParseError as error:
        match error.__cause__:
            case json.JSONDecodeError(msg=message, colno=column):
                reason = f"This is not JSON: {message.removesuffix(' at')} at column {column}."
            case _:
                reason = "This is not UTF-8."
        row.faults.append(Fault("parse_error", reason, ""))
    else:
        row.source = document
        if isinstance(document, dict):
            row.body = document
        else:
            row.faults.append(Fault("invalid", "A row is a JSON object.", ""))


# CSV (RFC 4180)

Record = dict[str, str]


def _records(lines: Lines) -> Iterator[tuple[int, list[str] | Fault]]:
    """The number of each record's first line, and its cells or why it has none."""
    # As long as a row may be; Python's own limit of a cell is 128 KiB.
    csv.field_size_limit(MAX_LENGTH)
    # Bytes that are no UTF-8 become surrogates, which are refused with their column.
    reader = csv.reader(map(_text, lines), strict=True)
    while True:
        first = lines.next_row()
        try:
            cells: list[str] | Fault = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = Fault("parse_error", f"This is not CSV: {error}.", "")
        if lines.row_is_too_long:
            cells = _too_long()
        # Blank lines have no cells.
        if cells:
            yield first, cells


def _table(
    lines: Lines,
    columns: Mapping[str, str],
    check_header: Callable[[list[str]], None],
    body_of: Callable[[Record, Row], dict[str, Any]],
) -> Iterator[Row]:
    records = _records(lines)
    header = _header(records)
    check_header(header)
    for first, cells in records:
        row = Row(first, lines.beginning_of_row, columns=columns)
        if isinstance(cells, list) and len(cells) != len(header):
            detail = f"There are {len(cells)} cells under {len(header)} columns."
            cells = Fault("columns", detail, "")
        if isinstance(cells, Fault):
            row.faults.append(cells)
            # A quote that is never closed must not swallow the rows behind it.
            lines.keep_first()
        else:
            record = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            row.source = record
            row.faults += [
                Fault("parse_error", "This is not UTF-8.", pointer(name))
                for name, cell in record.items()
                if NOT_UTF_8.search(cell)
            ]
            row.body = body_of(record, row)
        yield row


def _header(records: Iterable[tuple[int, list[str] | Fault]]) -> list[str]:
    for _, cells in records:
        if isinstance(cells, Fault):
            raise UnreadableFileError(f"The header can't be read. {cells.detail}")
        names = [name.strip() for name in cells]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise UnreadableFileError(f"Column “{repeated[0]}” stands twice in the header.")
        return names
    raise UnreadableFileError("There is no header.")


def _number(text: str) -> int | str:
    """The integer that this text is; any other text as it is, to be refused."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text


# Our own columns

BOOK_COLUMNS = (
    "title",
    "sort_title",
    "original_title",
    "language",
    "first_published_year",
    "description",
    "series",
    "series_position",
    "authors",
    "subjects",
    "openlibrary_key",
)
EDITION_COLUMNS = {
    "isbn13": "isbn13",
    "publisher": "publisher",
    "format": "format",
    "pages": "pages",
    "published_on": "published_on",
    "edition_language": "language",
}
OUR_COLUMNS = {
    "/contributions": "authors",
    **{f"/editions/0/{name}": column for column, name in EDITION_COLUMNS.items()},
    **{f"/{name}": name for name in BOOK_COLUMNS},
}
SEMICOLON = re.compile(r"(?<!;);(?!;)")
WITH_ROLE = re.compile(rf"(.*\S)\s*\(({'|'.join(Role.values)})\)")


def our_table(lines: Lines) -> Iterator[Row]:
    return _table(lines, OUR_COLUMNS, _check_our_header, _our_body)


def _check_our_header(header: list[str]) -> None:
    known = [*BOOK_COLUMNS, *EDITION_COLUMNS]
    for name in header:
        if name not in known:
            raise UnreadableFileError(f"There is no column “{name}”; there are {', '.join(known)}.")
    if "title" not in header:
        raise UnreadableFileError("The column “title” is missing.")


def _our_body(record: Record, row: Row) -> dict[str, Any]:
    given = {name: cell for name, cell in record.items() if cell}
    body: dict[str, Any] = {name: given[name] for name in BOOK_COLUMNS if name in given}
    if year := given.get("first_published_year"):
        body["first_published_year"] = _number(year)
    if series := given.get("series"):
        body["series"] = {"name": series}
    if subjects := given.get("subjects"):
        body["subjects"] = [{"name": name} for name in _items(subjects)]
    if authors := body.pop("authors", ""):
        body["contributions"] = [_contribution(item) for item in _items(authors)]
    edition: dict[str, Any] = {
        name: given[column] for column, name in EDITION_COLUMNS.items() if column in given
    }
    if pages := given.get("pages"):
        edition["pages"] = _number(pages)
    if publisher := given.get("publisher"):
        edition["publisher"] = {"name": publisher}
    if edition:
        body["editions"] = [edition]
    return body


def _items(cell: str) -> list[str]:
    """The parts between semicolons; a double one is a semicolon within a part."""
    parts = (part.strip().replace(";;", ";") for part in SEMICOLON.split(cell))
    return [part for part in parts if part]


def _contribution(item: str) -> dict[str, Any]:
    if match := WITH_ROLE.fullmatch(item):
        return {"author": {"name": match[1]}, "role": match[2]}
    return {"author": {"name": item}}


# goodbooks-10k (https://github.com/zygmuntz/goodbooks-10k), books.csv

GOODBOOKS_COLUMNS = {
    r"/title": "title",
    r"/series": "title",
    r"/original_title": "original_title",
    r"/first_published_year": "original_publication_year",
    r"/authors": "authors",
    r"/editions/\d+/language": "language_code",
    r"/editions": "isbn",
}
# "Title (Series, #1)"; the series may have parentheses of its own: "(Ranma ½ (US 2nd), #1)".
IN_SERIES = re.compile(r"(.*\S)\s*\(((?:[^()]|\([^()]*\))+?),?\s*#([^#()]+)\)")
# Longer ones are refused for their length; the pattern's time grows with its square.
MAX_TITLE = 1_000


def goodbooks(lines: Lines) -> Iterator[Row]:
    return _table(lines, GOODBOOKS_COLUMNS, _check_goodbooks_header, _goodbooks_body)


def is_goodbooks(header: Iterable[str]) -> bool:
    return {"goodreads_book_id", *GOODBOOKS_COLUMNS.values()} <= set(header)


def _check_goodbooks_header(header: list[str]) -> None:
    if not is_goodbooks(header):
        names = ", ".join(dict.fromkeys(GOODBOOKS_COLUMNS.values()))
        raise UnreadableFileError(f"A goodbooks file has the columns goodreads_book_id, {names}.")


def _goodbooks_body(record: Record, row: Row) -> dict[str, Any]:
    title, original_title = record["title"], record["original_title"]
    body: dict[str, Any] = {}
    if len(title) <= MAX_TITLE and (match := IN_SERIES.fullmatch(title)):
        title = match[1]
        body["series"] = {"name": match[2].strip()}
        body["series_position"] = match[3].strip()
    body["title"] = title
    if original_title != title:
        body["original_title"] = original_title
    if year := record["original_publication_year"]:
        body["first_published_year"] = _number(re.sub(r"\.0+\Z", "", year))
    names = (name.strip() for name in record["authors"].split(","))
    body["authors"] = [{"name": name} for name in names if name]
    if (isbn13 := _padded_isbn(record["isbn"], row)) is not None:
        edition: dict[str, Any] = {"isbn13": isbn13}
        if code := record["language_code"]:
            edition["language"] = _language_tag(code)
        body["editions"] = [edition]
    return body


def _language_tag(code: str) -> str:
    """The BCP 47 tag for an ISO 639 code, `en` for `eng`; what is none stays, to be refused."""
    return langcodes.standardize_tag(code) if langcodes.tag_is_valid(code) else code


def _padded_isbn(isbn: str, row: Row) -> str | None:
    """The ISBN, which has lost its leading zeros; None where it is absent or wrong."""
    if not isbn:
        return None
    try:
        return normalize_isbn(isbn.zfill(10))
    except ValidationError as error:
        detail = f"{error.messages[0]} The book has come in without this edition."
        row.omitted.append(Fault(error.code or "invalid", detail, "/isbn"))
        return None


# Which form it is

FORMS: dict[str, Callable[[Lines], Iterator[Row]]] = {
    "jsonl": json_lines,
    "csv": our_table,
    "goodbooks": goodbooks,
}


def form_of(beginning: bytes) -> str:
    """The form of a file that begins like this: with an object, or with a header.

    Raises UnreadableFileError where it is empty or neither.
    """
    text = beginning.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "surrogateescape").lstrip()
    if not text:
        raise UnreadableFileError("The file is empty.")
    if text.startswith("{"):
        return "jsonl"
    header = {name.strip(' "') for name in text.splitlines()[0].split(",")}
    if is_goodbooks(header):
        return "goodbooks"
    if "title" in header:
        return "csv"
    raise UnreadableFileError(
        "This begins neither with a JSON object nor with a header of columns, among them “title”."
    )
