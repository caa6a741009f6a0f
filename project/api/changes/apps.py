"""The feed of changes and the history: tables of their own, which triggers fill."""

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    name = "project.api.changes"
    label = "changes"
    verbose_name = "changes"

    def ready(self) -> None:
        from ..observability import health
        from . import triggers

        health.questions.append(triggers.fault_of)
