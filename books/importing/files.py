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


class _Chunks(io.RawIOBase):
    """A stream of what `chunk` gives: at most so many bytes, and none at the end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self.chunk(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def chunk(self, size: int) -> bytes:
        raise NotImplementedError


class Counted(_Chunks):
    """A file, and how many of its bytes are read: a pipe can't tell."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes_read = 0

    def chunk(self, size: int) -> bytes:
        chunk = self._file.read(size)
        self.bytes_read += len(chunk)
        return chunk


class Unpacked(_Chunks):
    """What gzip has packed (RFC 1952)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=stream)

    def chunk(self, size: int) -> bytes:
        try:
            return self._file.read1(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableFileError(f"It can't be unpacked: {error}") from error


class InUTF8(_Chunks):
    """A stream in another of Unicode's encodings as UTF-8. What is none becomes U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def chunk(self, size: int) -> bytes:
        text = ""
        # Two bytes become three at most.
        while not text and (chunk := self._stream.read(size // 2)):
            text = self._decoder.decode(chunk)
        return (text or self._decoder.decode(b"", final=True)).encode("utf-8", "replace")


class WithLines(_Chunks):
    """A stream whose lines end in CR alone, as Excel for the Mac wrote them, with LF instead."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def chunk(self, size: int) -> bytes:
        return self._stream.read(size).replace(b"\r", b"\n")


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
