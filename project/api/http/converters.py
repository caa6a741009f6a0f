"""What stands for a row in a URL."""

from django.urls import register_converter

from ..fields import MAX_ID


class IdConverter:
    """The id of a row, `<id:pk>`: 1 to 2⁶³ − 1, without leading zeros.

    What no row can have, `0`, `007` or thirty digits, matches no route and so answers 404;
    Django's own `int` would hand it to the database, which fails on a number that long.
    """

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > MAX_ID:
            raise ValueError("No id is that large.")
        return number

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(IdConverter, "id")
