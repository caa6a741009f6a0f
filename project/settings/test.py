"""The test suite. TEST_DATABASE_URL chooses the engine; `make test` runs it on both."""

import os

from .base import *
from .base import database

SECRET_KEY = "insecure-test-key-that-production-refuses-too"  # noqa: S105
JWT_KEYS = '[{"kty": "oct", "kid": "insecure", "k": "aW5zZWN1cmUta2V5LWZvci10b2tlbnMtaW4tdGVzdHM"}]'
# Has models for what no resource of the project has.
INSTALLED_APPS = [*INSTALLED_APPS, "tests"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# A failed login costs one hash by each of these (auth_api.backends).
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES = {
    "default": database(
        os.environ.get("TEST_DATABASE_URL") or "sqlite:///:memory:",
        os.environ.get("DATABASE_POOLER", ""),
    )
}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # Django would test in memory, where threads lock each other out at once: a file waits its turn.
    DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"]}
    # As the tests' PostgreSQL: what they store need not outlive the machine,
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
    # and who waits for a lock waits until it is there, also on a busy machine.
    DATABASES["default"]["OPTIONS"]["timeout"] = 60
# As in development: static files come out of the apps, with no collectstatic before.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
