"""Finished JSON from the database: a serializer class is compiled once into one SQL statement.

The statement turns a list of primary keys into one text of JSON, an array of the objects with all
that is nested in them, and says the same as the serializer's own representation. It is kept, so a
request only binds keys to it: no model instance, no serializer and no renderer take part.

Here is what the engines share; `postgresql` and `sqlite` have the expressions of each. Names come
from serializers and models; nothing of a request becomes part of a statement.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    Case,
    Expression,
    F,
    Func,
    OrderBy,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.query import Query
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.relations import ManyRelatedField, PrimaryKeyRelatedField, SlugRelatedField

from ..fields import SerializerField, StoredFiles
from ..models import SQL, AnyField, AnyQuerySet, ModelField
from ..relations import ItemList, RelatedKeyField, RelatedKeysField, Relation, ReverseVia, Via
from .formats import BETWEEN_QUOTES, Format, UnsupportedError, format_of, plain_format

# PostgreSQL's functions take 100 arguments, and so did SQLite's before 3.41.
MAX_ARGUMENTS = 100
AnySerializer: TypeAlias = serializers.Serializer[models.Model]
# The parameter of a statement in whose place a request binds the key of its user.
USER = object()


class JSONValue(Func):
    """A value as JSON text; on SQLite, as json_object() takes it."""

    output_field = models.TextField()

    def __init__(self, value: object, written: Format, *, nullable: bool) -> None:
        super().__init__(value)
        self.written = written
        self.nullable = nullable

    @property
    def between_quotes(self) -> "JSONValue | None":
        """On PostgreSQL, the text that the quotes have between them; None where it is escaped."""
        if (text := self.written.get(BETWEEN_QUOTES)) is None:
            return None
        return JSONValue(self.source_expressions[0], {"postgresql": text}, nullable=self.nullable)

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: object,
        **extra_context: object,
    ) -> SQL:
        written, params = self.bare_sql(compiler, connection)
        written = f"({written})::text"
        return (f"coalesce({written}, 'null')" if self.nullable else written), params

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: object
    ) -> SQL:
        return self.bare_sql(compiler, connection)

    def bare_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SQL:
        """The value in its own SQL type; as text it is JSON."""
        sql, params = compiler.compile(self.source_expressions[0])
        written = self.written[connection.vendor]
        # Where the value is said more than once, so are its parameters.
        return written.format(sql), (*params,) * written.count("{0}")


def json_name(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


# From serializers to expressions


NO_CONDITION = Q()


class Scope:
    """Which related objects a document may show: of some models these alone, of others what their
    default managers have."""

    def __init__(self, shown: Mapping[type[models.Model], AnyQuerySet]) -> None:
        self.shown = shown
        # The models of all related objects that a statement shows.
        self.models: set[type[models.Model]] = set()
        # Whether it shows what an expression of Meta.expressions computes.
        self.is_computed = False

    def condition(self, model: type[models.Model], path: str) -> Q | None:
        """What is true of the objects at this path that may be shown; None where all may."""
        self.models.add(model)
        rows = self.shown.get(model, model._default_manager.all())
        if model not in self.shown and not rows.query.where:
            return None
        return Q(**{f"{path}pk__in": rows.order_by().values("pk")})


@dataclass(frozen=True)
class Path:
    """An object in a query: its model, and the path to it from the query's rows, as `author__`."""

    model: type[models.Model]
    scope: Scope
    path: str = ""
    # Whether it may be missing.
    nullable: bool = False
    # What is true of it where it may be shown.
    condition: Q = NO_CONDITION

    def field(self, attribute: str) -> AnyField:
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

    def follow(self, attributes: Sequence[str]) -> "Path":
        """The object at the end of these relations, each to one object."""
        place = self
        for attribute in attributes:
            relation = place.field(attribute)
            if not isinstance(relation, models.ForeignKey | models.OneToOneRel):
                raise UnsupportedError(f"“{attribute}” is no relation to one object.")
            if attribute == getattr(relation, "attname", None):
                raise UnsupportedError(f"“{attribute}” is a key.")
            path = f"{place.path}{relation.name}__"
            condition = self.scope.condition(relation.related_model, path)
            place = Path(
                relation.related_model,
                self.scope,
                path,
                place.nullable or relation.null or condition is not None,
                place.condition if condition is None else place.condition & condition,
            )
        return place

    def of(self, rows: QuerySet[models.Model]) -> "Path":
        """Each of these related objects, in a query of its own."""
        return Path(rows.model, self.scope)

    def column(self, attribute: str) -> tuple[F | Expression, ModelField, bool]:
        """A column's expression, its field, and whether it may be null."""
        field = self.field(attribute)
        if field.is_relation and attribute != getattr(field, "attname", None):
            raise UnsupportedError(
                f"“{attribute}” is a relation: nest a serializer, or show the key."
            )
        if not getattr(field, "concrete", False):
            raise UnsupportedError(f"“{attribute}” has no column.")
        target = field.target_field if field.is_relation else field
        # An empty name is no file.
        nullable = self.nullable or field.null or isinstance(field, models.FileField)
        column = F(self.path + field.attname)
        return (
            Case(When(self.condition, then=column)) if self.condition else column,
            target,
            nullable,
        )

    def rows(self, attribute: str) -> AnyQuerySet:
        """The related objects, as the attribute's manager gives them for this object."""
        relation = self.field(attribute)
        match relation:
            case models.ManyToOneRel(one_to_many=True):
                condition = {
                    relation.field.name: OuterRef(self.path + relation.field.target_field.name)
                }
            case models.ManyToManyRel():
                condition = {relation.field.name: OuterRef(f"{self.path}pk")}
            case models.ManyToManyField():
                condition = {relation.related_query_name(): OuterRef(f"{self.path}pk")}
            case _:
                raise UnsupportedError(f"“{attribute}” is no relation to many objects.")
        rows: QuerySet[models.Model] = relation.related_model._default_manager.filter(**condition)
        shown = self.scope.condition(rows.model, "")
        return rows.filter(shown) if rows.model in self.scope.shown and shown else rows


