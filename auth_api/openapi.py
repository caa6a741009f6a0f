"""What drf-spectacular is told about tokens."""

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme


class BearerScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    target_class = "auth_api.authentication.JWTAuthentication"
