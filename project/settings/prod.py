"""Production: secrets and addresses come from the environment; what is unsafe does not start."""

import json
import os
import re
from base64 import urlsafe_b64decode

from django.core.exceptions import ImproperlyConfigured

from .base import *
from .base import databases, split_list


def _required(name: str) -> str:
    if value := os.environ.get(name, "").strip():
        return value
    raise ImproperlyConfigured(f"Set {name} in the environment.")


def _secret_key(key: str) -> str:
    """This key, if nobody could guess it: Django only warns (security.W009)."""
    # 32 random bytes in hexadecimal digits have 12 different ones or more.
    if len(key) < 50 or len(set(key)) < 10 or key.startswith(("insecure-", "django-insecure-")):
        raise ImproperlyConfigured(
            "DJANGO_SECRET_KEY is weak: make one of 50 random characters or more, with "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(64))'"
        )
    return key


def _hosts(hosts: list[str]) -> list[str]:
    """These hosts. With `*` among them any Host header would be believed."""
    if not hosts or "*" in hosts:
        raise ImproperlyConfigured("Name every host in DJANGO_ALLOWED_HOSTS; `*` is none.")
    return hosts


def _keys(text: str) -> str:
    """These JWT_KEYS, unless one is of development or the tests. auth_api.keys sees to the rest."""
    try:
        secrets = [urlsafe_b64decode(jwk.get("k", "") + "==") for jwk in json.loads(text)]
    except (ValueError, TypeError, AttributeError):
        return text
    if any(secret.startswith(b"insecure-") for secret in secrets):
        raise ImproperlyConfigured("JWT_KEYS holds a key that everybody knows.")
    return text


def _number(name: str, text: str, meaning: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ImproperlyConfigured(f"{name} is {meaning}")
    return int(text)


if os.environ.get("DJANGO_DEBUG"):
    raise ImproperlyConfigured("DJANGO_DEBUG is set: production never shows its insides.")

SECRET_KEY = _secret_key(_required("DJANGO_SECRET_KEY"))
ALLOWED_HOSTS = _hosts(split_list(_required("DJANGO_ALLOWED_HOSTS")))
DATABASES = databases(
    _required("DATABASE_URL"),
    os.environ.get("DATABASE_REPLICAS", ""),
    os.environ.get("DATABASE_POOLER", ""),
)
# A JSON list of JWKs: the first one signs tokens, all of them verify (auth_api.keys).
JWT_KEYS = _keys(_required("JWT_KEYS"))
CORS_ALLOWED_ORIGINS = split_list(os.environ.get("CORS_ALLOWED_ORIGINS", ""))
# How many proxies in front add to X-Forwarded-For; the throttles believe only those. With too few,
# all the world has one address, and five wrong guesses lock a name for everybody.
PROXIES = _number(
    "NUM_PROXIES", _required("NUM_PROXIES"), "how many proxies there are in front: 0, 1, …"
)
REST_FRAMEWORK = {**REST_FRAMEWORK, "NUM_PROXIES": PROXIES}

# https://docs.djangoproject.com/en/stable/topics/security/#ssl-https
# The proxy in front must set X-Forwarded-Proto itself, and drop what a client sent, also as
# X_Forwarded_Proto: WSGI does not tell the two apart.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
# Probes come from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
# For so long browsers refuse to come without TLS, whatever happens to it: an hour, until it is
# known that it lasts. The lists that browsers bring take a year or more (https://hstspreload.org).
SECURE_HSTS_SECONDS = _number(
    "HSTS_SECONDS",
    os.environ.get("HSTS_SECONDS") or "3600",
    "for how many seconds browsers insist on TLS: 3600, …",
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = SECURE_HSTS_SECONDS >= 365 * 24 * 3600
if not SECURE_HSTS_PRELOAD:
    SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
