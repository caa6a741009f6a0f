"""`manage.py import_books FILE`: a file into the catalogue, with its progress and a report."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, reset_queries
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from books.importing import (
    FORMS,
    UPDATES,
    Report,
    UnreadableFileError,
    Update,
    import_file,
)

INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Add the books of a file to the catalogue, an export of another one's or a table. "
        "What is known already stays. docs/import.md describes the forms."
    )
    # `check` and each server look at what URLs and serializers declare, which takes 0.2 s.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--format",
            choices=["auto", *FORMS],
            default="auto",
            help="By default, what the file begins with decides.",
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="FILE",
            help="Where rejected rows go, as JSON Lines with line and reasons; overwritten.",
        )
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="THEIRS=ours",
            help="A column of a table, and which of ours it is; once for each.",
        )
        parser.add_argument(
            "--update",
            choices=UPDATES,
            default="fill",
            help="What may change of a stored book: what it does not say, all, or no more than that"
            " it gets other editions.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would happen, and store nothing."
        )

    def handle(
        self,
        *,
        file: Path,
        format: str,  # noqa: A002
        rejects: Path | None,
        map: list[str],  # noqa: A002
        update: Update,
        dry_run: bool,
        **options: object,
    ) -> None:
        if rejects is not None and rejects.exists() and file.exists() and rejects.samefile(file):
            raise CommandError("The rejected rows would overwrite the file itself.")
        report: Report | None = None
        columns = (TextColumn("{task.fields[rows]:,} rows"), BarColumn(), TaskProgressColumn())
        console = Console(stderr=True)
        with Progress(
            *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task("", total=1, rows=0)

            def show(so_far: Report) -> None:
                nonlocal report
                report = so_far
                # With DEBUG Django keeps the text of every statement, rows and all.
                reset_queries()
                bar.update(task, rows=report.rows, completed=report.done)

            try:
                report = import_file(
                    file,
                    form=format,
                    rejects=rejects,
                    update=update,
                    mapping=dict(_pair(each) for each in map),
                    dry_run=dry_run,
                    progress=show,
                )
            except UnreadableFileError as error:
                raise CommandError(f"{file}: {error}") from error
            except OSError as error:
                bar.stop()
                self._print(report)
                # A file that is open has no name here, as where the disk is full.
                places = [str(each) for each in (rejects, gettempdir(), file) if each]
                where = error.filename or ", or ".join(places)
                raise CommandError(f"{where}: {error.strerror}") from error
            except DatabaseError as error:
                bar.stop()
                self._print(report)
                raise CommandError(f"The database failed: {error}") from error
            except KeyboardInterrupt as error:
                bar.stop()
                self._print(report)
                message = "Interrupted."
                if not dry_run:
                    message += " What is counted above is in the catalogue."
                raise CommandError(message, returncode=INTERRUPTED) from error
        self._print(report)
        if rejects is None:
            self._print_reasons(report)
        if report.rows and report.counts["books"].rejected == report.rows:
            raise CommandError("Every row was rejected.")

    def _print(self, report: Report | None) -> None:
        if report is None:
            return
        rate = report.rows / max(report.seconds, 0.001)
        self.stdout.write(f"{report.rows:,} rows in {report.seconds:.1f} s, {rate:,.0f} rows/s")
        self.stdout.write(f"{'':10}{'created':>11}{'changed':>11}{'unchanged':>11}{'rejected':>11}")
        for kind, count in report.counts.items():
            numbers = (count.created, count.changed, count.unchanged, count.rejected)
            self.stdout.write(f"{kind:10}" + "".join(f"{number:11,}" for number in numbers))
        self._print_numbers("Left out, since something else stands", report.left_out)
        self._print_numbers("Left out, since it has no place here", report.columns_left_out)
        if report.repeats:
            self.stdout.write(f"Rows that repeat an earlier one's edition: {report.repeats:,}")
        for line, fault in report.notes:
            self.stdout.write(_line_of(line, fault.pointer, fault.detail))
        if report.form not in ("jsonl", "csv"):
            self.stdout.write(f"Read as {report.form}.")
        if report.is_cp1252:
            self.stdout.write("Read as Windows-1252, since it is no UTF-8.")
        if report.is_dry_run:
            self.stdout.write("This was a dry run: nothing is stored.")
        elif report.has_changed_nothing:
            self.stdout.write("Nothing has changed.")

    def _print_numbers(self, what: str, numbers: Mapping[str, int]) -> None:
        if numbers:
            each = ", ".join(f"{name} {number:,}" for name, number in numbers.items())
            self.stdout.write(f"{what}: {each}")

    def _print_reasons(self, report: Report) -> None:
        for line, fault in report.reasons:
            self.stderr.write(_line_of(line, fault.pointer, fault.detail))
        if report.reasons:
            self.stderr.write("--rejects FILE keeps every rejected row with its reasons.")


def _line_of(line: int, pointer: str | None, detail: str) -> str:
    return " ".join(filter(None, (f"line {line}:", pointer, detail)))


def _pair(option: str) -> tuple[str, str]:
    theirs, equals, ours = option.rpartition("=")
    if not equals:
        raise CommandError(f"--map takes a column and one of ours, “Author=authors”: {option}")
    return theirs, ours
