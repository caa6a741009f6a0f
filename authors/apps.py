"""The app of authors."""

from django.apps import AppConfig


class AuthorsConfig(AppConfig):
    name = "authors"
