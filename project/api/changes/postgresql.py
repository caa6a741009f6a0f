"""Triggers on PostgreSQL: one function a table, called for each statement, and one for each row.

They read one transition table at a time. The planner estimates how many rows such a table has once
a session, from those of the first statement, so that to join two took 5.9 s for 4,000 rows after
one small write and 0.1 s before. What is looked up for each row is a scalar subquery, or a lateral
one behind OFFSET 0, which the planner cannot turn into such a join.
"""

from collections.abc import Iterable, Sequence
from functools import cache

from django.db.backends.utils import CursorWrapper, truncate_name

from .tracking import Tracked
from .trigger import Trigger, identifier, literal

# Of a name in PostgreSQL
LONGEST = 63
ACTOR, REQUEST, MERGED = "catalogue.actor", "catalogue.request", "catalogue.merged_into"
TRANSACTION = "pg_current_xact_id()::text::bigint"
CREATE, UPDATE, DELETE = "'create'", "'update'", "'delete'"
PENDING = "id, kind, object_id, uid, version"


def _setting(name: str) -> str:
    return f"nullif(current_setting('{name}', true), '')"


def record(tracked: Tracked, operation: str, rows: str, at: str = "now()") -> str:
    """Write a change for each of these, which have id, uid, version and viewer; and queue it.

    `operation` and `at` are expressions of SQL.
    """
    return f"""
    WITH written AS (
      INSERT INTO changes_change (kind, object_id, uid, version, operation, at, actor, request,
        transaction, viewer, merged_into)
      SELECT {literal(tracked.kind)}, id, uid, version, {operation}, {at},
        {_setting(ACTOR)}, {_setting(REQUEST)}, {TRANSACTION}, viewer,
        {_setting(MERGED) + "::bigint" if operation == DELETE else "NULL::bigint"}
      FROM ({rows}) AS root
      RETURNING {PENDING}, operation, viewer, merged_into)
    INSERT INTO changes_pending ({PENDING}, deleted, viewer, merged_into)
    SELECT {PENDING}, operation = 'delete', viewer, merged_into FROM written;"""


def _latest(tracked: Tracked, key: str, column: str) -> str:
    """A column of the last change of an object, if that was in this transaction and has no position
    yet; else null."""
    return (
        f"(SELECT CASE WHEN c.transaction = {TRANSACTION} AND EXISTS (SELECT FROM changes_pending p"
        f" WHERE p.id = c.id) THEN c.{column} END FROM changes_change c"
        f" WHERE c.kind = {literal(tracked.kind)} AND c.object_id = {key}"
        " ORDER BY c.id DESC LIMIT 1)"
    )


def _keep(tracked: Tracked, operation: str, rows: str, where: str = "") -> str:
    """Note what becomes of these rows."""
    before = "to_jsonb(r)" if operation == "delete" else "NULL"
    key = tracked.root_key("r")
    if len(tracked.way) > 1 and not where:
        where = f" WHERE {key} IS NOT NULL"
    return f"""
    INSERT INTO changes_rowchange (kind, object_id, transaction, model, row_id, operation, before)
    SELECT {literal(tracked.kind)}, {key}, {TRANSACTION},
      {literal(tracked.model._meta.label_lower)}, r.{_row_key(tracked)}, '{operation}', {before}
    FROM {rows} AS r{where};"""


def _row_key(tracked: Tracked) -> str:
    return identifier(tracked.pk)


def _root_body(tracked: Tracked) -> str:
    viewer = "NULL::bigint" if tracked.viewer is None else identifier(tracked.viewer)
    columns = f"{identifier(tracked.pk)} AS id, uid, version, {viewer} AS viewer"
    after, before = f"SELECT {columns} FROM after", f"SELECT {columns} FROM before"
    table = identifier(tracked.table)
    return f"""BEGIN
  IF TG_OP = 'INSERT' THEN{record(tracked, CREATE, after)}
  ELSIF TG_OP = 'UPDATE' THEN{record(tracked, UPDATE, after)}
  ELSIF TG_OP = 'DELETE' THEN{_keep(tracked, "delete", "before")}{record(tracked, DELETE, before)}
  ELSE{_keep(tracked, "delete", table)}{record(tracked, DELETE, f"SELECT {columns} FROM {table}")}
  END IF;
  RETURN NULL;
END"""


