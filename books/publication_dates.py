"""When a work came out, as far as that is known: EDTF, levels 0 and 1 (ISO 8601-2:2019, annex A).

“1850~” is about 1850, “1850?” perhaps, “1850%” both, “185X” and “18XX” some year of these, and
“1850~/1860” a range, whose end or beginning may be open (“1850/..”).
"""

import re
from functools import lru_cache

from django.core.exceptions import ValidationError
from pyparsing import ParseException, ParserElement

from project.api.models import FIRST_YEAR

MAX_LENGTH = 40
# One side of a range, before its parts are judged.
SIDE = re.compile(r"-?[0-9]{2}[0-9X]{2}(-[0-9X]{2}){0,2}[~?%]?")
OPEN = ("", "..")


@lru_cache
def _grammar() -> ParserElement:
    # Built by 0.2 s of work, which no other command should wait for.
    from edtf.parser.grammar import date, season, uncertainOrApproxDate, unspecified

    # Half of what `parse_edtf` knows is level 2, and takes most of its time.
    return uncertainOrApproxDate ^ unspecified ^ season ^ date


@lru_cache(maxsize=10_000)
def first_year(text: str) -> int:
    """The year that a date or range begins with; years BCE are negative, and there is no year 0.

    EDTF counts as ISO 8601 does: 1 BCE is 0000, 750 BCE is -0749. A range with an open beginning
    begins where it ends. ValidationError where it is no such date.
    """
    sides = text.split("/")
    known = [_bounds(side) for side in sides if side not in OPEN or len(sides) == 1]
    if len(sides) > 2 or not known or known[0][0] > known[-1][1]:
        raise _error()
    year: int = known[0][0][0]
    if year <= FIRST_YEAR:
        raise _error()
    return year if year > 0 else year - 1


def _bounds(side: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first and the last day that are meant, each as year, month and day."""
    if not SIDE.fullmatch(side):
        raise _error()
    try:
        [date] = _grammar().parse_string(side, parse_all=True)
    except ParseException as error:
        raise _error() from error
    return tuple(date.lower_strict()[:3]), tuple(date.upper_strict()[:3])


def _error() -> ValidationError:
    detail = "A date looks like 1850, 1850-06, 1850~, 185X or 1850/1860 (EDTF, level 1)."
    return ValidationError(detail, "invalid")


def validate_publication_date(text: str) -> None:
    first_year(text)
