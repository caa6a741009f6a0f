"""Django REST framework, simplejwt and drf-spectacular."""

from datetime import timedelta

# https://www.django-rest-framework.org/api-guide/settings/
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one names the scheme of a 401's WWW-Authenticate.
        "auth_api.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["auth_api.permissions.ReadOnlyUnlessLibrarian"],
    "DEFAULT_PARSER_CLASSES": ["project.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PAGINATION_CLASS": "project.api.pagination.CursorPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "project.api.filters.StrictFilterBackend",
        "project.api.filters.SearchFilter",
        "project.api.filters.OrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "schema.autoschema.AutoSchema",
    "EXCEPTION_HANDLER": "project.api.problems.exception_handler",
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
    "PAGE_SIZE": 50,
    # How many proxies stand in front and set X-Forwarded-For; none, and nobody is believed.
    "NUM_PROXIES": 0,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

# Whether reading the catalogue takes a login too.
CATALOGUE_REQUIRES_LOGIN = False

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
    "TITLE": "Book catalogue",
    "VERSION": "1.0.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "UserRole": "auth_api.models.User.Role",
        "ContributionRole": "books.models.Role",
    },
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "integer", "format": "int64", "minimum": 1}},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
