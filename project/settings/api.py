"""Django REST framework, simplejwt and drf-spectacular."""

from datetime import timedelta
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent

# https://www.django-rest-framework.org/api-guide/settings/
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one names the scheme of a 401's WWW-Authenticate.
        "auth_api.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["auth_api.permissions.ReadOnlyUnlessLibrarian"],
    "DEFAULT_PARSER_CLASSES": ["project.api.http.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "project.api.http.renderers.DocumentRenderer",
        "project.api.http.renderers.PageRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "project.api.http.negotiation.ContentNegotiation",
    "DEFAULT_PAGINATION_CLASS": "project.api.lists.pagination.CursorPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "project.api.filters.StrictFilterBackend",
        "project.api.search.filter.SearchFilter",
        "project.api.lists.ordering.OrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "schema.autoschema.AutoSchema",
    "EXCEPTION_HANDLER": "project.api.http.handlers.exception_handler",
    "PAGE_SIZE": 50,
    # How many proxies stand in front and set X-Forwarded-For; none, and nobody is believed.
    "NUM_PROXIES": 0,
}

# What the contract, the admin and every page call it.
CATALOGUE_NAME = "Book catalogue"

# Whether reading the catalogue takes a login too.
CATALOGUE_REQUIRES_LOGIN = False

# How many objects the body of a request may nest; more are 413. So many take half a second of
# processor time, in which on SQLite nobody else writes.
MAX_OBJECTS = 2000

# How many exports of lists each worker may be sending at once. Others are 503.
EXPORTS_AT_ONCE = 1

# Whether PUT, PATCH and DELETE of what has a version must say of which, by If-Match: else 428.
PRECONDITIONS_REQUIRED = False

# How long `manage.py housekeeping` keeps who has changed what; None, and it is kept for good.
HISTORY_DAYS: int | None = None

# Whether the API compresses its answers. Not behind a proxy that does.
COMPRESS_ANSWERS = True

# https://django-rest-framework-simplejwt.readthedocs.io/en/latest/settings.html
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    # Who issues the tokens, and for whom: another service checks both.
    "ISSUER": "book-catalogue",
    "AUDIENCE": "book-catalogue",
    "LEEWAY": 5,
    # The claim that names the session, which simplejwt's table has one row of.
    "JTI_CLAIM": "sid",
    "AUTH_TOKEN_CLASSES": ["auth_api.tokens.AccessToken"],
    # Tokens are signed with JWT_KEYS (auth_api.keys) and never with SECRET_KEY.
    "SIGNING_KEY": None,
}

# https://drf-spectacular.readthedocs.io/en/latest/settings.html
SPECTACULAR_SETTINGS = {
    "TITLE": CATALOGUE_NAME,
    "DESCRIPTION": (PROJECT / "schema" / "description.md")
    .read_text("utf-8")
    .replace("MAX_OBJECTS", f"{MAX_OBJECTS:,}"),
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "CONTACT": {"name": "The librarians of this catalogue"},
    "LICENSE": {"name": "MIT", "url": "https://opensource.org/license/mit"},
    "SERVERS": [{"url": "/", "description": "This server"}],
    "TAGS": [
        {"name": "tokens", "description": "Log in, stay logged in, log out."},
        {"name": "accounts", "description": "One's own account, and everybody's for admins."},
        {"name": "authors", "description": "Who contributed to books, and their books."},
        {"name": "books", "description": "Books, their contributions and their editions."},
        {"name": "editions", "description": "What others call an edition."},
        {"name": "series", "description": "Series, and their books."},
        {"name": "publishers", "description": "Publishers, and their editions."},
        {"name": "subjects", "description": "What books are about."},
        {"name": "changes", "description": "What has changed, for clients that keep copies."},
    ],
    "SCHEMA_PATH_PREFIX": "/api",
    "SCHEMA_COERCE_PATH_PK_SUFFIX": True,
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "integer", "format": "int64", "minimum": 1}},
    "COMPONENT_SPLIT_REQUEST": True,
    # Browsers alone use sessions, on the pages of the browsable API.
    "AUTHENTICATION_WHITELIST": ["auth_api.authentication.JWTAuthentication"],
    "ENUM_NAME_OVERRIDES": {
        "HistoryOperation": "project.api.changes.models.Change.Operation",
        "ChangeOperation": "project.api.changes.serializers.OPERATIONS",
        "AuthorKind": "authors.models.Kind",
        "UserRole": "auth_api.models.User.Role",
        "ContributionRole": "books.models.Role",
        "EditionFormat": "books.models.Format",
    },
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "POSTPROCESSING_HOOKS": [
        "schema.hooks.enums_that_may_be_null",
        "drf_spectacular.hooks.postprocess_schema_enums",
        "schema.hooks.searched",
        "schema.hooks.exact_types",
        "schema.hooks.described",
        "schema.answers.answers",
        "schema.hooks.in_order_of_work",
    ],
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "SERVE_INCLUDE_SCHEMA": False,
    # Everything that the two pages load comes from this server.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
