"""JSON Lines (https://jsonlines.org): each line a body that `POST /api/books/` takes."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
from rest_framework.exceptions import ParseError

from project.api.http.parsers import parse_json
from project.api.http.problems import Fault, Refused

from .rows import FileRow, Lines, text_of, too_long_fault


def json_lines(lines: Lines) -> Iterator[FileRow]:
    while True:
        first = lines.next_row()
        line = next(lines, b"")
        if not line:
            return
        if not line.strip():
            continue
        row = FileRow(first, None)
        if lines.row_is_too_long:
            row.source = lines.beginning_of_row
            row.faults.append(too_long_fault())
        elif (document := _plain_object(line)) is not None:
            row.source = row.body = document
            row.hasty = line
        else:
            _parse(row, line)
        yield row


def read_again(row: FileRow) -> None:
    """Read with all rules what was read in haste."""
    if row.hasty:
        _parse(row, row.hasty)


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


def _parse(row: FileRow, line: bytes) -> None:
    row.source = text_of(line).rstrip("\r\n")
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
