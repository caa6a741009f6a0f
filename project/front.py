"""The front of a worker: it receives the body of a request, and then a thread answers.

ASGI on the outside, the WSGI application on the inside. So a client that sends slowly, or writes
that wait for a lock, hold no thread that another request needs:

- the event loop takes the body, of MAX_BODY at most and within BODY_TIMEOUT;
- reads and writes have threads of their own, each with a queue that has an end;
- the loop itself answers `/livez`; `/readyz` has a thread of its own, and so have the metrics, at
  METRICS_PORT.

What is refused here the application's middleware answers (project.api.http.middleware.Refusals), so
that a refusal has the headers that every answer has.
"""

import asyncio
import io
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple
from urllib.parse import unquote_to_bytes

from .wsgi import application as wsgi_application

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

# A message of ASGI, and what PEP 3333 calls environ.
Message = MutableMapping[str, Any]
Environ = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Stream = Callable[[Message, bytes], None]

# For reads, and as many for writes: a worker has four connections to the database, and the probe's.
THREADS = 2
MAX_WAITING = 100  # requests, for the threads of one kind
BODY_TIMEOUT = 20  # seconds, until the body is there
SEND_TIMEOUT = 20  # seconds, until the client has taken a part of a streamed answer
LINGER = 1  # seconds to read on after a refusal, or who is still sending sees a reset instead of it
MAX_BODY = 6 * 1024 * 1024  # bytes: a cover with its form
MAX_BODIES = 64 * 1024 * 1024  # bytes, of all bodies of a worker at a time
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
METRICS_PORT = os.environ.get("METRICS_PORT", "")

if METRICS_PORT:
    from .api.observability import metrics

    metrics_application = metrics.application()


Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class RefusedError(Exception):
    """The status that a request is answered with, without a thread."""


class Threads:
    """Threads of one kind, and an end to how many requests wait for them."""

    def __init__(self, kind: str, number: int) -> None:
        self._executor = ThreadPoolExecutor(number, kind)
        self._lock = Lock()
        self._number = number
        self._room = number + MAX_WAITING
        self._taken = 0
        self.refused = 0

    @property
    def busy(self) -> int:
        return min(self._taken, self._number)

    @property
    def waiting(self) -> int:
        return max(self._taken - self._number, 0)

    def submit(
        self, function: Callable[[*Arguments], Result], *arguments: *Arguments
    ) -> "Future[Result]":
        """Run this in a thread. RefusedError(503) where too many requests wait."""
        with self._lock:
            if self._taken == self._room:
                self.refused += 1
                raise RefusedError(503)
            self._taken += 1
        future = self._executor.submit(function, *arguments)
        # A request is done when its thread is, whether or not its client is still there.
        future.add_done_callback(self._release)
        return future

    def _release(self, future: object) -> None:
        with self._lock:
            self._taken -= 1


class Front:
    """The ASGI application."""

    def __init__(self) -> None:
        self._reads = Threads("read", THREADS)
        self._writes = Threads("write", THREADS)
        self._probe = Threads("probe", 1)
        self._scrape = Threads("metrics", 1)
        self.under_way = 0  # requests
        self._held = 0  # bytes of bodies

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            if METRICS_PORT:
                pools = {"read": self._reads, "write": self._writes}
                watching = asyncio.create_task(metrics.watch(pools))
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            if METRICS_PORT:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
            return
        environ = environ_of(scope)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        try:
            with self._room_for(length):
                body = await self._receive_body(receive) if length else b""
                if body is None:
                    return
                environ["wsgi.input"] = io.BytesIO(body)
                if environ["SERVER_PORT"] == METRICS_PORT:
                    scraping = self._scrape.submit(_run, environ, None, metrics_application)
                    await _send(send, *await asyncio.wrap_future(scraping))
                elif environ["PATH_INFO"] == "/livez":
                    await _send(send, *_run(environ))
                else:
                    await self._answer(environ, send)
        except RefusedError as refusal:
            environ["front.refusal"] = refusal.args[0]
            await _send(send, *_run(environ))
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    while (await receive()).get("more_body"):
                        pass

    @contextmanager
    def _room_for(self, length: int) -> Iterator[None]:
        """Count a request and the bytes of its body; RefusedError where those are too many."""
        if length > MAX_BODY:
            raise RefusedError(413)
        if self._held + length > MAX_BODIES:
            raise RefusedError(503)
        self._held += length
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._held -= length

    @staticmethod
    async def _receive_body(receive: Receive) -> bytes | None:
        """The body, or None when its client has gone."""
        parts = []
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise RefusedError(408) from None

    async def _answer(self, environ: Environ, send: Send) -> None:
        if environ["PATH_INFO"] == "/readyz":
            threads = self._probe
        elif environ["REQUEST_METHOD"] in SAFE_METHODS:
            threads = self._reads
        else:
            threads = self._writes
        loop, is_gone = asyncio.get_running_loop(), Event()

        def stream(start: Message, part: bytes) -> None:
            """In the thread, which waits until the client has taken what came before."""
            if is_gone.is_set():
                raise ConnectionAbortedError
            sending = _send(send, start, part, more=True)
            asyncio.run_coroutine_threadsafe(sending, loop).result(SEND_TIMEOUT)

        try:
            # Of one process, each thread that works holds the others up.
            is_busy = self._reads.busy + self._writes.busy > 0
            start, rest = await asyncio.wrap_future(threads.submit(_run, environ, stream))
            if is_busy and start and environ["SERVER_PROTOCOL"] == "HTTP/1.1":
                # A connection stays with the worker that took it, however much that has to do. Its
                # client comes back by another one, which a worker that is idle takes first.
                start["headers"].append((b"connection", b"close"))
        except asyncio.CancelledError:
            # The server's word for a client that has gone. Nobody would take what is left.
            is_gone.set()
            raise
        await _send(send, start, rest)


def environ_of(scope: Message) -> Environ:
    """What PEP 3333 asks for, without `wsgi.input`.

    A header with an underscore is left out: it would pass for one with a hyphen.
    """
    path = scope["raw_path"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            continue
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        if name in environ:
            value = environ[name] + ("; " if name == "HTTP_COOKIE" else ",") + value
        environ[name] = value
    return environ


def _run(
    environ: Environ, stream: Stream | None = None, application: "WSGIApplication | None" = None
) -> tuple[Message, bytes]:
    """What the application answers, Django's unless it is another: the start, and the body.

    Of a body in several parts, all but the last are streamed, the start with the first of them.
    """
    start: Message = {}

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Any:
        encoded = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers]
        start.update(type="http.response.start", status=int(status[:3]), headers=encoded)

    body = (application or wsgi_application)(environ, start_response)
    last = b""
    try:
        for part in body:
            if last and stream:
                stream(start, last)
                start.clear()
                last = b""
            last += part
    finally:
        # Django ends the request with it, and here that is in the thread that began it.
        if hasattr(body, "close"):
            body.close()
    return start, b"" if environ["REQUEST_METHOD"] == "HEAD" else last


async def _send(send: Send, start: Message, part: bytes, more: bool = False) -> None:
    if start:
        await send(start)
    await send({"type": "http.response.body", "body": part, "more_body": more})


application = Front()
