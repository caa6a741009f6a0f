"""`ordering`: the fields by which a list may be ordered."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db.models import Value
from rest_framework import filters as backends
from rest_framework.request import Request

from ..documents.compiler import computed_value, expressions_of
from ..http.problems import Fault, Refused
from ..http.resources import for_lists
from ..http.views import AnyView
from ..lists.parameters import Schema
from ..models import AnyQuerySet
from .parameters import is_list, parameter_schema
from .ranking import Rank

if TYPE_CHECKING:
    # REST framework's views import this.
    from rest_framework.views import APIView


class OrderingFilter(backends.OrderingFilter):
    """`ordering`: one of the view's `ordering_fields`; with a `-` in front, descending.

    Without it, a search goes by rank, any other list by the view's `ordering`.
    """

    def parameters_of(self, view: object) -> frozenset[str]:
        return frozenset({self.ordering_param} if self._choices(view) else ())

    @staticmethod
    def _choices(view: object) -> list[str]:
        fields = getattr(view, "ordering_fields", None) or ()
        return [sign + field for field in fields for sign in ("", "-")]

    @for_lists
    def filter_queryset(
        self, request: Request, queryset: AnyQuerySet, view: AnyView
    ) -> AnyQuerySet:
        ordering = self.get_ordering(request, queryset, view) if is_list(view) else None
        if not ordering:
            return queryset
        name = ordering[0].removeprefix("-")
        expression = expressions_of(view.get_serializer_class()).get(name)
        if expression is not None:
            user = Value(request.user.pk, get_user_model()._meta.pk)
            value = computed_value(queryset.model, expression, user)
            queryset = queryset.annotate(**{name: value})
        return queryset.order_by(*ordering)

    def get_ordering(
        self, request: Request, queryset: AnyQuerySet, view: "APIView"
    ) -> Sequence[str] | None:
        """The columns to order by, each with a `-` in front where it goes down; None by rank."""
        choice = request.query_params.get(self.ordering_param)
        if not choice:
            is_ranked = Rank.of(queryset) is not None
            default = None if is_ranked else self.get_default_ordering(view)
            return default and [self.column(view, each) for each in default]
        if choice not in self._choices(view):
            detail = f"Choose one of {', '.join(self._choices(view))}."
            raise Refused([Fault("invalid_choice", detail, parameter=self.ordering_param)])
        return [self.column(view, choice)]

    @staticmethod
    def column(view: object, choice: str) -> str:
        """What a choice of `ordering` orders by."""
        name = choice.removeprefix("-")
        column: str = getattr(view, "ordering_columns", {}).get(name, name)
        return choice.removesuffix(name) + column

    def get_schema_operation_parameters(self, view: object) -> list[Schema]:
        if not self.parameters_of(view):
            return []
        schema = {"type": "string", "enum": self._choices(view)}
        return [
            parameter_schema(
                self.ordering_param,
                schema,
                "A `-` reverses the order. Rows with equal values come by id.",
            )
        ]
