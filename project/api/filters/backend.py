"""The backend that asks a list what its filters say."""

from collections.abc import Mapping
from copy import copy

from django.http import QueryDict
from django.template import loader
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import Filter, FilterSet
from rest_framework import filters as backends
from rest_framework.request import Request

from ..http.problems import Fault, Refused
from ..http.resources import for_lists, narrows
from ..http.views import AnyView
from ..lists.parameters import Schema, is_list, parameter_schema
from ..models import AnyQuerySet
from ..relations import MAX_ITEMS
from .fields import ValuesField, schema_of
from .sets import ValuesFilter

SEVERAL = f"Several are separated by commas, at most {MAX_ITEMS}: those that have any of them."
SEVERAL_OR_NONE = f"{SEVERAL} `null` finds those that have none."


class StrictFilterBackend(backends.BaseFilterBackend):
    """The view's `filterset_class`, on lists. A value that its field refuses is 400.

    One with a `qs` of its own counts for single objects as well.
    """

    template = "django_filters/rest_framework/form.html"

    def parameters_of(self, view: object) -> frozenset[str]:
        return frozenset(self._filters(view))

    @staticmethod
    def _filters(view: object) -> Mapping[str, Filter]:
        filterset_class = getattr(view, "filterset_class", None)
        return {} if filterset_class is None else filterset_class.base_filters

    @for_lists
    def filter_queryset(
        self, request: Request, queryset: AnyQuerySet, view: AnyView
    ) -> AnyQuerySet:
        params = request.query_params if is_list(view) else QueryDict()
        if self._filters(view).keys().isdisjoint(params) and not narrows(
            getattr(view, "filterset_class", None)
        ):
            return queryset
        filterset = view.filterset_class(params, queryset, request=request)
        _require_valid(filterset)
        filtered: AnyQuerySet = filterset.qs
        return filtered

    def lookups(self, request: Request, view: AnyView) -> Schema | None:
        """The values that the filters of a list ask for, by the ORM's path and lookup of each.

        None where that is not all that is asked: where a filter has a method of its own.
        """
        filters = self._filters(view)
        requested = [(name, each) for name, each in filters.items() if name in request.query_params]
        if not requested:
            return {}
        filterset_class = view.filterset_class
        if filterset_class.filter_queryset is not FilterSet.filter_queryset or not all(
            getattr(each.filter, "__func__", None) in (Filter.filter, ValuesFilter.filter)
            and not (each.exclude or each.distinct)
            for _, each in requested
        ):
            return None
        filterset = filterset_class(request.query_params, view.queryset, request=request)
        _require_valid(filterset)
        values = filterset.form.cleaned_data
        lookups: Schema = {}
        for name, _ in requested:
            more = _lookups_of(filterset.filters[name], values[name])
            # One path cannot stand for two values.
            if more is None or not lookups.keys().isdisjoint(more):
                return None
            lookups |= more
        return lookups

    def to_html(self, request: Request, queryset: AnyQuerySet, view: AnyView) -> str:
        if not self._filters(view):
            return ""
        every = request.query_params.copy()
        for name in self._filters(view):
            every.setdefault(name, "")
        filterset = view.filterset_class(every, queryset, request=request)
        return loader.get_template(self.template).render({"filter": filterset}, request._request)

    def get_schema_operation_parameters(self, view: AnyView) -> list[Schema]:
        parameters = []
        for name, declared in self._filters(view).items():
            filter_ = copy(declared)
            filter_.model = view.queryset.model  # type: ignore[attr-defined]  # as a FilterSet does
            words = [filter_.extra.get("help_text", "")]
            if isinstance(filter_.field, ValuesField):
                words.append(SEVERAL if not filter_.field.nullable else SEVERAL_OR_NONE)
            schema = schema_of(filter_.field)
            parameters.append(parameter_schema(name, schema, " ".join(filter(None, words))))
        return parameters


def _lookups_of(filter_: Filter, value: object) -> Schema | None:
    if value in EMPTY_VALUES:
        return None
    if isinstance(filter_, ValuesFilter):
        return filter_.lookups(value)
    return {f"{filter_.field_name}__{filter_.lookup_expr}": value}


def _require_valid(filterset: FilterSet) -> None:
    if not filterset.is_valid():
        raise Refused(
            [
                Fault(error.code or "invalid", " ".join(error.messages), parameter=name)
                for name, errors in filterset.form.errors.as_data().items()
                for error in errors
            ]
        )
