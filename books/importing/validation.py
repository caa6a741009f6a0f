"""A serializer's validation, with a short way for what is plainly right.

Most of a file is: texts of a fitting length, and a few languages, roles and years over and over.
Such values are taken without the serializer, which is asked for all others, and whose answer then
stands. So the rules are the serializer's alone.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MinLengthValidator,
    ProhibitNullCharactersValidator,
)
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from project.api.fields import StrictCharField
from project.api.parsers import NOT_TEXT

Take = Callable[[Any], Any]

OF_PLAIN_TEXT = (
    MaxLengthValidator,
    MinLengthValidator,
    ProhibitNullCharactersValidator,
    ProhibitSurrogateCharactersValidator,
)
SCALARS = (str, int, float, bool, type(None))


class _Doubtful(Exception):  # noqa: N818
    """The serializer has to look at this itself."""


class Validation:
    """Called with a body, it returns what `serializer.run_validation` would, or raises the same."""

    def __init__(self, serializer: serializers.Serializer[Any]) -> None:
        self._serializer = serializer
        self._take = _taking_object(serializer)

    def __call__(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            attrs: dict[str, Any] = self._take(body)
        except (_Doubtful, ValidationError, serializers.ValidationError):
            attrs = self._serializer.run_validation(body)
        return attrs


def _taking(field: Any) -> Take:
    if isinstance(field, serializers.ListSerializer):
        return _taking_list(field)
    if isinstance(field, serializers.Serializer):
        return _taking_object(field)
    if type(field) is StrictCharField and all(
        isinstance(v, OF_PLAIN_TEXT) for v in field.validators
    ):
        return _taking_text(field)
    return _taking_scalar(field)


def _taking_object(serializer: Any) -> Take:
    takes = {name: _taking(f) for name, f in serializer.fields.items() if not f.read_only}
    required = {name for name, field in serializer.fields.items() if field.required}

    def take(value: Any) -> Any:
        if value is None and serializer.allow_null:
            return None
        if type(value) is not dict or not required <= value.keys():
            raise _Doubtful
        attrs = {}
        for name, each in value.items():
            if name not in takes:
                raise _Doubtful
            attrs[name] = takes[name](each)
        return attrs

    return take


def _taking_list(field: Any) -> Take:
    take_item = _taking(field.child)

    def take(value: Any) -> Any:
        if type(value) is not list or len(value) > field.max_length:
            raise _Doubtful
        return [take_item(each) for each in value]

    return take


def _taking_text(field: Any) -> Take:
    longest = field.max_length

    def take(value: Any) -> Any:
        if (
            type(value) is str
            and 0 < len(value) <= longest
            and value == value.strip()
            and not NOT_TEXT.search(value)
        ):
            return value
        return field.run_validation(value)

    return take


def _taking_scalar(field: Any) -> Take:
    # 1, 1.0 and True are equal and yet not the same to a field.
    known = lru_cache(maxsize=1_000, typed=True)(field.run_validation)

    def take(value: Any) -> Any:
        if type(value) not in SCALARS:
            raise _Doubtful
        return known(value)

    return take
