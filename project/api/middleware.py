"""What happens to every request before it finds its view."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from .problems import length_required


class OptionalTrailingSlash:
    """Serve `/api/books` as `/api/books/`: a redirect would lose the body of a POST."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if f"{request.path_info}/".startswith("/api/") and not request.path_info.endswith("/"):
            request.path_info += "/"
            request.path += "/"
        return self.get_response(request)


class RequireContentLength:
    """Refuse a body that comes without its length: 411 (RFC 9110 section 15.5.12).

    Under WSGI a chunked body has none, and Django would read it as an empty one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return length_required(request)
        return self.get_response(request)
