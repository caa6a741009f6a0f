"""The project as it is, beside the peers that are made with Django."""

import os
from datetime import timedelta

from project.settings.base import *  # noqa: F403
from project.settings.base import INSTALLED_APPS, SIMPLE_JWT, database

SECRET_KEY = "insecure-benchmark-key-that-production-refuses-too"
JWT_KEY = "insecure-benchmark-key-of-32-bytes-or-more"
JWT_KEYS = (
    '[{"kty": "oct", "kid": "benchmark",'
    ' "k": "aW5zZWN1cmUtYmVuY2htYXJrLWtleS1vZi0zMi1ieXRlcy1vci1tb3Jl"}]'
)
SIMPLE_JWT = {**SIMPLE_JWT, "ACCESS_TOKEN_LIFETIME": timedelta(hours=6)}
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {"default": database(os.environ["DATABASE_URL"])}
INSTALLED_APPS = [*INSTALLED_APPS, "ninja", "django_bolt"]
BOLT_API = ["benchmarks.peers.bolt:api"]
ROOT_URLCONF = "benchmarks.urls"
