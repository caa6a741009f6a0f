"""What a list can be asked: fields that take one form of a value, filters, and their backend."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django.template import loader
from django.utils.dateparse import parse_datetime
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import CharFilter, Filter, FilterSet
from rest_framework import filters as backends
from rest_framework.request import Request

from .fields import MAX_ID, UUID_FORM
from .http.problems import Fault, Refused
from .http.resources import for_lists, narrows
from .lists.parameters import is_list, parameter_schema
from .models import PARTIAL_DATE, FoldedFrom, NameFormField
from .models import PartialDateField as PartialDate
from .relations import MAX_ITEMS

# How many sets of filters, as requests combine them, keep their form.
KEPT_FORMS = 256


# Fields


class IntegerField(forms.IntegerField):
    """A number that a database takes: decimal digits, 64 bits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": -(2**63), "max_value": 2**63 - 1, **kwargs})

    def to_python(self, value: Any) -> int | None:
        # int() itself takes `1_000`, and digits of any script.
        if value and not re.fullmatch("-?[0-9]{1,19}", value):
            raise ValidationError(self.error_messages["invalid"], "invalid")
        return super().to_python(value)


class PartialDateField(forms.Field):
    """A day, a month or a year: 1987-06-15, 1987-06, 1987."""

    default_validators = PartialDate.default_validators


class TimestampField(forms.Field):
    """A moment in RFC 3339's form; the offset is part of it."""

    def to_python(self, value: Any) -> datetime | None:
        if not value:
            return None
        with suppress(ValueError, OverflowError):
            moment = parse_datetime(value)
            if moment is not None and moment.tzinfo is not None:
                return moment.astimezone(UTC)
        detail = "A moment looks like 2026-01-31T09:30:00Z, or ends in an offset (its + as %2B)."
        raise ValidationError(detail, "invalid")


class UUIDField(forms.Field):
    """A UUID in its usual form."""

    def to_python(self, value: Any) -> UUID | None:
        # UUID() itself takes braces, `urn:uuid:`, and hyphens anywhere or nowhere.
        if value and not re.fullmatch(UUID_FORM, value, re.IGNORECASE | re.ASCII):
            raise ValidationError("Enter a valid UUID.", "invalid")
        return UUID(value) if value else None


class IdsField(forms.Field):
    """Some ids, separated by commas."""

    def to_python(self, value: Any) -> list[int]:
        if not value:
            return []
        if not re.fullmatch("[0-9]{1,19}(,[0-9]{1,19})*", value):
            raise ValidationError("Enter ids, separated by commas.", "invalid")
        ids = [int(each) for each in value.split(",")]
        if len(ids) > MAX_ITEMS or max(ids) > MAX_ID:
            raise ValidationError(f"Enter at most {MAX_ITEMS} ids of 64 bits.", "max_length")
        return ids


class IdsFilter(Filter):
    """The objects with these ids, those that there are."""

    field_class = IdsField

    def filter(self, qs: QuerySet[Any], value: list[int]) -> QuerySet[Any]:
        return qs.filter(pk__in=value) if value else qs


class UUIDFilter(Filter):
    field_class = UUIDField


class IntegerFilter(Filter):
    field_class = IntegerField


class TimestampFilter(Filter):
    field_class = TimestampField


