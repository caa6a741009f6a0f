"""Statements that the ORM composes once, and whose values each request binds anew."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, IntegerField, Manager, QuerySet
from django.db.models.sql.compiler import SQLCompiler

# Some 500 bytes each.
KEPT_STATEMENTS = 256


class Bound(Expression):
    """A value that each request binds anew."""

    def __init__(self, name: str, output_field: "Field[Any, Any]") -> None:
        super().__init__(output_field)
        self.name = name

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: object,
        **extra_context: object,
    ) -> Any:
        return "%s", [self]

    def prepared(self, value: object, connection: BaseDatabaseWrapper) -> Any:
        """The value as the ORM would bind it."""
        return self.output_field.get_db_prep_value(value, connection)


def is_in_range(field: Any, value: Any, connection: BaseDatabaseWrapper) -> bool:
    """Whether the column could have this number; where not, the ORM asks for nothing."""
    field = getattr(field, "target_field", field)
    if not isinstance(field, IntegerField):
        return True
    least, most = connection.ops.integer_field_range(field.get_internal_type())
    return bool((least is None or value >= least) and (most is None or value <= most))


def is_plain(manager: Any) -> bool:
    """Whether a manager has all rows: one of an app's own may have others for each request."""
    return type(manager).get_queryset is Manager.get_queryset


def has_rows_alone(queryset: Any) -> bool:
    """Whether a queryset gives the objects of the model's manager as that does, with nothing more:
    no annotation, nothing related, no column left out."""
    every = queryset.model._default_manager.all()
    return (
        type(queryset) is type(every)
        and queryset._db is None
        and queryset._iterable_class is every._iterable_class
        and not queryset._prefetch_related_lookups
        and not queryset.query.select_related
        and queryset.query.deferred_loading == every.query.deferred_loading
        and not (queryset.query.annotations or queryset.query.extra or queryset.query.where)
    )


def by_key(model: type[models.Model], key: object, *, lock: bool = False) -> models.Model | None:
    """The object with this key, as the model's manager has it; None where there is none.

    With `lock`, which takes a transaction, nobody else writes it before that ends.

    To compose the same statement each time takes a quarter of the processor time of a nested list.
    """
    field = model._meta.pk
    if not is_plain(model._default_manager):
        rows = _locked(model._default_manager.all()) if lock else model._default_manager.all()
        return next(iter(rows.filter(pk=key).order_by()), None)
    using = router.db_for_write(model) if lock else router.db_for_read(model)
    connection, row = connections[using], _row(model, using, lock)
    if not is_in_range(field, key, connection):
        return None
    with connection.cursor() as cursor:
        cursor.execute(row.sql, [field.get_db_prep_value(key, connection)])
        found = cursor.fetchone()
    if found is None:
        return None
    values = [*found]
    for place, (functions, expression) in row.converters.items():
        for function in functions:
            values[place] = function(values[place], expression, connection)
    return model.from_db(using, row.names, values)


@dataclass(frozen=True)
class _Row:
    sql: str
    # Of the model's attributes, in the order of the columns.
    names: list[str]
    # By place, what makes of a column's value that of the attribute.
    converters: dict[int, tuple[list[Any], object]]


@lru_cache(maxsize=KEPT_STATEMENTS)
def _row(model: type[models.Model], using: str, lock: bool) -> _Row:
    rows = model._default_manager.using(using).filter(pk=Bound("key", model._meta.pk)).order_by()
    compiler = (_locked(rows) if lock else rows).query.get_compiler(using)
    sql, _ = compiler.as_sql()
    columns = [column for column, *_ in compiler.select]
    return _Row(sql, [each.target.attname for each in columns], compiler.get_converters(columns))


def _locked(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.select_for_update(no_key=True)
