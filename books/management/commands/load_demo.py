"""`manage.py load_demo`: the demo catalogue, and a user for each role, for development alone."""

from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from auth_api.models import User
from books.models import Book

CATALOGUE = Path(__file__).resolve().parents[2] / "demo_catalogue.jsonl"


class Command(BaseCommand):
    """What `make run` serves. A second run changes nothing, whatever was edited in between."""

    help = "Bring the database up to date, load the demo catalogue and make a user for each role."
    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo's passwords are public: it is for development only.")
        call_command("migrate", verbosity=0)
        if not Book.objects.exists():
            call_command("import_books", CATALOGUE)
        present = set(User.objects.values_list("username", flat=True))
        for role in User.Role:
            if role not in present:
                User.objects.create_user(role, f"{role}@example.org", password_of(role), role=role)
            self.stdout.write(f"user {role:<10} password {password_of(role)}")


def password_of(role: User.Role) -> str:
    return f"demo-{role}"
