"""The forms of a catalogue file, each read row by row as bodies that `POST /api/books/` takes."""

from collections.abc import Callable, Iterator

from .columns import our_table
from .goodbooks import goodbooks, is_goodbooks
from .jsonl import json_lines
from .rows import BYTE_ORDER_MARK, FileRow, Lines, UnreadableFileError

FORMS: dict[str, Callable[[Lines], Iterator[FileRow]]] = {
    "jsonl": json_lines,
    "csv": our_table,
    "goodbooks": goodbooks,
}


def form_of(beginning: bytes) -> str:
    """The form of a file that begins like this: with an object, or with a header.

    Raises UnreadableFileError where it is empty or neither.
    """
    text = beginning.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "surrogateescape").lstrip()
    if not text:
        raise UnreadableFileError("The file is empty.")
    if text.startswith("{"):
        return "jsonl"
    header = {name.strip(' "') for name in text.splitlines()[0].split(",")}
    if is_goodbooks(header):
        return "goodbooks"
    if "title" in header:
        return "csv"
    raise UnreadableFileError(
        "This begins neither with a JSON object nor with a header of columns, among them “title”."
    )
