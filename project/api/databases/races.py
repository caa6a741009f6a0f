"""What makes a transaction again that another one was in the way of."""

import random
from collections.abc import Callable
from time import sleep
from typing import TypeVar

from django.db import OperationalError, transaction

from .errors import has_lost_a_race

ATTEMPTS = 10
PAUSE = 0.02  # seconds

Result = TypeVar("Result")


def step_back(times: int) -> None:
    """Wait a little, the longer the more often, apart from those who lost together with us."""
    sleep(random.uniform(0, min(2**times, 10) * PAUSE))  # noqa: S311


def transact(attempt: Callable[[], Result]) -> Result:
    """The result of this in a transaction, which is made again where another one came between.

    Within another transaction, which would have to be made again itself, it is tried once.
    """
    for times in range(ATTEMPTS - 1):
        try:
            with transaction.atomic():
                return attempt()
        except OperationalError as error:
            if transaction.get_connection().in_atomic_block or not has_lost_a_race(error):
                raise
            step_back(times)
    with transaction.atomic():
        return attempt()
