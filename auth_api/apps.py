"""The app of accounts: keys that are no use stop the start."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin


class AuthApiConfig(AppConfig):
    name = "auth_api"
    verbose_name = "accounts"

    def ready(self) -> None:
        from . import housekeeping, openapi  # noqa: F401  (registers the security scheme)
        from .keys import key_ring

        # Keys that are no use stop the start, not the first login.
        key_ring()
        housekeeping.register()


class AdminConfig(admin.AdminConfig):
    default = False
    default_site = "auth_api.site.AdminSite"
