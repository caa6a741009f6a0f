"""Conditions on what an object has, at the end of a path of the ORM's.

What leads to many rows becomes a subquery: a join gives an object once for each of them, and SQLite
may walk through all objects in order rather than begin at the few whose rows fit.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from .keysets import column


class RelatedRows(NamedTuple):
    """The rows that a path goes through, which refer to an object by `owner`."""

    queryset: QuerySet[Any]
    owner: str
    # The rest of the path.
    path: str

    @classmethod
    def of(cls, model: type[Model], path: str) -> "RelatedRows | None":
        """None where the path does not begin with a relation to many."""
        name, _, rest = path.partition("__")
        relation: Any = model._meta.get_field(name)
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

    def owners(self, **lookups: Any) -> Q:
        """Who has a row for which these hold."""
        return Q(pk__in=self.queryset.filter(**lookups).order_by().values(self.owner))

    def missing(self, **lookups: Any) -> Q:
        """Who has no row for which these hold."""
        return ~Q(Exists(self.queryset.filter(**lookups, **{self.owner: OuterRef("pk")})))


def has_one_of(model: type[Model], path: str, values: Sequence[Any]) -> Q:
    """Whether one of these is at the end of the path; None stands for nothing being there."""
    some = [value for value in values if value is not None]
    rows = RelatedRows.of(model, path)
    condition = Q()
    if some:
        there = path if rows is None else rows.path
        one = {f"{there}__in": some} if len(some) > 1 else {f"{there}__exact": some[0]}
        condition |= Q(**one) if rows is None else rows.owners(**one)
    if len(some) < len(values):
        absent = f"{path}__isnull"
        condition |= (
            Q(**{absent: True}) if rows is None else rows.missing(**{f"{rows.path}__isnull": False})
        )
    return condition


def may_lack(model: type[Model], path: str) -> bool:
    """Whether an object may have nothing at the end of this path; no, where there is no such."""
    try:
        if RelatedRows.of(model, path) is not None:
            return True
        return column(model, path)[1]
    except (FieldDoesNotExist, ImproperlyConfigured):
        return False
