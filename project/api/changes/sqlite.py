"""Triggers on SQLite, for each row. With one writer at a time, positions are given at once."""

from collections.abc import Iterable, Sequence
from functools import cache

from django.db.backends.utils import CursorWrapper

from .tracking import Tracked
from .trigger import Trigger, identifier, literal

CREATE, UPDATE, DELETE = "'create'", "'update'", "'delete'"
NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
WRITER = "(SELECT {} FROM changes_writer)"
WRITERS = WRITER.format('"transaction"')
# A hand with SQL names no transaction, so each of its rows is one.
TRANSACTION = f"coalesce({WRITERS}, random())"


def record(tracked: Tracked, operation: str, rows: str, at: str = NOW) -> str:
    """Write a change for each of these, which have id, uid, version and viewer.

    `operation` and `at` are expressions of SQL.
    """
    merged = WRITER.format("merged_into") if operation == DELETE else "NULL"
    return (
        "INSERT INTO changes_change (kind, object_id, uid, version, operation, at, actor, request,"
        ' "transaction", viewer, merged_into)'
        f" SELECT {literal(tracked.kind)}, id, uid, version, {operation}, {at},"
        f" {WRITER.format('actor')},"
        f" {WRITER.format('request')}, {TRANSACTION}, viewer, {merged} FROM ({rows});"
    )


def _keep(tracked: Tracked, operation: str, row: str, before: str = "NULL") -> str:
    """Note what becomes of this row, with the change that was written last."""
    key = tracked.root_key(row)
    is_known = f" AND {key} IS NOT NULL" if len(tracked.way) > 1 else ""
    return (
        'INSERT INTO changes_rowchange (kind, object_id, "transaction", model, row_id, operation,'
        ' "before")'
        f' SELECT {literal(tracked.kind)}, {key}, c."transaction",'
        f" {literal(tracked.model._meta.label_lower)},"
        f" {row}.{identifier(tracked.pk)}, '{operation}', {before}"
        f" FROM changes_change c WHERE c.id = (SELECT max(id) FROM changes_change){is_known}"
    )


def _whole(tracked: Tracked) -> str:
    members = (
        f"{literal(str(f.column))}, OLD.{identifier(str(f.column))}"
        for f in tracked.model._meta.concrete_fields
    )
    return f"json_object({', '.join(members)})"


def _changed(tracked: Tracked) -> tuple[str, str]:
    """Whether any column differs, and those that do, with what they held."""
    columns = [c for c in tracked.columns if c != tracked.pk]
    names = [identifier(column) for column in columns]
    differs = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in names)
    members = " || ".join(
        f"CASE WHEN OLD.{name} IS NOT NEW.{name}"
        f" THEN json_quote({literal(column)}) || ':' || json_quote(OLD.{name}) || ',' ELSE '' END"
        for column, name in zip(columns, names, strict=True)
    )
    return f"({differs})", f"'{{' || rtrim({members}, ',') || '}}'"


