"""What every new database connection is told."""

import sqlite3
from typing import Any

import django
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver


@receiver(connection_created)
def use_all_query_parameters(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Let one statement hold as many parameters as this SQLite really takes.

    Django before 6.1 assumes 999, SQLite's limit before 3.32, and would split a bulk insert of 200
    editions into several statements.
    """
    if connection.vendor == "sqlite" and django.VERSION < (6, 1):
        limit = connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        connection.features.max_query_params = limit
