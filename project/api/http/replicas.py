"""`X-Database-Position`: who has written something reads it again, whichever database answers.

A write answers how far the primary's log was after it. Who sends that back reads from a standby
that has as much of the log, or else from the primary.
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress

from django.db import Error, connections
from django.http import HttpRequest, HttpResponseBase
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request

from ..databases.outcomes import Witness
from ..databases.replicas import (
    WALPosition,
    position_after_write,
    reading_from,
    replicas,
    set_aside,
    silence,
    standby_with,
)
from .middleware import vary_by
from .preconditions import UNSAFE, refusal
from .problems import Fault, Refused
from .renderers import is_export

HEADER = "X-Database-Position"
KEY = "HTTP_X_DATABASE_POSITION"
READS = frozenset({"GET", "HEAD"})
# Refusals by what is stored: whoever is refused will want to read that.
SEEN = frozenset({409, 410, 412})


class DatabasePosition:
    """Say with each write how far the primary is; and refuse a position that is none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not replicas() or not request.path_info.startswith("/api/"):
            return response
        if request.method in READS:
            vary_by(response, HEADER.lower())
        elif request.method in UNSAFE and (
            response.status_code < 400 or response.status_code in SEEN
        ):
            response.headers[HEADER] = str(position_after_write())
            _note(request)
        return response

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponseBase | None:
        if KEY not in request.META or not hasattr(view, "cls"):
            return None
        try:
            request.position = WALPosition.parse(request.META[KEY])  # type: ignore[attr-defined]
        except ValueError:
            detail = f"Give the {HEADER} of an answer, as 1:16/B374D848."
            return refusal(request, Refused([Fault("malformed", detail, header=HEADER)]))
        return None


def _note(request: HttpRequest) -> None:
    """Let who has written read from the primary for a while, also without the position."""
    note_write = getattr(getattr(request, "auth", None), "note_write", None)
    if note_write is not None:
        with suppress(Error):
            note_write()


class ReplicaReads:
    """For a viewset: what is read comes from a standby, where one may answer.

    All of an answer is read at one moment of one database. The primary answers whoever has just
    written and sends no position, or has no session that could note it; exports; and pages.
    """

    _reads: ExitStack | None = None
    _standby: str | None = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        dispatch = super().dispatch  # type: ignore[misc]
        if request.method not in READS or not replicas():
            return dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]
        with ExitStack() as self._reads:
            response: HttpResponseBase = dispatch(request, *args, **kwargs)
        if self._standby is not None and response.status_code >= 500:
            self._leave(request, self._standby)
        return response

    def perform_authentication(self, request: Request) -> None:
        """Choose the database, once it is known who asks."""
        super().perform_authentication(request)  # type: ignore[misc]
        if self._reads is None or _asks_primary(request):
            return
        alias = standby_with(_position(request))
        if alias is None:
            return
        try:
            self._reads.enter_context(reading_from(alias))
        except Error as error:
            set_aside(alias, silence(error))
            return
        self._standby = request._request.replica = alias  # type: ignore[attr-defined]

    def _leave(self, request: HttpRequest, alias: str) -> None:
        """Have the request repeated at the primary, where it was the standby that failed."""
        connection = connections[alias]
        if isinstance(connection, Witness) and connection.has_failed:
            request.asks_primary = True  # type: ignore[attr-defined]
            request.replica = None  # type: ignore[attr-defined]
            if connection.is_spoilt:
                set_aside(alias, "has ended the connection")


def _position(request: Request) -> WALPosition | None:
    return getattr(request._request, "position", None)


def _asks_primary(request: Request) -> bool:
    if (
        getattr(request._request, "asks_primary", False)
        or isinstance(request.accepted_renderer, BrowsableAPIRenderer)
        or is_export(request)
    ):
        return True
    if not request.user.is_authenticated:
        return False
    if not hasattr(request.auth, "has_just_written"):
        # The cookie of a browser
        return True
    return _position(request) is None and bool(request.auth.has_just_written)
