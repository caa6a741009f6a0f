"""The triggers that record changes: made from the models by `migrate`, whoever adds a model.

Each is compared with what this code would make, so that `/readyz` and `check` know of one that is
missing, disabled or made by an earlier version; one of a later version records what an earlier
server writes, too. What was written while triggers were away is recorded when they come back: all
objects, when they come for the first time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import ModuleType

from django.apps import AppConfig
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations import Migration, operations
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import receiver

from ..models import Definition
from ..writes.attribution import Writer, forget_writer, name_writer
from . import models, postgresql, sqlite
from .models import Batch, Change, Entry, Feed, Pending, RowChange
from .positions import give
from .tracking import Tracked, roots, tracked_tables
from .trigger import Trigger

MIGRATION = Writer("migration", None)
ROWS_WRITTEN = ("INSERT", "UPDATE", "DELETE", "WITH")
OWN_TABLES = {
    each._meta.db_table for each in (Batch, Change, Entry, Feed, Pending, RowChange, models.Writer)
}
# What may take away or rename a column, or the like.
RESHAPING = (
    operations.AlterField,
    operations.AlterModelTable,
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.RunSQL,
    operations.SeparateDatabaseAndState,
)
WRITING = (operations.RunPython, operations.RunSQL)


def dialect(connection: BaseDatabaseWrapper) -> ModuleType:
    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]


def expected_triggers(connection: BaseDatabaseWrapper, tables: Iterable[Tracked]) -> list[Trigger]:
    engine = dialect(connection)
    found = [trigger for each in tables for trigger in engine.triggers_of(each)]
    if connection.vendor == "sqlite":
        found.append(sqlite.PLACE)
    return found


# What is due


def find_missing(connection: BaseDatabaseWrapper, tables: Collection[Tracked]) -> list[Trigger]:
    """The triggers of these tables that are missing, disabled or of another definition."""
    with connection.cursor() as cursor:
        stored = dialect(connection).read_triggers(cursor)
    return [
        each
        for each in expected_triggers(connection, tables)
        if stored.get((each.table, each.name)) != each.digest
    ]


def fault_of(connection: BaseDatabaseWrapper) -> str | None:
    """Which tables' changes are not recorded, in words, and what to do about it."""
    with connection.cursor() as cursor:
        stored = dialect(connection).read_triggers(cursor)
    unlike = find_missing(connection, tracked_tables())
    # Somebody else's are there, of a version after this one.
    earlier = Definition.noted(
        connection.alias, {each.digest for each in unlike if (each.table, each.name) in stored}
    )
    tables = sorted({each.table for each in unlike if each.digest not in earlier})
    if not tables:
        return None
    return f"Changes of {', '.join(tables)} are not recorded: run `manage.py migrate`."


def fault_before_migrate(connection: BaseDatabaseWrapper) -> str | None:
    """The same; None before `migrate` has made all tables."""
    return fault_of(connection) if _has_tables(connection) else None


# Around migrations


@receiver(pre_migrate, dispatch_uid="changes")
def prepare_for_migrations(
    sender: AppConfig,
    using: str,
    plan: Sequence[tuple[Migration, bool]] | None = None,
    **kwargs: object,
) -> None:
    """Drop the triggers that are in the way of the migrations.

    On SQLite that is all of them, since tables are altered by being made anew. On PostgreSQL it is
    those that read columns of which one may be taken away, where those of this version cannot take
    over at once; the others go on, since servers do. Whoever gives no plan may do anything.
    """
    if sender.label != "changes" or plan == []:
        return
    connection = connections[using]
    with transaction.atomic(using), connection.cursor() as cursor:
        engine = dialect(connection)
        stored = engine.read_triggers(cursor)
        if connection.vendor == "postgresql" and plan is not None:
            apps = {m.app_label for m, backwards in plan if backwards or _reshapes(m)}
            reshaped = [each for each in tracked_tables() if each.model._meta.app_label in apps]
            if not any(backwards or _may_do_anything(m) for m, backwards in plan):
                reshaped = [
                    each for each in reshaped if not _take_over(connection, cursor, each, stored)
                ]
            tables = {each.table for each in reshaped}
            stored = {key: digest for key, digest in stored.items() if key[0] in tables}
        engine.drop(cursor, stored)
    if connection.vendor == "postgresql" and _as_migration not in connection.execute_wrappers:
        connection.execute_wrappers.append(_as_migration)


