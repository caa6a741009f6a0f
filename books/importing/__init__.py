"""Books from a file into the catalogue: see `importer`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
MODULES = {"FORMS": "formats", "UPDATES": "merging", "Update": "merging"}
MODULES |= {"UnreadableFileError": "rows"}


def __getattr__(name: str) -> object:
    """Look a name up when it is asked for: a server has no use for what reads MARC and BibTeX."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{MODULES.get(name, 'importer')}", __name__), name)
