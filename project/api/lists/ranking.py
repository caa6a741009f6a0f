"""An order in which the best rows come first."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

from django.db.models import Expression, QuerySet

from ..models import AnyQuerySet

# Querysets whose rows follow each other in the order that all of them have.
Part: TypeAlias = Sequence[AnyQuerySet]
# The number of a row's part, where one queryset has the rows of all.
NUMBER = "part_number"


class Rank(Expression, ABC):
    """What `order_by` takes for a list whose rows come in parts, one behind the other, each by id.

    To the paginator the queryset falls into its `parts`. To everything else it is one queryset of
    all these rows: more filters leave the rank in place, another `order_by` gives it up, and a
    paginator of another kind has the database sort by the number of the part.
    """

    @classmethod
    def of(cls, queryset: AnyQuerySet) -> "Rank | None":
        """The rank by which this queryset is ordered, if it is ordered by one."""
        first = next(iter(queryset.query.order_by), None)
        return first if isinstance(first, cls) else None

    @abstractmethod
    def parts(self, queryset: AnyQuerySet, *, keys_only: bool) -> list[Part]:
        """The rows of this queryset by parts, the best first; no row is in two of them.

        All have the same order: the same field and model, which is the queryset's own, or with
        `keys_only` any whose primary keys are those of the rows.
        """

    @abstractmethod
    def __len__(self) -> int:
        """How many parts there are."""

    @abstractmethod
    def together(self, queryset: AnyQuerySet) -> AnyQuerySet | None:
        """The rows of all parts, with the NUMBER of each, in the order that each part has with
        `keys_only`; None where the database is quicker with one part behind the other."""

    @abstractmethod
    def number(self, queryset: AnyQuerySet) -> Expression:
        """The number of the part that a row of this queryset is in."""

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        return self.number(QuerySet(query.model, using=None)).resolve_expression(
            query, *args, **kwargs
        )
