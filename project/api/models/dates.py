"""Years, and dates that may lack their day, or their month and day."""

import re
from calendar import monthrange
from collections.abc import Callable, Sequence

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Substr
from django.db.models.lookups import In

from .aliases import CharField, HandedOn

FIRST_YEAR, LAST_YEAR = -9999, 9999


def validate_not_year_zero(value: int) -> None:
    """Historians count from 1 BCE (−1) to 1 CE (1)."""
    if value == 0:
        raise ValidationError("There is no year 0: 1 BCE is −1, 1 CE is 1.", "year_zero")


YEAR: list[Callable[[int], None]] = [
    MinValueValidator(FIRST_YEAR),
    MaxValueValidator(LAST_YEAR),
    validate_not_year_zero,
]


def year_in_range(field: str, *, name: str) -> models.BaseConstraint:
    """What YEAR validates, as a constraint."""
    in_range = models.Q(**{f"{field}__range": (FIRST_YEAR, LAST_YEAR)})
    return models.CheckConstraint(condition=in_range & ~models.Q(**{field: 0}), name=name)


# Dates that may lack their day, or their month and day: 1987-06-15, 1987-06, 1987 (ISO 8601-1,
# 5.2.2; EDTF level 0). As text they are in the order of their first days, and what is less exact
# comes first.
PARTIAL_DATE = r"^[0-9]{4}(-(0[1-9]|1[0-2])(-[0-3][0-9])?)?$"


def validate_partial_date(value: str) -> None:
    """Of what looks like a date, the day is one of the calendar's."""
    if not re.match(PARTIAL_DATE, value):
        return
    year, month, day = (int(part) for part in f"{value}-01-01"[:10].split("-"))
    if year == 0 or not 1 <= day <= monthrange(year, month)[1]:
        raise ValidationError("There is no such day.", "invalid")


class PartialDateField(CharField):
    """A date of the years 1 to 9999, as exact as it is known, stored as it is written."""

    default_validators = [
        RegexValidator(
            # Python's $ matches before a last line break, too; ECMA-262 knows no \\Z.
            PARTIAL_DATE.replace("$", r"\Z"),
            "A date looks like 1987-06-15, 1987-06 or 1987.",
        ),
        validate_partial_date,
    ]

    def __init__(self, *args: HandedOn, **kwargs: HandedOn) -> None:
        super().__init__(*args, **{"max_length": 10, "null": True, "blank": True, **kwargs})


def _among(field: str, place: int, length: int | None, values: Sequence[str]) -> Q:
    """Whether a part of the text is one of these."""
    part = Substr(field, place, length) if length else Substr(field, place)
    return Q(In(part, list(values)))


def is_partial_date(field: str, *, name: str) -> models.BaseConstraint:
    """What PartialDateField validates, as a constraint: by parts of the text alone, since a cast
    fails on one engine and gives 0 on the other."""
    digits, numbers = "0123456789", [f"{number:02}" for number in range(100)]
    is_year = ~_among(field, 1, 4, ["0000"])
    for place in range(1, 5):
        is_year &= _among(field, place, 1, digits)
    centuries = _among(field, 3, 2, ["00"]) & _among(field, 1, 2, numbers[::4])
    is_leap = _among(field, 3, 2, numbers[4::4]) | centuries
    days = [f"-{number}" for number in numbers]
    is_day = (
        _among(field, 8, None, ["", *days[1:29]])
        | (_among(field, 8, None, days[29:31]) & ~_among(field, 5, 3, ["-02"]))
        | (
            _among(field, 8, None, ["-31"])
            & ~_among(field, 5, 3, ["-02", "-04", "-06", "-09", "-11"])
        )
        | (_among(field, 5, None, ["-02-29"]) & is_leap)
    )
    condition = is_year & _among(field, 5, 3, ["", *days[1:13]]) & is_day
    return models.CheckConstraint(condition=condition, name=name)
