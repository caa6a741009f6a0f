"""Finished JSON from the database: a serializer class is compiled once into one SQL statement.

The statement turns a list of primary keys into one text of JSON, an array of the objects with all
that is nested in them, and says the same as the serializer's own representation. It is kept, so a
request only binds keys to it: no model instance, no serializer and no renderer take part.

On PostgreSQL each SQL expression in here gives JSON text and is never null: null is the text
`null`. On SQLite it gives a value as json_object() takes it, which copies less than a chain of
texts. Names come from serializers and models; nothing of a request becomes part of a statement.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import connections, models
from django.db.models import Case, F, Func, OrderBy, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.relations import ManyRelatedField, PrimaryKeyRelatedField, SlugRelatedField

from ..relations import ItemList, Joined, RelatedKeyField, RelatedKeysField, Relation, View
from .formats import Format, UnsupportedError, format_of, plain_format

# Each some 5 kB of text, and one plan on each connection.
KEPT_STATEMENTS = 256
# PostgreSQL's functions take 100 arguments, and so did SQLite's before 3.41.
MAX_ARGUMENTS = 100
# As many as a text of SQLite may have.
ALL_CHARACTERS = 10**9


class Document(str):
    """JSON, finished: it is sent as it is."""

    __slots__ = ()


class Uncompilable(ImproperlyConfigured):
    """The fields that the database cannot write, by their paths, with what to do about each."""

    def __init__(self, serializer: type[Any], faults: dict[str, str]) -> None:
        self.faults = faults
        named = " ".join(f"{name}: {reason}" for name, reason in faults.items())
        super().__init__(f"{serializer.__name__} cannot be compiled. {named}")


# Expressions


class Written(Func):
    """A value as JSON text; on SQLite, as json_object() takes it."""

    output_field = models.TextField()

    def __init__(self, value: Any, written: Format, *, nullable: bool) -> None:
        super().__init__(value)
        self.written = written
        self.nullable = nullable

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra_context: Any) -> Any:
        written, params = self.bare_sql(compiler, connection)
        if connection.vendor == "sqlite":
            return written, params
        written = f"({written})::text"
        return (f"coalesce({written}, 'null')" if self.nullable else written), params

    def bare_sql(self, compiler: Any, connection: Any) -> Any:
        """The value in its own SQL type; as text it is JSON."""
        sql, params = compiler.compile(self.source_expressions[0])
        written = self.written[connection.vendor]
        # Where the value is said more than once, so are its parameters.
        return written.format(sql), [*params] * written.count("{0}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def _name(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


class Joint(Func):
    """Texts one behind the other: literal ones, and expressions. For PostgreSQL."""

    output_field = models.TextField()

    def __init__(self, *parts: Any) -> None:
        merged: list[Any] = []
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

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra_context: Any) -> Any:
        # A chain of || copies all that it has at each link; concat() outputs values of any type.
        concat = len(self.literals) > 1
        parts, params = [], []
        for part in self.parts:
            if isinstance(part, str):
                parts.append(_literal(part))
                continue
            if concat and isinstance(part, Written) and not part.nullable:
                sql, more = part.bare_sql(compiler, connection)
            else:
                sql, more = compiler.compile(part)
            parts.append(sql)
            params += more
        if concat:
            starts = range(0, len(parts), MAX_ARGUMENTS)
            parts = [f"concat({', '.join(parts[i : i + MAX_ARGUMENTS])})" for i in starts]
        return " || ".join(parts), params


def _flat(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, Joint):
            yield from part.parts
        else:
            yield part


class Listed(Func):
    """The texts of all rows, in this order, with commas between them; null where there is none.

    For PostgreSQL.
    """

    output_field = models.TextField()

    def __init__(self, item: Any, order: Sequence[Any], where: Q | None = None) -> None:
        super().__init__(item, *order, *([] if where is None else [where]))
        self.has_filter = where is not None

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra_context: Any) -> Any:
        (item, params), *order = [compiler.compile(each) for each in self.source_expressions]
        condition, filtering = order.pop() if self.has_filter else ("", ())
        ordering = [param for _, more in order for param in more]
        sql = f"string_agg({item}, ',' ORDER BY {', '.join(term for term, _ in order)})"
        filtered = f" FILTER (WHERE {condition})" if condition else ""
        return sql + filtered, [*params, *ordering, *filtering]


class DifferentKeys(Func):
    """A column's different keys, in order, with commas between them. For PostgreSQL."""

    template = (
        "trim(to_json(array_agg(DISTINCT %(expressions)s ORDER BY %(expressions)s))::text, '[]')"
    )
    output_field = models.TextField()


