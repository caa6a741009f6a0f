"""Books from a file into the catalogue: see `importer`."""

from .formats import FORMS
from .importer import BATCH_SIZE, Report, import_file
from .rows import UnreadableFileError

__all__ = ["BATCH_SIZE", "FORMS", "Report", "UnreadableFileError", "import_file"]
