"""Positions: where a change stands in the feed, so that nothing ever appears behind a reader.

On PostgreSQL whoever reads gives them to what is pending. To wait for writers that are under way,
or to go by the ids of their transactions, would let one writer hold up all readers.
"""

import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from ..databases.beside import Beside
from ..databases.connections import fetch_all
from ..observability.questions import Figure
from .models import Batch, Change, Pending

# A reader pays for so many changes, however many there are: 50 to 120 ms.
ROUND = 5000

_GIVE = """
WITH taken AS (
  DELETE FROM changes_pending WHERE id IN (
    SELECT id FROM changes_pending ORDER BY id LIMIT %s)
  RETURNING *),
latest AS (
  SELECT DISTINCT ON (kind, object_id) * FROM taken ORDER BY kind, object_id, id DESC),
numbered AS (
  SELECT *, %s::bigint + row_number() OVER (ORDER BY id) AS position FROM latest),
placed AS (
  INSERT INTO changes_entry AS e (kind, object_id, position, change_id, uid, version, deleted,
    viewer, merged_into)
  SELECT kind, object_id, position, id, uid, version, deleted, viewer, merged_into FROM numbered
  ON CONFLICT (kind, object_id) DO UPDATE SET position = excluded.position,
    (change_id, uid, version, deleted, viewer, merged_into) = (
      SELECT newest.* FROM (VALUES
        (e.change_id, e.uid, e.version, e.deleted, e.viewer, e.merged_into),
        (excluded.change_id, excluded.uid, excluded.version, excluded.deleted, excluded.viewer,
          excluded.merged_into)
      ) AS newest (change_id, uid, version, deleted, viewer, merged_into)
      ORDER BY newest.change_id DESC LIMIT 1)),
raised AS (
  UPDATE changes_feed SET last = last + (SELECT count(*) FROM numbered)
  WHERE EXISTS (SELECT FROM numbered) RETURNING last)
INSERT INTO changes_batch (last, nonce) SELECT last, %s FROM raised
"""


def give(using: str, limit: int | None = ROUND, *, waits: bool = True) -> bool:
    """Give positions to what is pending, at most so many changes; whether there was anything.

    Where another is doing so, one who does not wait gives none.

    The position of an object rises with each of its changes, also with one whose id is lower than
    that of another which came before it: a row that an object owns can be written by SQL without
    the object's lock.
    """
    connection: Any = connections[using]
    if not is_pending(using):
        return False
    is_own, had_written = not connection.in_atomic_block, connection.has_written
    with transaction.atomic(using), connection.cursor() as cursor:
        if is_own:
            # A snapshot that is older than the lock would have to be refused.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        # What a reader has been told must not be lost in a crash.
        cursor.execute("SET LOCAL synchronous_commit = on")
        # By itself: what the next statement sees is what the lock's former holder left.
        skips = "" if waits else " SKIP LOCKED"
        cursor.execute(f"SELECT last FROM changes_feed FOR UPDATE{skips}")
        lasts = cursor.fetchall()
        for (last,) in lasts:
            cursor.execute(_GIVE, [limit, last, secrets.randbits(63)])
    # A request that has done no more may be repeated.
    connection.has_written = had_written
    return bool(lasts)


def is_pending(using: str) -> bool:
    """Whether any change has no position yet."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM changes_pending)")
        [(pending,)] = cursor.fetchall()
    return bool(pending)


class Position(NamedTuple):
    """A place in the feed. The nonce is that of the batch in which the number was given."""

    number: int
    nonce: int


START = Position(0, 0)


def position_at(cursor: CursorWrapper, number: int) -> Position | None:
    """The position of this number; None where it has not been given, or has been taken back by a
    restored backup. The number 0 is the beginning of every feed."""
    if number == 0:
        return START
    cursor.execute(
        "SELECT nonce FROM changes_batch WHERE last >= %s ORDER BY last LIMIT 1", [number]
    )
    row = cursor.fetchone()
    return None if row is None else Position(number, row[0])


# What stands for all that is in the feed at one moment; no row while changes are pending.
STATE = """
SELECT coalesce(
  (SELECT last || '.' || nonce FROM changes_batch ORDER BY last DESC LIMIT 1), 'empty')
WHERE NOT EXISTS (SELECT 1 FROM changes_pending)
"""


def state(using: str) -> str | None:
    """What stands for all that is in the feed as it is now; None while changes are pending.

    Each change leads to another, which was never before. Where it is None, `give` and look again,
    or go by the bytes themselves.
    """
    # With parameters, if none, it is prepared.
    rows = fetch_all(connections[using], STATE, [])
    return str(rows[0][0]) if rows else None


def state_beside(using: str) -> Beside[str]:
    """The same, to be asked beside another statement."""
    return Beside(using, STATE, [], str)


# What was deleted and not restored since. The index of deleted uids is of use to a plan that knows
# the operation.
_DELETED = """
SELECT gone.uid FROM changes_change gone
WHERE gone.operation = 'delete' AND gone.kind = %s AND gone.uid IN ({}) AND NOT EXISTS (
  SELECT 1 FROM changes_change later
  WHERE later.kind = gone.kind AND later.object_id = gone.object_id AND later.id > gone.id)
"""


def deleted_uids(model: type[models.Model], uids: set[UUID]) -> set[UUID]:
    """Those of these that objects of this model had, which are deleted."""
    connection = connections[router.db_for_read(Change)]
    field = Change._meta.get_field("uid")
    sql = _DELETED.format(", ".join(["%s"] * len(uids)))
    sought = [field.get_db_prep_value(uid, connection) for uid in uids]
    found = fetch_all(connection, sql, [model._meta.label_lower, *sought])
    return {field.to_python(uid) for (uid,) in found}


def figures(connection: BaseDatabaseWrapper) -> Iterator[Figure]:
    """How far the feed is, and how large: nothing that reads a table from end to end."""
    changes = Change.objects.using(connection.alias)
    pending = Pending.objects.using(connection.alias)
    oldest = changes.filter(pk__in=pending.order_by("pk").values("pk")[:1]).values_list("at")
    lag = max(((timezone.now() - at).total_seconds() for (at,) in oldest), default=0.0)
    ids = changes.aggregate(first=models.Min("pk"), last=models.Max("pk"))
    kept = ids["last"] - ids["first"] + 1 if ids["last"] else 0
    batches = Batch.objects.using(connection.alias)
    last = batches.aggregate(last=models.Max("last"))["last"] or 0
    yield Figure("feed_position", "The last position that the feed has given.", last)
    yield Figure("feed_pending_changes", "Changes without a position yet.", pending.count())
    yield Figure("feed_lag_seconds", "Age of the oldest change without a position.", max(lag, 0.0))
    yield Figure("feed_history_changes", "Changes kept, by the first and the last id.", kept)
