"""Does a database that is older than this code come through its migrations with every row?"""

from importlib import import_module

from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from books.models import Book

APPS = ("authors", "books")


def test_a_database_that_is_older_than_1_0_0_keeps_its_rows(db):
    """It has what the first migration replaces, all of it."""
    Book.objects.create(title="Dune")
    books = list(Book.objects.values_list())
    recorder = MigrationRecorder(connection)
    for app in APPS:
        recorder.record_unapplied(app, "0001_catalogue")
        for replaced in import_module(f"{app}.migrations.0001_catalogue").Migration.replaces:
            recorder.record_applied(*replaced)

    call_command("migrate", verbosity=0)

    assert {(app, "0001_catalogue") for app in APPS} <= recorder.applied_migrations().keys()
    assert list(Book.objects.values_list()) == books
