"""By which numbers others know an edition, and how each of them is written.

A scheme is a word in small letters: any, so that no file's numbers are lost, and each of those that
are known here with one spelling of its values, by which the same edition is found.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from stdnum import ean, exceptions

MAX_SCHEME, MAX_VALUE = 30, 255
SCHEME = r"^[A-Za-z][A-Za-z0-9_.-]*\Z"
# These stand in a column of their own.
ISBN_SCHEMES = ["isbn", "isbn10", "isbn13"]


class Scheme(NamedTuple):
    """How the values of a scheme look, in words, and what makes one of a text; None of another."""

    looks: str
    normalize: Callable[[str], str | None]


def _matching(pattern: str, spell: Callable[[str], str] = str) -> Callable[[str], str | None]:
    """What the first group of the pattern has of a text that it matches, in this spelling."""

    def normalize(text: str) -> str | None:
        match = re.fullmatch(pattern, text, re.IGNORECASE | re.ASCII)
        return spell(match[1]) if match else None

    return normalize


def _lccn(text: str) -> str | None:
    """https://www.loc.gov/marc/lccn-namespace.html: no blanks, nothing behind a slash, and six
    digits behind the year, with no hyphen in between."""
    bare = re.sub(r"\s", "", text).partition("/")[0].lower()
    start, hyphen, serial = bare.partition("-")
    if hyphen and not re.fullmatch("[0-9]{1,6}", serial):
        return None
    number = start + serial.zfill(6) if hyphen else start
    return number if re.fullmatch("[a-z]{0,3}[0-9]{8}|[a-z]{0,2}[0-9]{10}", number) else None


def _ean(text: str) -> str | None:
    try:
        number = str(ean.validate(text))
    except exceptions.ValidationError:
        return None
    is_isbn = number.startswith(("978", "979")) and not number.startswith("9790")
    return number if len(number) == 13 and not is_isbn else None


_number = _matching("([1-9][0-9]{0,17})")
SCHEMES = {
    "asin": Scheme("10 letters and digits, as B00005JMYC", _matching("([A-Z0-9]{10})", str.upper)),
    # https://www.doi.org/doi-handbook/HTML/, 2.4: the case of letters does not count.
    "doi": Scheme(
        "as 10.1000/182",
        _matching(
            r"(?:doi: ?|https?://(?:dx\.)?doi\.org/)?(10\.[0-9]{4,9}(?:\.[0-9]+)*/\S+)", str.lower
        ),
    ),
    "ean": Scheme("13 digits that are no ISBN", _ean),
    "goodreads": Scheme("a number", _number),
    "google": Scheme("12 characters, as zyTCAlFPjgYC", _matching("([A-Z0-9_-]{12})")),
    "lccn": Scheme("as 85000002 or n78890351", _lccn),
    "librarything": Scheme("a number", _number),
    "oclc": Scheme("a number", _matching(r"(?:\(OCoLC\))? ?(?:oc[mn]|on)?0*([1-9][0-9]{0,14})")),
    "openlibrary": Scheme("as OL7353617M", _matching("(?:/books/)?(OL[1-9][0-9]*M)", str.upper)),
}


def normalize_identifier(scheme: str, value: str) -> tuple[str, str]:
    """The scheme and the value as they are stored.

    Raises ValidationError where the value has not the form that its scheme demands, or where the
    scheme has a property of its own.
    """
    scheme = scheme.lower()
    if scheme in ISBN_SCHEMES:
        message = "An ISBN is the edition's “isbn13”."
        raise ValidationError({"scheme": ValidationError(message, "invalid")})
    known = SCHEMES.get(scheme)
    if known is None:
        return scheme, value
    normal = known.normalize(value)
    if normal is None:
        message = f"What “{scheme}” calls an edition looks so: {known.looks}."
        raise ValidationError({"value": ValidationError(message, "invalid")})
    return scheme, normal


class IdentifierFormField(forms.CharField):
    """A scheme and a value with a colon between them; the value of the field is the pair."""

    def to_python(self, value: object) -> Any:
        text = super().to_python(value)
        if not text:
            return text
        scheme, colon, rest = (part.strip() for part in text.partition(":"))
        is_short = len(scheme) <= MAX_SCHEME and len(rest) <= MAX_VALUE
        if not (colon and rest and is_short and re.match(SCHEME, scheme)):
            raise ValidationError("An identifier looks like oclc:1234567.", "invalid")
        try:
            return normalize_identifier(scheme, " ".join(rest.split()))
        except ValidationError as error:
            raise ValidationError(error.messages[0], "invalid") from error
