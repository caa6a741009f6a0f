"""Serializer fields that take JSON's types as they are: `5` is no text and `"5"` no number."""

import re
import uuid
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from rest_framework import serializers
from rest_framework.settings import api_settings

from .models import HandedOn, normalized, normalized_name

# Of whatever kind: what values it takes, nobody checks.
SerializerField: TypeAlias = "serializers.Field[Any, Any, Any, Any]"
MAX_ID = 2**63 - 1
UUID_FORM = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# A full-date of RFC 3339, section 5.6.
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


class StrictCharField(serializers.CharField):
    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class ProseField(StrictCharField):
    """Text in NFC; its lines stay."""

    def to_internal_value(self, data: object) -> str:
        return normalized(super().to_internal_value(data))


class NameField(StrictCharField):
    """A name or a title: in NFC, with single blanks."""

    def run_validation(self, data: object = serializers.empty) -> object:
        return super().run_validation(normalized_name(data) if isinstance(data, str) else data)


class StrictEmailField(StrictCharField, serializers.EmailField):
    pass


class StrictURLField(StrictCharField, serializers.URLField):
    pass


class StrictChoiceField(serializers.ChoiceField):
    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class StrictIntegerField(serializers.IntegerField):
    def to_internal_value(self, data: object) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class StrictBooleanField(serializers.BooleanField):
    def to_internal_value(self, data: object) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


class StrictDateField(serializers.DateField):
    def to_internal_value(self, data: object) -> date:
        # Python itself takes `20260131`, `2026-W05-6`, and digits of any script.
        if not isinstance(data, str) or not re.fullmatch(DAY, data):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(data)


class StrictUUIDField(serializers.UUIDField):
    """A UUID in its usual form (RFC 9562, section 4), whatever the case of its digits."""

    def to_internal_value(self, data: object) -> uuid.UUID:
        # uuid.UUID() itself takes braces, `urn:uuid:`, and hyphens anywhere or nowhere.
        if not isinstance(data, str) or not re.fullmatch(UUID_FORM, data, re.IGNORECASE | re.ASCII):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class TimestampField(serializers.DateTimeField):
    """A moment in UTC, always with six digits of its second: 2026-01-31T09:30:00.000000Z."""

    def to_representation(self, value: datetime) -> str:
        moment = value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat(timespec="microseconds") + "Z"


class StoredFileField(serializers.FileField):
    """A file of the row: the URL that its storage gives it, which is a path where MEDIA_URL is one.

    REST framework makes an absolute URL of it, with the host of the request; the database, which
    writes the documents, knows no request. With `use_url=False` it is the file's name.
    """

    def __init__(self, **kwargs: HandedOn) -> None:
        super().__init__(**{"read_only": True, **kwargs})

    def to_representation(self, value: Any) -> str | None:
        if not value:
            return None
        use_url = getattr(self, "use_url", api_settings.UPLOADED_FILES_USE_URL)
        return str(value.url if use_url else value.name)


class StoredFiles(serializers.Serializer[Any]):
    """Files of the row itself, as one object of StoredFileFields; null unless all are there."""

    def __init__(self, *args: HandedOn, **kwargs: HandedOn) -> None:
        row = {"source": "*", "read_only": True, "allow_null": True}
        super().__init__(*args, **{**row, **kwargs})

    def to_representation(self, instance: object) -> Any:
        document = super().to_representation(instance)
        return None if None in document.values() else document


class KeyField(StrictIntegerField):
    """The key of a related object. Whether it exists is found out for all keys at once."""

    def __init__(self, **kwargs: HandedOn) -> None:
        super().__init__(**{"min_value": 1, "max_value": MAX_ID, **kwargs})
