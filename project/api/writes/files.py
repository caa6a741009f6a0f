"""A file that a write has replaced is taken away after it."""

from django.db import models, router
from django.dispatch import receiver

from ..files import OwnedFileField, remove_after_commit
from ..models import Attrs
from .signals import rows_written


@receiver(rows_written)
def remove_replaced(
    changed: dict[type[models.Model], dict[models.Model, Attrs]], **kwargs: object
) -> None:
    for model, rows in changed.items():
        fields = model._meta.concrete_fields
        if names := [f.attname for f in fields if isinstance(f, OwnedFileField)]:
            for before in rows.values():
                for name in before.keys() & names:
                    remove_after_commit(before[name], router.db_for_write(model))
