"""Values of BibTeX: pieces in braces or quotes, numbers and names of strings, joined by `#`."""

import regex

from .rows import MAX_LENGTH

BRACED = r"(?<braced>\{(?:[^{}\\]|\\.|(?&braced))*+\})"
QUOTED = r'"(?:[^"{}\\]|\\.|(?&braced))*+"'
PIECE = regex.compile(rf'\s*+({BRACED}|{QUOTED}|[^\s#"{{}}]++)\s*+(?:#|$)', regex.DOTALL)


class Strings:
    """What `@string` has defined so far; the case of names does not matter."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._length = 0

    def define(self, name: str, text: str) -> bool:
        """Whether there is room for it, beside the others."""
        value = self.evaluate(text)
        self._length += len(value)
        if self._length > MAX_LENGTH:
            return False
        self._values[name.lower()] = value
        return True

    def evaluate(self, text: str) -> str:
        """What this stands for. What is no expression, or stands for more than a row may have, is
        left as it is."""
        pieces: list[str] = []
        end = length = 0
        while end < len(text):
            match = PIECE.match(text, end)
            if match is None:
                return text
            piece = match[1]
            piece = piece[1:-1] if piece[0] in '{"' else self._values.get(piece.lower(), piece)
            pieces.append(piece)
            length += len(piece)
            if length > MAX_LENGTH:
                return text
            end = match.end()
        return "".join(pieces)
