"""What drf-spectacular is told about tokens."""

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme


class BearerScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    target_class = "auth_api.authentication.JWTAuthentication"

    def get_security_definition(self, auto_schema: object) -> dict[str, object]:
        scheme = super().get_security_definition(auto_schema)  # type: ignore[no-untyped-call]
        words = (
            "An access token, a JWT that is verified as RFC8725 demands, by its key's own"
            " algorithm, its issuer, its audience and its kind; or a machine token."
        )
        return {**scheme, "description": words}
