"""What probes and metrics ask the database, with an end to how long they wait for it."""

import logging
from collections.abc import Callable, Iterator
from threading import Lock, Thread
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from ..databases.connections import begin_request

logger = logging.getLogger(__name__)

# A probe is answered within a second, so a database that is silent for longer is not ready.
TIMEOUT = 0.8  # seconds

Answer = TypeVar("Answer")


class Figure(NamedTuple):
    """A number that the database knows, by the name that it has in the metrics."""

    name: str
    help: str
    value: float


# What gives the figures that /metrics has of the database behind a connection.
figures: list[Callable[[BaseDatabaseWrapper], Iterator[Figure]]] = []


class _Asking(Thread, Generic[Answer]):
    """Asks the database, in a thread with a connection of its own, which may be left behind."""

    answer: Answer | None = None

    def __init__(self, ask: Callable[[], Answer]) -> None:
        # A daemon, so that a silent database does not keep a stopping server alive.
        super().__init__(daemon=True)
        self._ask = ask
        self._until = monotonic() + TIMEOUT

    def wait(self) -> Answer | None:
        self.join(max(0, self._until - monotonic()))
        return self.answer

    def run(self) -> None:
        try:
            begin_request()
            self.answer = self._ask()
        except Error as error:
            logger.warning("The database does not answer: %s", error)
        finally:
            connection.close()


class Question(Generic[Answer]):
    """What `ask` answers; None where the database fails, or is silent for TIMEOUT.

    It is asked once at a time: who asks of a silent database must not pile up threads.
    """

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._asking: _Asking[Answer] | None = None

    def __call__(self) -> Answer | None:
        return self.begin().wait()

    def begin(self) -> _Asking[Answer]:
        """Ask, and `wait()` for the answer later."""
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = _Asking(self._ask)
                self._asking.start()
            return self._asking
