"""Does a database that is older than this code come through its migrations with every row?"""

from importlib import import_module

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.migrations import AddField
from django.db.migrations.loader import MigrationLoader
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


@pytest.mark.parametrize("command", ["migrate", "preview_migrate"])
def test_a_database_that_lacks_some_of_what_is_replaced_is_refused(db, command):
    recorder = MigrationRecorder(connection)
    for app in APPS:
        recorder.record_unapplied(app, "0001_catalogue")
        replaces = import_module(f"{app}.migrations.0001_catalogue").Migration.replaces
        recorder.record_applied(*replaces[0])
        for replaced in replaces[1:]:
            recorder.record_unapplied(*replaced)
    with pytest.raises(SystemCheckError, match=r"some of .+ that books\.0001_catalogue replaces"):
        call_command(command, verbosity=0, skip_checks=False)


# The last ones before an upgrade without a pause was promised.
BEFORE = {
    "api": "0003",
    "auth_api": "0007",
    "authors": "0006",
    "books": "0015",
    "changes": "0001",
}


def test_a_server_of_the_version_before_can_leave_out_what_a_migration_adds():
    added = [
        (migration, operation)
        for migration in MigrationLoader(None).disk_migrations.values()
        if migration.name[:4] > BEFORE.get(migration.app_label, "9999")
        for operation in migration.operations
        if isinstance(operation, AddField)
    ]
    assert [
        f"{migration}: {operation.name} is neither null nor has it a db_default"
        for migration, operation in added
        if not (
            operation.field.null or operation.field.many_to_many or operation.field.has_db_default()
        )
    ] == []
