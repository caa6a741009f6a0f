"""`manage.py import_catalogue FILE`: what `export_catalogue` has written, into a catalogue."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from project.api.dump import import_lines

MAX_NAMED = 20


class Command(BaseCommand):
    help = (
        "Add what the file has and the catalogue has not, by uid. What is stored stays as it is, "
        "so a run that was interrupted can be made again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **options: object) -> None:
        created: Counter[str] = Counter()
        unchanged: Counter[str] = Counter()
        refused = 0
        try:
            with file.open("rb") as lines:
                for outcome in import_lines(lines):
                    created[outcome.kind] += outcome.created
                    unchanged[outcome.kind] += outcome.unchanged
                    for line in outcome.refused:
                        refused += 1
                        if refused <= MAX_NAMED:
                            for fault in line.faults:
                                at = f"line {line.number}: {fault.pointer}"
                                self.stderr.write(f"{at} {fault.detail}")
                    # With DEBUG Django keeps the text of every statement.
                    reset_queries()
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        for kind in filter(None, created):
            self.stdout.write(f"{kind:11}{created[kind]:11,} new{unchanged[kind]:11,} unchanged")
        if refused:
            raise CommandError(f"{refused:,} lines are refused.")
