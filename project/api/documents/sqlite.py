"""The expressions of SQLite: json_object() and group_concat(), and what they cannot write."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Context, Decimal
from itertools import groupby
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Case, Expression, Func, OrderBy, Q, QuerySet, Subquery, When
from django.db.models.sql.compiler import SQLCompiler
from django.dispatch import receiver
from django.utils.duration import duration_string
from django.utils.encoding import filepath_to_uri

from ..models import SQL, AnyQuerySet
from ..relations import ReverseVia
from .compiler import MAX_ARGUMENTS, Compiler, JSONValue, ListRows, json_name, order_of
from .formats import literal

# As many as a text of SQLite may have.
ALL_CHARACTERS = 10**9


class JSONObject(Func):
    """An object with these members; a SharedScan brings names of its own."""

    output_field = models.TextField()

    def __init__(self, members: Sequence[tuple[str, object]]) -> None:
        super().__init__(*(value for _, value in members))
        self.names = [name for name, _ in members]

    @property
    def is_plain(self) -> bool:
        """Whether json_object() alone makes it, so that it can be a member of another as it is."""
        return 2 * len(self.names) <= MAX_ARGUMENTS and not any(
            isinstance(each, SharedScan) for each in self.source_expressions
        )

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: object,
        **extra_context: object,
    ) -> SQL:
        params: list[object] = []

        def compiled(value: Expression) -> str:
            sql, more = compiler.compile(value)
            params.extend(more)
            return f"json({sql})" if _is_text(value) else str(sql)

        def made(members: Iterable[tuple[str, Expression]]) -> str:
            pairs = (f"{literal(name)}, {compiled(value)}" for name, value in members)
            return f"json_object({', '.join(pairs)})"

        members = list(zip(self.names, self.source_expressions, strict=True))
        if self.is_plain:
            return made(members), tuple(params)
        parts = []
        for are_lists, run in groupby(members, lambda each: isinstance(each[1], SharedScan)):
            if are_lists:
                parts += [compiled(lists) for _, lists in run]
                continue
            listed = list(run)
            for i in range(0, len(listed), MAX_ARGUMENTS // 2):
                # Without its braces: first the last character goes, then the first one.
                sql = f"substr({made(listed[i : i + MAX_ARGUMENTS // 2])}, -1, -{ALL_CHARACTERS})"
                parts.append(f"substr({sql}, 2)")
        joined = " || ',' || ".join(parts)
        return f"'{{' || {joined} || '}}'", tuple(params)


def _is_text(value: object) -> bool:
    """Whether json_object() would take this JSON for a text."""
    return isinstance(value, Case) or (isinstance(value, JSONObject) and not value.is_plain)


class AsText(Func):
    """What json_object() takes, as JSON text."""

    function = "json_quote"
    output_field = models.TextField()


@dataclass(frozen=True)
class ScannedList:
    """A list with an item for each row of `relation` that `where` is true of."""

    relation: str
    rows: QuerySet[models.Model]
    item: Expression
    order: Sequence[OrderBy]
    where: Q | None

    @property
    def column(self) -> Expression:
        # group_concat() leaves out what is null.
        return self.item if self.where is None else Case(When(self.where, then=self.item))


class SharedScan(Subquery):
    """Members that are lists of the same rows in the same order, without braces.

    ORDER BY in an aggregate came with SQLite 3.44. But where rows are aggregated, and by more than
    count(), min() and max(), each version keeps the order of the subquery that they come from: it
    neither flattens such a subquery (https://sqlite.org/src/file/src/select.c, flattenSubquery(),
    rule 16) nor drops its ORDER BY (https://sqlite.org/forum/forumpost/878ca7a9be0862af).
    """

    template = "(SELECT %(lists)s FROM (%(subquery)s))"

    def __init__(self, members: Sequence[tuple[str, ScannedList]]) -> None:
        first = members[0][1]
        columns = [each.column for _, each in members]
        queryset = first.rows.order_by(*first.order).values_list(*columns)
        lists = " || ".join(
            f"""{literal(f"{',' if i else ''}{json_name(name)}:[")}"""
            f""" || coalesce(group_concat({column}, ','), '') || ']'"""
            for i, (column, (name, _)) in enumerate(
                zip(queryset.query.annotation_select, members, strict=True)
            )
        )
        super().__init__(queryset, output_field=models.TextField(), lists=lists)


def _with_shared_scans(members: Sequence[tuple[str, Any]]) -> list[tuple[str, object]]:
    """These, with lists that stand side by side joined where one walk through the rows does."""

    def rows_of(member: tuple[str, object]) -> object:
        _, value = member
        return (value.relation, value.order) if isinstance(value, ScannedList) else None

    joined: list[tuple[str, object]] = []
    for are_lists, run in groupby(members, rows_of):
        listed = list(run)
        joined += [(listed[0][0], SharedScan(listed))] if are_lists else listed
    return joined


class SQLiteCompiler(Compiler):
    """Each expression gives a value as json_object() takes it, which copies less than texts."""

    # A subquery's order is kept, for the reason in SharedScan.
    array = (
        "SELECT CAST('[' || coalesce(group_concat(document, ',' || char(10)), '') || ']' AS BLOB)"
        " FROM (SELECT ({0}) AS document FROM json_each(%s) AS keys ORDER BY keys.key)"
    )
    each = "SELECT keys.key, CAST(({0}) AS BLOB) FROM json_each(%s) AS keys"

    def make_object(self, members: Sequence[tuple[str, object]]) -> JSONObject:
        return JSONObject(_with_shared_scans(members))

    def make_list(self, field_path: str, rows: ListRows, item: object) -> ScannedList:
        written = item if isinstance(item, JSONObject) else AsText(item)
        order = rows.order or order_of(rows.queryset.model)
        return ScannedList(rows.name, rows.queryset, written, order, rows.where)

    def make_distinct_keys(
        self, field_path: str, relation: ReverseVia, rows: AnyQuerySet, key: JSONValue
    ) -> ScannedList:
        [column] = key.get_source_expressions()
        name, order = f"distinct {relation.through}", [column.asc()]
        return self.make_list(field_path, ListRows(name, rows.distinct(), order=order), key)


# What SQLite cannot write by itself


def _json_float(value: float | None) -> str | None:
    return None if value is None else repr(float(value))


def _json_duration(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    return duration_string(timedelta(microseconds=microseconds))


def _json_decimal(value: float | None, digits: int, places: int) -> str | None:
    if value is None:
        return None
    # Of a number that SQLite holds in binary, 15 digits are those that were stored.
    number = Context(prec=15).create_decimal_from_float(value)
    return f"{number.quantize(Decimal(1).scaleb(-places), context=Context(prec=digits)):f}"


def _url_path(name: str | None) -> str | None:
    uri: str | None = filepath_to_uri(name)
    return uri and uri.lstrip("/")


@receiver(connection_created)
def register_functions(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if connection.vendor == "sqlite":
        register = connection.connection.create_function
        register("json_float", 1, _json_float, deterministic=True)
        register("json_duration", 1, _json_duration, deterministic=True)
        register("json_decimal", 3, _json_decimal, deterministic=True)
        register("url_path", 1, _url_path, deterministic=True)