class ObjectOfMembers(Func):
    """An object with these members; a ListsInOrder brings names of its own. For SQLite."""

    output_field = models.TextField()

    def __init__(self, members: Sequence[tuple[str, Any]]) -> None:
        super().__init__(*(value for _, value in members))
        self.names = [name for name, _ in members]

    @property
    def is_plain(self) -> bool:
        """Whether json_object() alone makes it, so that it can be a member of another as it is."""
        return 2 * len(self.names) <= MAX_ARGUMENTS and not any(
            isinstance(each, ListsInOrder) for each in self.source_expressions
        )

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra_context: Any) -> Any:
        params: list[Any] = []

        def compiled(value: Any) -> str:
            sql, more = compiler.compile(value)
            params.extend(more)
            return f"json({sql})" if _is_text(value) else str(sql)

        def made(members: Iterable[tuple[str, Any]]) -> str:
            pairs = (f"{_literal(name)}, {compiled(value)}" for name, value in members)
            return f"json_object({', '.join(pairs)})"

        members = list(zip(self.names, self.source_expressions, strict=True))
        if self.is_plain:
            return made(members), params
        parts = []
        for are_lists, run in groupby(members, lambda each: isinstance(each[1], ListsInOrder)):
            if are_lists:
                parts += [compiled(lists) for _, lists in run]
                continue
            listed = list(run)
            for i in range(0, len(listed), MAX_ARGUMENTS // 2):
                # Without its braces: first the last character goes, then the first one.
                sql = f"substr({made(listed[i : i + MAX_ARGUMENTS // 2])}, -1, -{ALL_CHARACTERS})"
                parts.append(f"substr({sql}, 2)")
        joined = " || ',' || ".join(parts)
        return f"'{{' || {joined} || '}}'", params


def _is_text(value: Any) -> bool:
    """Whether json_object() would take this JSON for a text."""
    return isinstance(value, Case) or (isinstance(value, ObjectOfMembers) and not value.is_plain)


class AsText(Func):
    """What json_object() takes, as JSON text. For SQLite."""

    function = "json_quote"
    output_field = models.TextField()


@dataclass(frozen=True)
class ListInOrder:
    """A list with an item for each row of `relation` that `where` is true of. For SQLite."""

    relation: str
    rows: QuerySet[Any]
    item: Any
    order: Sequence[Any]
    where: Q | None

    @property
    def column(self) -> Any:
        # group_concat() leaves out what is null.
        return self.item if self.where is None else Case(When(self.where, then=self.item))


class ListsInOrder(Subquery):
    """Members that are lists of the same rows in the same order, without braces. For SQLite.

    ORDER BY in an aggregate came with SQLite 3.44. But where rows are aggregated, and by more than
    count(), min() and max(), each version keeps the order of the subquery that they come from: it
    neither flattens such a subquery (https://sqlite.org/src/file/src/select.c, flattenSubquery(),
    rule 16) nor drops its ORDER BY (https://sqlite.org/forum/forumpost/878ca7a9be0862af).
    """

    template = "(SELECT %(lists)s FROM (%(subquery)s))"

    def __init__(self, members: Sequence[tuple[str, ListInOrder]]) -> None:
        first = members[0][1]
        columns = [each.column for _, each in members]
        queryset = first.rows.order_by(*first.order).values_list(*columns)
        lists = " || ".join(
            f"""{_literal(f"{',' if i else ''}{_name(name)}:[")}"""
            f""" || coalesce(group_concat({column}, ','), '') || ']'"""
            for i, (column, (name, _)) in enumerate(
                zip(queryset.query.annotation_select, members, strict=True)
            )
        )
        super().__init__(queryset, output_field=models.TextField(), lists=lists)


@dataclass
class Rows:
    """The rows of a relation, joined once for all lists that are made of them."""

    alias: str
    queryset: QuerySet[Any]
    lists: list[Func] = dataclasses.field(default_factory=list)
    # The subquery that gives an array of all lists, and its parameters.
    compiled: tuple[str, Any] = ("", ())

    @property
    def subquery(self) -> Subquery:
        array = Func(*self.lists, template="ARRAY[%(expressions)s]", output_field=models.Field())
        return Subquery(self.queryset.order_by().values_list(array))


class ListOfRows(Func):
    """One of the lists that `rows` gives."""

    output_field = models.TextField()

    def __init__(self, rows: Rows, listed: Func) -> None:
        rows.lists.append(listed)
        self.rows, self.place = rows, len(rows.lists)
        super().__init__()

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        # By now all lists are known.
        self.set_source_expressions([self.rows.subquery])
        return super().resolve_expression(*args, **kwargs)

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra_context: Any) -> Any:
        self.rows.compiled = compiler.compile(self.source_expressions[0])
        return f"{self.rows.alias}.lists[{self.place}]", []


