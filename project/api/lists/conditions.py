"""Conditions on what an object has, at the end of a path of the ORM's.

What leads to many rows becomes a subquery: a join gives an object once for each of them, and SQLite
may walk through all objects in order rather than begin at the few whose rows fit.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from ..models import AnyField
from .keysets import column


class RelatedRows(NamedTuple):
    """The rows that a path goes through, which refer to an object by `owner`."""

    queryset: QuerySet[Model]
    owner: str
    # The rest of the path.
    path: str

    @classmethod
    def of(cls, model: type[Model], path: str) -> "RelatedRows | None":
        """None where the path does not begin with a relation to many."""
        name, _, rest = path.partition("__")
        relation: AnyField = model._meta.get_field(name)
        if relation.one_to_many:
            rows = relation.related_model._default_manager.all()
            return cls(rows, relation.field.name, rest or "pk")
        if not relation.many_to_many:
            return None
        forward = not relation.auto_created
        field = relation if forward else relation.field
        owner, to = field.m2m_field_name(), field.m2m_reverse_field_name()
        if not forward:
            owner, to = to, owner
        rows = field.remote_field.through._default_manager.all()
        return cls(rows, owner, f"{to}__{rest}" if rest else to)

    def has(self, **lookups: object) -> Q:
        """Whether an object has a row for which these hold."""
        return Q(pk__in=self.queryset.filter(**lookups).order_by().values(self.owner))

    def has_one_of(self, values: Sequence[object]) -> Q:
        """Whether one of these is at the end of the path; None stands for nothing being there."""
        some = [value for value in values if value is not None]
        condition = self.has(**_among(self.path, some)) if some else Q()
        if len(some) == len(values):
            return condition
        there = {f"{self.path}__isnull": False, self.owner: OuterRef("pk")}
        rows = self.queryset.filter(**there).order_by()
        if not some:
            return ~Q(Exists(rows))
        # Beside an OR PostgreSQL would read all rows, to look them up in memory, for one page.
        return condition | Q(IsNull(Subquery(rows.values("pk")[:1]), True))


def has_one_of(model: type[Model], path: str, values: Sequence[object]) -> Q:
    """Whether one of these is at the end of the path; None stands for nothing being there."""
    rows = RelatedRows.of(model, path)
    if rows is not None:
        return rows.has_one_of(values)
    some = [value for value in values if value is not None]
    condition = Q(**_among(path, some)) if some else Q()
    return condition if len(some) == len(values) else condition | Q(**{f"{path}__isnull": True})


def _among(path: str, values: Sequence[object]) -> dict[str, object]:
    return {f"{path}__in": values} if len(values) > 1 else {f"{path}__exact": values[0]}


def may_lack(model: type[Model], path: str) -> bool:
    """Whether an object may have nothing at the end of this path; no, where there is no such."""
    try:
        if RelatedRows.of(model, path) is not None:
            return True
        return column(model, path)[1]
    except (FieldDoesNotExist, ImproperlyConfigured):
        return False
