"""What a list can be asked: fields that take one form of a value, filters, and their backend."""

from ..lists.conditions import RelatedRows
from .backend import StrictFilterBackend
from .fields import (
    BooleanField,
    IdField,
    IntegerField,
    PartialDateField,
    TimestampField,
    UUIDField,
    ValuesField,
)
from .sets import (
    BooleanFilter,
    ChoiceFilter,
    CodeFilter,
    FoldedNameFilter,
    IdFilter,
    IntegerFilter,
    ListFilterSet,
    NameFilter,
    PartialDateFilter,
    RootFilterSet,
    TextFilter,
    TimestampFilter,
    UUIDFilter,
    ValuesFilter,
)

__all__ = [
    "BooleanField",
    "BooleanFilter",
    "ChoiceFilter",
    "CodeFilter",
    "FoldedNameFilter",
    "IdField",
    "IdFilter",
    "IntegerField",
    "IntegerFilter",
    "ListFilterSet",
    "NameFilter",
    "PartialDateField",
    "PartialDateFilter",
    "RelatedRows",
    "RootFilterSet",
    "StrictFilterBackend",
    "TextFilter",
    "TimestampField",
    "TimestampFilter",
    "UUIDField",
    "UUIDFilter",
    "ValuesField",
    "ValuesFilter",
]