class EachKey(Func):
    """A primary key out of those that a request binds: see `ARRAY`."""

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra_context: Any) -> Any:
        if connection.vendor == "postgresql":
            return f"keys.value::{self.output_field.rel_db_type(connection)}", []
        return "keys.value", []


# The array of the documents `{0}`, one for each key. The keys are one parameter, so there is one
# statement for pages of any size, and a plan that depends on none of the keys: with an array for a
# parameter, PostgreSQL would plan each request anew. An aggregate leaves out nulls, which keys
# without an object give; SQLite's keeps its subquery's order, for the reason in ListsInOrder.
ARRAY = {
    "postgresql": "SELECT '[' || coalesce(string_agg(({0}), ',' ORDER BY keys.place), '') || ']'"
    " FROM json_array_elements_text(%s::json) WITH ORDINALITY AS keys(value, place)",
    "sqlite": "SELECT '[' || coalesce(group_concat(document, ','), '') || ']'"
    " FROM (SELECT ({0}) AS document FROM json_each(%s) AS keys ORDER BY keys.key)",
}


# From serializers to expressions


@dataclass(frozen=True)
class Place:
    """An object in a query: its model, and the path to it from the query's rows, as `author__`."""

    model: type[models.Model]
    path: str = ""
    # Whether it may be missing.
    nullable: bool = False

    def field(self, attribute: str) -> Any:
        """The model's field behind an attribute of the instance."""
        if attribute == "pk":
            return self.model._meta.pk
        accessors = {
            relation.get_accessor_name(): relation for relation in self.model._meta.related_objects
        }
        try:
            return accessors.get(attribute) or self.model._meta.get_field(attribute)
        except FieldDoesNotExist as error:
            raise UnsupportedError(
                f"“{attribute}” is no field of {self.model.__name__}; give an expression of the"
                " ORM for it in Meta.expressions."
            ) from error

    def follow(self, attributes: Sequence[str]) -> "Place":
        """The object at the end of these relations, each to one object."""
        place = self
        for attribute in attributes:
            found = place.field(attribute)
            if not isinstance(found, models.ForeignKey | models.OneToOneRel):
                raise UnsupportedError(f"“{attribute}” is no relation to one object.")
            if attribute == getattr(found, "attname", None):
                raise UnsupportedError(f"“{attribute}” is a key.")
            place = Place(
                found.related_model,
                f"{place.path}{found.name}__",
                place.nullable or found.null,
            )
        return place

    def column(self, attribute: str) -> tuple[F, Any, bool]:
        """A column's expression, its field, and whether it may be null."""
        found = self.field(attribute)
        if found.is_relation and attribute != getattr(found, "attname", None):
            raise UnsupportedError(
                f"“{attribute}” is a relation: nest a serializer, or show the key."
            )
        if not getattr(found, "concrete", False):
            raise UnsupportedError(f"“{attribute}” has no column.")
        target = found.target_field if found.is_relation else found
        return F(self.path + found.attname), target, self.nullable or found.null

    def rows(self, attribute: str) -> QuerySet[Any]:
        """The related objects, as the attribute's manager gives them for this object."""
        found = self.field(attribute)
        match found:
            case models.ManyToOneRel(one_to_many=True):
                condition = {found.field.name: OuterRef(self.path + found.field.target_field.name)}
            case models.ManyToManyRel():
                condition = {found.field.name: OuterRef(f"{self.path}pk")}
            case models.ManyToManyField():
                condition = {found.related_query_name(): OuterRef(f"{self.path}pk")}
            case _:
                raise UnsupportedError(f"“{attribute}” is no relation to many objects.")
        rows: QuerySet[Any] = found.related_model._default_manager.filter(**condition)
        return rows


