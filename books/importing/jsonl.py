"""JSON: lines (https://jsonlines.org) or items, each a body that `POST /api/books/` takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from project.api.http.problems import Fault

from .json_items import items, line_of
from .rows import Body, ByBeginning, FileRow, Lines


@dataclass(frozen=True)
class JSONForm(ByBeginning):
    """Documents of JSON of which each is a row: lines of a file, or the items of its one value."""

    body_of: Callable[[Body, FileRow], Body]

    def read(self, lines: Lines) -> Iterator[FileRow]:
        for row in _documents(lines):
            if not row.faults:
                if isinstance(row.source, dict):
                    row.body = self.body_of(row.source, row)
                else:
                    row.faults.append(Fault("invalid", "A row is a JSON object.", ""))
            yield row


def _documents(lines: Lines) -> Iterator[FileRow]:
    """Rows whose source is a document, or whose faults say why it is none."""
    if lines.beginning.lstrip().startswith("["):
        yield from items(lines)
        return
    while True:
        first = lines.next_row()
        line = next(lines, b"")
        if not line:
            return
        if not line.strip():
            continue
        yield line_of(lines, first, line)


def _own_body(document: Body, row: FileRow) -> Body:
    return document


OUR_JSON = JSONForm(r"\s*[\[{]", _own_body)
