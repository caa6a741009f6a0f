"""The app of the contract, and of the pages for people who read it."""

from django.apps import AppConfig


class SchemaConfig(AppConfig):
    name = "schema"

    def ready(self) -> None:
        from . import fields  # noqa: F401  (registers its extensions)
