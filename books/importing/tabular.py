"""CSV (RFC 4180): a header, and a row of as many cells for each record."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from project.api.http.problems import Fault, pointer

from .rows import MAX_LENGTH, FileRow, Lines, UnreadableFileError, text_of, too_long_fault

Record = dict[str, str]
NOT_UTF_8 = re.compile("[\udc80-\udcff]")


def _records(lines: Lines) -> Iterator[tuple[int, list[str] | Fault]]:
    """The number of each record's first line, and its cells or why it has none."""
    # As long as a row may be; Python's own limit of a cell is 128 KiB.
    csv.field_size_limit(MAX_LENGTH)
    # Bytes that are no UTF-8 become surrogates, which are refused with their column.
    reader = csv.reader(map(text_of, lines), strict=True)
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


def read_table(
    lines: Lines,
    columns: Mapping[str, str],
    check_header: Callable[[list[str]], None],
    body_of: Callable[[Record, FileRow], dict[str, Any]],
) -> Iterator[FileRow]:
    records = _records(lines)
    header = _header(records)
    check_header(header)
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


def number_of(text: str) -> int | str:
    """The integer that this text is; any other text as it is, to be refused."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text
