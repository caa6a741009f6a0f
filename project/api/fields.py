"""Serializer fields that take JSON's types as they are: `5` is no text and `"5"` no number."""

import re
from datetime import UTC, date, datetime
from typing import Any

from rest_framework import serializers

MAX_ID = 2**63 - 1
# A full-date of RFC 3339, section 5.6.
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


class StrictCharField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictEmailField(StrictCharField, serializers.EmailField):
    pass


class StrictURLField(StrictCharField, serializers.URLField):
    pass


class StrictChoiceField(serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class StrictIntegerField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class StrictBooleanField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


class StrictDateField(serializers.DateField):
    def to_internal_value(self, data: Any) -> date:
        # Python itself takes `20260131`, `2026-W05-6`, and digits of any script.
        if not isinstance(data, str) or not re.fullmatch(DAY, data):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(data)


class TimestampField(serializers.DateTimeField):
    """A moment in UTC, always with six digits of its second: 2026-01-31T09:30:00.000000Z."""

    def to_representation(self, value: datetime) -> str:
        moment = value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat(timespec="microseconds") + "Z"


class KeyField(StrictIntegerField):
    """The key of a related object. Whether it exists is found out for all keys at once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": MAX_ID, **kwargs})
