"""What is said of models, fields and rows of whatever kind."""

import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models

if TYPE_CHECKING:
    CharField = models.CharField[str, str]
    UUIDField = models.UUIDField[str | uuid.UUID, uuid.UUID]
    # Of whatever model: what values it takes, nobody checks.
    ModelField: TypeAlias = models.Field[Any, Any]
    ForeignKey: TypeAlias = models.ForeignKey[Any, Any]
else:
    # No generics at run time.
    CharField, UUIDField = models.CharField, models.UUIDField
    ModelField, ForeignKey = models.Field, models.ForeignKey

# What `_meta.get_field` gives, a column or a relation of either side; and a row of whatever model.
AnyField: TypeAlias = Any
AnyRow: TypeAlias = Any
# What a constructor or a hook of Django's or REST framework's takes and hands on. Their stubs name
# each parameter, and one that is handed on would have to name them all again.
HandedOn: TypeAlias = Any
# Of rows of whatever model, or of values of them: what it can be filtered by, nobody checks.
AnyQuerySet: TypeAlias = models.QuerySet[Any]
# What an expression compiles to: the statement's part, and its parameters.
SQL: TypeAlias = tuple[str, tuple[Any, ...]]
# What a serializer has validated or shows of an object, or its row holds, by the field's name.
Attrs: TypeAlias = dict[str, Any]