class Compiler:
    """Makes the expressions for one serializer, and gathers what stands against it."""

    def __init__(self, vendor: str) -> None:
        self.faults: dict[str, str] = {}
        self.is_postgresql = vendor == "postgresql"
        # The rows of the serializer's own lists, by the relation.
        self.joined: dict[str, Rows] = {}

    def object(self, fields: Iterable[Any], place: Place, at: str = "") -> Any:
        members: list[tuple[str, Any]] = []
        for field in fields:
            try:
                value = self.value(field, place, at + field.field_name)
            except UnsupportedError as error:
                self.faults[at + field.field_name] = str(error)
            else:
                members.append((field.field_name, value))
        if not self.is_postgresql:
            return ObjectOfMembers(_with_lists_joined(members))
        parts: list[Any] = []
        for name, value in members:
            parts += [f"{',' if parts else '{'}{_name(name)}:", value]
        return Joint(*parts, "}") if parts else Joint("{}")

    def value(self, field: Any, place: Place, at: str) -> Any:
        expressions = getattr(getattr(field.parent, "Meta", None), "expressions", {})
        if field.field_name in expressions:
            return self.computed(field, place, expressions[field.field_name])
        match field:
            case RelatedKeyField():
                return self.key(place, field.relation.name)
            case RelatedKeysField():
                return self.keys(place, field.relation, at)
            case serializers.ListSerializer():
                return self.list(field, place, at)
            case serializers.Serializer():
                return self.nested(field, place, at)
            case ManyRelatedField():
                rows = self.rows(field, place)
                item = self.related(field.child_relation, Place(rows.model))
                return self.listed(at, str(field.source), rows, item)
            case serializers.RelatedField():
                return self.related(field, self.reach(field, place, field.source_attrs))
        if not field.source_attrs:
            raise UnsupportedError(
                f"A {type(field).__name__} runs Python for each object; give an expression of the"
                " ORM for it in Meta.expressions, and a field that shows its type."
            )
        [*way, last] = field.source_attrs
        reached = place.follow(way)
        if reached.nullable:
            _may_be_missing(field)
        column, of, nullable = reached.column(last)
        return Written(column, format_of(field, of), nullable=nullable)

    def reach(self, field: Any, place: Place, way: Sequence[str]) -> Place:
        """The related object at the end of the way."""
        before = place.follow(way[:-1])
        reached = before.follow(way[-1:])
        # REST framework shows null for a foreign key that is null, at the end of the way. What is
        # missing before it, or on the other side of a one-to-one, is an exception there.
        if before.nullable or (way and isinstance(before.field(way[-1]), models.OneToOneRel)):
            _may_be_missing(field)
        return reached

    def rows(self, field: Any, place: Place) -> QuerySet[Any]:
        """The related objects at the end of the field's way."""
        [*way, last] = field.source_attrs
        reached = place.follow(way)
        if reached.nullable:
            raise UnsupportedError("Its source may be missing; nest it in a serializer of that.")
        return reached.rows(last)

    def nested(self, serializer: Any, place: Place, at: str) -> Any:
        _unchanged(serializer, serializers.Serializer)
        reached = self.reach(serializer, place, serializer.source_attrs)
        inner = Place(reached.model, reached.path)
        document = self.object(serializer._readable_fields, inner, f"{at}.")
        if not reached.nullable:
            return document
        there = {f"{reached.path}pk__isnull": False}
        default = Joint("null") if self.is_postgresql else None
        return Case(When(**there, then=document), default=default)

    def list(self, field: Any, place: Place, at: str) -> Any:
        _unchanged(field, serializers.ListSerializer)
        _unchanged(field.child, serializers.Serializer)
        if isinstance(field, ItemList):
            name, rows, where, item = _rows_of(field.relation, place)
        else:
            name, rows, where = field.source, self.rows(field, place), None
            item = Place(rows.model)
        document = self.object(field.child._readable_fields, item, f"{at}.")
        return self.listed(at, name, rows, document, where)

    def listed(
        self,
        at: str,
        name: str,
        rows: QuerySet[Any],
        item: Any,
        where: Q | None = None,
        order: Sequence[Any] = (),
    ) -> Any:
        """The list of these items, one for each of the rows."""
        order = order or _order(rows.model)
        if not self.is_postgresql:
            written = item if isinstance(item, ObjectOfMembers) else AsText(item)
            return ListInOrder(name, rows, written, order, where)
        return self.listed_rows(at, name, rows, Listed(item, order, where))

    def listed_rows(self, at: str, name: str, rows: QuerySet[Any], listed: Func) -> Joint:
        if "." not in at:
            joined = self.joined.setdefault(name, Rows(f"rows{len(self.joined)}", rows))
            return Joint("[", ListOfRows(joined, listed), "]")
        text = Subquery(rows.order_by().values_list(listed))
        return Joint("[", Coalesce(text, Joint("")), "]")

    def key(self, place: Place, attribute: str) -> Written:
        """The key of a related object."""
        found = place.field(attribute)
        if isinstance(found, models.ForeignKey):
            column, of, nullable = place.column(found.attname)
        else:
            column, of, nullable = place.follow([attribute]).column("pk")
        return Written(column, plain_format(of), nullable=nullable)

    def keys(self, place: Place, relation: Relation, at: str) -> Any:
        if isinstance(relation, Joined):
            return self.joined_keys(place, relation, at)
        name, rows, where, item = _rows_of(relation, place)
        if isinstance(relation, View):
            column, of, _ = Place(rows.model).column(f"{relation.to}_id")
        else:
            column, of, _ = item.column("pk")
        key = Written(column, plain_format(of), nullable=False)
        return self.listed(at, name, rows, key, where)

    def joined_keys(self, place: Place, relation: Joined, at: str) -> Any:
        """Each once, from the rows that join the two: the objects themselves are not looked up."""
        rows = place.rows(relation.of)
        column, of, _ = Place(rows.model).column(relation.other_key(place.model))
        if self.is_postgresql:
            return self.listed_rows(at, relation.of, rows, DifferentKeys(column))
        key = Written(column, plain_format(of), nullable=False)
        name = f"distinct {relation.of}"
        return self.listed(at, name, rows.distinct(), key, order=[column.asc()])

    def related(self, field: Any, place: Place) -> Written:
        """A related object, shown as its key or its slug."""
        if isinstance(field, SlugRelatedField):
            _unchanged(field, SlugRelatedField)
            column, of, nullable = place.column(field.slug_field or "pk")
        elif isinstance(field, PrimaryKeyRelatedField):
            _unchanged(field, PrimaryKeyRelatedField)
            column, of, nullable = place.column("pk")
        else:
            raise UnsupportedError(f"Use keys or slugs rather than {type(field).__name__}.")
        return Written(column, plain_format(of), nullable=nullable)

    def computed(self, field: Any, place: Place, expression: Any) -> Written:
        here = place.model._base_manager.filter(pk=OuterRef(f"{place.path}pk")).order_by()
        value = here.values_list(expression)
        [column] = value.query.annotation_select.values()
        return Written(Subquery(value), format_of(field, column.output_field), nullable=True)


