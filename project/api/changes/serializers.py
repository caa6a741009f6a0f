"""What the feed and the history of an object show."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from ..fields import SerializerField, TimestampField
from .models import Change, Entry

OPERATIONS = ["upsert", "delete"]


class ActorSerializer(serializers.Serializer[object]):
    """An account, or a program such as the import."""

    id = serializers.IntegerField(
        allow_null=True, help_text="The id of the account; null of a program."
    )
    name = serializers.CharField(
        help_text="The username or the program's name; `deleted account` of one that is no more."
    )


class MergedSerializer(serializers.Serializer[object]):
    """The object that another was merged into."""

    id = serializers.IntegerField(min_value=1)
    uid = serializers.UUIDField()


class ChangeSerializer(serializers.Serializer[object]):
    """An object's last change."""

    kind = serializers.CharField(help_text="The path of the object's list, as `books`.")
    id = serializers.IntegerField(min_value=1)
    uid = serializers.UUIDField()
    operation = serializers.ChoiceField(
        OPERATIONS,
        help_text="`upsert`: it was created or changed. `delete`: it is gone, or hidden from who"
        " asks.",
    )
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="Absent of what is hidden."
    )
    at = serializers.DateTimeField(
        required=False, help_text="When the change was made, in UTC. Absent of what is hidden."
    )
    actor = ActorSerializer(
        required=False,
        help_text="Who has made the change, if it is known. Librarians and admins see it.",
    )
    document = serializers.DictField(
        required=False, help_text="With `documents=true`, what GET gives of the object now."
    )
    merged_into = MergedSerializer(required=False)


@extend_schema_serializer(many=False)
class ChangePageSerializer(serializers.Serializer[Entry]):
    """A page of the feed."""

    next = serializers.URLField(
        allow_null=True, help_text="The URL of the next page; null when nothing more is known."
    )
    next_cursor = serializers.CharField(
        help_text="What to send as `after` the next time, however much later. It is always there."
    )
    results = ChangeSerializer(many=True)


class DifferenceSerializer(serializers.Serializer[object]):
    """A place where a change has made the document differ."""

    def get_fields(self) -> dict[str, SerializerField]:
        """Declared here, since `from` is a word of Python's."""
        pointer = serializers.CharField(
            help_text="The place in the document, a JSON Pointer (RFC 6901) as"
            " `/editions/0/pages`; empty for the whole of what was deleted."
        )
        before = serializers.JSONField(allow_null=True, help_text="What was there before.")
        now = serializers.JSONField(allow_null=True, help_text="What is there since.")
        return {"pointer": pointer, "from": before, "to": now}


class HistorySerializer(serializers.Serializer[Change]):
    """A change of an object, and of what it owns."""

    id = serializers.IntegerField(help_text="The number of the change.")
    version = serializers.IntegerField(help_text="The version that the change has led to.")
    operation = serializers.ChoiceField(Change.Operation.choices)
    at = TimestampField(help_text="When the change was made, in UTC.")
    actor = ActorSerializer(
        allow_null=True, help_text="Who has made the change; null where nobody said."
    )
    request = serializers.CharField(
        allow_null=True, help_text="The `X-Request-ID` of the request that it was part of."
    )
    changes = DifferenceSerializer(
        many=True, help_text="What differs since; empty when the object was created."
    )
    merged_into = MergedSerializer(
        required=False, help_text="Of a deletion: the object that it was merged into, if it was."
    )
