"""What has happened to the catalogue, as triggers record it: the feed's tables, and history's.

The triggers, which `triggers` makes from the models, are all that writes here, whoever writes to
the catalogue; `positions` gives the feed its order, and purges.

On PostgreSQL a change waits in `Pending` until a reader gives it a position. A number that the
writer takes is not in the order of commits, so that a reader could pass one that is yet to come.
On SQLite, with one writer at a time, the id of the change is its position.
"""

from django.db import models

from ..models import HyphenatedUUIDField


class Change(models.Model):
    """One change of an aggregate root or of what it owns. It is written once and never updated."""

    class Operation(models.TextChoices):
        CREATE = "create"
        UPDATE = "update"
        DELETE = "delete"

    id = models.BigAutoField(primary_key=True)
    # The model's label, `books.book`.
    kind = models.CharField(max_length=100)
    object_id = models.BigIntegerField()
    uid = HyphenatedUUIDField()
    version = models.BigIntegerField()
    operation = models.CharField(max_length=6, choices=Operation)
    at = models.DateTimeField()
    # The key of an account, in digits; or the name of what has written, as `import`. Null where
    # nobody said, as for a hand with SQL.
    actor = models.CharField(max_length=100, null=True)
    # The id of the request that it was part of.
    request = models.CharField(max_length=100, null=True)
    # The same for all changes of one transaction, and for their rows.
    transaction = models.BigIntegerField()
    # To whom alone the object is shown, where its model says so (`AggregateRoot.private_to`).
    viewer = models.BigIntegerField(null=True)
    # Which object it went into, where it was merged with another.
    merged_into = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["kind", "object_id", "id"], name="change_of_object"),
            # Whether a uid is that of a deleted object.
            models.Index(
                fields=["uid"], condition=models.Q(operation="delete"), name="change_deleted_uid"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.object_id}"


class RowChange(models.Model):
    """What a change has done to one row: the columns that differ, with their values before.

    Of a row that is gone all of them, so that it can be restored; of a new one none.
    """

    class Operation(models.TextChoices):
        INSERT = "insert"
        UPDATE = "update"
        DELETE = "delete"

    id = models.BigAutoField(primary_key=True)
    # Those of the root.
    kind = models.CharField(max_length=100)
    object_id = models.BigIntegerField()
    transaction = models.BigIntegerField()
    # Those of the row: its model's label, its key.
    model = models.CharField(max_length=100)
    row_id = models.BigIntegerField()
    operation = models.CharField(max_length=6, choices=Operation)
    before = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["kind", "object_id", "id"], name="rowchange_of_object")]

    def __str__(self) -> str:
        return f"{self.operation} {self.model} {self.row_id}"


class Pending(models.Model):
    """A change that has no position yet. Only on PostgreSQL."""

    # That of the change.
    id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=100)
    object_id = models.BigIntegerField()
    uid = HyphenatedUUIDField()
    version = models.BigIntegerField()
    deleted = models.BooleanField()
    viewer = models.BigIntegerField(null=True)
    merged_into = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class Entry(models.Model):
    """An object's place in the feed: that of its last change."""

    pk = models.CompositePrimaryKey("kind", "object_id")
    kind = models.CharField(max_length=100)
    object_id = models.BigIntegerField()
    position = models.BigIntegerField()
    change_id = models.BigIntegerField()
    uid = HyphenatedUUIDField()
    version = models.BigIntegerField()
    deleted = models.BooleanField()
    viewer = models.BigIntegerField(null=True)
    merged_into = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "position"], name="entry_once_per_position")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class Feed(models.Model):
    """One row, which whoever gives positions locks: the last position. Only on PostgreSQL."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last)


class Batch(models.Model):
    """Positions that were given together, up to `last`.

    The random nonce tells them from those that another server gave the same numbers, after both
    were restored from one backup.
    """

    last = models.BigIntegerField(primary_key=True)
    nonce = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.last)


class Writer(models.Model):
    """Who writes, as long as a transaction is under way: a row at most. Only on SQLite."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    actor = models.CharField(max_length=100, null=True)
    request = models.CharField(max_length=100, null=True)
    transaction = models.BigIntegerField()
    merged_into = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return self.actor or "?"
