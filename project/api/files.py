"""Files that live and die with their rows.

A storage has no transactions. So a file is stored before the write that refers to it, and taken
away if that write fails; a file that a row has let go of is taken away once that is committed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from django.core.files import File
from django.core.files.storage import Storage
from django.db import Error, models, transaction
from django.db.models.fields.files import FieldFile
from django.db.models.signals import post_delete

from .models import HandedOn

logger = logging.getLogger(__name__)

_stored: ContextVar["list[tuple[OwnedFileField, str]] | None"] = ContextVar(
    "stored files", default=None
)


class StorageError(OSError):
    """The storage takes no file: its disk is full, say, or its folder not ours to write to."""


class OwnedFile(FieldFile):
    def save(self, name: str, content: "File[bytes]", save: bool = True) -> None:
        try:
            self._save(name, content, save)
        except OSError as error:
            raise StorageError(str(error)) from error

    def _save(self, name: str, content: "File[bytes]", save: bool) -> None:
        stored = _stored.get()
        if stored is None:
            super().save(name, content, save)
            return
        field = cast(OwnedFileField, self.field)
        path = field.generate_filename(self.instance, name)
        # Where the disk is full, part of the file is there.
        if not self.storage.exists(path):
            stored.append((field, path))
        super().save(name, content, save)
        if self.name != path:
            stored.append((field, str(self.name)))


class OwnedFileField(models.FileField):
    """A file of one row alone. When the row is deleted or gets another file, it is taken away.

    What stores one does so inside of `new_files()`. Give each file a name of its own, as
    `secrets.token_hex()`: a name that comes again would be seen in caches as it was.
    """

    attr_class = OwnedFile

    def contribute_to_class(
        self, cls: type[models.Model], name: str, *args: object, **kw: object
    ) -> None:
        super().contribute_to_class(cls, name, *args, **kw)
        if not cls._meta.abstract:
            post_delete.connect(self._row_deleted, sender=cls)

    def formfield(self, *args: HandedOn, **kwargs: HandedOn) -> Any:
        # The storage shortens a name that is too long.
        return super().formfield(*args, **{"max_length": None, **kwargs})

    def _row_deleted(self, instance: models.Model, using: str, **kwargs: object) -> None:
        remove_after_commit(getattr(instance, self.attname), using)


@contextmanager
def new_files() -> Iterator[None]:
    """Take the files that are stored inside of this block away again if it fails.

    It surrounds the transaction. A file that a row refers to all the same stays, and so does one
    where the database does not answer: an outage may hide that the write was committed.
    """
    stored: list[tuple[OwnedFileField, str]] = []
    outer = _stored.get()
    token = _stored.set(stored)
    try:
        yield
    except BaseException:
        for field, name in stored:
            if not _may_be_referred_to(field, name):
                _delete(field.storage, name)
        raise
    else:
        if outer is not None:
            outer += stored
    finally:
        _stored.reset(token)


def _may_be_referred_to(field: OwnedFileField, name: str) -> bool:
    try:
        return bool(field.model._base_manager.filter(**{field.attname: name}).exists())
    except Error:
        logger.warning("The file %s is left, which no row may refer to.", name)
        return True


def _delete(storage: Storage, name: str) -> None:
    try:
        storage.delete(name)
    except OSError as error:
        logger.warning("The file %s is left, which no row refers to: %s", name, error)


def remove_after_commit(file: FieldFile, using: str | None = None) -> None:
    """Take a file away that no row refers to any more once this transaction is committed."""
    if not file.name:
        return
    storage, name = file.storage, file.name

    # No partial(): where one fails, Django 5.2 fails to say so, as it has no __qualname__.
    def remove() -> None:
        storage.delete(name)

    # What is committed stays done if the storage fails; Django logs that.
    transaction.on_commit(remove, using=using, robust=True)
