from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "project.api"
    label = "api"

    def ready(self) -> None:
        from . import (
            checks,  # noqa: F401  (registers itself)
            converters,  # noqa: F401  (registers `<id:…>`)
            databases,  # noqa: F401  (connects its signal)
            formats,  # noqa: F401  (the same)
            search_tables,  # noqa: F401  (the same)
        )
