"""Entity tags, and requests that depend on them (RFC 9110, sections 8.8.3 and 13).

The tag of an object is `"<version>.<digest of the bytes sent>"`, strong. What is nested in a root
has the root's version; a list, and what has no version, has a digest alone. A request is compared
by the version, so that what others show in the same document, as an author's new name, does not
refuse an honest edit.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotModified
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

from ..databases.transactions import request_transaction
from ..documents.statements import Document
from ..models import AggregateRoot
from .problems import (
    Fault,
    PreconditionFailed,
    PreconditionRequired,
    Refused,
    problem_response,
)
from .views import ViewFunction

if TYPE_CHECKING:
    from rest_framework.views import APIView

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
# In META, which is there: `request.headers` is made of all headers when it is first asked for.
KEYS = {IF_MATCH: "HTTP_IF_MATCH", IF_NONE_MATCH: "HTTP_IF_NONE_MATCH"}
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# What overwrites or deletes what somebody may have changed meanwhile.
OVERWRITES = frozenset({"PUT", "PATCH", "DELETE"})
# A tag of the list, with what surrounds it; a comma may stand inside of its quotes.
TAG = re.compile(r'[ \t,]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?=,|$)')
# What stands behind the tag of an answer that is compressed.
CODING = re.compile(r"-(?:zstd|gzip)$")
# Of 64 hexadecimal digits: by chance two documents of one version are as good as never alike.
DIGEST_LENGTH = 32


def entity_tag(content: bytes, version: int | None = None) -> str:
    digest = sha256(content).hexdigest()[:DIGEST_LENGTH]
    return f'"{digest}"' if version is None else f'"{version}.{digest}"'


@dataclass(frozen=True)
class Condition:
    """What `If-Match` or `If-None-Match` names: some tags, or with `*` any.

    A weak tag never matches `If-Match` (RFC 9110, section 13.1.1), so it names nothing there.
    """

    # Without their quotes.
    tags: tuple[str, ...] = ()
    is_any: bool = False

    @classmethod
    def of(cls, value: str, header: str) -> "Condition":
        """Raises Refused where the value is neither `*` nor a list of entity tags."""
        text = value.strip(" \t")
        if text == "*":
            return cls(is_any=True)
        tags, end = [], 0
        while tag := TAG.match(text, end):
            if header != IF_MATCH or tag[1] is None:
                tags.append(tag[2])
            end = tag.end()
        if not end or text[end:].strip(" \t,"):
            detail = 'Give a list of entity tags, as "7.1f0c", "8.a2b9", or *.'
            raise Refused([Fault("malformed", detail, header=header)])
        return cls(tuple(tags))

    def has_version(self, version: int) -> bool:
        """Whether a tag is of this version."""
        return self.is_any or any(tag.partition(".")[0] == str(version) for tag in self.tags)

    def has_tag(self, tag: str) -> bool:
        """Whether it names these bytes."""
        return self.is_any or self.form_of(tag) is not None

    def form_of(self, tag: str) -> str | None:
        """How these bytes are named here, with or without a coding; None where they are not."""
        return next((each for each in self.tags if CODING.sub("", each) == tag), None)


class ConditionalRequests:
    """Give what is read its `ETag`, and answer 304 or 412 where a condition on it says so.

    A condition that its URL does not know is refused, never ignored.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith("/api/"):
            return response
        if response.status_code == 304:
            # A view knew the tag without the bytes.
            return _not_modified(request, response)
        set_tag(request, response)
        return _conditional(request, response) if _is_read(request, response) else response

    def process_view(
        self,
        request: HttpRequest,
        view: ViewFunction,
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> HttpResponseBase | None:
        """Refuse what is malformed, and what the view would not look at."""
        for header, key in KEYS.items():
            if key not in request.META or not hasattr(view, "cls"):
                continue
            try:
                Condition.of(request.META[key], header)
                if request.method in UNSAFE and _offers(view, request.method):
                    _require_known(view, header)
            except Refused as refused:
                request.refused = refused  # type: ignore[attr-defined]
                return _refusing(view, request.method)(request, *args, **kwargs)
        return None


@cache
def _refusing(view: ViewFunction, method: str) -> ViewFunction:
    """The view, which refuses the request as soon as it is clear that who asks may ask it."""

    def refuse(self: object, request: Request, *args: object, **kwargs: object) -> Response:
        raise request._request.refused  # type: ignore[attr-defined]

    name = {"HEAD": "get"}.get(method, method.lower())
    actions: dict[str, str] | None = getattr(view, "actions", None)
    handler = name if actions is None else actions.get(name, "")
    if not hasattr(view.cls, handler):
        return view
    cls: type[APIView] = type(view.cls.__name__, (view.cls,), {handler: refuse})
    arguments = {} if actions is None else {"actions": actions}
    return cls.as_view(**arguments, **view.initkwargs)  # type: ignore[return-value]  # the stubs lack `initkwargs`


def set_tag(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give what is read, and what is stored now, its `ETag`."""
    version = getattr(response, "version", None)
    is_written = version is not None and 200 <= response.status_code < 300
    if (is_written or _is_read(request, response)) and _may_be_tagged(response):
        response.headers["ETag"] = entity_tag(response.content, version)  # type: ignore[attr-defined]


def _is_read(request: HttpRequest, response: HttpResponseBase) -> bool:
    return request.method in ("GET", "HEAD") and response.status_code == 200


def _may_be_tagged(response: HttpResponseBase) -> bool:
    headers = response.headers
    return not (
        response.streaming
        or "ETag" in headers
        or "no-store" in headers.get("Cache-Control", "")
        # Pages have a token of their own each time.
        or headers.get("Content-Type", "").startswith("text/html")
    )


def _conditional(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The answer to a GET, or what its conditions make of it, in the order of section 13.2.2."""
    version: int | None = getattr(response, "version", None)
    tag = response.headers.get("ETag")
    if (value := request.META.get(KEYS[IF_MATCH])) is not None:
        condition = Condition.of(value, IF_MATCH)
        if not condition.is_any and tag is None:
            return refusal(request, Refused([not_supported(IF_MATCH)]))
        is_met = tag is None or (
            condition.has_tag(_opaque(tag)) if version is None else condition.has_version(version)
        )
        if not is_met:
            detail, code = PreconditionFailed.default_detail, PreconditionFailed.default_code
            headers = {"ETag": tag} if tag else None
            return problem_response(request, 412, detail, code, headers)
    value = request.META.get(KEYS[IF_NONE_MATCH])
    if value is None or tag is None:
        return response
    if not Condition.of(value, IF_NONE_MATCH).has_tag(_opaque(tag)):
        return response
    return _not_modified(request, response)


def _not_modified(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """304 with the headers that a 200 would have and a cache may need (section 15.4.5)."""
    condition = Condition.of(request.META[KEYS[IF_NONE_MATCH]], IF_NONE_MATCH)
    opaque = _opaque(response.headers["ETag"])
    # A cache finds what it has by this tag.
    response.headers["ETag"] = f'"{condition.form_of(opaque) or opaque}"'
    unchanged = HttpResponseNotModified()
    for name in ("ETag", "Cache-Control", "Content-Location", "Expires", "Vary"):
        if name in response.headers:
            unchanged.headers[name] = response.headers[name]
    unchanged.cookies = response.cookies
    return unchanged


def _opaque(tag: str) -> str:
    return tag.strip('"')


def _offers(view: ViewFunction, method: str) -> bool:
    actions: Mapping[str, str] | None = getattr(view, "actions", None)
    return method.lower() in actions if actions else hasattr(view.cls, method.lower())


def _require_known(view: ViewFunction, header: str) -> None:
    is_known = issubclass(view.cls, ConditionalWrites) and view.initkwargs.get("detail")
    if header == IF_MATCH and is_known:
        return
    raise Refused([not_supported(header)])


def not_supported(header: str) -> Fault:
    return Fault("not_supported", "This URL does not take the header here.", header=header)


def refusal(request: HttpRequest, refused: Refused) -> HttpResponseBase:
    """The answer where a middleware refuses a header."""
    detail, faults = str(refused.detail), refused.faults
    return problem_response(request, refused.status_code, detail, "invalid", faults=faults)


class ConditionalWrites:
    """For a viewset: its URLs of single objects take `If-Match`, whatever they do.

    The root is locked until the answer is made, and its version compared, before the body is looked
    at (RFC 9110, section 13.2.1). PRECONDITIONS_REQUIRED makes that compulsory.
    """

    # Actions by POST that take away what somebody may have changed meanwhile. They lock several
    # roots in one order, and call `require_match_of_locked` then.
    overwriting_actions: frozenset[str] = frozenset()

    @property
    def root_path(self) -> str | None:
        """The ORM's path from the object at the URL to the root that has its version.

        It is empty where the object is one; None where there is no version.
        """
        raise NotImplementedError

    @property
    def version_path(self) -> str | None:
        """The same path to the version itself."""
        path = self.root_path
        if path is None:
            return None
        return f"{path}__version" if path else "version"

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        dispatch = super().dispatch  # type: ignore[misc]
        if request.method not in UNSAFE or KEYS[IF_MATCH] not in request.META:
            return dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]
        with request_transaction():
            response: HttpResponseBase = dispatch(request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        method = str(request.method)
        is_for_one = getattr(self, "detail", False) and method in UNSAFE
        # A method that the view does not have is 405, whatever the condition.
        if not (is_for_one and hasattr(self, method.lower())):
            return
        value = request.META.get(KEYS[IF_MATCH])
        if value is not None:
            self._require_match(Condition.of(value, IF_MATCH))
        elif (
            settings.PRECONDITIONS_REQUIRED
            and (method in OVERWRITES or self._overwrites_by_action)
            and self.root_path is not None
        ):
            raise PreconditionRequired

    @property
    def _overwrites_by_action(self) -> bool:
        return getattr(self, "action", None) in self.overwriting_actions

    def _require_match(self, condition: Condition) -> None:
        if self.root_path is None:
            raise Refused([not_supported(IF_MATCH)])
        instance, version = self.lock_object()
        if not condition.has_version(version):
            raise PreconditionFailed(self.current_tag(instance, version))

    def lock_object(self) -> tuple[models.Model, int]:
        """The object at the URL and the version of its root, which is locked from now on but where
        the action itself locks several."""
        instance = self.get_object()  # type: ignore[attr-defined]
        root = _root_of(instance, self.root_path or "")
        rows = type(root)._base_manager.filter(pk=root.pk)
        if not self._overwrites_by_action:
            rows = rows.select_for_update(no_key=True)
        version = rows.values_list("version", flat=True).first()
        if version is None:
            raise Http404
        return instance, version

    def require_match_of_locked(self, root: AggregateRoot) -> None:
        """Raise PreconditionFailed unless `If-Match`, if it was sent, names this root's version."""
        value = self.request.META.get(KEYS[IF_MATCH])  # type: ignore[attr-defined]
        if value is not None and not Condition.of(value, IF_MATCH).has_version(root.version):
            raise PreconditionFailed(self.current_tag(root, root.version))

    def finalize_response(
        self, request: Request, response: Any, *args: object, **kwargs: object
    ) -> Response:
        """Note the version of what is answered, for its tag."""
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        data = getattr(response, "data", None)
        if isinstance(data, Document):
            response.version = data.version
        elif isinstance(data, ReturnDict) and self.root_path is not None:
            instance = getattr(data.serializer, "instance", None)
            if isinstance(instance, models.Model):
                response.version = _root_of(instance, self.root_path).version
        return response  # type: ignore[no-any-return]

    def current_tag(self, instance: models.Model, version: int) -> str:
        """What a GET would have as its tag; of what has none, the version alone."""
        return f'"{version}"'


def _root_of(instance: models.Model, path: str) -> AggregateRoot:
    return reduce(getattr, filter(None, path.split("__")), instance)  # type: ignore[return-value]  # a path leads to it
