"""Which stored author, book or shared thing a draft means. docs/import.md says the rules."""

from .authors import Authors
from .books import Catalogue, MatchedBook, told_by
from .merged import as_survivors
from .shared import ByColumn, Subjects

__all__ = ["Authors", "ByColumn", "Catalogue", "MatchedBook", "Subjects", "as_survivors", "told_by"]
