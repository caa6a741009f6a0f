"""What a request asks next, asked beside the statement that says who it is.

A statement more takes 0.1 of the processor time of one document.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass
class Beside(Generic[Result]):
    """A statement of one value, which another one can have for a subquery."""

    using: str
    sql: str
    params: Sequence[object]
    # What makes the result of a value that is not null.
    read: Callable[[bytes], Result | None]
    # None where there is none, or nobody has asked.
    result: Result | None = None

    def note(self, value: bytes | None) -> None:
        """Take the value that the other statement has given."""
        self.result = None if value is None else self.read(value)


# Set while a view asks who it is.
next_statement: ContextVar[Beside[object] | None] = ContextVar("next statement", default=None)


def beside_on(using: str) -> Beside[object] | None:
    """What is to be asked beside a statement on this database, and to `note` its value."""
    beside = next_statement.get()
    return beside if beside is not None and beside.using == using else None
