"""Rows in bulk, past the ORM's instances: COPY on PostgreSQL, one INSERT of JSON on SQLite."""

import json
from collections.abc import Callable, Sequence
from operator import itemgetter

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

from project.api.models import Made
from project.api.writes.signals import InsertedRows, WrittenRows

from .drafts import Columns, columns_of


class _Row:
    """A row whose columns are attributes."""

    def __init__(self, columns: Columns) -> None:
        self.__dict__ = columns


def give_keys(model: type[models.Model], rows: Sequence[Columns]) -> None:
    """Give each row the `id` under which it will be inserted in this transaction."""
    if not rows:
        return
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "WITH sequence AS MATERIALIZED"
                " (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name)"
                " SELECT nextval(name) FROM sequence, generate_series(1, %s)",
                [table, len(rows)],
            )
            for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
                row["id"] = key
        else:
            # Nobody else writes until this transaction ends.
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            [last] = (cursor.fetchall() or [[0]])[0]
            for key, row in enumerate(rows, last + 1):
                row["id"] = key


def insert(model: type[models.Model], rows: Sequence[Columns], written: WrittenRows) -> None:
    """Put in these rows, which all name the same columns; others of the model have a default.

    Made fields, UUIDs and moments become what `save` would make them.
    """
    if not rows:
        return
    written.created[model] = InsertedRows(model, rows)
    fields = [field for field in columns_of(model) if field.attname in rows[0]]
    made = [field for field in fields if isinstance(field, Made)]
    random = [field for field in fields if isinstance(field, models.UUIDField)]
    now = timezone.now()
    timestamps = [f.attname for f in fields if isinstance(f, models.DateTimeField)]
    adapted = dict.fromkeys(timestamps, str(connection.ops.adapt_datetimefield_value(now)))
    columns = [*(["id"] if "id" in rows[0] else []), *(field.attname for field in fields)]
    chosen: Callable[[Columns], tuple[object, ...]] = itemgetter(*columns)

    def values(row: Columns) -> tuple[object, ...]:
        row |= adapted
        for uuid in random:
            value = row[uuid.attname] or uuid.get_default()
            row[uuid.attname] = uuid.get_db_prep_value(value, connection)
        instance = _Row(row)
        for field in made:
            row[field.attname] = field.value_of(instance)
        return chosen(row)

    names = ", ".join(map(connection.ops.quote_name, columns))
    into = f"{connection.ops.quote_name(model._meta.db_table)} ({names})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Django looks after the errors of its own methods alone.
            with connection.wrap_database_errors, cursor.copy(f"COPY {into} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(values(row))
        else:
            # In one statement: SQLite keeps what a statement with triggers has changed, to take it
            # back alone, so that a row by itself takes three times as long as one among many.
            each = ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(columns)))
            cursor.execute(
                f"INSERT INTO {into} SELECT {each} FROM json_each(%s)",  # noqa: S608
                [json.dumps([values(row) for row in rows], default=str, ensure_ascii=False)],
            )
    moments = dict.fromkeys(timestamps, now)
    for row in rows:
        row |= moments


@models.CharField.register_lookup
@models.BigAutoField.register_lookup
@models.ForeignKey.register_lookup
class AnyOf(models.Lookup):
    """`name__any_of` is `name__in` with a single parameter, however many values there are.

    PostgreSQL looks each of them up, or hashes them; to find `= ANY (…)` by another column's index
    it compares each row with all of them.
    """

    lookup_name = "any_of"
    prepare_rhs = False

    def _as_sql(
        self, template: str, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[object]]:
        column, params = self.process_lhs(compiler, connection)
        return template.format(column), [*params, json.dumps(list(self.rhs))]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: object
    ) -> tuple[str, list[object]]:
        return self._as_sql("{} IN (SELECT value FROM json_each(%s))", compiler, connection)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: object
    ) -> tuple[str, list[object]]:
        cast = "" if isinstance(self.lhs.output_field, models.CharField) else "::bigint"
        template = f"{{}} IN (SELECT json_array_elements_text(%s){cast})"
        return self._as_sql(template, compiler, connection)
