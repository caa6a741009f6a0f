"""`manage.py copy_from_sqlite FILE`: move to PostgreSQL, with all that there is."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.base import BaseCommand, CommandError
from django.core.management.color import no_style
from django.db import Error, connection, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from project.api.changes.models import Batch, Feed
from project.api.models import Definition
from project.api.observability.doctor import count_missing_migrations
from project.api.search.entries import entry_models
from project.api.search.tables import create
from project.settings.base import database, sqlite_url

SOURCE = "copied"
BLOCK = 2000
# What `migrate` puts there by itself.
MADE_BY_MIGRATE = {ContentType, Permission, Feed}


class Command(BaseCommand):
    help = (
        "Copy a whole SQLite database, of a server that is stopped, into the empty PostgreSQL of "
        "DATABASE_URL: the catalogue with keys and uids, accounts, sessions, history, and the feed "
        "with its positions, so that clients go on from their cursors. All or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **options: object) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("DATABASE_URL names no PostgreSQL.")
        if not file.is_file():
            raise CommandError(f"{file} is no file.")
        source = _connect(file)
        try:
            # Who writes to the file waits, and is refused.
            with transaction.atomic(SOURCE), transaction.atomic():
                for one, name in ((source, str(file)), (connection, "PostgreSQL")):
                    if count_missing_migrations(one):
                        raise CommandError(f"{name} is behind this code: run manage.py migrate.")
                self._copy(source)
        except Error as error:
            raise CommandError(f"Nothing is copied: {' '.join(str(error).split())}") from error
        finally:
            source.close()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def _copy(self, source: BaseDatabaseWrapper) -> None:
        copied = [model for model in apps.get_models(include_auto_created=True) if _is_kept(model)]
        for model in copied:
            if model not in MADE_BY_MIGRATE and _rows(model, connection.alias).exists():
                raise CommandError(f"PostgreSQL is not empty: {model._meta.db_table} has rows.")
        if unknown := _left_behind(source, copied):
            self.stderr.write(f"Left behind, since no model has them: {', '.join(unknown)}.")
        quoted = [connection.ops.quote_name(model._meta.db_table) for model in copied]
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(quoted)}")
            # What is copied has happened before.
            for table in quoted:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for model in copied:
                number = _copy_rows(model)
                if number:
                    self.stdout.write(f"{number:11,} {model._meta.db_table}")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in quoted:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            for sql in connection.ops.sequence_reset_sql(no_style(), copied):
                cursor.execute(sql)
        # The next position comes after the last one that a client may have heard of.
        last = Batch.objects.aggregate(last=models.Max("last"))["last"] or 0
        Feed.objects.update_or_create(pk=1, defaults={"last": last})
        create(connection)


def _connect(file: Path) -> BaseDatabaseWrapper:
    configured = connections.configure_settings(
        {**connections.settings, SOURCE: database(sqlite_url(file.absolute()))}
    )
    connections.settings[SOURCE] = configured[SOURCE]
    return connections[SOURCE]


def _is_kept(model: type[models.Model]) -> bool:
    # Definitions are those of the one engine.
    return model._meta.managed and not model._meta.proxy and model is not Definition


def _rows(model: type[models.Model], using: str) -> models.QuerySet[models.Model]:
    """All of them, whatever a manager of the model's shows."""
    return models.QuerySet(model, using=using)


def _left_behind(source: BaseDatabaseWrapper, copied: Iterable[type[models.Model]]) -> list[str]:
    """The tables that are neither copied nor made anew."""
    entries = tuple(model._meta.db_table for model in entry_models())
    made_anew = {Definition._meta.db_table, "django_migrations"}
    known = {model._meta.db_table for model in copied} | made_anew
    return sorted(
        name
        for name in set(source.introspection.table_names()) - known
        # Those of FTS5 are called after the table that they are part of.
        if not name.startswith((*entries, "search_"))
    )


def _copy_rows(model: type[models.Model]) -> int:
    fields = [f for f in model._meta.local_concrete_fields if not f.generated]
    names = ", ".join(connection.ops.quote_name(str(f.column)) for f in fields)
    into = f"{connection.ops.quote_name(model._meta.db_table)} ({names})"
    rows = _rows(model, SOURCE).order_by("pk").values_list(*(f.attname for f in fields))
    number = 0
    with (
        connection.cursor() as cursor,
        # Django looks after the errors of its own methods alone.
        connection.wrap_database_errors,
        cursor.copy(f"COPY {into} FROM STDIN") as copy,
    ):
        for number, row in enumerate(rows.iterator(BLOCK), 1):  # noqa: B007  (the last one counts)
            copy.write_row(
                [f.get_db_prep_save(v, connection) for f, v in zip(fields, row, strict=True)]
            )
    return number