class ListRows(NamedTuple):
    """The rows of a list: those of the relation `name` for which `where` holds.

    They come in `order`, as a rule that of their model.
    """

    name: str
    queryset: AnyQuerySet
    where: Q | None = None
    order: Sequence[OrderBy] = ()


class Compiler:
    """Makes the expressions for one serializer, and gathers what stands against it.

    Each engine extends it: `postgresql`, `sqlite`.
    """

    # The statement of the array of the documents `{0}`, one for each key, whose parameter is one
    # JSON array of all keys. So there is one statement for pages of any size, and a plan that
    # depends on none of the keys: with an array for a parameter, PostgreSQL would plan each request
    # anew. An aggregate leaves out nulls, which keys without an object give. Each document is a
    # line, since none has a line break in it.
    array: str
    # The same, of the documents by themselves: rows of a key's place, from 0, and its document.
    each: str

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}

    @property
    def null(self) -> Expression | None:
        """What stands for an object that is missing."""
        return None

    def make_object(self, members: Sequence[tuple[str, object]]) -> Expression:
        """An object with these members."""
        raise NotImplementedError

    def make_list(self, field_path: str, rows: ListRows, item: object) -> object:
        """The list of these items, one for each of the rows.

        `field_path` is the field's dotted path from the serializer that is compiled.
        """
        raise NotImplementedError

    def make_distinct_keys(
        self, field_path: str, relation: ReverseVia, rows: AnyQuerySet, key: JSONValue
    ) -> object:
        """The list of the different values of this key in the rows, in their order."""
        raise NotImplementedError

    def add_joins(self, query: Query) -> None:
        """Complete the query of the documents by what their expressions refer to."""

    def document(
        self, fields: Iterable[SerializerField], place: Path, field_path: str = ""
    ) -> Expression:
        members: list[tuple[str, object]] = []
        for field in fields:
            name = str(field.field_name)
            try:
                value = self.value(field, place, field_path + name)
            except UnsupportedError as error:
                self.faults[field_path + name] = str(error)
            else:
                members.append((name, value))
        return self.make_object(members)

    def value(self, field: SerializerField, place: Path, field_path: str) -> object:
        expression = expressions_of(type(field.parent)).get(str(field.field_name))
        if expression is not None:
            return self.computed(field, place, expression)
        match field:
            case RelatedKeyField():
                return self.key(field, place, field.relation.name)
            case RelatedKeysField():
                return self.keys(place, field.relation, field_path)
            case serializers.ListSerializer():
                return self.list(field, place, field_path)
            case StoredFiles():
                return self.files(field, place, field_path)
            case serializers.Serializer():
                return self.nested(field, place, field_path)
            case ManyRelatedField():
                rows = self.rows(field, place)
                item = self.related(field.child_relation, place.of(rows))
                return self.make_list(field_path, ListRows(str(field.source), rows), item)
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
        return JSONValue(column, format_of(field, of), nullable=nullable)

    def reach(self, field: SerializerField, place: Path, way: Sequence[str]) -> Path:
        """The related object at the end of the way."""
        before = place.follow(way[:-1])
        reached = before.follow(way[-1:])
        # REST framework shows null for a foreign key that is null, at the end of the way. What is
        # missing before it, or on the other side of a one-to-one, is an exception there.
        if (
            before.nullable
            or (way and isinstance(before.field(way[-1]), models.OneToOneRel))
            or reached.condition
        ):
            _may_be_missing(field)
        return reached

    def rows(self, field: SerializerField, place: Path) -> AnyQuerySet:
        """The related objects at the end of the field's way."""
        [*way, last] = field.source_attrs
        reached = place.follow(way)
        if reached.nullable:
            raise UnsupportedError("Its source may be missing; nest it in a serializer of that.")
        return reached.rows(last)

    def nested(self, serializer: AnySerializer, place: Path, field_path: str) -> Expression:
        require_unchanged(serializer, serializers.Serializer)
        reached = self.reach(serializer, place, serializer.source_attrs)
        inner = Path(reached.model, reached.scope, reached.path)
        document = self.document(serializer._readable_fields, inner, f"{field_path}.")
        if not reached.nullable:
            return document
        there = Q(**{f"{reached.path}pk__isnull": False}) & reached.condition
        return Case(When(there, then=document), default=self.null)

    def files(self, serializer: StoredFiles, place: Path, field_path: str) -> Expression:
        require_unchanged(serializer, StoredFiles)
        if serializer.source != "*":
            raise UnsupportedError("Its files are the row's own: leave out `source`.")
        document = self.document(serializer._readable_fields, place, f"{field_path}.")
        sources = (f"{place.path}{field.source}" for field in serializer._readable_fields)
        return Case(
            When(Q(*((f"{each}__gt", "") for each in sources)), then=document), default=self.null
        )

    def list(self, field: Any, place: Path, field_path: str) -> object:
        require_unchanged(field, serializers.ListSerializer)
        require_unchanged(field.child, serializers.Serializer)
        if isinstance(field, ItemList):
            rows, item = _rows_of(field.relation, place)
        else:
            rows = ListRows(field.source, self.rows(field, place))
            item = place.of(rows.queryset)
        document = self.document(field.child._readable_fields, item, f"{field_path}.")
        return self.make_list(field_path, rows, document)

    def key(self, field: SerializerField, place: Path, attribute: str) -> JSONValue:
        """The key of a related object."""
        relation = place.field(attribute)
        reached = place.follow([attribute])
        if reached.condition:
            _may_be_missing(field)
        if isinstance(relation, models.ForeignKey) and not reached.condition:
            column, of, nullable = place.column(relation.attname)
        else:
            column, of, nullable = reached.column("pk")
        return JSONValue(column, plain_format(of), nullable=nullable)

    def keys(self, place: Path, relation: Relation, field_path: str) -> object:
        if isinstance(relation, ReverseVia):
            # From the rows that join the two: the objects themselves are not looked up.
            queryset = place.rows(relation.through)
            other = relation.other_key(place.model)
            column, of, _ = place.of(queryset).column(other)
            model = place.field(relation.name).related_model
            if shown := place.scope.condition(model, f"{other.removesuffix('_id')}__"):
                queryset = queryset.filter(shown)
            key = JSONValue(column, plain_format(of), nullable=False)
            return self.make_distinct_keys(field_path, relation, queryset, key)
        rows, item = _rows_of(relation, place)
        if isinstance(relation, Via):
            column, of, _ = place.of(rows.queryset).column(f"{relation.to}_id")
        else:
            column, of, _ = item.column("pk")
        key = JSONValue(column, plain_format(of), nullable=False)
        return self.make_list(field_path, rows, key)

    def related(self, field: SerializerField, place: Path) -> JSONValue:
        """A related object, shown as its key or its slug."""
        if isinstance(field, SlugRelatedField):
            require_unchanged(field, SlugRelatedField)
            column, of, nullable = place.column(field.slug_field or "pk")
        elif isinstance(field, PrimaryKeyRelatedField):
            require_unchanged(field, PrimaryKeyRelatedField)
            column, of, nullable = place.column("pk")
        else:
            raise UnsupportedError(f"Use keys or slugs rather than {type(field).__name__}.")
        return JSONValue(column, plain_format(of), nullable=nullable)

    def computed(self, field: SerializerField, place: Path, expression: object) -> JSONValue:
        place.scope.is_computed = True
        try:
            value = computed_value(place.model, expression, UserKey(), place.path)
        except (FieldError, AttributeError, TypeError, ValueError) as error:
            raise UnsupportedError(f"Its expression cannot be resolved: {error}") from error
        return JSONValue(value, format_of(field, value.output_field), nullable=True)


