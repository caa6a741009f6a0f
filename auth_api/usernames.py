"""Usernames that can be told apart: visible letters of one script, unique whatever their case."""

import unicodedata

import regex
from django.core.exceptions import ValidationError

from project.api.models import INVISIBLE

# The scripts in common use (Unicode Standard Annex 31, Table 5), and those that are written
# together: the level "Highly Restrictive" of Unicode Technical Standard 39, section 5.2.
SCRIPTS = (
    *("Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek"),
    *("Gujarati", "Gurmukhi", "Hebrew", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya"),
    *("Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan"),
)
WRITTEN_TOGETHER = (
    ("Latin", "Han", "Hiragana", "Katakana"),
    ("Latin", "Han", "Bopomofo"),
    ("Latin", "Han", "Hangul"),
)


def _letters_of(*scripts: str) -> str:
    return "".join(rf"\p{{Script_Extensions={name}}}" for name in (*scripts, "Common", "Inherited"))


ONE_SCRIPT = regex.compile(
    "|".join(f"[{_letters_of(*names)}]*" for names in (*WRITTEN_TOGETHER, *((s,) for s in SCRIPTS)))
)


def validate_visible(text: str) -> None:
    if INVISIBLE.search(text):
        raise ValidationError("This has invisible characters.", code="invalid")


def validate_username(username: str) -> None:
    """Raise ValidationError for what could be taken for another name."""
    validate_visible(username)
    if not ONE_SCRIPT.fullmatch(username):
        raise ValidationError("A username has letters of one script.", code="invalid")


def folded(username: str) -> str:
    """The form in which no two usernames are the same (UTS 39, section 3.1: identifiers in NFKC,
    compared without regard to case)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())
