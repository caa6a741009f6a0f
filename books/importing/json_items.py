"""Documents of JSON out of a file, one at a time, each by the API's own rules."""

import json
import re
from collections.abc import Iterator

from rest_framework.exceptions import ParseError

from project.api.http.parsers import parse_json
from project.api.http.problems import Fault, Refused

from .rows import (
    BEGINNING,
    MAX_LENGTH,
    FileRow,
    Lines,
    UnreadableFileError,
    text_of,
    too_long_fault,
)

# A whole text or a sign of structure; a text whose end is still to come; an end of a line.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|"|[\[\]{},]|\n', re.DOTALL)


def parse(row: FileRow, line: bytes) -> None:
    row.source = text_of(line).rstrip("\r\n")
    try:
        row.source = parse_json(line)
    except Refused as error:
        row.faults += error.faults
    except ParseError as error:
        match error.__cause__:
            case json.JSONDecodeError(msg=message, colno=column):
                reason = f"This is not JSON: {message.removesuffix(' at')} at column {column}."
            case _:
                reason = "This is not UTF-8."
        row.faults.append(Fault("parse_error", reason, ""))


def line_of(lines: Lines, first: int, text: bytes) -> FileRow:
    """The row of which this text, of the line `first` that was read last, is the document."""
    row = FileRow(first, None)
    if lines.row_is_too_long:
        row.source = lines.beginning_of_row
        row.faults.append(too_long_fault())
    else:
        parse(row, text)
    return row


def items(lines: Lines, *, of_object: bool = False) -> Iterator[FileRow]:
    """The items of the array, or the values of the object, that the file is; each as a row."""
    held, searched, start, depth, line, row_line = b"", 0, 0, 0, 1, 1
    while chunk := lines.read(BEGINNING):
        held += chunk
        for token in TOKEN.finditer(held, searched):
            sign = token[0]
            if sign == b'"':
                # The rest of the text is in the next piece.
                searched = token.start()
                break
            searched = token.end()
            if sign == b"\n":
                line += 1
            elif sign in b"[{":
                depth += 1
                if depth == 1:
                    start, row_line = token.end(), line
            elif sign in b"]}" or (sign == b"," and depth == 1):
                depth -= sign != b","
                if depth <= 0 or sign == b",":
                    yield from _item(held[start : token.start()], row_line, of_object)
                    start, row_line = token.end(), line
            if depth < 0:
                raise UnreadableFileError(f"More is closed than opened in line {line}.")
        else:
            searched = len(held)
        held, searched, start = held[start:], searched - start, 0
        if len(held) > MAX_LENGTH + BEGINNING:
            raise UnreadableFileError(f"Line {row_line}: a row has {MAX_LENGTH} bytes at most.")
    if depth:
        raise UnreadableFileError("The file ends before its JSON does.")


def _item(text: bytes, line: int, of_object: bool) -> Iterator[FileRow]:
    blank = len(text) - len(text.lstrip())
    row = FileRow(line + text[:blank].count(b"\n"), None)
    if of_object:
        text = text.partition(b":")[2]
    if text.strip():
        parse(row, text.strip())
        yield row
