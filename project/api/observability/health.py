"""What an orchestrator asks: is the process alive, and can it serve.

Anyone may ask, so the answers tell nothing of the cause, which is in the log.
"""

import logging
from collections.abc import Callable
from functools import cache

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from ..databases.connections import unwritable
from ..databases.replicas import are_read, replicas, states
from ..http.problems import RETRY_AFTER, problem_response
from .questions import Question

logger = logging.getLogger(__name__)

# What else has to be so, each a question that is answered by what is missing, if anything is.
questions: list[Callable[[BaseDatabaseWrapper], str | None]] = [unwritable]


@cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    """(app, name) of the last migration of each app, as this code has them."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _has_all() -> bool:
    applied = MigrationRecorder(connection).applied_migrations()
    missing = _newest_migrations() - applied.keys()
    if missing:
        logger.warning("Migrations are missing: %s", sorted(missing))
        return False
    faults = [*filter(None, (question(connection) for question in questions))]
    for fault in faults:
        logger.warning(fault)
    return not faults


_is_ready = Question(_has_all)
_look_at_standbys = Question(states)


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
    """200 while the database answers and has all that this code needs, else 503.

    Where there are standbys, it says which of them are read from.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        # Both at a time, or a silent standby would have the probe wait for longer than a second.
        looking = _look_at_standbys.begin() if replicas() else None
        if not _is_ready():
            later = {"Retry-After": str(RETRY_AFTER)}
            return problem_response(request, 503, "The service is not ready.", "not_ready", later)
        if looking is None:
            return JsonResponse({"status": "ok"})
        looking.wait()
        return JsonResponse({"status": "ok", "replicas": are_read()})
