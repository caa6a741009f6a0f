"""Bearer tokens."""

from typing import Any

from rest_framework.request import Request
from rest_framework_simplejwt import authentication as simplejwt

from .machine_tokens import PREFIX, check_method, machine_token
from .models import MachineToken
from .tokens import user_of


class JWTAuthentication(simplejwt.JWTAuthentication):
    """The user of an access token whose session goes on, or of a machine token, in one query."""

    def __init__(self) -> None:
        """Without simplejwt's, which looks for the model of the user."""

    def authenticate(self, request: Request) -> Any:
        authenticated = super().authenticate(request)
        if authenticated is not None:
            check_method(authenticated[1], request.method)
        return authenticated

    def get_validated_token(self, raw_token: bytes) -> Any:
        if raw_token.startswith(PREFIX.encode()):
            return machine_token(raw_token.decode(errors="replace"))
        return super().get_validated_token(raw_token)

    def get_raw_token(self, header: bytes) -> bytes | None:
        # The scheme may be written in any case (RFC 9110, section 11.1).
        return super().get_raw_token(header[:6].title() + header[6:])

    def get_user(self, validated_token: Any) -> Any:
        if isinstance(validated_token, MachineToken):
            return validated_token.user
        return user_of(validated_token)
