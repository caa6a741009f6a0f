"""The order of a list, and what follows a position in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Field, Func, Model, OrderBy, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan


class RowValue(Func):
    """An SQL row value, `(a, b)`: comparing two is one walk down an index on a and b."""

    template = "(%(expressions)s)"
    output_field = Field()


@dataclass(frozen=True)
class Keyset:
    """The order of the rows: by one field, rows that are equal in it by id, the same way round.

    Null comes last, in descending order first, on every engine: as a B-tree index on the field and
    the id has it, so one index serves both directions.
    """

    field: "Field[Any, Any]"
    descending: bool

    @classmethod
    def of(cls, queryset: QuerySet[Any]) -> "Keyset":
        """The queryset's own order. More fields than one and the id are not supported."""
        ordering = queryset.query.order_by or queryset.model._meta.ordering or ["id"]
        first, *rest = map(str, ordering)
        name, descending = first.removeprefix("-"), first.startswith("-")
        if rest not in ([], ["-id" if descending else "id"]):
            raise ImproperlyConfigured(f"Cannot page through {ordering}: one field, then the id.")
        return cls(queryset.model._meta.get_field(name), descending)

    def __str__(self) -> str:
        return ("-" if self.descending else "") + self.field.name

    def position_of(self, row: "Model | tuple[Any, int]") -> tuple[Any, int]:
        """The position of an object, or of a row of `values_list`, which is one already."""
        return row if isinstance(row, tuple) else (getattr(row, self.field.attname), row.pk)

    def order(self, queryset: QuerySet[Any], backwards: bool) -> QuerySet[Any]:
        descending = self.descending != backwards
        nulls = {"nulls_first" if descending else "nulls_last": True} if self.field.null else {}
        terms = [OrderBy(F(self.field.attname), descending=descending, **nulls)]
        if not self.field.primary_key:
            terms.append(OrderBy(F("pk"), descending=descending))
        return queryset.order_by(*terms)

    def beyond(
        self, queryset: QuerySet[Any], value: Any, pk: int, backwards: bool
    ) -> Iterator[QuerySet[Any]]:
        """What follows this position, in one part or two, whose first rows an index finds at once.

        Rows with null and rows without are two parts, since one condition for both (`… OR field
        IS NULL`) would have the database walk the index from its beginning.
        """
        descending = self.descending != backwards
        queryset = self.order(queryset, backwards)
        isnull = f"{self.field.attname}__isnull"
        if value is None:
            after = f"pk__{'lt' if descending else 'gt'}"
            yield queryset.filter(**{isnull: True, after: pk})
            if descending:
                yield queryset.filter(**{isnull: False})
            return
        here = RowValue(F(self.field.attname), F("pk"))
        there = RowValue(Value(value, self.field), Value(pk, queryset.model._meta.pk))
        yield queryset.filter(LessThan(here, there) if descending else GreaterThan(here, there))
        if self.field.null and not descending:
            yield queryset.filter(**{isnull: True})
