"""Books from a file into the catalogue: see `importer`."""

from .importer import BATCH_SIZE, FORMS, Report, UnreadableFileError, import_file

__all__ = ["BATCH_SIZE", "FORMS", "Report", "UnreadableFileError", "import_file"]
