"""What happens to every request before it finds its view."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from .handlers import length_required


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

    A chunked body has none, nor need one of HTTP/2 have it, and Django would read it as empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        has_body = "HTTP_TRANSFER_ENCODING" in meta or (
            # HTTP/2 frames every body, so only its type tells that there is one.
            meta["SERVER_PROTOCOL"] == "HTTP/2"
            and request.method in ("POST", "PUT", "PATCH")
            and bool(meta.get("CONTENT_TYPE"))
        )
        if has_body and not meta.get("CONTENT_LENGTH"):
            return length_required(request)
        return self.get_response(request)
