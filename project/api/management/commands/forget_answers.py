"""`manage.py forget_answers`: remove what an Idempotency-Key cannot ask for any more."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from project.api.http.idempotency import LIFETIME
from project.api.models import StoredAnswer


class Command(BaseCommand):
    help = "Remove the answers that were stored with an Idempotency-Key more than 24 hours ago."

    def handle(self, **options: Any) -> None:
        old = StoredAnswer.objects.filter(created_at__lte=timezone.now() - LIFETIME)
        count, _ = old.delete()
        self.stdout.write(f"Answers removed: {count}.")
