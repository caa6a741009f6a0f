"""Books from a file into the catalogue. docs/import.md says what counts as the same book."""

import gc
import json
import logging
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter, itemgetter
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from django.db import DataError, IntegrityError, connection, transaction

from authors.models import Author
from books.serializers import BookSerializer
from project.api.http.problems import Fault, Refused
from project.api.writes.attribution import program
from project.api.writes.transactions import retry

from .authors import AuthorRow
from .batches import Batch
from .drafts import Draft
from .files import open_file
from .formats import FORMS, Form, form_of, form_with_mapping
from .merging import Keys, Ours, Update
from .ordering import SortedRows
from .rows import Body, FileRow, Lines
from .validation import Validation

logger = logging.getLogger(__name__)

# The advisory lock that one import at a time holds: any number that no other program uses.
IMPORT_LOCK = 7_160_305
SHARED = ("authors", "series", "subjects", "publishers")
RESOURCES = ("books", "editions", *SHARED)
# How many things a batch may hold, books and what belongs to them: enough to make the statements
# few and to look for what books share but once, and few enough for the memory.
BATCH_SIZE = 20_000
# How many bytes of the file a batch may hold, so that rows of a megabyte do not pile up.
BATCH_BYTES = 8 * 1024 * 1024
# How many reasons a report keeps.
REASONS = 20
REPEAT = Fault("repeat", "An earlier row has this edition.", "")


@dataclass(slots=True)
class Count:
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Report:
    """What an import has done so far; all that it counts is committed."""

    form: str
    # Of the file, in bytes; 0 where it is a pipe.
    size: int
    # Whether all of it is taken back in the end.
    is_dry_run: bool = False
    # Whether it was read as Windows-1252, since it is no UTF-8.
    is_cp1252: bool = False
    bytes_read: int = 0
    # Those that are read, and those of which it is settled what becomes of them.
    rows_read: int = 0
    rows: int = 0
    seconds: float = 0.0
    counts: dict[str, Count] = field(default_factory=lambda: {kind: Count() for kind in RESOURCES})
    # The first few reasons why rows, or editions, were left out, each with its line.
    reasons: list[tuple[int, Fault]] = field(default_factory=list)
    # How many rows say something in columns that have no place in the catalogue.
    columns_left_out: Counter[str] = field(default_factory=Counter)
    # What of accepted rows was left out since something else stands, by its place or column, and
    # the first few of them.
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[tuple[int, Fault]] = field(default_factory=list)
    # Rows with an edition that an earlier one has, word for word.
    repeats: int = 0
    # What books share and the file has mentioned, by kind; and the authors that it has changed.
    mentioned: dict[str, Keys] = field(default_factory=lambda: {kind: Keys() for kind in SHARED})
    changed_authors: Keys = field(default_factory=Keys)

    @property
    def done(self) -> float:
        """How much of the work, of which reading is taken for a third; of a pipe nobody knows."""
        read = self.bytes_read / self.size if self.size else 0.0
        return (read + 2 * self.rows / max(self.rows_read, 1)) / 3

    @property
    def has_changed_nothing(self) -> bool:
        return not any(count.created or count.changed for count in self.counts.values())

    def add(self, batch: Batch, ours: Ours) -> None:
        books, editions = self.counts["books"], self.counts["editions"]
        books.created += len(batch.new)
        books.changed += batch.changed
        books.unchanged += batch.unchanged
        self.repeats += len(batch.repeats)
        editions.created += len(batch.editions)
        editions.changed += batch.editions_changed
        editions.unchanged += batch.editions_unchanged
        for key in batch.authors.changed:
            if not ours.has_made(Author, {"id": key}):
                self.changed_authors.add(key)
        self.counts["authors"].changed = len(self.changed_authors)
        for kind in (batch.authors, batch.series, batch.subjects, batch.publishers):
            name = str(kind.model._meta.verbose_name_plural)
            for each in kind.used.values():
                self.mentioned[name].add(each["id"])
            count = self.counts[name]
            count.created += len(kind.new)
            count.unchanged = len(self.mentioned[name]) - count.created - count.changed