class UserKey(Expression):
    """The key of the user who asks, which each request binds; null where nobody is logged in."""

    def __init__(self) -> None:
        super().__init__(output_field=get_user_model()._meta.pk)

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: object
    ) -> SQL:
        return "%s", (USER,)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: object
    ) -> SQL:
        return f"%s::{self.output_field.rel_db_type(connection)}", (USER,)


def expressions_of(serializer_class: object) -> Mapping[str, object]:
    """The serializer's computed properties: each an expression of the ORM, or where it depends on
    who asks, a function of the expression of that user's key."""
    expressions: Mapping[str, object] = getattr(
        getattr(serializer_class, "Meta", None), "expressions", {}
    )
    return expressions


def computed_value(
    model: type[models.Model], expression: object, user: Expression, path: str = ""
) -> Subquery:
    """The value of an expression of `Meta.expressions` for the object at this path of a query.

    `user` is the key of who asks, which an expression that depends on it takes as its argument.
    """
    if callable(expression):
        expression = expression(user)
    objects = model._base_manager.filter(pk=OuterRef(f"{path}pk")).order_by()
    # By name: values_list() cannot name an aggregate with a filter.
    return Subquery(objects.values(computed_value=expression))


def _may_be_missing(field: SerializerField) -> None:
    if not field.allow_null or field.default is not empty:
        raise UnsupportedError("Its source may be missing: say allow_null=True, and no default.")


