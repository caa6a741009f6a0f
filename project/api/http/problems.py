"""Every error as application/problem+json (RFC 9457).

A problem that has a place in the request lists it in `errors`: each fault with a JSON `pointer`
(RFC 6901) into the body, or the name of the query `parameter`; a `code` for programs and a
`detail` for people. Status 400 says that the request can never succeed, 409 that it conflicts
with what is stored now; where both kinds of fault occur, the answer is 400.
"""

import logging
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from rest_framework import exceptions, status
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.settings import api_settings

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 1  # seconds
# What PostgreSQL refuses without the statement being wrong: there is no connection, or memory, disk
# or connections are used up, or somebody stopped the statement or the server, or the disk fails
# (classes), or other transactions were in the way (codes).
# https://www.postgresql.org/docs/current/errcodes-appendix.html
OUTAGE_CLASSES = frozenset({"08", "53", "57", "58"})
OUTAGE_CODES = frozenset({"40001", "40P01", "55P03"})
# The same of SQLite, https://www.sqlite.org/rescode.html
SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request, and where."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    # Of the row that has the unique value already, or that stands in the way of a deletion.
    existing_id: int | None = None

    CONFLICTS = frozenset({"unique", "does_not_exist", "in_use"})

    @property
    def is_conflict(self) -> bool:
        return self.code in self.CONFLICTS

    def as_json(self) -> dict[str, Any]:
        members = ("pointer", "parameter", "code", "detail", "existing_id")
        return {name: value for name in members if (value := getattr(self, name)) is not None}


class Refused(exceptions.APIException):
    """These faults: 409 if all of them are conflicts with what is stored, else 400."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        conflict = all(fault.is_conflict for fault in faults)
        self.status_code = status.HTTP_409_CONFLICT if conflict else status.HTTP_400_BAD_REQUEST
        code = "conflict" if conflict else "invalid"
        super().__init__(
            "The request conflicts with what is stored." if conflict else "The request is invalid.",
            code,
        )


class PayloadTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body of the request is too large."
    default_code = "too_large"


class Unavailable(exceptions.APIException):
    """An outage of the database. The same request may succeed in a moment."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database does not answer now. Try again."
    default_code = "unavailable"
    wait = RETRY_AFTER


def _is_outage(error: BaseException | None) -> bool:
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # The lowest byte of an extended code is the kind of error.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE_OUTAGES
    # Without a code it is the driver who says that there is no connection.
    code = getattr(cause, "sqlstate", None)
    return code is None or code in OUTAGE_CODES or code[:2] in OUTAGE_CLASSES


def pointer(*places: str | int) -> str:
    """A JSON pointer to this place: `pointer("authors", 0, "name")` is `/authors/0/name`.

    A lone surrogate in a key, which no answer could hold, stands as `\\ud800`.
    """
    path = "".join("/" + str(place).replace("~", "~0").replace("/", "~1") for place in places)
    return path.encode(errors="backslashreplace").decode()


def faults_of(detail: Any, at: str = "") -> Iterator[Fault]:
    """The faults in a ValidationError's detail, a tree of dicts and lists with texts as leaves."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            here = at if key == api_settings.NON_FIELD_ERRORS_KEY else at + pointer(key)
            yield from faults_of(value, here)
    elif isinstance(detail, list):
        for value in detail:
            yield from faults_of(value, at)
    else:
        yield Fault(code=getattr(detail, "code", "invalid"), detail=str(detail), pointer=at)


def problem(
    status_code: int, detail: str, code: str, instance: str, faults: Sequence[Fault] = ()
) -> dict[str, Any]:
    """The members of a problem."""
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status_code).phrase,
        "status": status_code,
        "detail": detail,
        "code": code,
        "instance": instance,
    }
    if faults:
        members["errors"] = [fault.as_json() for fault in faults]
    return members


def _as_api_exception(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():
            return PayloadTooLarge()
        case SuspiciousOperation() | BadRequest():
            return exceptions.ParseError("The request is malformed.")
        case _ if _is_outage(error):
            logger.warning("The database does not answer: %s", error)
            return Unavailable()
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. An exception it does not know stays one: a bug is a 500."""
    # DRF's views import the parser, and the parser this module.
    from rest_framework.views import set_rollback

    known = _as_api_exception(error)
    if known is None:
        return None
    request = context["request"]
    faults: list[Fault] = []
    detail: Any = known.detail
    code: Any = known.default_code
    match known:
        case Refused():
            faults = known.faults
        case exceptions.ValidationError():
            faults = list(faults_of(known.detail))
            detail = "The request is invalid."
        case _ if isinstance(known.detail, dict):
            # simplejwt's exceptions carry a dict with detail, code and messages. The code of the
            # detail itself is not the one.
            detail, code = str(known.detail["detail"]), known.detail["code"]
    code = getattr(detail, "code", code)
    headers = {}
    if challenge := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(known, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    headers |= getattr(known, "headers", {})
    set_rollback()
    # The browsable API shows the same members in its page. Any other form of the answer, as YAML,
    # is not one that problems have.
    html = isinstance(getattr(request, "accepted_renderer", None), BrowsableAPIRenderer)
    if not html:
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
    return Response(
        problem(known.status_code, str(detail), str(code), request.get_full_path(), faults),
        status=known.status_code,
        headers=headers,
        content_type=None if html else MEDIA_TYPE,
    )


def problem_response(
    request: HttpRequest,
    status_code: int,
    detail: str,
    code: str,
    headers: Mapping[str, str] | None = None,
) -> JsonResponse:
    """A problem as the answer of what is no view of REST framework's."""
    return JsonResponse(
        problem(status_code, detail, code, request.get_full_path()),
        status=status_code,
        content_type=MEDIA_TYPE,
        headers=headers,
    )


# What Django itself refuses, before or outside of a view of the API (handler400 … in project.urls)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if isinstance(exception, RequestDataTooBig):
        return problem_response(request, 413, PayloadTooLarge.default_detail, "too_large")
    return problem_response(request, 400, "The request is malformed.", "parse_error")


def length_required(request: HttpRequest) -> HttpResponseBase:
    detail = "Send the body with its Content-Length, not chunked."
    return problem_response(request, 411, detail, "length_required")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return problem_response(request, 403, "You may not do this.", "permission_denied")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    return problem_response(request, 403, f"CSRF check failed: {reason}", "csrf_failed")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return problem_response(request, 404, "There is nothing at this URL.", "not_found")


def server_error(request: HttpRequest) -> HttpResponseBase:
    # Django calls this while it handles the error.
    if _is_outage(sys.exc_info()[1]):
        later = {"Retry-After": str(RETRY_AFTER)}
        detail, code = Unavailable.default_detail, Unavailable.default_code
        return problem_response(request, 503, detail, code, later)
    return problem_response(request, 500, "The server failed; this is a bug.", "error")
