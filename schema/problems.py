"""The one shape of every error (RFC 9457), as the contract has it."""

from http import HTTPStatus

from project.api.databases.replicas import POSITION
from project.api.http.problems import MAX_FAULTS
from project.api.lists.parameters import Schema

FAULT: Schema = {
    "type": "object",
    "description": "One thing that is wrong, and where.",
    "required": ["code", "detail"],
    "properties": {
        "pointer": {
            "type": "string",
            "description": (
                "The place in the body, a JSON Pointer (RFC 6901) such as `/authors/0/name`; empty "
                "for the body as a whole."
            ),
        },
        "parameter": {"type": "string", "description": "The query parameter that is wrong."},
        "header": {"type": "string", "description": "The header of the request that is wrong."},
        "code": {
            "type": "string",
            "description": "A code for programs, such as `required` or `unique`.",
        },
        "detail": {"type": "string", "description": "An explanation for people."},
        "existing_id": {
            "type": "integer",
            "description": "The id of the object with the unique value, or that is in the way.",
        },
    },
}

PROBLEM: dict[str, object] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "instance", "request_id"],
    "properties": {
        "type": {
            "type": "string",
            "description": "Always `about:blank`; `code` tells problems apart.",
        },
        "title": {"type": "string", "description": "The name of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "An explanation for people."},
        "code": {
            "type": "string",
            "description": "A code for programs, such as `invalid` or `not_found`.",
        },
        "instance": {"type": "string", "description": "The path and the query of the request."},
        "request_id": {
            "type": "string",
            "maxLength": 100,
            "description": (
                "The id of the request, which the log of the server has too: what it sent as "
                "`X-Request-ID`, if that can be one."
            ),
        },
        "merged_into": {
            "type": "object",
            "description": "With `merged`: the object that has taken this one's place.",
            "required": ["id", "uid"],
            "properties": {
                "id": {"type": "integer", "minimum": 1, "description": "Its id."},
                "uid": {"type": "string", "format": "uuid", "description": "Its uid."},
            },
        },
        "errors": {
            "type": "array",
            "description": (
                f"The faults, the first {MAX_FAULTS} of them; present with 409 unless it has "
                "`Retry-After`, and with 400 unless the body is not JSON."
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
    410: "Gone",
    411: "LengthRequired",
    412: "PreconditionFailed",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    422: "UnprocessableContent",
    428: "PreconditionRequired",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}

DESCRIPTIONS = {
    400: "The request is invalid: `errors` says what is wrong, and where.",
    401: "The request has no token, or one that is not valid any more.",
    403: "The account is not allowed to do this.",
    404: "The object or its parent does not exist.",
    406: "The answer has no representation of a media type that `Accept` names.",
    409: (
        "The request conflicts with stored data: `errors` says with what, and where. Or the first"
        " request with this `Idempotency-Key` is not answered yet (`idempotency_in_flight`): repeat"
        " it after `Retry-After`."
    ),
    410: (
        "What the request goes on from is not there any more. `resync`: begin without `after`."
        " `merged`: the object went into the one that `merged_into` names."
    ),
    411: "The request has a body and no `Content-Length`.",
    412: "The object is not what `If-Match`, or a `version`, names: it has changed since.",
    413: "The body, or a file in it, is too large.",
    415: "The operation does not take a body, or a file, of this type.",
    422: "The `Idempotency-Key` was sent with another request before.",
    428: "This server demands `If-Match`.",
    429: "Too many failed attempts.",
    503: (
        "The service is not available now, and nothing is stored: repeat the request after"
        " `Retry-After`. With the code `outcome_unknown` it may be stored: repeat it with the same"
        " `Idempotency-Key`, or look first."
    ),
}


def name_of(status: int) -> str:
    """What the component is called that is the answer with this status."""
    phrase = HTTPStatus(status).phrase
    return NAMES_OF_PROBLEMS.get(status, "".join(word for word in phrase if word.isalnum()))


def description(status: int) -> str:
    return DESCRIPTIONS.get(status, f"{HTTPStatus(status).phrase}.")


RETRY_AFTER = {
    "Retry-After": {
        "description": "The number of seconds to wait.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 86_400},
    }
}
# A list of entity tags, or any (RFC 9110, section 13.1)
TAGS = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
# Bare, or a string of RFC 9651
KEY = r'^([!#-~]([ -~]*[!-~])?|"([ !#-\[\]-~]|\\["\\])+")$'
ENTITY_TAG = {
    "description": (
        "Names the bytes of the answer (RFC 9110, section 8.8.3). Of an object it is"
        ' `"version.digest"`; what an object owns has the version of its owner.'
    ),
    "schema": {"type": "string"},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": (
        "The `ETag` of what was read. If the object has another version by now, the answer is 412"
        ' and nothing changes. `"7"`, a version alone, is taken too; `*` is any version.'
    ),
    "schema": {"type": "string", "pattern": TAGS},
    "example": "*",
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": (
        "The `ETag` of what the client has. If the answer would be the same, it is 304 and has no"
        " body."
    ),
    "schema": {"type": "string", "pattern": TAGS},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "A text of your choice, as a new UUID for each write. If the request is repeated with it"
        " within 24 hours, nothing is done and the answer is that of the first time. Refusals are"
        " kept as well, but for 401, 403, 429 and what the server fails to do."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": KEY},
}
IDEMPOTENCY_REPLAYED = {
    "description": "`true` if this is the answer of the first time.",
    "schema": {"type": "string"},
}
DATABASE_POSITION = {
    "name": "X-Database-Position",
    "in": "header",
    "description": (
        "The `X-Database-Position` of the client's last write, so that it reads what that has"
        " stored, whichever database answers."
    ),
    "schema": {"type": "string", "pattern": f"^(?:{POSITION.pattern})$"},
}
POSITION_AFTER_WRITE = {
    "description": (
        "What to send with the reads that come after. It is there where the server reads from"
        " several databases."
    ),
    "schema": {"type": "string"},
}
NOT_MODIFIED = {"description": "What the client has, as `If-None-Match` says, has not changed."}
MERGED = {
    "description": "The object was merged into another, which `Location` leads to.",
    "headers": {
        "Location": {
            "description": "The same URL of that object.",
            "schema": {"type": "string", "format": "uri"},
        }
    },
}
HEADERS: dict[int, Schema] = {
    409: RETRY_AFTER,
    412: {"ETag": {"$ref": "#/components/headers/ETag"}},
    503: RETRY_AFTER,
    401: {
        "WWW-Authenticate": {
            "description": "How to authenticate, and what is wrong with the token (RFC 6750).",
            "schema": {"type": "string"},
        }
    },
    429: {
        **RETRY_AFTER,
        "RateLimit-Policy": {
            "description": (
                "The limit: `q` failures in `w` seconds (draft-ietf-httpapi-ratelimit-headers)."
            ),
            "schema": {"type": "string"},
        },
        "RateLimit": {
            "description": "`r` failures are left until the limit is reset in `t` seconds.",
            "schema": {"type": "string"},
        },
    },
}
