"""Bricks for models: the aggregate root, names, dates, and fields that are made from others."""

from .aliases import SQL, AnyField, AnyQuerySet, AnyRow, Attrs, ForeignKey, HandedOn, ModelField
from .dates import (
    FIRST_YEAR,
    LAST_YEAR,
    PARTIAL_DATE,
    YEAR,
    PartialDateField,
    is_partial_date,
    validate_not_year_zero,
    validate_partial_date,
    year_in_range,
)
from .made import (
    ComputedFrom,
    FoldedFrom,
    Made,
    MadeFrom,
    NumberedFrom,
    SlugMadeFrom,
    Start,
    StartOf,
)
from .names import INVISIBLE, NameField, NameFormField, normalized, normalized_name, not_blank
from .records import Definition, FormerKey, StoredAnswer
from .roots import AggregateRoot, HyphenatedUUIDField, RandomUUID

__all__ = [
    "FIRST_YEAR",
    "INVISIBLE",
    "LAST_YEAR",
    "PARTIAL_DATE",
    "SQL",
    "YEAR",
    "AggregateRoot",
    "AnyField",
    "AnyQuerySet",
    "AnyRow",
    "Attrs",
    "ComputedFrom",
    "Definition",
    "FoldedFrom",
    "ForeignKey",
    "FormerKey",
    "HandedOn",
    "HyphenatedUUIDField",
    "Made",
    "MadeFrom",
    "ModelField",
    "NameField",
    "NameFormField",
    "NumberedFrom",
    "PartialDateField",
    "RandomUUID",
    "SlugMadeFrom",
    "Start",
    "StartOf",
    "StoredAnswer",
    "is_partial_date",
    "normalized",
    "normalized_name",
    "not_blank",
    "validate_not_year_zero",
    "validate_partial_date",
    "year_in_range",
]
