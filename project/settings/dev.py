"""A developer's machine and `make run`: SQLite unless DATABASE_URL says otherwise."""

import os

from .base import *
from .base import BASE_DIR, database

DEBUG = True
SECRET_KEY = "insecure-development-key-that-production-refuses"  # noqa: S105
JWT_KEYS = '[{"kty": "oct", "kid": "insecure", "k": "aW5zZWN1cmUtZGV2ZWxvcG1lbnQtdG9rZW4ta2V5LTA"}]'
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
DATABASES = {
    "default": database(
        os.environ.get("DATABASE_URL") or f"sqlite:///{BASE_DIR / 'db.sqlite3'}",
        os.environ.get("DATABASE_POOLER", ""),
    )
}
