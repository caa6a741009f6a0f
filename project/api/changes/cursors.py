"""Where a client of the feed goes on, as a text that it keeps."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from typing import NamedTuple

from rest_framework.request import Request

from .positions import Position

CURSOR = re.compile(r"(0|[1-9]\d{0,17})\.(-?\d{1,19})\.([^.]{1,40})\.([^.]*)", re.ASCII)


class Cursor(NamedTuple):
    """Where a client goes on, and who it was: what a role may not see, another may."""

    position: Position
    account: str
    role: str

    @classmethod
    def of(cls, position: Position, request: Request) -> "Cursor":
        user = request.user
        return cls(position, str(user.pk), str(getattr(user, "role", "")))

    def encode(self) -> str:
        number, nonce = self.position
        text = f"{number}.{nonce}.{self.account}.{self.role}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises ValueError. It needs no signature: another number shows nothing that is hidden."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            plain = urlsafe_b64decode(padded).decode()
        except (BadBase64, UnicodeError) as error:
            raise ValueError(text) from error
        found = CURSOR.fullmatch(plain)
        if found is None:
            raise ValueError(text)
        number, nonce, account, role = found.groups()
        return cls(Position(int(number), int(nonce)), account, role)
