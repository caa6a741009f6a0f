"""Language tags as BCP 47 has them (RFC 5646)."""

import langcodes
from django.core.exceptions import ValidationError


def validate_language(tag: str) -> None:
    """Refuse what is no BCP 47 tag of registered subtags in its canonical form."""
    if not langcodes.tag_is_valid(tag):
        raise ValidationError("“%(tag)s” is no BCP 47 language tag.", "language", {"tag": tag})
    canonical = langcodes.standardize_tag(tag)
    if tag != canonical:
        raise ValidationError(
            "Write “%(canonical)s” for “%(tag)s”.", "language", {"tag": tag, "canonical": canonical}
        )
