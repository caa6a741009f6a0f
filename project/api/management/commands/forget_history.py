"""`manage.py forget_history`: remove what HISTORY_DAYS says is too old to be told."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from project.api.changes.history import forget


class Command(BaseCommand):
    help = (
        "Remove who has changed what more than HISTORY_DAYS ago. The feed loses nothing; what was "
        "deleted that long ago cannot be restored any more."
    )

    def handle(self, **options: Any) -> None:
        if settings.HISTORY_DAYS is None:
            raise CommandError("HISTORY_DAYS is not set: history is kept for good.")
        count = forget(timezone.now() - timedelta(days=settings.HISTORY_DAYS))
        self.stdout.write(f"Changes removed: {count}.")