def import_file(
    path: str | PathLike[str],
    *,
    form: str = "auto",
    rejects: str | PathLike[str] | None = None,
    update: Update = "fill",
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Add what the file has and the catalogue has not; a second run changes nothing.

    All of it is read first, and what it adds does not depend on the order of its rows. Then they go
    in by batches, each in a transaction of its own: whoever is interrupted finds whole batches.
    `progress` is called now and then, and after each. A row that is refused is left out with all
    its parts, and written to `rejects` with the reasons; the others go in. Raises
    UnreadableFileError or OSError where the file as a whole can't be read. `mapping` names our
    columns for those of a table of no form; with `dry_run` the report says what would happen, and
    nothing stays.
    """
    started = time.monotonic()
    with ExitStack() as files:
        files.enter_context(_rare_garbage_collection())
        files.enter_context(program("import"))
        stream, counted, size = files.enter_context(open_file(path))
        lines = Lines(stream)
        name = "mapped" if mapping else form
        if name == "auto":
            name = form_of(lines.beginning)
        reader = form_with_mapping(mapping, lines.beginning) if mapping else FORMS[name]
        report = Report(name, size, is_dry_run=dry_run)
        files.callback(_count, report)
        kept: IO[str] | None = None
        if rejects is not None:
            # Backslashes make lone surrogates, which UTF-8 has not, what JSON writes for them.
            kept = files.enter_context(
                Path(rejects).open("w", encoding="utf-8", errors="backslashreplace")
            )

        def show() -> None:
            if kept is not None:
                kept.flush()
            report.bytes_read = counted.bytes_read
            report.is_cp1252 = lines.encoding == "cp1252"
            report.seconds = time.monotonic() - started
            if progress is not None:
                progress(report)

        show()
        aside = files.enter_context(TemporaryFile())
        waiting = SortedRows(aside)
        for rows in _batches(_read(reader, lines)):
            report.rows_read += len(rows)
            for row in rows:
                if row.draft is not None:
                    waiting.add(row)
            _note([row for row in rows if row.draft is None], report, kept)
            show()
        if dry_run:
            files.enter_context(_undone())
        ours = Ours(update)
        while True:
            refused = SortedRows(aside)
            for rows in _batches(iter(waiting)):
                again = {row.number: row for row in _import(rows, report, ours)}
                for row in again.values():
                    refused.add(row)
                _note([row for row in rows if row.number not in again], report, kept)
                show()
            if len(refused) in (0, len(waiting)):
                break
            # Which the catalogue may take now that all others are in.
            waiting = refused
        for rows in _batches(iter(refused)):
            _note(rows, report, kept)
            show()
    # Not as their batches had them.
    report.reasons.sort(key=itemgetter(0))
    report.notes.sort(key=itemgetter(0))
    return report


def _count(report: Report) -> None:
    """Tell the metrics, where there are any, how it ended."""
    if os.environ.get("METRICS_DIR") and not report.is_dry_run:
        from project.api.observability import metrics

        try:
            metrics.count_import(asdict(report.counts["books"]))
        except OSError as error:
            # What it has done is done.
            logger.warning("The import is not counted: METRICS_DIR cannot be written to: %s", error)


@contextmanager
def _undone() -> Iterator[None]:
    """All that is written in here is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Rows hold no cycles, and to look for some in all of a batch takes a third of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(1_000_000)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _read(reader: Form, lines: Lines) -> Iterator[FileRow]:
    """Rows, with their drafts or their faults."""
    validate = Validation(BookSerializer())
    validate_author = Validation(AuthorRow())
    start = 0
    for number, row in enumerate(reader.read(lines)):
        row.number = number
        row.size += sum(len(value) for value in row.body.values() if isinstance(value, list))
        row.bytes, start = lines.bytes_read - start, lines.bytes_read
        prepare(row, validate_author if row.is_author else validate)
        row.body = {}
        yield row


def _batches(rows: Iterator[FileRow]) -> Iterator[list[FileRow]]:
    batch: list[FileRow] = []
    size = read = 0
    for row in rows:
        batch.append(row)
        size += row.size
        read += row.bytes
        if size >= BATCH_SIZE or read >= BATCH_BYTES:
            yield batch
            batch = []
            size = read = 0
    if batch:
        yield batch


def prepare(row: FileRow, validate: Validation) -> None:
    """Give the row its draft, or the faults that stand in the way."""
    if row.faults:
        return
    try:
        row.draft = _draft(row, row.body, validate)
    except Refused as error:
        faults = error.faults
        # A wrong ISBN costs the ISBN and not the book.
        if all(_is_of_isbn(fault) for fault in faults):
            row.omitted += [_omission(row.located(fault)) for fault in faults]
            try:
                row.draft = _draft(row, _without_isbns(row.body, faults), validate)
                return
            except Refused as other:
                faults = other.faults
        row.faults += map(row.located, faults)


def _draft(row: FileRow, body: Body, validate: Validation) -> Draft:
    attrs = validate.plainly(body)
    if attrs is None:
        attrs = validate.fully(body)
    return Draft.of_author(attrs) if row.is_author else Draft(attrs)


def _is_of_isbn(fault: Fault) -> bool:
    return (
        fault.code in ("isbn", "isbn_checksum", "max_length")
        and re.fullmatch(r"/editions/\d+/isbn13", fault.pointer or "") is not None
    )


def _omission(fault: Fault) -> Fault:
    return replace(fault, detail=f"{fault.detail} The book has come in without it.")


def _without_isbns(body: Body, faults: Sequence[Fault]) -> Body:
    """The body without these ISBNs, and without the editions of which nothing else is said."""
    wrong = {int((fault.pointer or "").split("/")[2]) for fault in faults}
    kept = [
        {name: value for name, value in edition.items() if name != "isbn13" or i not in wrong}
        for i, edition in enumerate(body["editions"])
    ]
    return {**body, "editions": [edition for edition in kept if edition]}


@contextmanager
def _late_interrupt() -> Iterator[Callable[[], None]]:
    """Once what this gives is called, Ctrl-C waits for the end of the block."""
    pressed: list[int] = []
    usual = signal.getsignal(signal.SIGINT)
    # Only the main thread has signals, and another handler is another program's.
    may_wait = (
        threading.current_thread() is threading.main_thread()
        and usual is signal.default_int_handler
    )

    def wait() -> None:
        if may_wait:
            signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))

    try:
        yield wait
    finally:
        if may_wait:
            signal.signal(signal.SIGINT, usual)
    if pressed:
        raise KeyboardInterrupt


