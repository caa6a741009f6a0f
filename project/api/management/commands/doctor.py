"""`manage.py doctor`: what is wrong with this installation, and what to do about it."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from project.api.observability.doctor import examine


class Command(BaseCommand):
    help = (
        "Say how the database, its tables, a pooler, clocks, proxies, keys and disks are, and what "
        "to do. Fails where something is to be done. Writes nothing."
    )
    # They would end it before it could say anything.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS)

    def handle(self, *, database: str, **options: object) -> None:
        number = 0
        for finding in examine(connections[database]):
            self.stdout.write(f"{'!' if finding.advice else ' '} {finding.topic}: {finding.state}")
            if finding.advice:
                number += 1
                self.stdout.write(f"    {finding.advice}")
        if number:
            raise CommandError(f"There is something to do ({number}).")
        self.stdout.write("All is well.")
