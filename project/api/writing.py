"""For apps that hear what was written, and for programs that write: see `writes/`."""

from .writes.attribution import program as program
from .writes.signals import rows_written as rows_written
