"""What happens to every request before it finds its view."""

import logging
from collections.abc import Callable
from typing import Any

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject, empty

from ..databases.connections import begin_request, would_succeed_anew, would_succeed_later
from ..databases.races import ATTEMPTS, step_back
from .handlers import refuse

logger = logging.getLogger(__name__)


class ContentSecurityPolicy:
    """Say with each answer what a page may load: CONTENT_SECURITY_POLICY, or what a view says.

    A text that never changes: django-csp makes it anew for each answer, which takes 0.12 of the
    processor time of one document.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # Django's own page about a bug has scripts in it.
        if not (settings.DEBUG and response.status_code == 500):
            policy: str = settings.CONTENT_SECURITY_POLICY
            response.headers.setdefault("Content-Security-Policy", policy)
        return response


class CrossOrigin(CorsMiddleware):
    """django-cors-headers, which a request is for that has an `Origin`, or asks for what it may do.

    Of any other it has only to say in `Vary` that the answer might depend on one, which it does in
    0.05 of the processor time of one document.
    """

    def __call__(self, request: HttpRequest) -> Any:
        if "HTTP_ORIGIN" in request.META or request.method == "OPTIONS":
            return super().__call__(request)
        response = self.get_response(request)
        if self.is_enabled(request):
            vary_by(response, "origin")
        return response


def vary_by(response: Any, header: str) -> None:
    """What Django's patch_vary_headers does with a header that nobody else names, at a tenth of its
    time."""
    vary = response.headers.get("Vary")
    response.headers["Vary"] = f"{vary}, {header}" if vary else header


class OfPages(MiddlewareMixin):
    """Passes by what a program asks of the API: with a token, without a cookie, and for no page.

    There is no session then. To make what nobody looks at takes 0.03 of the processor time of one
    document.
    """

    def __call__(self, request: HttpRequest) -> Any:
        meta = request.META
        if (
            "HTTP_AUTHORIZATION" in meta
            and "HTTP_COOKIE" not in meta
            and "text/html" not in meta.get("HTTP_ACCEPT", "")
            and request.path_info.startswith("/api/")
        ):
            return self.get_response(request)
        return super().__call__(request)


class PageSession(OfPages, SessionMiddleware):
    pass


class PageAuthentication(OfPages, AuthenticationMiddleware):
    pass


class LazyMessages(OfPages, MessageMiddleware):
    """Django's messages, whose storage is made when something asks for them.

    Only pages do. To make one for each request takes 0.03 of the processor time of one document.
    """

    def process_request(self, request: HttpRequest) -> None:
        request._messages = SimpleLazyObject(lambda: default_storage(request))  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        messages = getattr(request, "_messages", None)
        if isinstance(messages, SimpleLazyObject) and messages._wrapped is empty:
            return response
        return super().process_response(request, response)


class ProbesOfAnyHost:
    """Answer a probe whatever its Host is: an orchestrator asks by an address of the moment."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info in ("/livez", "/readyz"):
            request.get_host = lambda: "localhost"  # type: ignore[method-assign]
        return self.get_response(request)


class OptionalTrailingSlash:
    """Serve `/api/books` as `/api/books/`: a redirect would lose the body of a POST."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if f"{request.path_info}/".startswith("/api/") and not request.path_info.endswith("/"):
            request.path_info += "/"
            request.path += "/"
        return self.get_response(request)


class Refusals:
    """Refuse what project.front refuses, and a body that comes without its length: 411.

    A chunked body has no length (RFC 9110 section 15.5.12), nor need one of HTTP/2 have it, and
    Django would read it as empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        if status := meta.get("front.refusal"):
            return refuse(request, status)
        has_body = "HTTP_TRANSFER_ENCODING" in meta or (
            # HTTP/2 frames every body, so only its type tells that there is one.
            meta["SERVER_PROTOCOL"] == "HTTP/2"
            and request.method in ("POST", "PUT", "PATCH")
            and bool(meta.get("CONTENT_TYPE"))
        )
        if has_body and not meta.get("CONTENT_LENGTH"):
            return refuse(request, 411)
        return self.get_response(request)


class RepeatedRequests:
    """Repeat a request that has stored nothing and failed by what was not its fault.

    Once, where a migration has changed what the prepared statements of its connection give, the
    server has gone, or a pooler has mixed it up with others; ATTEMPTS times at most, where a
    transaction of somebody else was in the way, as PostgreSQL asks for at SERIALIZABLE. What a
    standby has failed is asked of the primary.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begin_request()
        if request.META.get("CONTENT_LENGTH"):
            try:
                # Kept, so that it can be read twice.
                request.body  # noqa: B018
            except RequestDataTooBig:
                # The view refuses it, or reads a form of many files piece by piece.
                return self.get_response(request)
        has_new_connection = asked_primary = False
        for times in range(ATTEMPTS):
            response = self.get_response(request)
            if response.status_code < 500:
                break
            if not asked_primary and getattr(request, "asks_primary", False):
                asked_primary = True
            elif would_succeed_later():
                step_back(times)
            elif has_new_connection or not would_succeed_anew():
                break
            else:
                has_new_connection = True
            logger.warning("Repeating %s %s", request.method, request.path)
            begin_request()
        return response
