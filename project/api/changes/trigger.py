"""A trigger as it shall be."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Trigger:
    table: str
    name: str
    # The whole statement that makes it.
    sql: str
    # What it calls, on PostgreSQL.
    function: str = ""
    body: str = ""

    @property
    def digest(self) -> str:
        """What it does, as a hash."""
        return hashlib.sha256(f"{self.sql}\n{self.body}".encode()).hexdigest()


def identifier(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))
