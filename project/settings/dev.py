"""A developer's machine and `make run`: SQLite unless DATABASE_URL says otherwise."""

import os

from .base import *
from .base import BASE_DIR, databases, split_list, sqlite_url

DEBUG = True
SECRET_KEY = "insecure-development-key-that-production-refuses"  # noqa: S105
JWT_KEYS = '[{"kty": "oct", "kid": "insecure", "k": "aW5zZWN1cmUtZGV2ZWxvcG1lbnQtdG9rZW4ta2V5LTA"}]'
# A phone asks for this machine's address: HOST, or where that is 0.0.0.0, what else is named.
ALLOWED_HOSTS = [
    *("localhost", "127.0.0.1", "[::1]"),
    *split_list(os.environ.get("HOST", "")),
    *split_list(os.environ.get("DJANGO_ALLOWED_HOSTS", "")),
]
# Front ends that are developed on this machine, on whatever port.
CORS_ALLOWED_ORIGIN_REGEXES = [r"^http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?$"]
CORS_ALLOWED_ORIGINS = split_list(os.environ.get("CORS_ALLOWED_ORIGINS", ""))
DATABASES = databases(
    os.environ.get("DATABASE_URL") or sqlite_url(BASE_DIR / "db.sqlite3"),
    os.environ.get("DATABASE_REPLICAS", ""),
    os.environ.get("DATABASE_POOLER", ""),
)
