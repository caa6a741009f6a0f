"""What is true everywhere, and safe. dev.py, prod.py and test.py state only differences."""

import os
import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import dj_database_url
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from .api import *

BASE_DIR = Path(__file__).resolve().parent.parent.parent

INSTALLED_APPS = [
    "project.api",
    "project.api.changes.apps.ChangesConfig",
    "schema",
    "auth_api",
    "authors",
    "books",
    "auth_api.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "project.api.http.current.CurrentRequest",
    "project.api.observability.logging.RequestLog",
    # Their headers are on every answer, also on what a later one refuses.
    "project.api.http.middleware.ContentSecurityPolicy",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.api.http.middleware.CrossOrigin",
    "project.api.http.compression.Compression",
    "project.api.http.preconditions.ConditionalRequests",
    "project.api.http.middleware.ProbesOfAnyHost",
    "project.api.http.middleware.OptionalTrailingSlash",
    "project.api.http.middleware.Refusals",
    "project.api.http.middleware.RepeatedRequests",
    "project.api.http.replicas.DatabasePosition",
    "project.api.http.middleware.PageSession",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "project.api.http.middleware.PageAuthentication",
    "project.api.http.middleware.LazyMessages",
    "auth_api.middleware.ThrottledLogins",
    "auth_api.middleware.PrivateAnswers",
    # Last: it calls the view.
    "project.api.http.idempotency.IdempotentRequests",
]

# Where traces go to; OpenTelemetry's other variables hold as well.
if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
    MIDDLEWARE.insert(1, "project.api.observability.tracing.Traces")

# What a page may load and run: what comes from here. Styles stand in the pages of REST framework.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

# A line of JSON a request, and the traceback of each 500; the line of any other says enough.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "project.api.observability.logging.Formatter"}},
    "filters": {"bugs": {"()": "project.api.observability.logging.BugFilter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "django.request": {"level": "ERROR", "filters": ["bugs"]},
        "gunicorn.error": {"handlers": [], "propagate": True},
    },
}
# Seconds; what takes longer is logged, without its values.
SLOW_STATEMENT = 1.0

ROOT_URLCONF = "project.urls"
CSRF_FAILURE_VIEW = "project.api.http.handlers.csrf_failure"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "project.api.http.renderers.catalogue",
            ],
        },
    },
]

LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "start"
AUTH_USER_MODEL = "auth_api.User"
# Of one account at a time. The login after that ends the oldest.
MAX_SESSIONS = 50
AUTHENTICATION_BACKENDS = ["auth_api.backends.AccountBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Web pages of other origins that may use the API, with a token of their own and never with the
# cookie of a session (https://github.com/adamchainz/django-cors-headers#configuration).
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOWED_ORIGINS: list[str] = []
CORS_ALLOW_HEADERS = [
    *default_headers,
    *("if-match", "if-none-match", "idempotency-key", "x-database-position"),
]
CORS_EXPOSE_HEADERS = [
    *("ETag", "Location", "WWW-Authenticate", "Idempotency-Replayed"),
    *("Content-Disposition", "X-Database-Position"),
    *("Retry-After", "RateLimit", "RateLimit-Policy"),
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"

# What is uploaded. The proxy in front serves it in production, `make run` does so itself.
MEDIA_URL = "/media/"
MEDIA_ROOT = os.environ.get("MEDIA_ROOT") or BASE_DIR / "media"

# A request body larger than this is answered 413 before it is read.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# A form of the admin with 200 contributions and 200 editions, of up to 9 inputs each.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 4000
# Each of the editions has an input for its cover, which counts when it is empty, too.
DATA_UPLOAD_MAX_NUMBER_FILES = 250

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def split_list(text: str) -> list[str]:
    """The members of a comma-separated list."""
    return [member for part in text.split(",") if (member := part.strip())]


def _wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix of the WAL-reset bug (https://sqlite.org/wal.html#walresetbug).

    With two connections or more the bug can corrupt the file in 3.7.0 to 3.51.2; the fix was
    carried back to 3.50.7 and 3.44.6.
    """
    return (
        version >= (3, 51, 3)
        or (version[:2] == (3, 50) and version >= (3, 50, 7))
        or (version[:2] == (3, 44) and version >= (3, 44, 6))
    )


JOURNAL_MODE = "WAL" if _wal_is_safe(sqlite3.sqlite_version_info) else "DELETE"
Database = dict[str, Any]
SQLITE: Database = {
    "ENGINE": "project.api.databases.sqlite",
    "CONN_MAX_AGE": None,
    # Whether its file is still the same: 2 µs.
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {
        # One writer at a time, which waits its turn at BEGIN instead of failing half-way
        # (https://docs.djangoproject.com/en/stable/ref/databases/#sqlite-transaction-behavior).
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,  # seconds; then 503
        "init_command": f"PRAGMA journal_mode={JOURNAL_MODE}; PRAGMA synchronous=FULL;",
    },
}
POSTGRESQL: Database = {
    "ENGINE": "project.api.databases.postgresql",
    "CONN_MAX_AGE": 600,
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {
        "application_name": "book-catalogue",
        "server_side_binding": True,
        # A statement that comes again is parsed and planned once a connection
        # (https://www.psycopg.org/psycopg3/docs/advanced/prepare.html).
        "prepare_threshold": 5,
        # A server that vanished without a word is noticed, at the start of a connection and later
        # (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    },
}

# Of URLs of databases.
SCHEMES = ("postgresql", "postgres", "sqlite")
# Who reads from a standby. Without any, the router has nothing to say.
DATABASE_ROUTERS = ["project.api.databases.replicas.ReplicaRouter"]


def databases(url: str, replicas: str = "", pooler: str = "") -> dict[str, Database]:
    """`default` at this URL, and `replica1`, `replica2` … at those of DATABASE_REPLICAS.

    Spaces stand between the replicas' URLs, since commas stand between the hosts of one.
    """
    settings = {"default": database(url, pooler)}
    if replicas.strip():
        # SQLite needs no driver.
        from psycopg import IsolationLevel
    for number, each in enumerate(replicas.split(), 1):
        replica = settings[f"replica{number}"] = database(each, pooler)
        if any(settings[name]["ENGINE"] != POSTGRESQL["ENGINE"] for name in settings):
            raise ImproperlyConfigured(
                "DATABASE_REPLICAS are standbys of PostgreSQL, as DATABASE_URL is the primary."
            )
        # What a transaction reads is of one moment, and no request waits long for a machine that
        # is gone: 2 seconds are the least that libpq knows.
        replica["OPTIONS"] |= {
            "isolation_level": IsolationLevel.REPEATABLE_READ,
            "connect_timeout": 2,
        }
        replica["TEST"] = {"MIRROR": "default"}
    return settings


def sqlite_url(file: Path) -> str:
    """The URL of this file, in whose path a `#` or a `?` would be no part of the path."""
    return f"sqlite:///{quote(str(file))}"


def database(url: str, pooler: str = "") -> Database:
    """The database at this URL (sqlite:///path or postgresql://…) with its engine's settings.

    With the pooler `transaction` a transaction may have another connection than the one before, so
    nothing outlives it: no prepared statement and no cursor.
    """
    if pooler not in ("", "transaction"):
        raise ImproperlyConfigured(
            "DATABASE_POOLER is `transaction`, where one in that mode is in front, or not set."
        )
    try:
        # Two of them with a comma between would be one, of a database that is nowhere.
        if urlsplit(url).scheme not in SCHEMES or url.count("://") > 1:
            raise ValueError
        parsed: Database = dict(
            dj_database_url.parse(_with_one_host(url), disable_server_side_cursors=bool(pooler))
        )
        if not (parsed["NAME"] or parsed.get("OPTIONS", {}).get("service")):
            raise ValueError
    except ValueError:
        # Which may have a password in it, so it is not shown.
        raise ImproperlyConfigured(
            "Each URL of DATABASE_URL and DATABASE_REPLICAS is"
            " postgresql://user:password@host:port/name or sqlite:////absolute/path, with special"
            " characters as %XX."
        ) from None
    engine = SQLITE if "sqlite" in parsed["ENGINE"] else POSTGRESQL
    _require_known(engine, parsed.get("OPTIONS", {}))
    options = {**engine["OPTIONS"], **parsed.get("OPTIONS", {})}
    if engine is POSTGRESQL:
        # Where `manage.py dbshell` looks, too.
        parsed["HOST"] = options.pop("host", parsed["HOST"])
        parsed["PORT"] = str(options.pop("port", parsed["PORT"]))
        if pooler:
            options["prepare_threshold"] = None
    return {**parsed, **engine, "OPTIONS": options}


def _require_known(engine: Database, options: Database) -> None:
    """Raise ImproperlyConfigured, with its name, for what the engine's driver would not take."""
    words = "A parameter of a database's URL is wrong: {}."
    # Django takes these out, and its driver does not know them.
    of_django = {
        *("init_command", "transaction_mode"),
        *("assume_role", "isolation_level", "pool", "prepare_threshold", "server_side_binding"),
    }
    drivers = {name: options[name] for name in options.keys() - of_django}
    if engine is SQLITE:
        try:
            sqlite3.connect(":memory:", **drivers).close()
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(words.format(str(error).strip())) from None
        return
    # SQLite needs no driver.
    from psycopg import ProgrammingError, pq
    from psycopg.conninfo import make_conninfo, timeout_from_conninfo

    try:
        make_conninfo(**drivers)
        timeout_from_conninfo(drivers)
        # libpq looks at values, as that of sslmode, before it looks for a server: here for none.
        nowhere = {**drivers, "host": "/dev/null", "hostaddr": "", "port": ""}
        refusal = pq.PGconn.connect_start(make_conninfo(**nowhere).encode()).error_message.decode()
        if "/dev/null" not in refusal:
            raise ProgrammingError(refusal)
    except ProgrammingError as error:
        raise ImproperlyConfigured(words.format(str(error).strip())) from None


def _with_one_host(url: str) -> str:
    """The same with several hosts, each with its port, as parameters: libpq takes them in either
    way, and what parses URLs takes no second port.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
    """
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return url
    # An address of IPv6 stands in brackets.
    names = [re.sub(r":\d*$", "", each).strip("[]") for each in hosts.split(",")]
    ports = [found[1] if (found := re.search(r":(\d*)$", e)) else "" for e in hosts.split(",")]
    query = urlencode({"host": ",".join(names), "port": ",".join(ports)}, safe=",:/%")
    return parts._replace(netloc=f"{user}{at}", query=f"{query}&{parts.query}".rstrip("&")).geturl()
