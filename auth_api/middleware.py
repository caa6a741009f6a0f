"""What happens to logins outside of the API, and to answers for somebody who was identified."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from project.api.problems import problem_response

from .attempts import TooManyFailures
from .models import User


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


class PrivateAnswers:
    """Say of each answer to somebody who was identified that it is for nobody else.

    `private, no-cache` (RFC 9111, section 5.2.2): no proxy keeps it, and a browser asks before it
    shows it again, when somebody else may be logged in. What a view says itself stays.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not response.has_header("Cache-Control") and _was_identified(request):
            response.headers["Cache-Control"] = "private, no-cache"
        return response


def _was_identified(request: HttpRequest) -> bool:
    # Django's user is looked up when somebody asks for it, which is not to be done here.
    user = getattr(request, "_cached_user", None)
    # REST framework puts its own in the place of that.
    own = vars(request).get("user")
    user = own if type(own) is User else user
    return user is not None and user.is_authenticated
