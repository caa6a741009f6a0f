"""The forms of a catalogue file, each read row by row as bodies that `POST /api/books/` takes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from project.api.http.problems import Fault

from . import bibtex, librarything, librarything_json, marc21, marcxml, onix, openlibrary, ris
from .bookwyrm import BOOKWYRM
from .calibre import CALIBRE
from .columns import OUR_TABLE
from .csl import CSL
from .goodbooks import GOODBOOKS
from .goodreads import GOODREADS
from .jsonl import OUR_JSON, JSONForm
from .mapping import guess, make_table
from .rows import Body, ByBeginning, FileRow, Lines, UnreadableFileError
from .storygraph import STORYGRAPH
from .tabular import Table, header_of


class Form(Protocol):
    def begins(self, text: str, /) -> bool:
        """Whether a file that begins like this is of this form."""

    def read(self, lines: Lines, /) -> Iterator[FileRow]:
        """Its rows, each with a body or with faults. Raises UnreadableFileError."""


@dataclass(frozen=True)
class _Form(ByBeginning):
    read: Callable[[Lines], Iterator[FileRow]]


def _rejected_body(document: Body, row: FileRow, *others: Table) -> dict[str, object]:
    """Of a row that an import has set aside, and that somebody has mended, what its form says.

    It is one of the others, or one that is known.
    """
    row.source = record = document.get("row")
    if not isinstance(record, dict):
        row.faults.append(Fault("invalid", "This row was none; mend it in the file itself.", ""))
        return {}
    if all(isinstance(cell, str) for cell in record.values()):
        folded = {name.casefold(): cell for name, cell in record.items()}
        spelt = {name.casefold(): name for name in record}
        for form in (*others, *FORMS.values()):
            if isinstance(form, Table) and form.required <= folded.keys():
                row.columns = {
                    place: spelt[name] for place, name in form.columns.items() if name in spelt
                }
                return form.body_of(folded, row)
    # Of the Open Library's authors.
    row.is_author = "name" in record and "title" not in record
    return record


REJECTS = r'\{"line": \d+, "errors": \['
# The special ones before those that take nearly everything.
FORMS: Mapping[str, Form] = {
    "rejects": JSONForm(REJECTS, _rejected_body),
    "csl": CSL,
    "librarything-json": _Form(librarything_json.BEGINNING, librarything_json.read),
    "jsonl": OUR_JSON,
    "openlibrary": _Form(openlibrary.BEGINNING, openlibrary.open_library),
    "marc": _Form(marc21.BEGINNING, marc21.marc),
    "marcxml": _Form(marcxml.BEGINNING, marcxml.marcxml),
    "onix": _Form(onix.BEGINNING, onix.onix),
    "bibtex": _Form(bibtex.BEGINNING, bibtex.bibtex),
    "ris": _Form(ris.BEGINNING, ris.ris),
    "goodbooks": GOODBOOKS,
    "goodreads": GOODREADS,
    "librarything": librarything.LIBRARYTHING,
    "storygraph": STORYGRAPH,
    "bookwyrm": BOOKWYRM,
    "calibre": CALIBRE,
    "csv": OUR_TABLE,
}


def form_with_mapping(mapping: Mapping[str, str], text: str) -> Form:
    """The form of a file that begins like this: a table with such columns, or rejects of one.

    Raises UnreadableFileError as `make_table` does.
    """
    table = make_table(mapping)
    rejects = JSONForm(REJECTS, lambda document, row: _rejected_body(document, row, table))
    return rejects if rejects.begins(text) else table


def form_of(text: str) -> str:
    """The form of a file that begins like this.

    Raises UnreadableFileError where it is empty or none, with a guess for a table's columns.
    """
    if not text.strip():
        raise UnreadableFileError("The file is empty.")
    for name, form in FORMS.items():
        if form.begins(text):
            return name
    if shown := guess(header_of(text)):
        raise UnreadableFileError(f"These columns are of no form that is known. Perhaps {shown}")
    raise UnreadableFileError(
        "This begins like no form that is known: docs/import.md lists them. A table has a header"
        " of columns, among them “title”, or says which is which by --map."
    )
