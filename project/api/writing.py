"""For apps that hear what was written or write themselves, and for programs: see `writes/`."""

from .databases.beside import beside_on as beside_on
from .databases.connections import fetch_all as fetch_all
from .databases.races import transact as transact
from .databases.replicas import replicas as replicas
from .writes.attribution import program as program
from .writes.signals import rows_written as rows_written
