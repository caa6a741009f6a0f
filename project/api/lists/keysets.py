"""The order of a list, and what follows a position in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import connections, models
from django.db.models import Expression, F, Field, Func, Model, OrderBy, Q, QuerySet, Value
from django.db.models.functions import Cast, Round
from django.db.models.lookups import GreaterThan, LessThan

from ..models import AnyQuerySet, ModelField

# What both engines put in the same order, and a cursor holds exactly.
ORDERED = (
    models.IntegerField,
    models.CharField,
    models.TextField,
    models.BooleanField,
    models.FloatField,
    models.DecimalField,
    models.DateField,
    models.TimeField,
    models.DurationField,
    models.UUIDField,
)
# A computed value, as the query of a page has it.
POSITION = "keyset_position"
# Computed decimals that are equal up to here, behind their own places, count as equal. SQLite
# computes in binary, PostgreSQL to as many places as it sees fit.
MORE_PLACES = 6


class RowValue(Func):
    """An SQL row value, `(a, b)`: comparing two is one walk down an index on a and b."""

    template = "(%(expressions)s)"
    output_field = Field()


@dataclass(frozen=True)
class Keyset:
    """The order of the rows: by one value, rows that are equal in it by id, the same way round.

    Null comes last, in descending order first, on every engine: as a B-tree index on the field and
    the id has it, so one index serves both directions. A computed value has no index: all rows that
    are left after filtering are sorted for each page.
    """

    model: type[Model]
    # The name in `order_by`: of a column, also one that foreign keys lead to, or of an annotation.
    name: str
    descending: bool
    field: ModelField
    null: bool
    # What has to be computed; None for a column of the model's own.
    expression: F | Expression | None = None

    @classmethod
    def of(cls, queryset: AnyQuerySet) -> "Keyset":
        """The queryset's own order; ImproperlyConfigured if that is not one value, then the id."""
        model = queryset.model
        ordering = queryset.query.order_by or model._meta.ordering or ["pk"]
        first, *rest = ordering
        descending = isinstance(first, str) and first.startswith("-")
        ids = [("-" if descending else "") + name for name in ("id", "pk", model._meta.pk.name)]
        if not isinstance(first, str) or (rest and (len(rest) > 1 or rest[0] not in ids)):
            raise ImproperlyConfigured(f"Cannot page through {ordering}: one field, then the id.")
        name = first.removeprefix("-")
        if (annotation := queryset.query.annotations.get(name)) is None:
            field, null = column(model, name)
            expression: F | Expression | None = F(name) if "__" in name else None
        else:
            null = True
            expression, field = _exactly(name, annotation.output_field, queryset.db)
        if not isinstance(getattr(field, "target_field", field), ORDERED):
            kind = type(field).__name__
            raise ImproperlyConfigured(f"Cannot page by “{name}”: a {kind} has no order.")
        return cls(model, name, descending, field, null, expression)

    def __str__(self) -> str:
        return ("-" if self.descending else "") + self.name

    @property
    def attribute(self) -> str:
        """What a row calls the value."""
        return str(self.field.attname) if self.expression is None else POSITION

    def prepare(self, queryset: AnyQuerySet) -> AnyQuerySet:
        """The queryset with the value, which the other methods expect."""
        if self.expression is None:
            return queryset
        prepared: QuerySet[models.Model] = queryset.annotate(**{POSITION: self.expression})
        return prepared

    def position_of(self, row: Any) -> tuple[object, int]:
        """The position of an object, or of a row of `values()` or `values_list(attribute, "pk")`,
        which is one already."""
        match row:
            case Model():
                return getattr(row, self.attribute), row.pk
            case dict():
                pk = row["pk"] if "pk" in row else row[self.model._meta.pk.name]
                return row[self.attribute], pk
        value, pk = row
        return value, pk

    def order(self, queryset: QuerySet[models.Model], backwards: bool) -> AnyQuerySet:
        descending = self.descending != backwards
        nulls = {"nulls_first" if descending else "nulls_last": True} if self.null else {}
        terms = [OrderBy(F(self.attribute), descending=descending, **nulls)]
        if self.expression is not None or not self.field.primary_key:
            terms.append(OrderBy(F("pk"), descending=descending))
        return queryset.order_by(*terms)

    def beyond(
        self, queryset: AnyQuerySet, value: object, pk: object, backwards: bool
    ) -> Iterator[AnyQuerySet]:
        """What follows this position, in one part or two, whose first rows an index finds at once.

        The position is two values, or expressions of them.

        Rows with null and rows without are two parts, since one condition for both (`… OR field
        IS NULL`) would have the database walk the index from its beginning.
        """
        descending = self.descending != backwards
        queryset = self.order(queryset, backwards)
        isnull = f"{self.attribute}__isnull"
        if value is None:
            after = f"pk__{'lt' if descending else 'gt'}"
            yield queryset.filter(**{isnull: True, after: pk})
            if descending:
                yield queryset.filter(**{isnull: False})
            return
        position = _value(value, self.field), _value(pk, queryset.model._meta.pk)
        if self.expression is None:
            here, there = RowValue(F(self.attribute), F("pk")), RowValue(*position)
            yield queryset.filter(LessThan(here, there) if descending else GreaterThan(here, there))
        else:
            # SQLite takes no aggregate in a row value.
            after = "lt" if descending else "gt"
            level = Q(**{self.attribute: position[0], f"pk__{after}": position[1]})
            yield queryset.filter(Q(**{f"{self.attribute}__{after}": position[0]}) | level)
        if self.null and not descending:
            yield queryset.filter(**{isnull: True})


def _value(value: object, field: ModelField) -> object:
    return value if isinstance(value, Expression) else Value(value, field)


def column(model: type[Model], path: str) -> tuple[ModelField, bool]:
    """The column at the end of this path of foreign keys, and whether it may be null or missing.

    ImproperlyConfigured where there is no such path.
    """
    null = False
    here: Any = model
    for name in path.split("__"):
        try:
            field = here._meta.pk if name == "pk" else here._meta.get_field(name)
        except (FieldDoesNotExist, AttributeError) as error:
            raise ImproperlyConfigured(f"There is no “{path}” of {model.__name__}.") from error
        if field.one_to_many or field.many_to_many:
            raise ImproperlyConfigured(f"“{path}” gives many values of one {model.__name__}.")
        null = null or field.null
        here = field.related_model
    if not field.concrete:
        raise ImproperlyConfigured(f"“{path}” is no column.")
    return field, null


def _exactly(name: str, field: ModelField, using: str) -> tuple[F | Expression, ModelField]:
    """An annotation in a form that a cursor holds exactly, and the type of that."""
    if isinstance(field, models.FloatField):
        # PostgreSQL's AVG of integers is a number of more digits than its type here has.
        return Cast(F(name), models.FloatField()), models.FloatField()
    if isinstance(field, models.DecimalField):
        value = Round(F(name), precision=(field.decimal_places or 0) + MORE_PLACES)
        if connections[using].vendor == "sqlite":
            return Cast(value, models.FloatField()), models.FloatField()
        return value, models.DecimalField()
    return F(name), field
