"""The request that is being answered, for what happens far from its view."""

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

# What a proxy or a client may call a request.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:@+/=-]{1,100}")

current_request: ContextVar[HttpRequest | None] = ContextVar("current request", default=None)


class CurrentRequest:
    """Middleware: each request has an `id`, that of its X-Request-ID if it has a usable one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        value = request.META.get("HTTP_X_REQUEST_ID", "")
        request.id = value if REQUEST_ID.fullmatch(value) else str(uuid.uuid4())  # type: ignore[attr-defined]
        token = current_request.set(request)
        try:
            return self.get_response(request)
        finally:
            current_request.reset(token)
