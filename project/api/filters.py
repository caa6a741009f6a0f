"""What a list can be asked: fields that take one form of a value, filters, and their backend."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from django.template import loader
from django.utils.dateparse import parse_datetime
from django.utils.text import Truncator
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import CharFilter, Filter, FilterSet
from rest_framework import filters as backends
from rest_framework.request import Request

from .fields import UUID_FORM
from .http.problems import Fault, Refused
from .http.resources import for_lists, narrows
from .lists.conditions import RelatedRows as RelatedRows
from .lists.conditions import has_one_of, may_lack
from .lists.parameters import BOOLEANS, Schema, is_list, parameter_schema
from .models import PARTIAL_DATE, AnyQuerySet, FoldedFrom, NameFormField
from .models import PartialDateField as PartialDate
from .relations import MAX_ITEMS

# How many sets of filters, as requests combine them, keep their form.
KEPT_FORMS = 256
# What stands for having none, among the values of a filter.
NULL = "null"
INTEGER_OR_NULL = "^(null|-?[0-9]{1,18})$"
SEVERAL = f"Several are separated by commas, at most {MAX_ITEMS}: those that have any of them."
SEVERAL_OR_NONE = f"{SEVERAL} `null` finds those that have none."
# Of a value that is wrong, in a message, in characters.
MAX_QUOTED = 40


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


class BooleanField(forms.Field):
    """True or false, as any parameter may say it."""

    def to_python(self, value: Any) -> bool | None:
        if not value:
            return None
        if (answer := BOOLEANS.get(value.lower())) is None:
            raise ValidationError("Enter true or false.", "invalid")
        return answer


class PartialDateField(forms.Field):
    """A day, a month or a year: 1987-06-15, 1987-06, 1987."""

    default_validators = PartialDate.default_validators


class TimestampField(forms.Field):
    """A moment in RFC 3339's form; the offset is part of it."""

    def to_python(self, value: str | None) -> datetime | None:
        if not value:
            return None
        with suppress(ValueError, OverflowError):
            moment = parse_datetime(value)
            if moment is not None and moment.tzinfo is not None:
                return moment.astimezone(UTC)
        detail = "A moment looks like 2026-01-31T09:30:00Z, or ends in an offset (its + as %2B)."
        raise ValidationError(detail, "invalid")


class NameField(NameFormField):
    """A name or a title to look for. Without a letter to be seen it would find everything."""

    def to_python(self, value: object) -> str | None:
        name = super().to_python(value)
        if value and not name:
            raise ValidationError("Leave it out, or give it a value.", "blank")
        return name


class UUIDField(forms.Field):
    """A UUID in its usual form."""

    def to_python(self, value: str | None) -> UUID | None:
        # UUID() itself takes braces, `urn:uuid:`, and hyphens anywhere or nowhere.
        if value and not re.fullmatch(UUID_FORM, value, re.IGNORECASE | re.ASCII):
            raise ValidationError("Enter a valid UUID.", "invalid")
        return UUID(value) if value else None


class IdField(IntegerField):
    def to_python(self, value: str | None) -> int | None:
        if value and not value.isdigit():
            raise ValidationError("Enter ids, separated by commas.", "invalid")
        return super().to_python(value)


class ValuesField(forms.Field):
    """Some values that the field `item` takes, separated by commas, of which none has one itself.

    With `nullable`, `null` is one of them: None.
    """

    def __init__(self, item: forms.Field, *, nullable: bool, **kwargs: Any) -> None:
        super().__init__(widget=item.widget, **kwargs)
        self.item = item
        self.nullable = nullable

    def to_python(self, value: str | None) -> list[object]:
        texts = value.split(",") if value else []
        if len(texts) > MAX_ITEMS:
            raise ValidationError(f"Give at most {MAX_ITEMS} values.", "max_length")
        values, errors = [], []
        for text in texts:
            try:
                values.append(self._value_of(text))
            except ValidationError as error:
                where = f"“{Truncator(text).chars(MAX_QUOTED)}”: " if len(texts) > 1 else ""
                errors += [
                    ValidationError(where + " ".join(each.messages), each.code)
                    for each in error.error_list
                ]
        if errors:
            raise ValidationError(errors)
        return values

    def _value_of(self, text: str) -> object:
        if not text:
            raise ValidationError("Enter values, separated by commas.", "invalid")
        return None if self.nullable and text == NULL else self.item.clean(text)