class TextFilter(CharFilter):
    """The text as it stands: blanks around it count."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"strip": False, **kwargs})


class NameFilter(CharFilter):
    """A whole name or title, as NameField stores it."""

    field_class = NameFormField


class FoldedNameFilter(NameFilter):
    """A whole name of a model that folds it: whatever the case of its letters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("name_folded", **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return super().filter(qs, value and FoldedFrom.make(value))


class PartialDateFilter(Filter):
    """Dates that begin at the first day of the one that is given or later (`gte`), or at its last
    day or earlier (`lte`)."""

    field_class = PartialDateField

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value and self.lookup_expr == "gte":
            # A year begins at its first month and day, and sorts before them.
            value = re.sub("(-01){1,2}$", "", value)
        elif value:
            value += "-12-31"[len(value) - 4 :]
        return super().filter(qs, value)


class ListFilterSet(FilterSet):
    """Sets up only the filters that are asked for: all of them would cost more than the query."""

    def __init__(self, data: QueryDict, queryset: QuerySet[Any], **kwargs: Any) -> None:
        every = type(self).base_filters
        self.base_filters = OrderedDict((name, every[name]) for name in every if name in data)
        super().__init__(data, queryset, **kwargs)

    def get_form_class(self) -> Any:
        queryset: Any = self.queryset
        return _form_class(type(self), queryset.model, tuple(self.filters))


@lru_cache(maxsize=KEPT_FORMS)
def _form_class(filterset_class: type[Any], model: type[Model], names: tuple[str, ...]) -> Any:
    """The form of these filters, which django-filter would make anew for each request."""
    blank = QueryDict(mutable=True)
    blank.update(dict.fromkeys(names, ""))
    filterset = filterset_class(blank, model._default_manager.none())
    return super(ListFilterSet, filterset).get_form_class()


class RootFilterSet(ListFilterSet):
    """What every aggregate root can be asked."""

    uid = UUIDFilter(help_text="The one object that has this uid, if there is one.")
    updated_since = TimestampFilter(
        field_name="updated_at",
        lookup_expr="gte",
        help_text="Changed at this time or later. It misses what is deleted, and what a longer"
        " write stores under an earlier time: to keep a copy, follow `/api/changes/`.",
    )
    id = IdsFilter(help_text=f"Those that have one of these ids, at most {MAX_ITEMS}.")


# Backends


class StrictFilterBackend(backends.BaseFilterBackend):
    """The view's `filterset_class`, on lists. A value that its field refuses is 400.

    One with a `qs` of its own counts for single objects as well.
    """

    template = "django_filters/rest_framework/form.html"

    def parameters_of(self, view: Any) -> frozenset[str]:
        return frozenset(self._filters(view))

    @staticmethod
    def _filters(view: Any) -> Mapping[str, Any]:
        filterset_class = getattr(view, "filterset_class", None)
        return {} if filterset_class is None else filterset_class.base_filters

    @for_lists
    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        params = request.query_params if is_list(view) else QueryDict()
        if self._filters(view).keys().isdisjoint(params) and not narrows(
            getattr(view, "filterset_class", None)
        ):
            return queryset
        filterset = view.filterset_class(params, queryset, request=request)
        _require_valid(filterset)
        filtered: QuerySet[Any] = filterset.qs
        return filtered

    def lookups(self, request: Request, view: Any) -> dict[str, Any] | None:
        """The values that the filters of a list ask for, by the ORM's path and lookup of each.

        None where that is not all that is asked: where a filter has a method of its own.
        """
        filters = self._filters(view)
        asked = [(name, each) for name, each in filters.items() if name in request.query_params]
        if not asked:
            return {}
        filterset_class = view.filterset_class
        if filterset_class.filter_queryset is not FilterSet.filter_queryset or not all(
            getattr(each.filter, "__func__", None) is Filter.filter
            and not (each.exclude or each.distinct)
            for _, each in asked
        ):
            return None
        filterset = filterset_class(request.query_params, view.queryset, request=request)
        _require_valid(filterset)
        values = filterset.form.cleaned_data
        if any(values[name] in EMPTY_VALUES for name, _ in asked):
            return None
        return {f"{each.field_name}__{each.lookup_expr}": values[name] for name, each in asked}

    def to_html(self, request: Request, queryset: QuerySet[Any], view: Any) -> str:
        if not self._filters(view):
            return ""
        every = request.query_params.copy()
        for name in self._filters(view):
            every.setdefault(name, "")
        filterset = view.filterset_class(every, queryset, request=request)
        return loader.get_template(self.template).render({"filter": filterset}, request._request)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            parameter_schema(name, _schema_of(filter_.field), filter_.extra.get("help_text", ""))
            for name, filter_ in self._filters(view).items()
        ]


def _require_valid(filterset: Any) -> None:
    if not filterset.is_valid():
        raise Refused(
            [
                Fault(error.code or "invalid", " ".join(error.messages), parameter=name)
                for name, errors in filterset.errors.as_data().items()
                for error in errors
            ]
        )


def _schema_of(field: forms.Field) -> dict[str, Any]:
    match field:
        case IntegerField():
            return {"type": "integer", "format": "int64"}
        case IdsField():
            ids = {"type": "integer", "format": "int64", "minimum": 1}
            return {"type": "array", "items": ids, "minItems": 1, "maxItems": MAX_ITEMS}
        case TimestampField():
            return {"type": "string", "format": "date-time"}
        case UUIDField():
            return {"type": "string", "format": "uuid"}
        case PartialDateField():
            return {"type": "string", "pattern": PARTIAL_DATE}
        case forms.ChoiceField():
            choices: Any = field.choices
            return {"type": "string", "enum": [value for value, _ in choices if value]}
    schema = {"type": "string", "minLength": 1}
    max_length = getattr(field, "max_length", None)
    return schema if max_length is None else {**schema, "maxLength": max_length}
