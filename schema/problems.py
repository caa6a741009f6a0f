"""The one shape of every error (RFC 9457), as the contract has it."""

from http import HTTPStatus
from typing import Any

from project.api.http.problems import MAX_FAULTS

FAULT: dict[str, Any] = {
    "type": "object",
    "description": "One thing that is wrong, and where.",
    "required": ["code", "detail"],
    "properties": {
        "pointer": {
            "type": "string",
            "description": (
                "Its place in the body, a JSON Pointer (RFC 6901): `/authors/0/name`; empty for "
                "the body as a whole."
            ),
        },
        "parameter": {"type": "string", "description": "The query parameter that is wrong."},
        "code": {"type": "string", "description": "For programs: `required`, `unique`, …"},
        "detail": {"type": "string", "description": "For people."},
        "existing_id": {
            "type": "integer",
            "description": "The object that has the unique value, or that stands in the way.",
        },
    },
}

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "description": "`about:blank`: `code` tells problems apart."},
        "title": {"type": "string", "description": "The name of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "For people."},
        "code": {"type": "string", "description": "For programs: `invalid`, `not_found`, …"},
        "instance": {"type": "string", "description": "The path that was asked, with its query."},
        "errors": {
            "type": "array",
            "description": (
                "Each thing that is wrong, the first 50 of them; with 409, and with 400 unless "
                "the body is no JSON."
            ),
            "maxItems": MAX_FAULTS,
            "items": {"$ref": "#/components/schemas/Fault"},
        },
    },
}

# As RFC 9110, section 15.5, has them; HTTPStatus has others, by the version of Python.
NAMES_OF_PROBLEMS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    406: "NotAcceptable",
    409: "Conflict",
    411: "LengthRequired",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
}

DESCRIPTIONS = {
    400: "The request can never succeed: `errors` says what is wrong with it, and where.",
    401: "No token, or one that is no longer good.",
    403: "This account may not do it.",
    404: "There is no such object, or no such parent.",
    406: "There is no answer of the type that `Accept` asks for.",
    409: "It conflicts with what is stored now: `errors` says with what, and where.",
    411: "The body came without its `Content-Length`.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    429: "Too many failed attempts.",
}


def name_of(status: int) -> str:
    """What the component is called that is the answer with this status."""
    phrase = HTTPStatus(status).phrase
    return NAMES_OF_PROBLEMS.get(status, "".join(word for word in phrase if word.isalnum()))


def description(status: int) -> str:
    return DESCRIPTIONS.get(status, f"{HTTPStatus(status).phrase}.")


HEADERS: dict[int, Any] = {
    401: {
        "WWW-Authenticate": {
            "description": "How to log in (RFC 6750).",
            "schema": {"type": "string"},
        }
    },
    429: {
        "Retry-After": {
            "description": "How many seconds to wait.",
            "schema": {"type": "integer"},
        },
        "RateLimit-Policy": {
            "description": (
                "The limit: `q` failures in `w` seconds (draft-ietf-httpapi-ratelimit-headers)."
            ),
            "schema": {"type": "string"},
        },
        "RateLimit": {
            "description": "What is left of it, `r`, until it starts anew in `t` seconds.",
            "schema": {"type": "string"},
        },
    },
}