def _owned_body(tracked: Tracked) -> str:
    root = tracked.root._meta
    viewer = "NULL::bigint" if tracked.viewer is None else f"o.{identifier(tracked.viewer)}"

    def raised(keys: str) -> str:
        # A write of the root that is under way has told of it, or will.
        rows = (
            f"SELECT k.id, o.uid, o.version, o.viewer FROM ({keys}) AS k CROSS JOIN LATERAL ("
            f"SELECT o.uid, o.version, {viewer} AS viewer FROM {identifier(root.db_table)} o"
            f" WHERE o.{identifier(str(root.pk.column))} = k.id OFFSET 0) AS o"
            f" WHERE {_latest(tracked, 'k.id', 'id')} IS NULL"
        )
        return record(tracked, UPDATE, rows)

    table = identifier(tracked.table)
    after, before, all_ = (
        f"SELECT {tracked.root_key(r)} AS id FROM {r}" for r in ("after", "before", table)
    )
    # What comes with a new root needs no note; nor can it be told where its root comes later.
    # Mostly all rows do, which a single look tells.
    key = tracked.root_key("r")
    root_is_old = f"{_latest(tracked, key, 'operation')} IS DISTINCT FROM 'create'"
    is_old = (
        f" WHERE (SELECT {root_is_old}"
        f" FROM {identifier(root.db_table)} o WHERE o.{identifier(str(root.pk.column))} = {key})"
    )
    return f"""BEGIN
  IF TG_OP = 'INSERT' THEN
    IF EXISTS (SELECT FROM after AS r WHERE {root_is_old}) THEN
      {_keep(tracked, "insert", "after", is_old)}{raised(f"{after} GROUP BY 1")}
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN{raised(f"{after} UNION {before}")}
  ELSIF TG_OP = 'DELETE' THEN{_keep(tracked, "delete", "before")}{raised(f"{before} GROUP BY 1")}
  ELSE{_keep(tracked, "delete", table)}{raised(f"{all_} GROUP BY 1")}
  END IF;
  RETURN NULL;
END"""


def _row_body(tracked: Tracked) -> str:
    """Note the columns of a row that differ; a row that goes to another root leaves the one."""
    columns = [c for c in tracked.columns if c != tracked.pk]
    names = [identifier(column) for column in columns]
    changed = " || ".join(
        f"CASE WHEN NEW.{name} IS DISTINCT FROM OLD.{name}"
        f" THEN jsonb_build_object({literal(column)}, OLD.{name}) ELSE '{{}}' END"
        for column, name in zip(columns, names, strict=True)
    )
    into = (
        "INSERT INTO changes_rowchange"
        " (kind, object_id, transaction, model, row_id, operation, before)"
    )
    kind, label = literal(tracked.kind), literal(tracked.model._meta.label_lower)
    old_key, new_key, row_key = tracked.root_key("OLD"), tracked.root_key("NEW"), _row_key(tracked)
    moved = (
        ""
        if tracked.is_root
        else f"""
  IF {new_key} IS DISTINCT FROM {old_key} THEN
    {into} VALUES
      ({kind}, {old_key}, {TRANSACTION}, {label}, OLD.{row_key}, 'delete', to_jsonb(OLD)),
      ({kind}, {new_key}, {TRANSACTION}, {label}, NEW.{row_key}, 'insert', NULL);
    RETURN NULL;
  END IF;"""
    )
    before = ", ".join(f"OLD.{name}" for name in names)
    after = ", ".join(f"NEW.{name}" for name in names)
    return f"""BEGIN{moved}
  IF ({before}) IS DISTINCT FROM ({after}) THEN
    {into}
    VALUES ({kind}, {new_key}, {TRANSACTION}, {label}, NEW.{row_key}, 'update', {changed});
  END IF;
  RETURN NULL;
END"""


REFUSAL = """BEGIN
  RAISE EXCEPTION 'The key of a row of % never changes.', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END"""


