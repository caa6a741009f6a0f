"""Form fields that take one form of a value."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django.utils.text import Truncator

from ..fields import UUID_FORM
from ..lists.parameters import BOOLEANS, Schema
from ..models import PARTIAL_DATE, HandedOn, NameFormField
from ..models import PartialDateField as PartialDate
from ..relations import MAX_ITEMS

# What stands for having none, among the values of a filter.
NULL = "null"
INTEGER_OR_NULL = "^(null|-?[0-9]{1,18})$"
# Of a value that is wrong, in a message, in characters.
MAX_QUOTED = 40


class IntegerField(forms.IntegerField):
    """A number that a database takes: decimal digits, 64 bits."""

    def __init__(self, **kwargs: HandedOn) -> None:
        super().__init__(**{"min_value": -(2**63), "max_value": 2**63 - 1, **kwargs})

    def to_python(self, value: str | None) -> int | None:
        # int() itself takes `1_000`, and digits of any script.
        if value and not re.fullmatch("-?[0-9]{1,19}", value):
            raise ValidationError(self.error_messages["invalid"], "invalid")
        return super().to_python(value)


class BooleanField(forms.Field):
    """True or false, as any parameter may say it."""

    def to_python(self, value: str | None) -> bool | None:
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

    def __init__(self, item: forms.Field, *, nullable: bool, **kwargs: HandedOn) -> None:
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


def schema_of(field: forms.Field) -> Schema:
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
    schema = schema_of(field.item)
    if field.nullable and schema["type"] == "integer":
        return {"type": "string", "pattern": INTEGER_OR_NULL}
    if field.nullable and "enum" in schema:
        return {**schema, "enum": [*schema["enum"], NULL]}
    if schema.keys() & {"enum", "format", "pattern"} or schema["type"] != "string":
        return schema
    return {**schema, "pattern": "^[^,]*$"}
