"""Rows of the project itself: what it has made, answered and merged."""

from collections.abc import Collection

from django.conf import settings
from django.db import connections, models


class Definition(models.Model):
    """Of a trigger, or of what a search finds, as a `migrate` has made it: its digest.

    A server that finds its own here, and another in its place, is older than the database, and
    serves on. One that does not is newer, and waits for its `migrate`.
    """

    digest = models.CharField(max_length=64, primary_key=True)

    def __str__(self) -> str:
        return self.digest

    @classmethod
    def note(cls, using: str, digests: Collection[str]) -> None:
        if cls._is_there(using):
            for each in {*digests} - cls.noted(using, digests):
                cls._default_manager.using(using).get_or_create(digest=each)

    @classmethod
    def noted(cls, using: str, digests: Collection[str]) -> set[str]:
        if not digests or not cls._is_there(using):
            return set()
        rows = cls._default_manager.using(using).filter(digest__in=digests)
        return set(rows.values_list("digest", flat=True))

    @classmethod
    def _is_there(cls, using: str) -> bool:
        return cls._meta.db_table in connections[using].introspection.table_names()


class StoredAnswer(models.Model):
    """What a write with an `Idempotency-Key` was answered, for whoever repeats it within 24 h."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=16)
    path = models.TextField()
    # SHA-256, in hexadecimal digits.
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    content = models.BinaryField(default=b"")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_per_user")
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class FormerKey(models.Model):
    """What an object was called by that was merged into another: whoever still says it means that.

    `name` is that of a column: the id, the uid, or one by which people tell objects apart.
    """

    # The model's label, `authors.author`.
    kind = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    value = models.CharField(max_length=900)
    # The key of the object that is left, at the end of however many mergers.
    survivor_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "value"], name="former_key_is_of_one")
        ]
        indexes = [models.Index(fields=["kind", "survivor_id"], name="former_key_by_survivor")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.value}"
