"""The aggregate root, and its keys."""

import uuid
from typing import ClassVar, Self

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

from .aliases import SQL, UUIDField


class RandomUUID(models.Func):
    """A random UUID (RFC 9562, version 4), made by the database for rows that bring none."""

    template = "gen_random_uuid()"
    output_field = models.UUIDField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: object
    ) -> SQL:
        # Two of its 16 bytes begin with what says version and variant.
        version = "'-4' || substr(hex(randomblob(2)), 2)"
        variant = "'-' || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)"
        parts = ["hex(randomblob(4)) || '-' || hex(randomblob(2))", version, variant]
        return f"(lower({' || '.join(parts)} || '-' || hex(randomblob(6))))", ()


class HyphenatedUUIDField(UUIDField):
    """A UUID that is stored as documents show it where a database has no type for it.

    To put hyphens between Django's 32 digits took SQLite an eighth of a list's processor time.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        native = connection.features.has_native_uuid_field
        return super().db_type(connection) if native else "char(36)"

    def get_db_prep_value(
        self, value: object, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> object:
        if connection.features.has_native_uuid_field:
            return super().get_db_prep_value(value, connection, prepared)
        return None if value is None else str(self.to_python(value))


class AggregateRoot(models.Model):
    """A thing with a life of its own: what it owns is written together with it.

    `version` starts at 1 and rises by 1 with every write that changes the root or what it owns.
    """

    # The foreign key to the account that alone sees the object. The feed then tells nobody else of
    # its deletion.
    private_to: ClassVar[str | None] = None
    # Whether one object can be merged into another: then its viewset has `{id}/merge/`.
    is_mergeable: ClassVar[bool] = False

    # No default in Python alone: rows also come from bulk statements and from hands with SQL.
    uid = HyphenatedUUIDField(
        "UID",
        default=uuid.uuid4,
        db_default=RandomUUID(),
        unique=True,
        help_text="A UUID that a client may choose when it creates the object; it never changes.",
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def take_over(self, gone: Self) -> list[models.Model]:
        """New rows that it owns once another object is merged into it, beside that one's own."""
        return []
