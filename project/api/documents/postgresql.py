"""The expressions of PostgreSQL: texts one behind the other, and lists from lateral joins."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, OrderBy, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.query import Query

from ..models import SQL, AnyQuerySet
from ..relations import ReverseVia
from .compiler import MAX_ARGUMENTS, Compiler, JSONValue, ListRows, json_name, order_of
from .formats import literal


class Concat(Func):
    """Texts one behind the other: literal ones, and expressions."""

    output_field = models.TextField()

    def __init__(self, *parts: object) -> None:
        merged: list[object] = []
        for part in _flat(parts):
            if isinstance(part, str) and merged and isinstance(merged[-1], str):
                merged[-1] += part
            else:
                merged.append(part)
        super().__init__(*(part for part in merged if not isinstance(part, str)))
        self.literals = [part if isinstance(part, str) else None for part in merged]

    @property
    def parts(self) -> Iterator[Any]:
        expressions = iter(self.source_expressions)
        return (next(expressions) if each is None else each for each in self.literals)

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: object,
        **extra_context: object,
    ) -> SQL:
        # A chain of || copies all that it has at each link; concat() outputs values of any type.
        concat = len(self.literals) > 1
        parts: list[str] = []
        params: list[object] = []
        for part in self.parts:
            if isinstance(part, str):
                parts.append(literal(part))
                continue
            if concat and isinstance(part, JSONValue) and not part.nullable:
                sql, more = part.bare_sql(compiler, connection)
            else:
                sql, more = compiler.compile(part)
            parts.append(sql)
            params += more
        if concat:
            starts = range(0, len(parts), MAX_ARGUMENTS)
            parts = [f"concat({', '.join(parts[i : i + MAX_ARGUMENTS])})" for i in starts]
        return " || ".join(parts), tuple(params)


def _flat(parts: Iterable[object]) -> Iterator[object]:
    for part in parts:
        match part:
            case Concat():
                yield from part.parts
            case JSONValue(nullable=False, between_quotes=JSONValue() as text):
                yield from ('"', text, '"')
            case _:
                yield part


class StringAgg(Func):
    """The texts of all rows, in this order, with commas between them; null where there is none."""

    output_field = models.TextField()

    def __init__(self, item: object, order: Sequence[OrderBy], where: Q | None = None) -> None:
        super().__init__(item, *order, *([] if where is None else [where]))
        self.has_filter = where is not None

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: object,
        **extra_context: object,
    ) -> SQL:
        (item, params), *order = [compiler.compile(each) for each in self.source_expressions]
        condition, filtering = order.pop() if self.has_filter else ("", ())
        ordering = [param for _, more in order for param in more]
        sql = f"string_agg({item}, ',' ORDER BY {', '.join(term for term, _ in order)})"
        filtered = f" FILTER (WHERE {condition})" if condition else ""
        return sql + filtered, (*params, *ordering, *filtering)


class DistinctKeys(Func):
    """A column's different keys, in order, with commas between them."""

    template = (
        "trim(to_json(array_agg(DISTINCT %(expressions)s ORDER BY %(expressions)s))::text, '[]')"
    )
    output_field = models.TextField()


@dataclass
class LateralLists:
    """A subquery in FROM that walks once through a relation's rows and makes all lists of them.

    Django's ORM has no lateral joins. A query takes any object into `alias_map` that has the
    attributes of a join, and writes its SQL where it writes the joins'.
    """

    table_alias: str
    queryset: AnyQuerySet
    lists: list[Func] = dataclasses.field(default_factory=list)

    # What the query's compiler asks of a join.
    table_name = ""
    parent_alias = None
    join_type = None
    filtered_relation = None

    def add(self, item: Func) -> "LateralList":
        self.lists.append(item)
        return LateralList(f"{self.table_alias}.list{len(self.lists)}")

    def join(self, query: Any) -> None:
        lists = {f"list{place}": each for place, each in enumerate(self.lists, 1)}
        subquery = Subquery(
            self.queryset.order_by().values(**lists),
            output_field=models.TextField(),  # of each list: Django 6.1 asks for one
        )
        self.subquery = subquery.resolve_expression(query)
        query.alias_map[self.table_alias] = self
        query.alias_refcount[self.table_alias] = 1

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SQL:
        sql, params = compiler.compile(self.subquery)
        return f"CROSS JOIN LATERAL {sql} AS {self.table_alias}", params


class LateralList(Func):
    """One of the lists of a LateralLists."""

    output_field = models.TextField()

    def __init__(self, sql: str) -> None:
        super().__init__()
        self.sql = sql

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: object,
        **extra_context: object,
    ) -> SQL:
        return self.sql, ()


class PostgreSQLCompiler(Compiler):
    """Each expression gives JSON text and is never null: null is the text `null`.

    What is finished has a type that no column can have, cstring, whose values come as bytes.
    """

    array = (
        "SELECT textout('[' || coalesce(string_agg(({0}), E',\\n' ORDER BY keys.place), '') || ']')"
        " FROM json_array_elements_text(%s::json) WITH ORDINALITY AS keys(value, place)"
    )
    each = (
        "SELECT keys.place - 1, textout(({0}))"
        " FROM json_array_elements_text(%s::json) WITH ORDINALITY AS keys(value, place)"
    )

    def __init__(self) -> None:
        super().__init__()
        # The rows of the serializer's own lists, by the relation.
        self.laterals: dict[str, LateralLists] = {}

    @property
    def null(self) -> Concat:
        return Concat("null")

    def make_object(self, members: Sequence[tuple[str, object]]) -> Concat:
        parts: list[object] = []
        for name, value in members:
            parts += [f"{',' if parts else '{'}{json_name(name)}:", value]
        return Concat(*parts, "}") if parts else Concat("{}")

    def make_list(self, field_path: str, rows: ListRows, item: object) -> Concat:
        order = rows.order or order_of(rows.queryset.model)
        items = StringAgg(item, order, rows.where)
        return self._array_of(field_path, rows.name, rows.queryset, items)

    def make_distinct_keys(
        self, field_path: str, relation: ReverseVia, rows: QuerySet[models.Model], key: JSONValue
    ) -> Concat:
        return self._array_of(
            field_path, relation.through, rows, DistinctKeys(*key.get_source_expressions())
        )

    def _array_of(
        self, field_path: str, name: str, rows: QuerySet[models.Model], items: Func
    ) -> Concat:
        if "." not in field_path:
            alias = f"rows{len(self.laterals)}"
            lateral = self.laterals.setdefault(name, LateralLists(alias, rows))
            return Concat("[", lateral.add(items), "]")
        text = Subquery(rows.order_by().values_list(items))
        return Concat("[", Coalesce(text, Concat("")), "]")

    def add_joins(self, query: Query) -> None:
        for lateral in self.laterals.values():
            lateral.join(query)
