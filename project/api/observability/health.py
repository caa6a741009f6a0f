"""What an orchestrator asks: is the process alive, and can it serve.

Anyone may ask, so the answers tell nothing of the cause, which is in the log.
"""

import logging
from collections.abc import Callable
from functools import cache
from threading import Lock, Thread

from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from ..databases.connections import begin_request, unwritable
from ..http.problems import RETRY_AFTER, problem_response

logger = logging.getLogger(__name__)

# A probe is answered within a second, so a database that is silent for longer is not ready.
TIMEOUT = 0.8  # seconds


# What else has to be so, each a question that is answered by what is missing, if anything is.
questions: list[Callable[[BaseDatabaseWrapper], str | None]] = [unwritable]


@cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    """(app, name) of the last migration of each app, as this code has them."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


class _Check(Thread):
    """Asks the database, in a thread with a connection of its own, which may be left behind."""

    ready = False

    def run(self) -> None:
        try:
            begin_request()
            applied = MigrationRecorder(connection).applied_migrations()
            missing = _newest_migrations() - applied.keys()
            if missing:
                logger.warning("Migrations are missing: %s", sorted(missing))
                return
            faults = [*filter(None, (question(connection) for question in questions))]
            for fault in faults:
                logger.warning(fault)
            self.ready = not faults
        except Error as error:
            logger.warning("The database does not answer: %s", error)
        finally:
            connection.close()


class _Readiness:
    """At most one check at a time: probes of a silent database must not pile up threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._check = _Check()

    def __call__(self) -> bool:
        with self._lock:
            if not self._check.is_alive():
                # A daemon, so that a silent database does not keep a stopping server alive.
                self._check = _Check(daemon=True)
                self._check.start()
            check = self._check
        check.join(TIMEOUT)
        return check.ready


_is_ready = _Readiness()


@method_decorator([csrf_exempt, never_cache], name="dispatch")
class _Probe(View):
    def http_method_not_allowed(
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponse:
        detail = f'Method "{request.method}" not allowed.'
        allowed = {"Allow": "GET, HEAD, OPTIONS"}
        return problem_response(request, 405, detail, "method_not_allowed", allowed)


class LiveView(_Probe):
    """200 while the process answers at all. Touches no database."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"status": "ok"})


class ReadyView(_Probe):
    """200 while the database answers and has all that this code needs, else 503."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if _is_ready():
            return JsonResponse({"status": "ok"})
        later = {"Retry-After": str(RETRY_AFTER)}
        return problem_response(request, 503, "The service is not ready.", "not_ready", later)
