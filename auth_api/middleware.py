"""What happens to logins outside of the API."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from project.api.http.problems import problem_response

from .attempts import TooManyFailures


class ThrottledLogins:
    """Answer 429 where a page that is none of DRF's, the admin's, logs in too often."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> JsonResponse | None:
        if not isinstance(error, TooManyFailures):
            return None
        return problem_response(request, 429, str(error.detail), error.default_code, error.headers)