def require_unchanged(field: SerializerField, kind: type[SerializerField]) -> None:
    if type(field).to_representation is not kind.to_representation:
        raise UnsupportedError(f"{type(field).__name__} has its own to_representation().")
    if getattr(field, "pk_field", None) is not None:
        raise UnsupportedError("Leave out pk_field.")


def _rows_of(relation: Relation, place: Path) -> tuple[ListRows, Path]:
    """The rows of a relation's list, and where in a row its object is."""
    if isinstance(relation, Via):
        rows = place.rows(relation.through)
        item = place.of(rows).follow([relation.to])
        # Of those that are left, each is there.
        where = Q(*relation.where) & item.condition
        return ListRows(relation.through, rows, where), replace(item, condition=NO_CONDITION)
    rows = place.rows(relation.name)
    if isinstance(relation, ReverseVia):
        # Each object once, whatever the number of rows that join it.
        reverse = place.field(relation.name)
        joining = reverse.through._default_manager.filter(
            **{reverse.field.m2m_reverse_field_name(): OuterRef(OuterRef(f"{place.path}pk"))}
        )
        distinct: AnyQuerySet = rows.model._default_manager.filter(
            pk__in=joining.order_by().values(reverse.field.m2m_field_name())
        )
        shown = place.scope.condition(rows.model, "")
        rows = distinct if shown is None else distinct.filter(shown)
        return ListRows(f"distinct {relation.name}", rows), place.of(rows)
    return ListRows(relation.name, rows), place.of(rows)


def order_of(model: type[models.Model]) -> list[OrderBy]:
    """The model's own order, and where that leaves a choice, that of its keys."""
    ordering: list[Any] = list(model._meta.ordering or ())
    if model._meta.pk.name not in ordering:
        ordering.append("pk")
    order: list[OrderBy] = []
    for term in ordering:
        if not isinstance(term, str):
            order.append(term if isinstance(term, OrderBy) else term.asc())
            continue
        name = term.removeprefix("-")
        if "__" not in name and name != "pk" and model._meta.get_field(name).is_relation:
            raise UnsupportedError(f"Order {model.__name__} by columns, and not by “{name}”.")
        order.append(OrderBy(F(name), descending=term.startswith("-")))
    return order
