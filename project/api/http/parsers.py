"""Bodies as the API takes them: JSON (RFC 8259, and the stricter I-JSON of RFC 7493), and files."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any, Self

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import DataAndFiles, JSONParser, MultiPartParser

from .problems import MAX_FAULTS, Fault, PayloadTooLarge, Refused, pointer

# What a form may have beside the bytes of its files: boundaries, headers and texts.
MAX_FORM_BYTES = 64 * 1024
MAX_DEPTH = 32
# Twice what the largest write of 2,000 objects holds. Two megabytes could hold a million, and take
# a second of processor time.
MAX_VALUES = 50_000
TOO_MANY = f"The document holds more than {MAX_VALUES:,} values."
TOO_DEEP = f"The document is nested more than {MAX_DEPTH} levels deep."
NO_TEXT = "NUL and lone surrogates are not text."
INTEGERS = range(-(2**63), 2**63)
MAX_INTEGER_LENGTH = len(str(INTEGERS.start))
# What JSON can say and no database can store: NUL, and half a surrogate pair.
NOT_TEXT = re.compile("[\0\ud800-\udfff]")
# What begins each of these in a body, since the characters themselves cannot stand there.
ESCAPED = (rb"\u0000", rb"\ud", rb"\uD")
# One that does not end takes all the rest, so that none is looked at twice.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class _Repeated(dict[str, object]):
    """An object in which a key stands twice, until its place in the document is known."""

    keys_seen_twice: set[str]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated = _Repeated(members)
    names = Counter(name for name, _ in pairs)
    repeated.keys_seen_twice = {name for name, times in names.items() if times > 1}
    return repeated


def _number_of_values(body: bytes) -> int:
    """How many there are at most: each stands behind a comma, a bracket or a brace, or alone."""
    return sum(map(body.count, (b",", b"[", b"{"))) + 1


def _integer(digits: str) -> int | float:
    # Longer ones are out of range whatever they say, and int() takes quadratic time for them.
    return int(digits) if len(digits) <= MAX_INTEGER_LENGTH else math.inf


def _faults(container: dict[str, Any] | list[object], *place: str | int) -> Iterator[Fault]:
    if len(place) == MAX_DEPTH:
        yield Fault("too_deep", TOO_DEEP, pointer(*place))
        return
    if isinstance(container, _Repeated):
        for name in sorted(container.keys_seen_twice):
            yield Fault("repeated_key", "This key occurs twice.", pointer(*place, name))
    members: Iterable[tuple[str | int, Any]]
    members = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in members:
        if isinstance(key, str) and NOT_TEXT.search(key):
            yield Fault("invalid", NO_TEXT, pointer(*place, key))
        kind = type(value)
        if kind is str:
            if NOT_TEXT.search(value):
                yield Fault("invalid", NO_TEXT, pointer(*place, key))
        elif kind is int:
            if value not in INTEGERS:
                yield Fault("invalid", "The integer has more than 64 bits.", pointer(*place, key))
        elif kind is float:
            if not math.isfinite(value):
                yield Fault("invalid", "The number is out of range.", pointer(*place, key))
        elif value is not None and kind is not bool:
            yield from _faults(value, *place, key)


def _is_sound(document: object, body: bytes) -> bool:
    """Whether it is plain to see, in a quarter of the time of `_faults`, that there are none."""
    if any(each in body for each in ESCAPED):
        return False
    level: list[Any] = [[document]]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for container in level:
            for value in container.values() if type(container) is dict else container:
                kind = type(value)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    inner.append(value)
                elif kind is int:
                    if value not in INTEGERS:
                        return False
                elif kind is _Repeated or (kind is float and not math.isfinite(value)):
                    return False
        if not inner:
            return True
        level = inner
    return False


def parse_json(body: bytes) -> Any:
    """The value that this document stands for.

    Refused with pointers: numbers that are not finite or have more than 64 bits, NUL and lone
    surrogates, keys that stand twice, nesting deeper than 32, more than 50,000 values. ParseError
    with line and column: all that is no JSON in UTF-8. A byte order mark is ignored, as RFC 8259
    section 8.1 allows.
    """
    # Commas in texts are no reason to refuse it, and no reason to look closer at most bodies.
    if (
        _number_of_values(body) > MAX_VALUES
        and _number_of_values(STRING.sub(b"", body)) > MAX_VALUES
    ):
        raise Refused([Fault("too_many", TOO_MANY, "")])
    try:
        document = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_object, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8 at byte {error.start}.") from error
    except json.JSONDecodeError as error:
        # Some of its messages end in "at" themselves.
        fault = f"{error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}"
        raise ParseError(f"The body is not JSON: {fault}.") from error
    except RecursionError as error:
        raise Refused([Fault("too_deep", TOO_DEEP, "")]) from error
    if isinstance(document, (dict, list)) and not _is_sound(document, body):
        faults = list(islice(_faults(document), MAX_FAULTS))
        if faults:
            raise Refused(faults)
    return document


class UploadParser(MultiPartParser):
    """The files and texts of a form (RFC 7578), each under a name of its own.

    A body with more bytes than `max_bytes` is refused before it is read. Of what is read, files of
    more than FILE_UPLOAD_MAX_MEMORY_SIZE go to the disk.
    """

    max_bytes: int

    @classmethod
    def of(cls, max_bytes: int) -> type[Self]:
        """A parser of forms whose files have so many bytes together."""
        return type(cls.__name__, (cls,), {"max_bytes": max_bytes + MAX_FORM_BYTES})

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> "DataAndFiles[Any, Any]":
        request = (parser_context or {})["request"]
        if int(request.META["CONTENT_LENGTH"]) > self.max_bytes:
            raise PayloadTooLarge
        parsed = super().parse(stream, media_type, parser_context)
        repeated = [
            Fault("repeated_key", "The name stands here twice.", pointer(name))
            for name, values in [*parsed.data.lists(), *parsed.files.lists()]
            if len(values) > 1 or (name in parsed.files and name in parsed.data)
        ]
        if repeated:
            raise Refused(list(dict.fromkeys(repeated)))
        return parsed


class StrictJSONParser(JSONParser):
    """The body as `parse_json` reads it, if it nests no more than MAX_OBJECTS objects: who writes
    them holds up others who write, on SQLite all of them.

    To a subclass of its JSONParser, and to no other, DRF hands the body that Django has held
    against DATA_UPLOAD_MAX_MEMORY_SIZE before reading it.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> Any:
        body = stream.read()
        document = parse_json(body)
        # Each begins with a brace, the outermost one too; braces in texts begin nothing.
        most = settings.MAX_OBJECTS + isinstance(document, dict)
        if body.count(b"{") > most and STRING.sub(b"", body).count(b"{") > most:
            raise PayloadTooLarge(f"The body nests more than {settings.MAX_OBJECTS:,} objects.")
        return document
