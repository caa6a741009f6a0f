"""Every error as application/problem+json (RFC 9457).

A problem that has a place in the request lists it in `errors`: each fault with a JSON `pointer`
(RFC 6901) into the body, or the name of the query `parameter` or of the `header`; a `code` for
programs and a `detail` for people. Status 400 says that the request can never succeed, 409 that it
conflicts with what is stored now; where both kinds of fault occur, the answer is 400.

The `request_id` is that of the answer's X-Request-ID and of the lines of the log.
Whatever was sent, a problem has at most MAX_FAULTS faults and MAX_SIZE bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

from django.http import HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.settings import api_settings

from .current import current_request

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 1  # seconds
MAX_FAULTS = 50
MAX_SIZE = 64_000  # bytes
# Of any text in a problem, in characters. Names and messages of ours are far below; what is longer
# was sent.
MAX_TEXT = 1000


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request, and where."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    # Of the row that has the unique value already, or that stands in the way of a deletion.
    existing_id: int | None = None
    header: str | None = None

    CONFLICTS = frozenset({"unique", "does_not_exist", "in_use", "exists", "deleted", "merged"})

    @property
    def is_conflict(self) -> bool:
        return self.code in self.CONFLICTS

    def as_json(self) -> dict[str, object]:
        members = {
            "pointer": self.pointer,
            "parameter": self.parameter and _shortened(self.parameter),
            "header": self.header,
            "code": self.code,
            "detail": _shortened(self.detail),
            "existing_id": self.existing_id,
        }
        return {name: value for name, value in members.items() if value is not None}


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


class PreconditionFailed(exceptions.APIException):
    """412: what the request would change is not what it names."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "It has changed since. Read it again, and decide anew."
    default_code = "precondition_failed"

    def __init__(self, tag: str | None = None) -> None:
        super().__init__()
        self.headers = {} if tag is None else {"ETag": tag}


class PreconditionRequired(exceptions.APIException):
    """428 (RFC 6585): a change must say what it changes."""

    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "Send the ETag of what you have read as If-Match."
    default_code = "precondition_required"


class PayloadTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body of the request is too large."
    default_code = "too_large"


class Resync(exceptions.APIException):
    """A cursor of the feed that leads on from what is not there any more."""

    status_code = status.HTTP_410_GONE
    default_detail = (
        "What this cursor goes on from is gone: a backup was restored, or another account or role "
        "asks. Begin without `after`, and then drop what did not come."
    )
    default_code = "resync"


class Merged(exceptions.APIException):
    """What a request would change has gone into another object."""

    status_code = status.HTTP_410_GONE
    default_code = "merged"

    def __init__(self, kind: str, key: int, uid: str) -> None:
        super().__init__(f"It was merged into {kind} {key}. Change that.")
        self.key = key
        self.members = {"merged_into": {"id": key, "uid": uid}}


class Unavailable(exceptions.APIException):
    """An outage of the database. Nothing is stored; the same request may succeed in a moment."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database does not answer now. Try again."
    default_code = "unavailable"
    wait = RETRY_AFTER


class OutcomeUnknown(Unavailable):
    """An outage at a moment when something may have been stored already."""

    default_detail = (
        "The database does not answer any more, and what you sent may be stored. Repeat it with the"
        " same Idempotency-Key, or look first."
    )
    default_code = "outcome_unknown"


def pointer(*places: str | int) -> str:
    """A JSON pointer to this place: `pointer("authors", 0, "name")` is `/authors/0/name`.

    Where it would be longer than MAX_TEXT, it is the pointer to what surrounds the place. A lone
    surrogate in a key, which no answer could hold, stands as `\\ud800`.
    """
    path = ""
    for place in places:
        name = str(place)
        if len(path) + len(name) >= MAX_TEXT:
            break
        path += "/" + name.replace("~", "~0").replace("/", "~1")
    return path.encode(errors="backslashreplace").decode()


def faults_of(detail: object, prefix: str = "") -> Iterator[Fault]:
    """The faults in a ValidationError's detail, a tree of dicts and lists with texts as leaves."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            here = prefix if key == api_settings.NON_FIELD_ERRORS_KEY else prefix + pointer(key)
            yield from faults_of(value, here)
    elif isinstance(detail, list):
        for value in detail:
            yield from faults_of(value, prefix)
    else:
        yield Fault(code=getattr(detail, "code", "invalid"), detail=str(detail), pointer=prefix)


def problem(
    status_code: int, detail: str, code: str, instance: str, faults: Iterable[Fault] = ()
) -> dict[str, object]:
    """The members of a problem. Of its faults, the first that it has room for."""
    members: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status_code).phrase,
        "status": status_code,
        "detail": _shortened(detail),
        "code": code,
        # It is percent-encoded: ASCII, cut between two characters.
        "instance": instance[:MAX_TEXT].rpartition("%")[0]
        if len(instance) > MAX_TEXT
        else instance,
    }
    if (request := current_request.get()) is not None:
        members["request_id"] = request.id  # type: ignore[attr-defined]
    room = MAX_SIZE - len(json.dumps(members)) - len(', "errors": []')
    errors = []
    for fault in islice(faults, MAX_FAULTS):
        error = fault.as_json()
        room -= len(json.dumps(error)) + len(", ")
        if room < 0:
            break
        errors.append(error)
    return {**members, "errors": errors} if errors else members


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def problem_response(
    request: HttpRequest,
    status_code: int,
    detail: str,
    code: str,
    headers: Mapping[str, str] | None = None,
    faults: Iterable[Fault] = (),
) -> JsonResponse:
    """A problem as the answer of what is no view of REST framework's."""
    return JsonResponse(
        problem(status_code, detail, code, request.get_full_path(), faults),
        status=status_code,
        content_type=MEDIA_TYPE,
        headers=headers,
    )
