"""Books from a file into the catalogue: see `importer`."""

from .formats import FORMS
from .importer import BATCH_SIZE, Report, import_file
from .merging import UPDATES, Update
from .rows import UnreadableFileError

__all__ = [
    "BATCH_SIZE",
    "FORMS",
    "UPDATES",
    "Report",
    "UnreadableFileError",
    "Update",
    "import_file",
]
