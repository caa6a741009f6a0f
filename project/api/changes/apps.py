"""The feed of changes and the history: tables of their own, which triggers fill."""

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    name = "project.api.changes"
    label = "changes"
    verbose_name = "changes"

    def ready(self) -> None:
        from ..housekeeping import chores
        from ..observability import health, questions
        from ..writes import unit_of_work
        from . import history, list_tags, positions, triggers

        health.questions.append(triggers.fault_of)
        questions.figures.append(positions.figures)
        # Now: later, the files may be those of the next version.
        list_tags.code_digest()
        unit_of_work.deleted_uids.append(positions.deleted_uids)
        chores["old changes"] = history.forget_old