@cache
def triggers_of(tracked: Tracked) -> list[Trigger]:
    """The triggers of one table, each with its function."""
    name = f"changes_{tracked.table}"
    whole = (
        truncate_name(name, LONGEST),
        (_root_body if tracked.is_root else _owned_body)(tracked),
    )
    row = (truncate_name(f"{name}_row", LONGEST), _row_body(tracked))
    refusal = ("changes_refuse_key", REFUSAL)
    new, old = "NEW TABLE AS after", "OLD TABLE AS before"
    on_update = new if tracked.is_root else f"{old} {new}"
    parts = [
        ("insert", f"AFTER INSERT ON {{}} REFERENCING {new} FOR EACH STATEMENT", whole),
        ("update", f"AFTER UPDATE ON {{}} REFERENCING {on_update} FOR EACH STATEMENT", whole),
        ("delete", f"AFTER DELETE ON {{}} REFERENCING {old} FOR EACH STATEMENT", whole),
        ("truncate", "BEFORE TRUNCATE ON {} FOR EACH STATEMENT", whole),
        ("row", "AFTER UPDATE ON {} FOR EACH ROW", row),
        (
            "key",
            f"BEFORE UPDATE OF {_row_key(tracked)} ON {{}} FOR EACH ROW"
            f" WHEN (OLD.{_row_key(tracked)} <> NEW.{_row_key(tracked)})",
            refusal,
        ),
    ]
    return [
        Trigger(
            tracked.table,
            truncate_name(f"{name}_{event}", LONGEST),
            f"CREATE TRIGGER {identifier(truncate_name(f'{name}_{event}', LONGEST))}"
            f" {when.format(identifier(tracked.table))} EXECUTE FUNCTION {identifier(function)}()",
            function,
            body,
        )
        for event, when, (function, body) in parts
    ]


def read_triggers(cursor: CursorWrapper) -> dict[tuple[str, str], str]:
    """By table and name, the digest of each trigger that is there and enabled."""
    cursor.execute(
        "SELECT relname, tgname, obj_description(pg_trigger.oid, 'pg_trigger') FROM pg_trigger"
        " JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE relnamespace = current_schema::regnamespace AND starts_with(tgname, 'changes_')"
        " AND tgenabled <> 'D'"
    )
    return {(table, name): digest or "" for table, name, digest in cursor.fetchall()}


def drop(cursor: CursorWrapper, names: Iterable[tuple[str, str]]) -> None:
    for table, name in names:
        cursor.execute(f"DROP TRIGGER IF EXISTS {identifier(name)} ON {identifier(table)}")


def create(cursor: CursorWrapper, triggers: Sequence[Trigger]) -> None:
    for function, body in {each.function: each.body for each in triggers}.items():
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {identifier(function)}() RETURNS trigger"
            f" LANGUAGE plpgsql AS $changes$ {body} $changes$"
        )
    for each in triggers:
        cursor.execute(each.sql)
        cursor.execute(
            f"COMMENT ON TRIGGER {identifier(each.name)} ON {identifier(each.table)}"
            f" IS '{each.digest}'"
        )


def drop_unused_functions(cursor: CursorWrapper, used: Iterable[str]) -> None:
    cursor.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = current_schema::regnamespace"
        " AND starts_with(proname, 'changes_') AND proname <> ALL (%s)"
        " AND prorettype = 'trigger'::regtype",
        [list(used)],
    )
    for (name,) in cursor.fetchall():
        cursor.execute(f"DROP FUNCTION {identifier(name)}() CASCADE")


def keep_from_writing(cursor: CursorWrapper, tables: Iterable[str]) -> None:
    """Until the end of this transaction, nobody else writes to these."""
    names = ", ".join(identifier(table) for table in sorted(tables))
    cursor.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


# The objects as the feed has them, or will: each with its version, and whether it is gone.
OBJECTS = (
    "SELECT DISTINCT ON (kind, object_id) kind, object_id, uid, version, deleted, viewer FROM ("
    "SELECT kind, object_id, uid, version, deleted, viewer, change_id FROM changes_entry"
    " UNION ALL SELECT kind, object_id, uid, version, deleted, viewer, id FROM changes_pending)"
    " AS placed ORDER BY kind, object_id, change_id DESC"
)
