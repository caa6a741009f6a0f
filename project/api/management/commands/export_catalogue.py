"""`manage.py export_catalogue [FILE]`: every root as a line, for a whole round trip."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from project.api.dump import export_lines


class Command(BaseCommand):
    help = (
        "Write the whole catalogue as JSON Lines, one `{kind, document}` for each author, book and "
        "so on, what others share first: to the file, or to the standard output. "
        "`import_catalogue` reads it. docs/export.md says what stays behind."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")

    def handle(self, *, file: Path | None, **options: object) -> None:
        if file is None:
            for line in export_lines():
                self.stdout.write(line, ending="")
            return
        # A file under its own name is whole.
        part = file.with_name(f"{file.name}.part")
        try:
            with part.open("w", encoding="utf-8", newline="\n") as opened:
                opened.writelines(export_lines())
            part.replace(file)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
