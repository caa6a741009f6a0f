"""A file as it is brought: unpacked, counted, and in UTF-8 whatever it was written in."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fstat
from pathlib import Path
from typing import Any, BinaryIO

from .rows import BEGINNING, UnreadableFileError

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Counted(io.RawIOBase):
    """A file, and how many of its bytes are read: a pipe can't tell."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._file.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self.bytes_read += len(chunk)
        return len(chunk)


class Unpacked(io.RawIOBase):
    """What gzip has packed (RFC 1952)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=stream)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._file.read1(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableFileError(f"It can't be unpacked: {error}") from error
        buffer[: len(chunk)] = chunk
        return len(chunk)


class InUTF8(io.RawIOBase):
    """A stream in another of Unicode's encodings as UTF-8. What is none becomes U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        text = ""
        # Two bytes become three at most.
        while not text and (chunk := self._stream.read(len(buffer) // 2)):
            text = self._decoder.decode(chunk)
        data = (text or self._decoder.decode(b"", final=True)).encode("utf-8", "replace")
        buffer[: len(data)] = data
        return len(data)


class WithLines(io.RawIOBase):
    """A stream whose lines end in CR alone, as Excel for the Mac wrote them, with LF instead."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._stream.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(chunk)] = chunk
        return len(chunk)


@contextmanager
def open_file(path: str | PathLike[str]) -> Iterator[tuple[io.BufferedReader, Counted, int]]:
    """The file's text or bytes, what counts those that are read of it, and its size.

    The size is 0 where it is a pipe.
    """
    with Path(path).open("rb", buffering=0) as file:
        counted = Counted(file)
        stream: Any = io.BufferedReader(counted, BEGINNING)
        if stream.peek().startswith(GZIP):
            stream = io.BufferedReader(Unpacked(stream), BEGINNING)
        if encoding := _encoding_of(stream.peek()):
            stream = io.BufferedReader(InUTF8(stream, encoding), BEGINNING)
        if b"\r" in stream.peek() and b"\n" not in stream.peek():
            stream = io.BufferedReader(WithLines(stream), BEGINNING)
        yield stream, counted, fstat(file.fileno()).st_size


def _encoding_of(beginning: bytes) -> str | None:
    """What the file says that it is in, if it is not UTF-8: by a mark, or by its first letter."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if beginning.startswith(mark):
            return encoding
    # A letter of ASCII has an empty half.
    if len(beginning) > 1 and not all(beginning[:2]) and any(beginning[:2]):
        return "utf-16-le" if beginning[0] else "utf-16-be"
    return None
