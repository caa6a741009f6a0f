"""Gunicorn's configuration: `python -m gunicorn --config project/serve.py`.

Any other option of gunicorn's may follow (https://gunicorn.org/reference/settings/).
"""

import gc
import os
from collections.abc import Mapping
from io import StringIO
from itertools import count
from logging import getLogger
from typing import Protocol

from gunicorn.workers.gasgi import ASGIWorker

# Seconds that a stop leaves to connections without a request: their next one is still answered.
IDLE_AT_STOP = 2


class Worker(ASGIWorker):  # type: ignore[misc]
    """A worker that waits for requests at its stop, where gunicorn's waits for connections.

    As long as one is open, that one waits until it is killed, and what it has traced is lost.
    """

    _connections = 0
    _lets_idle_go = False

    @property
    def nr_conns(self) -> int:
        """How many a stop still waits for."""
        return self.asgi.under_way if self._lets_idle_go else self._connections

    @nr_conns.setter
    def nr_conns(self, number: int) -> None:
        self._connections = number

    def handle_exit_signal(self) -> None:
        super().handle_exit_signal()
        self.loop.call_later(IDLE_AT_STOP, self._let_idle_go)

    def _let_idle_go(self) -> None:
        self._lets_idle_go = True


def address(host: str, port: str, default: str = "") -> str:
    """Where to listen, as the variables of these names say."""
    number = os.environ.get(port) or default
    if not (number.isascii() and number.isdecimal() and 0 < int(number) < 65536):
        raise SystemExit(f"{port} is a number from 1 to 65535.")
    return f"{os.environ.get(host) or '127.0.0.1'}:{number}"


wsgi_app = "project.front:application"
worker_class = Worker
bind = [address("HOST", "PORT", "8000")]
workers = 2
# The code is loaded once, and the workers share its memory.
preload_app = True
# Seconds that a request has once a stop is asked for. A body that is not there by then is lost.
graceful_timeout = 4
# Seconds that a connection may be idle: longer than proxies keep theirs, nginx a minute, Caddy two.
# Else one of them would now and then send a write on a connection that is just being closed.
keepalive = 150
# The application refuses what is too long, with a problem. gunicorn itself reads 1 MB at most.
limit_request_line = 0
# Nobody asks the supervisor but by signals.
control_socket_disable = True
# Who waits for longer holds others up; migrations and imports, which nobody waits for, may. Before
# 1.20 PgBouncer takes no such options, so behind a pooler the database's role has them
# (https://www.postgresql.org/docs/current/runtime-config-client.html).
if not os.environ.get("DATABASE_POOLER"):
    os.environ.setdefault("PGOPTIONS", "-c lock_timeout=3s -c statement_timeout=15s")

# Where Prometheus asks, and nobody else: its port stays inside, and so it needs no password.
if has_metrics := bool(os.environ.get("METRICS_PORT")):
    from project.api.observability import metrics

    bind.append(address("METRICS_HOST", "METRICS_PORT"))

    class Placed(Protocol):
        """A worker, and its place among them, from 0: another one's after that has ended."""

        place: int

    class Server(Protocol):
        WORKERS: Mapping[int, Placed]

    def pre_fork(server: Server, worker: Placed) -> None:
        taken = {each.place for each in server.WORKERS.values()}
        worker.place = next(place for place in count() if place not in taken)

    def post_fork(server: object, worker: Placed) -> None:
        metrics.begin(worker.place)

    def child_exit(server: object, worker: Placed) -> None:
        metrics.end(worker.place)

    def on_exit(server: object) -> None:
        metrics.remove_directory()


def on_starting(server: object) -> None:
    """Refuse to start with what a system check finds wrong, as a misspelt name in a viewset."""
    from django.core.management import CommandError, call_command
    from django.db import connections

    from project.api.databases.connections import begin_request

    try:
        # Of the code alone: the server starts while its database is away. That nothing is found is
        # no line of the log.
        call_command("check", databases=[], stdout=StringIO())
    except CommandError as error:
        raise SystemExit(str(error)) from error
    if has_metrics:
        metrics.open_directory()
    # So that a worker that begins later has the file of SQLite that the others have.
    begin_request()
    # A connection is of one process.
    connections.close_all()
    # What is loaded stays: a worker's collector, which writes into all that it looks at, would have
    # it copied into the worker's own memory.
    gc.collect()
    gc.freeze()


def on_reload(server: object) -> None:
    """Keep the log to lines of JSON: gunicorn has set its own up anew, beside that of Django."""
    getLogger("gunicorn.error").handlers.clear()