def _put_in(drafts: Mapping[int, Draft], ours: Ours) -> Batch:
    """Imports take turns: two that hold new rows in opposite orders would wait for each other."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
    ours.begin()
    batch = Batch(ours)
    batch.put_in(drafts)
    return batch


def _import(rows: Sequence[FileRow], report: Report, ours: Ours) -> list[FileRow]:
    """Put these rows in, in one transaction; those that can't be get their faults.

    Returns those that what is stored stands in the way of.
    """
    by_number = {row.number: row for row in rows}
    drafts = {row.number: row.draft for row in rows if row.draft is not None}
    # What is committed is counted, too.
    with _late_interrupt() as interrupt_later:

        def put_in() -> Batch:
            batch = _put_in(drafts, ours)
            interrupt_later()
            return batch

        try:
            # Again where someone else writes the same at the same time, whose rows it then finds.
            batch = retry(put_in)
        except (IntegrityError, DataError) as error:
            reason = str(error).partition("\n")[0]
        else:
            for number, faults in batch.refused.items():
                by_number[number].faults = list(map(by_number[number].located, faults))
            for number, each in batch.disagreements:
                by_number[number].notes.append(by_number[number].located(each.as_fault()))
            for number in batch.repeats:
                by_number[number].notes.append(REPEAT)
            report.add(batch, ours)
            ours.keep(batch.made, batch.authors.unused, batch.authors.earlier_unused)
            return [by_number[number] for number in batch.refused]
    # There is a row that only the database refuses, and halving finds it.
    if len(rows) == 1:
        rows[0].faults = [Fault("refused", f"The database refuses it: {reason}", "")]
        return []
    middle = len(rows) // 2
    return _import(rows[:middle], report, ours) + _import(rows[middle:], report, ours)


def _note(rows: Sequence[FileRow], report: Report, rejects: IO[str] | None) -> None:
    """Count these rows and keep what speaks against them."""
    report.rows += len(rows)
    for row in sorted(rows, key=attrgetter("number")):
        if row.faults:
            report.counts["books"].rejected += 1
        else:
            report.counts["editions"].rejected += len(row.omitted)
        report.columns_left_out.update(row.left_out)
        for fault in row.notes:
            if fault.code == "left_out":
                report.left_out[re.sub(r"/\d+", "", fault.pointer or "").strip("/")] += 1
        room = REASONS - len(report.notes)
        report.notes += [(row.line, fault) for fault in row.notes[:room]]
        if not (faults := row.faults or row.omitted):
            continue
        report.reasons += [(row.line, fault) for fault in faults][: REASONS - len(report.reasons)]
        if rejects is not None:
            errors = [fault.as_json() for fault in faults]
            record = {"line": row.line, "errors": errors, "row": row.source}
            rejects.write(json.dumps(record, ensure_ascii=False) + "\n")
