"""Texts in LaTeX."""

import re
from functools import lru_cache

from pylatexenc.latex2text import LatexNodes2Text


@lru_cache
def _latex() -> LatexNodes2Text:
    return LatexNodes2Text(keep_braced_groups=False)


def plain(text: str) -> str:
    """What LaTeX shows for this."""
    if re.search(r"[\\{~$]|--", text):
        text = _latex().latex_to_text(text)
    return " ".join(text.split())
