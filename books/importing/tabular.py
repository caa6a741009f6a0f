"""CSV (RFC 4180) and what is like it: a header, and a row of as many cells for each record."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from project.api.http.problems import Fault, pointer

from .rows import MAX_LENGTH, FileRow, Lines, UnreadableFileError, text_of, too_long_fault

Record = dict[str, str]
NOT_UTF_8 = re.compile("[\udc80-\udcff]")
DELIMITERS = ",;\t|"
QUOTED = re.compile('"[^"]*"')


@dataclass(frozen=True)
class Table:
    """A form of CSV. Names of columns are in small letters, since their case does not count."""

    # All of these make a header one of this form.
    required: frozenset[str]
    # The column behind each place of the body, as a pattern.
    columns: Mapping[str, str]
    body_of: Callable[[Record, FileRow], dict[str, object]]
    # Those that are read and stand behind no place.
    also: frozenset[str] = frozenset()
    # What a header lacks; by default the required ones.
    refuse: Callable[[list[str]], None] | None = None
    # Whether a quotation mark is a letter like others.
    has_quotes: bool = True

    def begins(self, text: str) -> bool:
        return self.required <= {name.casefold() for name in header_of(text)}

    def read(self, lines: Lines) -> Iterator[FileRow]:
        delimiter = delimiter_of(lines.beginning)
        records = _records(lines, delimiter, self.has_quotes)
        spelt = _header(records)
        header = [name.casefold() for name in spelt]
        self._check(header)
        read = {*self.columns.values(), *self.also}
        left_out = [
            place for place, name in enumerate(header) if name not in read and not self.refuse
        ]
        names = dict(zip(header, spelt, strict=True))
        columns = {place: names[each] for place, each in self.columns.items() if each in names}
        for first, cells in records:
            row = FileRow(first, lines.beginning_of_row, columns=columns)
            if isinstance(cells, list) and len(cells) != len(header):
                detail = f"There are {len(cells)} cells under {len(header)} columns."
                cells = Fault("columns", detail, "")
            if isinstance(cells, Fault):
                row.faults.append(cells)
                # A quote that is never closed must not swallow the rows behind it.
                lines.keep_first()
            else:
                cells = [cell.strip() for cell in cells]
                if any(b'="' in line for line in lines.of_row):
                    cells = [_plain(cell) for cell in cells]
                record = dict(zip(header, cells, strict=True))
                row.source = record if spelt == header else dict(zip(spelt, cells, strict=True))
                if not all(line.isascii() for line in lines.of_row):
                    row.faults += [
                        Fault("parse_error", "This is not UTF-8.", pointer(name))
                        for name, cell in row.source.items()
                        if NOT_UTF_8.search(cell)
                    ]
                row.left_out += [spelt[place] for place in left_out if cells[place]]
                row.body = self.body_of(record, row)
            yield row

    def _check(self, header: list[str]) -> None:
        if repeated := sorted({name for name in header if header.count(name) > 1}):
            raise UnreadableFileError(f"Column “{repeated[0]}” stands twice in the header.")
        if self.refuse is not None:
            self.refuse(header)
        if missing := sorted(self.required.difference(header)):
            raise UnreadableFileError(f"The column “{missing[0]}” is missing.")


def delimiter_of(text: str) -> str:
    """What stands between the names of the header that a file begins with."""
    bare = QUOTED.sub("", _first_line(text))
    return max(DELIMITERS, key=bare.count)


def header_of(text: str) -> list[str]:
    """The names in the header that a file begins with."""
    names = csv.reader([_first_line(text)], delimiter=delimiter_of(text))
    return [name.strip() for name in next(names, [])]


def _first_line(text: str) -> str:
    return re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]


def _records(
    lines: Lines, delimiter: str, has_quotes: bool
) -> Iterator[tuple[int, list[str] | Fault]]:
    """The number of each record's first line, and its cells or why it has none."""
    # As long as a row may be; Python's own limit of a cell is 128 KiB.
    csv.field_size_limit(MAX_LENGTH)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE
    # Bytes that are no UTF-8 become surrogates, which are refused with their column.
    reader = csv.reader(map(text_of, lines), strict=True, delimiter=delimiter, quoting=quoting)
    while True:
        first = lines.next_row()
        try:
            cells: list[str] | Fault = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = Fault("parse_error", f"This is not CSV: {error}.", "")
        if lines.row_is_too_long:
            cells = too_long_fault()
        # Blank lines have no cells.
        if cells:
            yield first, cells


def _header(records: Iterator[tuple[int, list[str] | Fault]]) -> list[str]:
    for _, cells in records:
        if isinstance(cells, Fault):
            raise UnreadableFileError(f"The header can't be read. {cells.detail}")
        return [name.strip() for name in cells]
    raise UnreadableFileError("There is no header.")


def _plain(cell: str) -> str:
    """What stands in a cell that is written so that Excel takes it for text."""
    return cell[2:-1].strip() if cell[:2] == '="' and cell[-1:] == '"' else cell


def number_of(text: str) -> int | str:
    """The integer that this text is; any other text as it is, to be refused."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text
