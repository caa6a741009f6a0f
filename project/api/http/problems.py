"""Every error as application/problem+json (RFC 9457).

A problem that has a place in the request lists it in `errors`: each fault with a JSON `pointer`
(RFC 6901) into the body, or the name of the query `parameter`; a `code` for programs and a
`detail` for people. Status 400 says that the request can never succeed, 409 that it conflicts
with what is stored now; where both kinds of fault occur, the answer is 400.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.settings import api_settings

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 1  # seconds


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