def _with_lists_joined(members: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """These, with lists that stand side by side joined where one walk through the rows does."""

    def rows_of(member: tuple[str, Any]) -> Any:
        _, value = member
        return (value.relation, value.order) if isinstance(value, ListInOrder) else None

    joined: list[tuple[str, Any]] = []
    for are_lists, run in groupby(members, rows_of):
        listed = list(run)
        joined += [(listed[0][0], ListsInOrder(listed))] if are_lists else listed
    return joined


def _may_be_missing(field: Any) -> None:
    if not field.allow_null or field.default is not empty:
        raise UnsupportedError("Its source may be missing: say allow_null=True, and no default.")


def _unchanged(field: Any, kind: type[Any]) -> None:
    if type(field).to_representation is not kind.to_representation:
        raise UnsupportedError(f"{type(field).__name__} has its own to_representation().")
    if getattr(field, "pk_field", None) is not None:
        raise UnsupportedError("Leave out pk_field.")


def _rows_of(relation: Relation, place: Place) -> tuple[str, QuerySet[Any], Q | None, Place]:
    """A list's relation, its rows, which of them count, and where in a row its object is."""
    if isinstance(relation, View):
        rows = place.rows(relation.of)
        return relation.of, rows, Q(*relation.where), Place(rows.model).follow([relation.to])
    rows = place.rows(relation.name)
    if isinstance(relation, Joined):
        # Each object once, whatever the number of rows that join it.
        found: Any = place.field(relation.name)
        joining = found.through._default_manager.filter(
            **{found.field.m2m_reverse_field_name(): OuterRef(OuterRef(f"{place.path}pk"))}
        )
        rows = rows.model._default_manager.filter(
            pk__in=joining.order_by().values(found.field.m2m_field_name())
        )
        return f"distinct {relation.name}", rows, None, Place(rows.model)
    return relation.name, rows, None, Place(rows.model)


def _order(model: type[models.Model]) -> list[Any]:
    """The model's own order, and where that leaves a choice, that of its keys."""
    ordering: list[Any] = list(model._meta.ordering or ())
    if model._meta.pk.name not in ordering:
        ordering.append("pk")
    order: list[Any] = []
    for term in ordering:
        if not isinstance(term, str):
            order.append(term if isinstance(term, OrderBy) else term.asc())
            continue
        name = term.removeprefix("-")
        if "__" not in name and name != "pk" and model._meta.get_field(name).is_relation:
            raise UnsupportedError(f"Order {model.__name__} by columns, and not by “{name}”.")
        order.append(OrderBy(F(name), descending=term.startswith("-")))
    return order


# Statements


@dataclass(frozen=True)
class Statement:
    """Makes the documents of one serializer, or of some of its fields, in one database."""

    sql: str
    # All but the keys, which come last.
    params: tuple[Any, ...]
    key: "models.Field[Any, Any]"

    def documents(self, keys: Sequence[Any], using: str) -> Document:
        """The array of these objects in this order, without those that are not there."""
        if not keys:
            return Document("[]")
        connection = connections[using]
        prepared = keys
        if not isinstance(self.key, models.IntegerField):
            # As the column holds them: a UUID is 32 digits on SQLite.
            prepared = [self.key.get_db_prep_value(key, connection) for key in keys]
        bound = json.dumps(prepared, default=str)
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [*self.params, bound])
            [array] = cursor.fetchone()
        return Document(array)


