"""`Idempotency-Key`: a write that is repeated, since its answer was lost, is done once.

The key and the answer are stored in the write's own transaction, so whoever repeats a request after
a crash finds either both or neither (draft-ietf-httpapi-idempotency-key-header).
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import Error, IntegrityError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import APIException

from ..databases.bound import insert
from ..databases.errors import is_outage
from ..databases.transactions import request_transaction
from ..housekeeping import remove
from ..models import StoredAnswer
from .handlers import unavailable
from .preconditions import UNSAFE, not_supported, refusal, set_tag
from .problems import RETRY_AFTER, Fault, Refused, problem_response
from .views import ViewFunction

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LIFETIME = timedelta(hours=24)
# How long a repetition waits for the first request, which is under way: PostgreSQL's lock_timeout.
# SQLite's is that of all writes.
PATIENCE = "3s"
LOCK_NOT_AVAILABLE = "55P03"
MAX_LENGTH = 255
# A string of RFC 9651, section 3.3.3; or the key as it is, as most clients send it.
QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
BARE = re.compile(r"[!#-~][ -~]*")
# Who asks may be allowed to later, so these are no answers to keep.
NEVER_KEPT = frozenset({401, 403, 429})


class InFlightError(Exception):
    """The first request with this key has not been answered yet."""


def key_of(value: str) -> str:
    """The key in a header's value, quoted or bare; Refused where there is none."""
    text = value.strip(" \t")
    if quoted := QUOTED.fullmatch(text):
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    elif not BARE.fullmatch(text):
        text = ""
    if not 0 < len(text) <= MAX_LENGTH:
        detail = f"Give 1 to {MAX_LENGTH} printable characters of ASCII."
        raise Refused([Fault("malformed", detail, header=HEADER)])
    return text


def forget_old_answers() -> int:
    """Remove what no key can ask for any more; how many answers."""
    return remove(StoredAnswer.objects.filter(created_at__lte=timezone.now() - LIFETIME))


