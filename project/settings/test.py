"""The test suite. TEST_DATABASE_URL chooses the engine; `make test` runs it on both."""

import os

from .base import *
from .base import database

SECRET_KEY = "insecure-test-key-that-production-refuses-too"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DATABASES = {"default": database(os.environ.get("TEST_DATABASE_URL") or "sqlite:///:memory:")}
