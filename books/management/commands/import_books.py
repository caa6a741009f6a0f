"""`manage.py import_books FILE`: a file into the catalogue, with its progress and a report."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, reset_queries
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from books.importing import FORMS, Report, UnreadableFileError, import_file

INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Add the books of a file to the catalogue: JSON Lines or CSV of our own, or goodbooks-10k. "
        "What is there already stays as it is. docs/import.md describes the forms."
    )

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

    def handle(self, *, file: Path, format: str, rejects: Path | None, **options: Any) -> None:  # noqa: A002
        if rejects is not None and rejects.exists() and file.exists() and rejects.samefile(file):
            raise CommandError("The rejected rows would overwrite the file itself.")
        report: Report | None = None
        columns = (TextColumn("{task.fields[rows]:,} rows"), BarColumn(), TaskProgressColumn())
        console = Console(stderr=True)
        with Progress(
            *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task("", total=None, rows=0)

            def show(so_far: Report) -> None:
                nonlocal report
                report = so_far
                # With DEBUG Django keeps the text of every statement, rows and all.
                reset_queries()
                bar.update(
                    task, rows=report.rows, completed=report.bytes_read, total=report.size or None
                )

            try:
                report = import_file(file, form=format, rejects=rejects, progress=show)
            except UnreadableFileError as error:
                raise CommandError(f"{file}: {error}") from error
            except OSError as error:
                raise CommandError(f"{error.filename}: {error.strerror}") from error
            except DatabaseError as error:
                bar.stop()
                self._print(report)
                raise CommandError(f"The database failed: {error}") from error
            except KeyboardInterrupt as error:
                bar.stop()
                self._print(report)
                message = "Interrupted. What is counted above is in the catalogue."
                raise CommandError(message, returncode=INTERRUPTED) from error
        self._print(report)
        if rejects is None:
            self._print_reasons(report)

    def _print(self, report: Report | None) -> None:
        if report is None:
            return
        rate = report.rows / max(report.seconds, 0.001)
        self.stdout.write(f"{report.rows:,} rows in {report.seconds:.1f} s, {rate:,.0f} rows/s")
        self.stdout.write(f"{'':10}{'created':>11}{'changed':>11}{'unchanged':>11}{'rejected':>11}")
        for kind, count in report.counts.items():
            numbers = (count.created, count.changed, count.unchanged, count.rejected)
            self.stdout.write(f"{kind:10}" + "".join(f"{number:11,}" for number in numbers))
        if report.has_changed_nothing:
            self.stdout.write("Nothing has changed.")

    def _print_reasons(self, report: Report) -> None:
        for line, fault in report.reasons:
            self.stderr.write(f"line {line}: {fault.pointer or ''} {fault.detail}")
        if report.reasons:
            self.stderr.write("--rejects FILE keeps every rejected row with its reasons.")