def compile_statement(serializer_class: type[Any], unread: frozenset[str], using: str) -> Statement:
    """The statement for a serializer without its fields `unread`; Uncompilable if there is none."""
    serializer = serializer_class()
    compiler = Compiler(connections[using].vendor)
    try:
        _unchanged(serializer, serializers.Serializer)
    except UnsupportedError as error:
        raise Uncompilable(serializer_class, {"": str(error)}) from error
    model = serializer_class.Meta.model
    fields = [each for each in serializer._readable_fields if each.field_name not in unread]
    document = compiler.object(fields, Place(model))
    if compiler.faults:
        raise Uncompilable(serializer_class, compiler.faults)
    key = model._meta.pk
    rows = model._base_manager.using(using).filter(pk=EachKey(output_field=key)).order_by()
    sql, params = rows.values_list(document).query.get_compiler(using).as_sql()
    # The ORM has no lateral joins: they are put in before the condition.
    selected, condition = sql.rsplit(" WHERE ", 1)
    for each in compiler.joined.values():
        subquery, more = each.compiled
        selected += f" CROSS JOIN LATERAL {subquery} AS {each.alias}(lists)"
        params = (*params, *more)
    array = ARRAY[connections[using].vendor].replace("{0}", f"{selected} WHERE {condition}")
    return Statement(array, tuple(params), key)


@cache
def properties(serializer_class: type[Any]) -> frozenset[str]:
    """The names of all that a serializer shows."""
    return frozenset(field.field_name for field in serializer_class()._readable_fields)


# However many choices of fields there are, only so many statements are kept.
statement = lru_cache(maxsize=KEPT_STATEMENTS)(compile_statement)
