"""International Standard Book Numbers (ISO 2108)."""

from functools import lru_cache
from itertools import cycle
from operator import mul

from django import forms
from django.core.exceptions import ValidationError
from stdnum import exceptions, isbn
from stdnum.util import clean

from project.api.models import INVISIBLE, HandedOn

# With all its hyphens it has 17; what is copied from a page has unseen characters as well.
MAX_ISBN_LENGTH = 40


# One write asks several times: the serializer, the model's `clean`, the import's forms.
@lru_cache(maxsize=1_000)
def normalize_isbn(text: str) -> str:
    """The 13 digits of an ISBN that is written with or without hyphens, with 10 digits or 13.

    Blanks, hyphens of any kind and what is not seen may stand in it anywhere. Raises
    ValidationError where the length, a character or the checksum is wrong.
    """
    if not text.isascii():
        text = INVISIBLE.sub("", text)
    if not text.isdigit():
        text = clean(text, " -")
    if text.startswith("9790"):
        raise ValidationError("This is an ISMN, the number of printed music, and no ISBN.", "isbn")
    # A large import is full of these, and the library takes a while.
    if text.isascii() and text.isdigit():
        if len(text) == 13 and text.startswith(("978", "979")) and _weighted(text) % 10 == 0:
            return text
        # The code of "0" is 48, and 55 of them are a multiple of 11.
        if len(text) == 10 and sum(map(mul, range(10, 0, -1), text.encode())) % 11 == 0:
            first = f"978{text[:9]}"
            return f"{first}{-_weighted(first) % 10}"
    try:
        return str(isbn.to_isbn13(isbn.validate(text)))
    except exceptions.InvalidChecksum as error:
        raise ValidationError("The ISBN's check digit is wrong.", "isbn_checksum") from error
    except exceptions.ValidationError as error:
        raise ValidationError("An ISBN has 10 or 13 digits.", "isbn") from error


def _weighted(digits: str) -> int:
    """The weighted sum of an ISBN's first digits, 13 at the most."""
    return sum(map(mul, map(int, digits), cycle((1, 3))))


class ISBNFormField(forms.CharField):
    """An ISBN in any of its forms; the value is its 13 digits."""

    def __init__(self, **kwargs: HandedOn) -> None:
        super().__init__(**{**kwargs, "max_length": MAX_ISBN_LENGTH})

    def to_python(self, value: object) -> str | None:
        text = super().to_python(value)
        return normalize_isbn(text) if text else text
