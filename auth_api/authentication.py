"""Bearer tokens."""

from typing import Any

from rest_framework_simplejwt import authentication as simplejwt

from .tokens import user_of


class JWTAuthentication(simplejwt.JWTAuthentication):
    """The user of an access token whose session goes on, in one query."""

    def get_raw_token(self, header: bytes) -> bytes | None:
        # The scheme may be written in any case (RFC 9110, section 11.1).
        return super().get_raw_token(header[:6].title() + header[6:])

    def get_user(self, validated_token: Any) -> Any:
        return user_of(validated_token)
