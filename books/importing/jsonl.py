"""JSON Lines (https://jsonlines.org): each line a body that `POST /api/books/` takes."""

import json
from collections.abc import Iterator

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
        else:
            _parse(row, line)
        yield row


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
