"""The rows of a file, before anything is known of its form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BufferedReader, RawIOBase
from typing import Any, TypeAlias

from django.conf import settings

from project.api.http.problems import Fault, pointer

from .drafts import Draft

# What the API takes as a body is what a row may hold.
MAX_LENGTH: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
# What `POST /api/books/` takes, or a part of it; and what a file has of JSON.
Body: TypeAlias = dict[str, Any]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# As much as the form of a file is told by.
BEGINNING = 64 * 1024


class UnreadableFileError(Exception):
    """The file as a whole can't be read; the message says why to a person."""


@dataclass(frozen=True)
class ByBeginning:
    """A form that is told by what its files begin with: a pattern."""

    beginning: str

    def begins(self, text: str) -> bool:
        return re.match(self.beginning, text, re.DOTALL) is not None


@dataclass(slots=True)
class FileRow:
    """One row of a file, and what was made of it."""

    line: int
    # As the file has it, to be kept with the reasons of a refusal.
    source: object
    body: Body = field(default_factory=dict)
    # What speaks against the row.
    faults: list[Fault] = field(default_factory=list)
    # What speaks against parts of it, which the body leaves out.
    omitted: list[Fault] = field(default_factory=list)
    # What of it was left out though nothing is wrong with it, and that it repeats another.
    notes: list[Fault] = field(default_factory=list)
    # Columns whose value has no place in the catalogue in this row.
    left_out: list[str] = field(default_factory=list)
    # The column behind each place of the body; empty where the body is the row itself.
    columns: Mapping[str, str] = field(default_factory=dict)
    # Whether the body is an author's, and not a book's.
    is_author: bool = False
    # What is to go in, once the row is found good.
    draft: Draft | None = None
    # Which of the file's rows it is.
    number: int = 0
    # How many things it holds, the book and what belongs to it, and of how many bytes it was read.
    size: int = 1
    bytes: int = 0

    def located(self, fault: Fault) -> Fault:
        """The fault with a pointer into the row rather than into the body made from it."""
        for place, column in self.columns.items():
            if re.match(rf"{place}(/|\Z)", fault.pointer or ""):
                return replace(fault, pointer=pointer(column))
        return fault


class Lines:
    """A file's lines without a byte order mark, counted; those of the current row are kept.

    Of a line longer than MAX_LENGTH only the beginning is given; `too_long` has its number. Where
    the first letter beyond ASCII is no UTF-8, the file is taken for Windows-1252.
    """

    def __init__(self, file: BufferedReader | RawIOBase) -> None:
        self._file = file if isinstance(file, BufferedReader) else BufferedReader(file)
        self._returned: list[bytes] = []
        self.of_row: list[bytes] = []
        self.number = 0
        self.bytes_read = 0
        self.too_long: set[int] = set()
        # None as long as all is ASCII.
        self.encoding: str | None = None

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
            self.encoding = "utf-8"
            # Never empty, which would be the end.
            return line.removeprefix(BYTE_ORDER_MARK) or b"\n"
        return line if self.encoding == "utf-8" or line.isascii() else self._in_utf8(line)

    def _in_utf8(self, line: bytes) -> bytes:
        try:
            if self.encoding is None:
                line.decode()
                self.encoding = "utf-8"
        except UnicodeDecodeError:
            self.encoding = "cp1252"
        try:
            return line if self.encoding == "utf-8" else line.decode("cp1252").encode()
        except UnicodeDecodeError:
            # Five bytes are no letter there either.
            return line

    def read(self, size: int) -> bytes:
        """The next bytes as they are, of a file that has no lines."""
        chunk = self._file.read(size)
        self.bytes_read += len(chunk)
        return chunk

    @property
    def beginning(self) -> str:
        """What the file begins with, as much as is at hand, before anything is read of it."""
        return text_of(self._file.peek(BEGINNING)).removeprefix("\ufeff")

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
        return text_of(self.of_row[0]).rstrip("\r\n")


def text_of(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def too_long_fault() -> Fault:
    return Fault("too_large", f"A row has {MAX_LENGTH} bytes at most.", "")
