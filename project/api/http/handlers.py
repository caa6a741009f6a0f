"""How each error becomes a problem: those of REST framework's views, and those of Django itself."""

import logging
import sys
from collections.abc import Iterable, Mapping

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.http import Http404, HttpRequest, HttpResponseBase
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from ..databases.connections import may_have_written
from ..databases.errors import is_outage
from ..files import StorageError
from .problems import (
    MEDIA_TYPE,
    RETRY_AFTER,
    Fault,
    OutcomeUnknown,
    PayloadTooLarge,
    Refused,
    Unavailable,
    faults_of,
    problem,
    problem_response,
)

logger = logging.getLogger(__name__)
NOT_STORED = "No file can be stored now. Try again."


def as_api_exception(error: Exception, request: Request) -> exceptions.APIException | None:
    """The refusal, or the outage, that this error stands for; None where it is a bug."""
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
        case _ if is_outage(error):
            logger.warning("The database does not answer: %s", error)
            return _outage(request)
        case StorageError():
            logger.error("A file cannot be stored: %s", error)
            return Unavailable(NOT_STORED)
    return None


def _outage(request: HttpRequest | Request) -> Unavailable:
    is_unknown = request.method not in SAFE_METHODS and may_have_written()
    return OutcomeUnknown() if is_unknown else Unavailable()


def exception_handler(error: Exception, context: Mapping[str, Request]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. An exception it does not know stays one: a bug is a 500."""
    request = context["request"]
    known = as_api_exception(error, request)
    if known is None:
        return None
    detail, code, faults = describe(known)
    headers = {}
    if challenge := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(known, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    headers |= getattr(known, "headers", {})
    set_rollback()
    # The browsable API shows the same members in its page. No other form of the answer, as YAML, is
    # one that problems have.
    html = isinstance(getattr(request, "accepted_renderer", None), BrowsableAPIRenderer)
    if not html:
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
    members = problem(known.status_code, detail, code, request.get_full_path(), faults)
    return Response(
        {**members, **getattr(known, "members", {})},
        status=known.status_code,
        headers=headers,
        content_type=None if html else MEDIA_TYPE,
    )


def describe(known: exceptions.APIException) -> tuple[str, str, Iterable[Fault]]:
    """What a problem says of an exception: the detail, its code, and the faults."""
    faults: Iterable[Fault] = ()
    detail: object = known.detail
    code: object = known.default_code
    match known:
        case Refused():
            faults = known.faults
        case exceptions.ValidationError():
            faults = faults_of(known.detail)
            detail = "The request is invalid."
        case _ if isinstance(known.detail, dict):
            # simplejwt's exceptions carry a dict with detail, code and messages. The code of the
            # detail itself is not the one.
            detail, code = str(known.detail["detail"]), known.detail["code"]
    return str(detail), str(getattr(detail, "code", code)), faults


# What Django itself refuses, before or outside of a view of the API (handler400 … in project.urls)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if isinstance(exception, RequestDataTooBig):
        return refuse(request, 413)
    return problem_response(request, 400, "The request is malformed.", "parse_error")


# Before a view is known, by status.
REFUSALS = {
    408: ("The body did not arrive in time.", "request_timeout"),
    411: ("Send the body with its Content-Length, not chunked.", "length_required"),
    413: (PayloadTooLarge.default_detail, PayloadTooLarge.default_code),
    503: ("Too many requests wait. Try again.", Unavailable.default_code),
}


def refuse(request: HttpRequest, status: int) -> HttpResponseBase:
    later = {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}
    return problem_response(request, status, *REFUSALS[status], later)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return problem_response(request, 403, "You may not do this.", "permission_denied")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    return problem_response(request, 403, f"CSRF check failed: {reason}", "csrf_failed")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return problem_response(request, 404, "There is nothing at this URL.", "not_found")


def unavailable(request: HttpRequest, known: Unavailable | None = None) -> HttpResponseBase:
    """What an outage is answered with outside of REST framework's views."""
    detail, code, _ = describe(known or _outage(request))
    later = {"Retry-After": str(RETRY_AFTER)}
    return problem_response(request, 503, detail, code, later)


def server_error(request: HttpRequest) -> HttpResponseBase:
    # Django calls this while it handles the error.
    error = sys.exc_info()[1]
    if is_outage(error):
        return unavailable(request)
    if isinstance(error, StorageError):
        return unavailable(request, Unavailable(NOT_STORED))
    return problem_response(request, 500, "The server failed; this is a bug.", "error")