def _reshapes(migration: Migration) -> bool:
    return any(isinstance(each, RESHAPING) for each in migration.operations)


def _may_do_anything(migration: Migration) -> bool:
    """Whether it may change what triggers of whatever version need: their tables, or a key."""
    return migration.app_label == "changes" or any(
        isinstance(each, operations.RunSQL)
        or (isinstance(each, operations.AlterField) and each.field.primary_key)
        for each in migration.operations
    )


def _take_over(
    connection: BaseDatabaseWrapper,
    cursor: CursorWrapper,
    tracked: Tracked,
    stored: Mapping[tuple[str, str], str],
) -> bool:
    """Put this version's triggers in the place of an earlier one's, if all that they read is there:
    migrations take away only what they do not."""
    triggers = expected_triggers(connection, [tracked])
    existing = connection.introspection.table_names(cursor)
    if not (
        stored.keys() >= {(each.table, each.name) for each in triggers}
        and _is_whole(connection, cursor, tracked, existing)
    ):
        return False
    engine = dialect(connection)
    others = [each for each in triggers if stored[each.table, each.name] != each.digest]
    engine.drop(cursor, [(each.table, each.name) for each in others])
    engine.create(cursor, others)
    return True


def _as_migration(
    execute: Callable[..., object],
    sql: str,
    params: object,
    many: bool,
    context: Mapping[str, BaseDatabaseWrapper],
) -> object:
    """Name the migration as what writes rows in its transaction.

    A setting of the session would outlive it where a pooler is in between.
    """
    connection = context["connection"]
    if connection.in_atomic_block and str(sql).lstrip().upper().startswith(ROWS_WRITTEN):
        name_writer(connection, MIGRATION)
    return execute(sql, params, many, context)


@receiver(post_migrate, dispatch_uid="changes")
def create_after_migrations(
    sender: AppConfig,
    using: str,
    plan: Sequence[tuple[Migration, bool]] | None = None,
    **kwargs: object,
) -> None:
    if sender.label != "changes":
        return
    connection = connections[using]
    if _as_migration in connection.execute_wrappers:
        connection.execute_wrappers.remove(_as_migration)
    if plan is None and connection.vendor == "sqlite":
        _clear_if_empty(connection)
    tables = tracked_tables()
    rewritten = {each.model._meta.app_label for each in tables}
    if plan is not None:
        rewritten = {
            migration.app_label
            for migration, _ in plan
            if any(isinstance(each, WRITING) for each in migration.operations)
        }
    create(connection, tables, rewritten)
    made = {*expected_triggers(connection, tables)}.difference(find_missing(connection, tables))
    Definition.note(using, {each.digest for each in made})


