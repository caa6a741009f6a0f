"""Filters, one for each kind of value, and sets of them."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any

from django import forms
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from django_filters.rest_framework import CharFilter, Filter, FilterSet

from ..lists.conditions import has_one_of, may_lack
from ..lists.parameters import Schema
from ..models import AnyQuerySet, FoldedFrom, HandedOn
from .fields import (
    BooleanField,
    IdField,
    IntegerField,
    NameField,
    PartialDateField,
    TimestampField,
    UUIDField,
    ValuesField,
)

# How many sets of filters, as requests combine them, keep their form.
KEPT_FORMS = 256


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
        **kwargs: HandedOn,
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

    def __init__(
        self, *args: HandedOn, choices: Iterable[tuple[str, object]], **kwargs: HandedOn
    ) -> None:
        super().__init__(*args, choices=[("", "---------"), *choices], **kwargs)


class CodeFilter(ValuesFilter):
    """Keys, tags and other codes, as they stand."""

    def __init__(self, *args: HandedOn, **kwargs: HandedOn) -> None:
        super().__init__(*args, **{"strip": False, **kwargs})


class BooleanFilter(Filter):
    field_class = BooleanField


class TimestampFilter(Filter):
    field_class = TimestampField


class TextFilter(CharFilter):
    """One text as it stands: blanks around it count, and so does a comma."""

    def __init__(self, *args: HandedOn, **kwargs: HandedOn) -> None:
        super().__init__(*args, **{"strip": False, **kwargs})


class NameFilter(CharFilter):
    """One whole name or title, as NameField stores it; a comma is a part of it."""

    field_class = NameField


class FoldedNameFilter(NameFilter):
    """A whole name of a model that folds it: whatever the case of its letters."""

    def __init__(self, **kwargs: HandedOn) -> None:
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

    queryset: AnyQuerySet

    def __init__(self, data: QueryDict, queryset: AnyQuerySet, **kwargs: HandedOn) -> None:
        every = type(self).base_filters
        self.base_filters = OrderedDict((name, every[name]) for name in every if name in data)
        super().__init__(data, queryset, **kwargs)

    @classmethod
    def get_filters(cls) -> OrderedDict[str, Filter]:
        filters = super().get_filters()
        return OrderedDict(
            (getattr(each, "parameter", None) or name, each) for name, each in filters.items()
        )

    def get_form_class(self) -> type[forms.Form]:
        model: type[Model] = self.queryset.model
        return _form_class(type(self), model, tuple(self.filters))


@lru_cache(maxsize=KEPT_FORMS)
def _form_class(
    filterset_class: "type[ListFilterSet]", model: type[Model], names: tuple[str, ...]
) -> type[forms.Form]:
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
