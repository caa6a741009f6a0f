"""The app of books, and of what goes with them."""

from django.apps import AppConfig


class BooksConfig(AppConfig):
    name = "books"
