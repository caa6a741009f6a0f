from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "project.api"
    label = "api"

    def ready(self) -> None:
        from . import databases  # noqa: F401  (connects its signal)