@cache
def triggers_of(tracked: Tracked) -> list[Trigger]:
    """The triggers of one table."""
    name, table = f"changes_{tracked.table}", identifier(tracked.table)
    root = tracked.root._meta
    differs, changed = _changed(tracked)

    def raised(*rows: str) -> str:
        viewer = "NULL" if tracked.viewer is None else identifier(tracked.viewer)
        keys = ", ".join(map(tracked.root_key, rows))
        kind, pk = literal(tracked.kind), identifier(str(root.pk.column))
        # A write of the root that is under way has told of it, or will.
        objects = (
            f"SELECT {pk} AS id, uid, version, {viewer} AS viewer"
            f" FROM {identifier(root.db_table)} o WHERE o.{pk} IN ({keys})"
            f' AND coalesce((SELECT c."transaction" FROM changes_change c WHERE c.kind = {kind}'
            f" AND c.object_id = o.{pk} ORDER BY c.id DESC LIMIT 1)"
            f" <> {WRITERS}, 1)"
        )
        return record(tracked, UPDATE, objects)

    def own(operation: str, row: str) -> str:
        viewer = "NULL" if tracked.viewer is None else f"{row}.{identifier(tracked.viewer)}"
        return record(
            tracked,
            operation,
            f"SELECT {tracked.root_key(row)} AS id, {row}.uid AS uid, {row}.version AS version,"
            f" {viewer} AS viewer",
        )

    def trigger(event: str, head: str, *statements: str) -> Trigger:
        body = " ".join(each.rstrip(";") + ";" for each in statements)
        sql = f"CREATE TRIGGER {identifier(f'{name}_{event}')} {head} BEGIN {body} END"
        return Trigger(tracked.table, f"{name}_{event}", sql)

    gone = _keep(tracked, "delete", "OLD", _whole(tracked))
    edited = _keep(tracked, "update", "NEW", changed)
    if tracked.is_root:
        found = [
            trigger("insert", f"AFTER INSERT ON {table}", own(CREATE, "NEW")),
            trigger(
                "update",
                f"AFTER UPDATE ON {table}",
                own(UPDATE, "NEW"),
                f"{edited} AND {differs}",
            ),
            trigger("delete", f"AFTER DELETE ON {table}", own(DELETE, "OLD"), gone),
        ]
    else:
        # What comes with a new root needs no note; nor can it be told where its root comes later.
        old_key, new_key = tracked.root_key("OLD"), tracked.root_key("NEW")
        is_old = (
            f"EXISTS (SELECT 1 FROM {identifier(root.db_table)}"
            f" WHERE {identifier(str(root.pk.column))} = {new_key})"
            f' AND NOT coalesce((SELECT c.operation = {CREATE} AND c."transaction" = {WRITERS}'
            f" FROM changes_change c WHERE c.kind = {literal(tracked.kind)}"
            f" AND c.object_id = {new_key} ORDER BY c.id DESC LIMIT 1), 0)"
        )
        stays = f"{old_key} = {new_key}"
        found = [
            trigger(
                "insert",
                f"AFTER INSERT ON {table} WHEN {is_old}",
                raised("NEW"),
                _keep(tracked, "insert", "NEW"),
            ),
            trigger(
                "update",
                f"AFTER UPDATE ON {table}",
                raised("OLD", "NEW"),
                f"{edited} AND {stays} AND {differs}",
                f"{gone} AND NOT ({stays})",
                f"{_keep(tracked, 'insert', 'NEW')} AND NOT ({stays})",
            ),
            trigger("delete", f"AFTER DELETE ON {table}", raised("OLD"), gone),
        ]
    refused = f"SELECT RAISE(ABORT, 'The key of a row of {tracked.table} never changes.')"
    pk = identifier(tracked.pk)
    head = f"BEFORE UPDATE OF {pk} ON {table} WHEN OLD.{pk} <> NEW.{pk}"
    return [*found, trigger("key", head, refused)]


# The last change of an object is its entry, at the position that is the change's id.
PLACE = Trigger(
    "changes_change",
    "changes_place",
    'CREATE TRIGGER "changes_place" AFTER INSERT ON changes_change BEGIN'
    " INSERT INTO changes_batch (last, nonce) VALUES (NEW.id, random());"
    " INSERT INTO changes_entry (kind, object_id, position, change_id, uid, version, deleted,"
    " viewer, merged_into) VALUES (NEW.kind, NEW.object_id, NEW.id, NEW.id, NEW.uid, NEW.version,"
    " NEW.operation = 'delete', NEW.viewer, NEW.merged_into)"
    " ON CONFLICT (kind, object_id) DO UPDATE SET position = excluded.position,"
    " change_id = excluded.change_id, uid = excluded.uid, version = excluded.version,"
    " deleted = excluded.deleted, viewer = excluded.viewer, merged_into = excluded.merged_into;"
    " END",
)


def read_triggers(cursor: CursorWrapper) -> dict[tuple[str, str], str]:
    """By table and name, the digest of each trigger that is there."""
    cursor.execute(
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"
        " AND substr(name, 1, 8) = 'changes_'"
    )
    return {(table, name): Trigger(table, name, sql).digest for table, name, sql in cursor}


def drop(cursor: CursorWrapper, names: Iterable[tuple[str, str]]) -> None:
    for _, name in names:
        cursor.execute(f"DROP TRIGGER IF EXISTS {identifier(name)}")


def create(cursor: CursorWrapper, triggers: Sequence[Trigger]) -> None:
    for each in triggers:
        # As it is: Django would take each % for a parameter's.
        cursor.execute(each.sql)


def drop_unused_functions(cursor: CursorWrapper, used: Iterable[str]) -> None:
    """There are none."""


def keep_from_writing(cursor: CursorWrapper, tables: Iterable[str]) -> None:
    """Nobody does: SQLite has one writer."""


# The objects as the feed has them: each with its version, and whether it is gone.
OBJECTS = "SELECT kind, object_id, uid, version, deleted, viewer FROM changes_entry"
