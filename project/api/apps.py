"""The app that the others are built of: its checks, converters and signals."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "project.api"
    label = "api"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers itself)
        from .databases import connections  # noqa: F401  (connects its signal)
        from .documents import sqlite  # noqa: F401  (the same)
        from .housekeeping import chores
        from .http import converters  # noqa: F401  (registers `<id:…>`)
        from .http.idempotency import forget_old_answers
        from .observability import health
        from .search import entries, tables
        from .writes import files  # noqa: F401  (connects its signal)

        entries.connect()
        health.questions.append(tables.fault_of)
        chores["stored answers"] = forget_old_answers
