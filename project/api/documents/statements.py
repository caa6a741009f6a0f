"""Statements: each serializer class compiled once for each choice of fields, and kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, Self

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func
from django.db.models.sql.compiler import SQLCompiler
from rest_framework import serializers

from ..databases.beside import Beside
from ..databases.connections import fetch_all
from ..models import SQL, AnyQuerySet, ModelField
from ..relations import RelatedSerializer
from .compiler import USER, Compiler, Path, Scope, require_unchanged
from .formats import UnsupportedError
from .postgresql import PostgreSQLCompiler
from .sqlite import SQLiteCompiler

COMPILERS: dict[str, type[Compiler]] = {
    "postgresql": PostgreSQLCompiler,
    "sqlite": SQLiteCompiler,
}
# Each some 5 kB of text, and one plan on each connection.
KEPT_STATEMENTS = 256


class Document(bytes):
    """JSON in UTF-8, finished: it is sent as it is.

    Texts would be decoded as they come, and encoded again: 0.06 of the processor time of a list.
    """

    # Of the root that the one object in it is, or belongs to; None of a list, and where there is
    # none.
    version: int | None
    # What else was asked for in its statement, if anything.
    beside: str | None

    def __new__(cls, content: bytes, version: int | None = None, beside: str | None = None) -> Self:
        document = super().__new__(cls, content)
        document.version, document.beside = version, beside
        return document

    def items(self) -> "list[Document]":
        """The documents of the array that `Statement.documents` has made."""
        return [Document(each) for each in self[1:-1].split(b",\n")] if self != b"[]" else []


class Uncompilable(ImproperlyConfigured):
    """The fields that the database cannot write, by their paths, with what to do about each."""

    def __init__(self, serializer: type, faults: dict[str, str]) -> None:
        self.faults = faults
        named = " ".join(f"{name}: {reason}" for name, reason in faults.items())
        super().__init__(f"{serializer.__name__} cannot be compiled. {named}")


class EachKey(Func):
    """A primary key out of those that a request binds: see `Compiler.array`."""

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: object,
        **extra_context: object,
    ) -> SQL:
        return "keys.value", ()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: object
    ) -> SQL:
        return f"keys.value::{self.output_field.rel_db_type(connection)}", ()


class Versioned(Func):
    """A document behind the version of its root: `7 {"id": …}`."""

    template = "%(expressions)s"
    arg_joiner = " || ' ' || "
    output_field = models.TextField()


@dataclass(frozen=True)
class Statement:
    """Makes the documents of one serializer, or of some of its fields, in one database."""

    sql: str
    # The same, with one row for each document: its place among the keys, counted from 0, and it.
    rows_sql: str
    # All but the keys, which come last. USER stands for the key of who asks.
    params: tuple[Any, ...]
    key: ModelField
    # Of all related objects that it shows.
    models: frozenset[type[models.Model]]
    # Whether it shows what expressions compute, of whatever there is.
    is_computed: bool
    # Whether each document stands behind its version.
    versioned: bool = False

    @cached_property
    def depends_on_user(self) -> bool:
        return any(param is USER for param in self.params)

    def documents(
        self, keys: Sequence[object], using: str, user: object = None, beside: str | None = None
    ) -> Document:
        """The array of these objects in this order, without those that are not there.

        `user` is the key of who asks, None where nobody is logged in. `beside` is a statement of
        one text, which is asked for as well, as of the same moment, where there are keys.
        """
        if not keys:
            return Document(b"[]")
        sql = self.sql if beside is None else _beside(self.sql, beside)
        [(array, *others)] = self._fetch(sql, keys, using, user)
        return Document(array, None, *others)

    def each_document(
        self, keys: Sequence[object], using: str, user: object = None
    ) -> dict[Any, bytes]:
        """By key, in this order, the document of each of these objects that is there.

        Many cost less so than as one array, which the database puts together once more.
        """
        if not keys:
            return {}
        rows = self._fetch(self.rows_sql, keys, using, user)
        # No place is there twice, so that no documents are compared.
        rows.sort()
        return {keys[place]: document for place, document in rows if document is not None}

    def _fetch(self, sql: str, keys: Sequence[object], using: str, user: object) -> list[Any]:
        return fetch_all(connections[using], sql, self._bound(keys, using, user))

    def _bound(self, keys: Sequence[object], using: str, user: object) -> list[Any]:
        connection = connections[using]
        prepared = keys
        if not isinstance(self.key, models.IntegerField):
            # As the column holds them: a UUID is 32 digits on SQLite.
            prepared = [self.key.get_db_prep_value(key, connection) for key in keys]
        bound = json.dumps(prepared, default=str)
        params = self.params
        if self.depends_on_user:
            user = get_user_model()._meta.pk.get_db_prep_value(user, connection)
            params = tuple(user if param is USER else param for param in params)
        return [*params, bound]

    def document(self, key: object, using: str, user: object = None) -> Document | None:
        """This one object, with its version where the statement is `versioned`; None without it."""
        return self._only(self.documents([key], using, user))

    def beside(self, key: object, using: str) -> Beside[Document] | None:
        """The same, to be asked beside another; None where it depends on who asks."""
        if self.depends_on_user:
            return None
        return Beside(using, self.sql, self._bound([key], using, None), self._only)

    def _only(self, array: bytes) -> Document | None:
        content = array[1:-1]
        if not self.versioned:
            return Document(content) if content else None
        version, _, content = content.partition(b" ")
        return Document(content, int(version)) if content else None


@lru_cache(maxsize=KEPT_STATEMENTS)
def _beside(sql: str, beside: str) -> str:
    """Both in one: the same object each time, whose hash is known."""
    return f"SELECT ({sql}), ({beside})"


def compile_statement(
    serializer_class: type[RelatedSerializer],
    unread: frozenset[str],
    using: str,
    shown: Mapping[type[models.Model], AnyQuerySet] | None = None,
    version: str | None = None,
) -> Statement:
    """The statement for a serializer without its fields `unread`; Uncompilable if there is none.

    Of the models in `shown` it shows these related objects alone. `version` is the ORM's path to
    the number that stands before each document, for `Statement.document`.
    """
    serializer = serializer_class()
    compiler = COMPILERS[connections[using].vendor]()
    try:
        require_unchanged(serializer, serializers.Serializer)
    except UnsupportedError as error:
        raise Uncompilable(serializer_class, {"": str(error)}) from error
    model = serializer_class.Meta.model
    fields = [each for each in serializer._readable_fields if each.field_name not in unread]
    scope = Scope(shown or {})
    document = compiler.document(fields, Path(model, scope))
    if compiler.faults:
        raise Uncompilable(serializer_class, compiler.faults)
    key = model._meta.pk
    rows = model._base_manager.using(using).filter(pk=EachKey(output_field=key)).order_by()
    if version is not None:
        document = Versioned(F(version), document)
    query = rows.values_list(document).query
    compiler.add_joins(query)
    sql, params = query.get_compiler(using).as_sql()
    texts = (compiler.array.replace("{0}", sql), compiler.each.replace("{0}", sql))
    return Statement(
        *(*texts, tuple(params), key, frozenset(scope.models), scope.is_computed),
        versioned=version is not None,
    )


@cache
def properties(serializer_class: type[RelatedSerializer]) -> frozenset[str]:
    """The names of all that a serializer shows."""
    return frozenset(str(field.field_name) for field in serializer_class()._readable_fields)


# However many choices of fields there are, only so many statements are kept.
statement = lru_cache(maxsize=KEPT_STATEMENTS)(compile_statement)
