"""What `manage.py housekeeping` removes. Each app adds its own as it starts, in `ready()`."""

from collections.abc import Callable

from .models import AnyQuerySet

# So many rows go at once: on SQLite nobody else writes meanwhile.
BLOCK = 1000

# By what they are, what removes those that nobody can ask for any more, and says how many.
chores: dict[str, Callable[[], int]] = {}


def remove(rows: AnyQuerySet) -> int:
    """Remove these rows with what hangs on them; how many of these there were."""
    number = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:BLOCK]):
        rows.filter(pk__in=keys).delete()
        number += len(keys)
    return number