# Filters


class ValuesFilter(Filter):
    """The objects that have one of these values; `null` among them is having none.

    What may be null, or may refer to nothing, is known from the model. With another lookup than
    `exact` it takes one value, and that is never `null`. `parameter` is its name where no attribute
    can have it.
    """

    item_class: type[forms.Field] = forms.CharField
    # Set by the FilterSet.
    model: type[Model]

    def __init__(
        self,
        field_name: str | None = None,
        lookup_expr: str | None = None,
        *,
        parameter: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(field_name, lookup_expr, **kwargs)
        self.parameter = parameter

    @property
    def takes_several(self) -> bool:
        return self.lookup_expr == "exact"

    @cached_property
    def field(self) -> forms.Field:
        item = self.item_class(label=self.label, **self.extra)
        if not self.takes_several:
            return item
        return ValuesField(
            item,
            nullable=may_lack(self.model, str(self.field_name)),
            required=False,
            label=self.label,
            help_text=item.help_text,
        )

    def filter(self, qs: AnyQuerySet, value: Any) -> QuerySet[Model]:
        if not self.takes_several:
            return super().filter(qs, value)
        return qs.filter(self.condition(value)) if value else qs

    def condition(self, values: Sequence[Any]) -> Q:
        return has_one_of(self.model, str(self.field_name), values)

    def lookups(self, value: Any) -> Schema | None:
        """The same as lookups of the ORM; None where it takes more than these."""
        if not self.takes_several:
            return {f"{self.field_name}__{self.lookup_expr}": value}
        if len(value) > 1 or value[0] is None:
            return None
        return {f"{self.field_name}__exact": value[0]}


class IdFilter(ValuesFilter):
    item_class = IdField


class UUIDFilter(ValuesFilter):
    item_class = UUIDField


class IntegerFilter(ValuesFilter):
    item_class = IntegerField


class ChoiceFilter(ValuesFilter):
    item_class = forms.ChoiceField

    def __init__(self, *args: Any, choices: Iterable[tuple[str, object]], **kwargs: Any) -> None:
        super().__init__(*args, choices=[("", "---------"), *choices], **kwargs)


class CodeFilter(ValuesFilter):
    """Keys, tags and other codes, as they stand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"strip": False, **kwargs})


class BooleanFilter(Filter):
    field_class = BooleanField


class TimestampFilter(Filter):
    field_class = TimestampField


class TextFilter(CharFilter):
    """One text as it stands: blanks around it count, and so does a comma."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"strip": False, **kwargs})


class NameFilter(CharFilter):
    """One whole name or title, as NameField stores it; a comma is a part of it."""

    field_class = NameField


class FoldedNameFilter(NameFilter):
    """A whole name of a model that folds it: whatever the case of its letters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("name_folded", **kwargs)

    def filter(self, qs: AnyQuerySet, value: str) -> QuerySet[Model]:
        return super().filter(qs, value and FoldedFrom.make(value))


class PartialDateFilter(Filter):
    """Dates that begin at the first day of the one that is given or later (`gte`), or at its last
    day or earlier (`lte`)."""

    field_class = PartialDateField

    def filter(self, qs: QuerySet[Model], value: str) -> AnyQuerySet:
        if value and self.lookup_expr == "gte":
            # A year begins at its first month and day, and sorts before them.
            value = re.sub("(-01){1,2}$", "", value)
        elif value:
            value += "-12-31"[len(value) - 4 :]
        return super().filter(qs, value)


class ListFilterSet(FilterSet):
    """Sets up only the filters that are asked for: all of them would cost more than the query."""

    def __init__(self, data: QueryDict, queryset: AnyQuerySet, **kwargs: Any) -> None:
        every = type(self).base_filters
        self.base_filters = OrderedDict((name, every[name]) for name in every if name in data)
        super().__init__(data, queryset, **kwargs)

    @classmethod
    def get_filters(cls) -> OrderedDict[str, Filter]:
        filters = super().get_filters()
        return OrderedDict(
            (getattr(each, "parameter", None) or name, each) for name, each in filters.items()
        )

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

    uid = UUIDFilter(help_text="The uid.")
    updated_since = TimestampFilter(
        field_name="updated_at",
        lookup_expr="gte",
        help_text="Changed at this time or later. It misses what is deleted, and what a longer"
        " write stores under an earlier time: to keep a copy, follow `/api/changes/`.",
    )
    id = IdFilter(help_text="The id.")


# Backends


class StrictFilterBackend(backends.BaseFilterBackend):
    """The view's `filterset_class`, on lists. A value that its field refuses is 400.

    One with a `qs` of its own counts for single objects as well.
    """

    template = "django_filters/rest_framework/form.html"

    def parameters_of(self, view: object) -> frozenset[str]:
        return frozenset(self._filters(view))

    @staticmethod
    def _filters(view: object) -> Mapping[str, Any]:
        filterset_class = getattr(view, "filterset_class", None)
        return {} if filterset_class is None else filterset_class.base_filters

    @for_lists
    def filter_queryset(self, request: Request, queryset: AnyQuerySet, view: Any) -> AnyQuerySet:
        params = request.query_params if is_list(view) else QueryDict()
        if self._filters(view).keys().isdisjoint(params) and not narrows(
            getattr(view, "filterset_class", None)
        ):
            return queryset
        filterset = view.filterset_class(params, queryset, request=request)
        _require_valid(filterset)
        filtered: AnyQuerySet = filterset.qs
        return filtered

    def lookups(self, request: Request, view: Any) -> Schema | None:
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

    def to_html(self, request: Request, queryset: AnyQuerySet, view: Any) -> str:
        if not self._filters(view):
            return ""
        every = request.query_params.copy()
        for name in self._filters(view):
            every.setdefault(name, "")
        filterset = view.filterset_class(every, queryset, request=request)
        return loader.get_template(self.template).render({"filter": filterset}, request._request)

    def get_schema_operation_parameters(self, view: Any) -> list[Schema]:
        parameters = []
        for name, declared in self._filters(view).items():
            filter_ = copy(declared)
            filter_.model = view.queryset.model
            words = [filter_.extra.get("help_text", "")]
            if isinstance(filter_.field, ValuesField):
                words.append(SEVERAL if not filter_.field.nullable else SEVERAL_OR_NONE)
            schema = _schema_of(filter_.field)
            parameters.append(parameter_schema(name, schema, " ".join(filter(None, words))))
        return parameters


def _lookups_of(filter_: Filter, value: object) -> Schema | None:
    if value in EMPTY_VALUES:
        return None
    if isinstance(filter_, ValuesFilter):
        return filter_.lookups(value)
    return {f"{filter_.field_name}__{filter_.lookup_expr}": value}


def _require_valid(filterset: Any) -> None:
    if not filterset.is_valid():
        raise Refused(
            [
                Fault(error.code or "invalid", " ".join(error.messages), parameter=name)
                for name, errors in filterset.errors.as_data().items()
                for error in errors
            ]
        )


def _schema_of(field: forms.Field) -> Schema:
    match field:
        case ValuesField():
            items = _schema_of_item(field)
            return {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_ITEMS}
        case IdField():
            return {"type": "integer", "format": "int64", "minimum": 1}
        case IntegerField():
            return {"type": "integer", "format": "int64"}
        case BooleanField():
            return {"type": "boolean"}
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


def _schema_of_item(field: ValuesField) -> Schema:
    """One type each, since generated clients have no unions: what may be `null` is a text."""
    schema = _schema_of(field.item)
    if field.nullable and schema["type"] == "integer":
        return {"type": "string", "pattern": INTEGER_OR_NULL}
    if field.nullable and "enum" in schema:
        return {**schema, "enum": [*schema["enum"], NULL]}
    if schema.keys() & {"enum", "format", "pattern"} or schema["type"] != "string":
        return schema
    return {**schema, "pattern": "^[^,]*$"}
