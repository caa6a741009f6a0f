"""`manage.py reindex`: the entries of searches made anew, or compared."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from project.api.search.tables import find_differences, find_outdated, in_words, reindex

MAX_NAMED = 10


class Command(BaseCommand):
    help = (
        "Write what a search finds anew, from what is stored: after somebody has changed the "
        "catalogue by SQL. The API may serve meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Write nothing; fail and name what differs."
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS)

    def handle(self, *, check: bool, database: str, **options: object) -> None:
        connection = connections[database]
        if fault := in_words(find_outdated(connection)):
            raise CommandError(fault)
        if not check:
            for root, number in reindex(connection):
                self.stdout.write(f"{number:,} {root._meta.verbose_name_plural}")
            return
        found = [f"{root._meta.verbose_name} {key}" for root, key in find_differences(connection)]
        if found:
            named = ", ".join(found[:MAX_NAMED]) + (", …" if len(found) > MAX_NAMED else "")
            detail = f"{len(found):,} entries differ: {named}. Run `manage.py reindex`."
            raise CommandError(detail)
        self.stdout.write("Every entry is as its object is.")
