"""MARC 21 (ISO 2709): records that begin with their length."""

from collections.abc import Iterator

from pymarc import Record
from pymarc.exceptions import PymarcException

from project.api.http.problems import Fault

from .marc import body_of
from .rows import FileRow, Lines, UnreadableFileError

BEGINNING = r"\d{5}[acdnp][a-z]..[ a]22\d{5}"


def marc(lines: Lines) -> Iterator[FileRow]:
    """The rows have the records' numbers for lines, since the form has no lines."""
    number = 0
    while beginning := lines.read(5).lstrip(b"\r\n"):
        number += 1
        beginning += lines.read(5 - len(beginning))
        if not beginning.isdigit():
            raise UnreadableFileError(f"Record {number} does not begin with its length.")
        data = beginning + lines.read(max(int(beginning) - 5, 0))
        row = FileRow(number, data.decode("utf-8", "surrogateescape"))
        try:
            row.body = body_of(Record(data=data, to_unicode=True, utf8_handling="replace"))
        except (PymarcException, ValueError, IndexError, KeyError) as error:
            row.faults.append(Fault("parse_error", f"This is not MARC 21: {error}", ""))
        else:
            row.source = row.body
        yield row