class IdempotentRequests:
    """Answer a write that comes again with the same key as the first time, and do nothing.

    It comes last of all middlewares, since it calls the view itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: ViewFunction,
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> HttpResponseBase | None:
        value = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if value is None or request.method not in UNSAFE or not hasattr(view, "cls"):
            return None
        try:
            return self._answer(request, view, args, kwargs, value)
        except Error as error:
            # What the view fails to do, it has said itself: it is the COMMIT, or the key's row.
            if not is_outage(error):
                raise
            logger.warning("The database does not answer: %s", error)
            return unavailable(request)

    def _answer(
        self,
        request: HttpRequest,
        view: ViewFunction,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        value: str,
    ) -> HttpResponseBase | None:
        try:
            key = key_of(value)
            if getattr(view.cls, "never_stored", False):
                raise Refused([not_supported(HEADER)])
        except Refused as refused:
            return refusal(request, refused)
        user = _user_of(request, view)
        if user is None:
            # The view says so.
            return None
        try:
            body = _body_of(request, view)
        except Refused as refused:
            return refusal(request, refused)
        if body is None:
            return None
        return _answer_once(request, view, args, kwargs, _new(request, user, key, body))


def _user_of(request: HttpRequest, view: ViewFunction) -> int | None:
    """The key of who asks, as the view will see it; None where nobody is logged in."""
    instance = view.cls(**view.initkwargs)
    instance.action_map = getattr(view, "actions", None) or {}  # type: ignore[attr-defined]
    try:
        user = instance.initialize_request(request).user
    except APIException:
        return None
    return user.pk if user.is_authenticated else None


def _body_of(request: HttpRequest, view: ViewFunction) -> bytes | None:
    """The body, an upload's too; None where the view refuses one of this size.

    Refused where it is an upload that nobody has said how large it may be.
    """
    try:
        return request.body
    except RequestDataTooBig:
        if request.content_type != "multipart/form-data":
            return None
    parsers: Any = view.initkwargs.get("parser_classes", view.cls.parser_classes)
    uploads = [each for each in parsers if each.media_type == request.content_type]
    limits = [getattr(each, "max_bytes", 0) for each in uploads]
    if 0 in limits:
        raise Refused([not_supported(HEADER)])
    if int(request.META["CONTENT_LENGTH"]) > max(limits, default=0):
        return None
    # Where Django keeps what it has read, but for its own limit.
    request._body = request.read()
    return request._body


def _new(request: HttpRequest, user: int, key: str, body: bytes) -> StoredAnswer:
    if boundary := (request.content_params or {}).get("boundary"):
        # A client chooses another one whenever it encodes the same form (RFC 2046, section 5.1.1).
        body = body.replace(boundary.encode(), b"")
    return StoredAnswer(
        user_id=user,
        key=key,
        method=str(request.method),
        path=request.get_full_path(),
        body_digest=sha256(body).hexdigest(),
    )


def _answer_once(
    request: HttpRequest,
    view: ViewFunction,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    new: StoredAnswer,
) -> HttpResponseBase:
    # What this view writes before it refuses stays written, as a count of failures.
    keeps_refused = getattr(view, "_non_atomic_requests", None) is not None
    with request_transaction():
        try:
            first = _claim(new)
        except InFlightError:
            transaction.set_rollback(True)
            detail = "The first request with this key is not answered yet. Try again."
            later = {"Retry-After": str(RETRY_AFTER)}
            return problem_response(request, 409, detail, "idempotency_in_flight", later)
        if first is not new:
            return _replayed(request, new, first)
        with transaction.atomic():
            response: Any = view(request, *args, **kwargs)
            if hasattr(response, "render"):
                response = response.render()
            status = response.status_code
            if status >= 400 and not keeps_refused:
                transaction.set_rollback(True)
        if status >= 500:
            transaction.set_rollback(True)
            return response  # type: ignore[no-any-return]
        if response.streaming or "no-store" in response.headers.get("Cache-Control", ""):
            transaction.set_rollback(True)
            return refusal(request, Refused([not_supported(HEADER)]))
        if status in NEVER_KEPT:
            new.delete()
            return response  # type: ignore[no-any-return]
        set_tag(request, response)
        new.status = status
        new.headers = dict(response.headers)
        new.content = response.content
        new.save(update_fields=["status", "headers", "content"])
        return response  # type: ignore[no-any-return]


def _claim(new: StoredAnswer) -> StoredAnswer:
    """The answer of the first request with this key: the new one itself, if this is the first.

    It waits for a request that is under way; InFlightError where that takes too long.
    """
    is_postgresql = connection.vendor == "postgresql"
    if is_postgresql:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)",
                [PATIENCE],
            )
            before, _ = cursor.fetchone()
    first = None
    while first is None:
        first = _stored_or_new(new)
    if is_postgresql and before != PATIENCE:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])
    return first


def _stored_or_new(new: StoredAnswer) -> StoredAnswer | None:
    """None where what is stored has just gone."""
    try:
        with transaction.atomic():
            insert([new])
    except IntegrityError:
        pass
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise InFlightError from error
    else:
        return new
    new.pk = None
    stored = StoredAnswer.objects.filter(user=new.user_id, key=new.key)
    stored.filter(created_at__lte=timezone.now() - LIFETIME).delete()
    return stored.first()


def _replayed(request: HttpRequest, new: StoredAnswer, first: StoredAnswer) -> HttpResponseBase:
    sent, stored = ((each.method, each.path, each.body_digest) for each in (new, first))
    if sent != stored:
        detail = "This key was sent with another request. Make a new one for each write."
        return problem_response(request, 422, detail, "idempotency_mismatch")
    response = HttpResponse(bytes(first.content), status=first.status)
    # Where the answer has no content, it has no type either.
    del response.headers["Content-Type"]
    for name, value in {**first.headers, REPLAYED: "true"}.items():
        response.headers[name] = value
    return response
