"""What `manage.py housekeeping` removes. Each app adds its own as it starts, in `ready()`."""

from collections.abc import Callable

from .models import AnyQuerySet

# So many rows go at once: on SQLite nobody else writes meanwhile.
BLOCK = 1000

# By the name of what is removed: what removes all that nobody can ask for any more; how many.
chores: dict[str, Callable[[], int]] = {}


def remove(rows: AnyQuerySet) -> int:
    """Remove these rows with what hangs on them; how many of these there were."""
    rows = rows.order_by("pk")
    number, block = 0, list(rows.values_list("pk", flat=True)[:BLOCK])
    while block:
        rows.filter(pk__in=block).delete()
        number += len(block)
        block = list(rows.filter(pk__gt=block[-1]).values_list("pk", flat=True)[:BLOCK])
    return number
