"""CSV (RFC 4180) whose cells no spreadsheet takes for a formula."""

import csv
import io
import re
from collections.abc import Iterable

# With what a cell begins that a spreadsheet may run
# (https://owasp.org/www-community/attacks/CSV_Injection; a Japanese one the full-width forms, too),
# and what looks like one made harmless.
FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r\n]")


def harmless(text: str) -> str:
    """The text behind an apostrophe, where a spreadsheet might run it."""
    return f"'{text}" if FORMULA.match(text) else text


def original(cell: str) -> str:
    """The text that `harmless` has made this cell of."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell, 1) else cell


def rows_of(records: Iterable[Iterable[object]]) -> str:
    """These records, of what JSON has as scalars: null is empty, and a number is no formula."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([_cell(value) for value in record] for record in records)
    return file.getvalue()


def _cell(value: object) -> object:
    match value:
        case str():
            return harmless(value)
        case bool():
            return "true" if value else "false"
    return value
