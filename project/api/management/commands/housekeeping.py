"""`manage.py housekeeping`: remove what is old, once a day."""

from django.core.management.base import BaseCommand

from project.api.housekeeping import chores


class Command(BaseCommand):
    help = (
        "Remove what nobody can ask for any more: ended sessions, answers stored with an "
        "Idempotency-Key, failed logins that no limit counts, and history older than HISTORY_DAYS. "
        "The feed loses nothing; what was deleted that long ago cannot be restored any more."
    )

    def handle(self, **options: object) -> None:
        for name, chore in sorted(chores.items()):
            self.stdout.write(f"{name}: {chore():,} removed")
