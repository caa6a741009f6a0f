"""Columns of text whose order is that of their code points, whatever the database's locale.

The contract promises that order, and SQLite has it by itself. PostgreSQL has it in the collation
"C" (https://www.postgresql.org/docs/current/collation.html), which every index of such a column,
every comparison with it and every ORDER BY of it takes from the column.
"""

from collections.abc import Iterator
from typing import Any

from django.db.backends.postgresql import schema
from django.db.models import Model

COLLATION = "C"


def _collation_of(column_type: str, given: str | None) -> str | None:
    return given or (COLLATION if column_type.startswith(("varchar", "text")) else None)


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Django's, with a collation for each text that has none of its own (`db_collation`)."""

    def _iter_column_sql(
        self,
        column_db_type: str,
        params: list[object],
        model: type[Model],
        field: object,
        field_db_params: dict[str, str | None],
        include_default: bool,
    ) -> Iterator[str]:
        collation = _collation_of(column_db_type, field_db_params.get("collation"))
        parameters = {**field_db_params, "collation": collation}
        yield from super()._iter_column_sql(  # type: ignore[misc]  # stubs
            column_db_type, params, model, field, parameters, include_default
        )

    def _alter_column_type_sql(
        self,
        model: type[Model],
        old_field: object,
        new_field: object,
        new_type: str,
        old_collation: str | None,
        new_collation: str | None,
    ) -> Any:
        collation = _collation_of(new_type, new_collation)
        return super()._alter_column_type_sql(  # type: ignore[misc]  # stubs
            model, old_field, new_field, new_type, old_collation, collation
        )

    def collate_existing(self) -> None:
        """Give the texts of all Django's tables, made before this class was, their collation.

        One statement a table, which rebuilds the indexes on its texts and rewrites no row.
        """
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT attrelid::regclass::text,"
                " string_agg(format('ALTER %%I TYPE %%s COLLATE %%I', attname,"
                " format_type(atttypid, atttypmod), %s::text), ', ' ORDER BY attnum)"
                " FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
                " WHERE attrelid = ANY (SELECT to_regclass(quote_ident(name))"
                " FROM unnest(%s::text[]) AS name)"
                " AND attnum > 0 AND NOT attisdropped"
                " AND typname IN ('varchar', 'text') AND attcollation = typcollation"
                " GROUP BY attrelid",
                [COLLATION, self.connection.introspection.django_table_names(only_existing=True)],
            )
            changes = cursor.fetchall()
        for table, columns in changes:
            self.execute(f"ALTER TABLE {table} {columns}", None)