def create(
    connection: BaseDatabaseWrapper, tables: Sequence[Tracked], rewritten: Collection[str] = ()
) -> None:
    """Make what is due, and record what the objects of those tables have become meanwhile.

    Of the apps in `rewritten` all objects may have, whatever their versions say.
    """
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        existing = set(connection.introspection.table_names(cursor))
        if not existing.issuperset(OWN_TABLES):
            return
        if connection.vendor == "postgresql":
            cursor.execute(
                "INSERT INTO changes_feed (id, last) VALUES (1, 0) ON CONFLICT DO NOTHING"
            )
        engine = dialect(connection)
        stored = engine.read_triggers(cursor)
        if not find_missing(connection, tables) and len(stored) == len(
            expected_triggers(connection, tables)
        ):
            return
        tables = [each for each in tables if _is_whole(connection, cursor, each, existing)]
        unlike = find_missing(connection, tables)
        names = {(each.table, each.name) for each in expected_triggers(connection, tables)}
        # An earlier version's have recorded all the same.
        lacking = {each.table for each in unlike if (each.table, each.name) not in stored}
        concerned = [each for each in tables if each.table in lacking]
        if concerned:
            locked = {each.root._meta.db_table for each in concerned} | lacking
            engine.keep_from_writing(cursor, locked - {sqlite.PLACE.table})
        engine.drop(cursor, [key for key in stored if key not in names])
        engine.drop(cursor, [(each.table, each.name) for each in unlike])
        engine.create(cursor, unlike)
        engine.drop_unused_functions(
            cursor, {each.function for each in expected_triggers(connection, tables)}
        )
        for each in tables:
            if each.root in {one.root for one in concerned} and each.is_root:
                _reconcile(connection, cursor, each, each.model._meta.app_label in rewritten)
    while give(connection.alias, None):
        pass


def _reconcile(
    connection: BaseDatabaseWrapper, cursor: CursorWrapper, tracked: Tracked, is_rewritten: bool
) -> None:
    """Record which objects of a root are new, changed or gone, in comparison with the feed."""
    engine = dialect(connection)
    quote = connection.ops.quote_name
    viewer = "CAST(NULL AS bigint)" if tracked.viewer is None else f"t.{quote(tracked.viewer)}"
    known = f"(SELECT * FROM ({engine.OBJECTS}) AS k WHERE kind = '{tracked.kind}')"
    key, table = quote(tracked.pk), quote(tracked.table)
    compared = (
        f"SELECT t.{key} AS id, t.uid AS uid, t.version AS version, {viewer} AS viewer,"
        f" t.updated_at AS at FROM {table} t LEFT JOIN {known} known ON known.object_id = t.{key}"
    )
    fresh = f"{compared} WHERE known.object_id IS NULL"
    first = "CASE version WHEN 1 THEN 'create' ELSE 'update' END"
    cursor.execute(engine.record(tracked, first, fresh, "at"))
    name_writer(connection, MIGRATION)
    differs = "1 = 1" if is_rewritten else "known.deleted OR known.version <> t.version"
    since = f"{compared} WHERE known.object_id IS NOT NULL AND ({differs})"
    cursor.execute(engine.record(tracked, engine.UPDATE, since))
    gone = (
        f"SELECT known.object_id AS id, uid, version, viewer FROM {known} known"
        f" WHERE NOT known.deleted AND NOT EXISTS"
        f" (SELECT 1 FROM {table} t WHERE t.{key} = known.object_id)"
    )
    cursor.execute(engine.record(tracked, engine.DELETE, gone))
    forget_writer(connection)


def _is_whole(
    connection: BaseDatabaseWrapper,
    cursor: CursorWrapper,
    tracked: Tracked,
    existing: Collection[str],
) -> bool:
    """Whether the table has all columns of its model, and its root: a migration may be yet to come,
    or was taken back."""
    if not {tracked.table, tracked.root._meta.db_table} <= {*existing}:
        return False
    for model in {tracked.model, tracked.root}:
        # Django's introspection cannot read every table on SQLite.
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)} LIMIT 0")
        columns = {name for name, *_ in cursor.description}
        if not {f.column for f in model._meta.concrete_fields} <= columns:
            return False
    return True


def _has_tables(connection: BaseDatabaseWrapper) -> bool:
    return set(connection.introspection.table_names()) >= OWN_TABLES


def _clear_if_empty(connection: BaseDatabaseWrapper) -> None:
    """Forget what `flush` has not: on SQLite it deletes row by row, which triggers record."""
    if not _has_tables(connection):
        return
    with connection.cursor() as cursor:
        for root in roots():
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {root._meta.db_table})")
            if cursor.fetchone()[0]:
                return
        for table in sorted(OWN_TABLES):
            cursor.execute(f"DELETE FROM {table}")
