"""The rows of a file by how well they say which book they mean, and not as the file has them.

What a row means depends on what is known when it comes. So those come first that name their book by
a key, and those last that say the least: whatever the order of the file, and however many batches
it takes, the rows go in in the same order.

This is an external merge sort: what fits into the memory is sorted and put into a temporary file,
and these runs are merged when they are read again.
"""

import heapq
import pickle
from collections.abc import Iterator
from operator import attrgetter
from typing import IO

from .rows import FileRow

# How much is held in the memory: in things, books and what belongs to them, and in bytes of the
# file.
HELD_SIZE = 60_000
HELD_BYTES = 24 * 1024 * 1024
# How many rows are put away, and read again, together: at the end some of each run are held.
BLOCK = 32

by_certainty = attrgetter("draft.certainty")


class SortedRows:
    """Rows with drafts, given back in the order of their certainty; equal ones as they came."""

    def __init__(self, file: IO[bytes]) -> None:
        """The file is a temporary one, for what does not fit into the memory."""
        self._file = file
        self._held: list[FileRow] = []
        self._size = self._bytes = 0
        # Of each run, where its blocks begin.
        self._runs: list[list[int]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, row: FileRow) -> None:
        self._length += 1
        self._held.append(row)
        self._size += row.size
        self._bytes += row.bytes
        if self._size >= HELD_SIZE or self._bytes >= HELD_BYTES:
            self._runs.append(self._put_away())
            self._held, self._size, self._bytes = [], 0, 0

    def __iter__(self) -> Iterator[FileRow]:
        self._held.sort(key=by_certainty)
        runs = [self._read(blocks) for blocks in self._runs]
        return heapq.merge(*runs, self._held, key=by_certainty)

    def _put_away(self) -> list[int]:
        """Write a run, and say where its blocks begin."""
        self._held.sort(key=by_certainty)
        self._file.seek(0, 2)
        blocks: list[int] = []
        for start in range(0, len(self._held), BLOCK):
            blocks.append(self._file.tell())
            pickle.dump(self._held[start : start + BLOCK], self._file, pickle.HIGHEST_PROTOCOL)
        return blocks

    def _read(self, blocks: list[int]) -> Iterator[FileRow]:
        for start in blocks:
            self._file.seek(start)
            # Which this process has written, and nobody else can open.
            yield from pickle.load(self._file)  # noqa: S301
