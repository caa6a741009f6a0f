"""What Prometheus is told, where METRICS_PORT is set (docs/metrics.md).

Each worker counts in files, and whichever is asked adds up those of all: the multiprocess mode of
prometheus-client (https://prometheus.github.io/client_python/multiprocess/). A file is that of a
place among the workers rather than of a process, so who takes the place of a dead worker counts on
from where that one ended: no sum ever falls, and restarts do not make files.
"""

import asyncio
import fcntl
import os
import shutil
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from time import process_time
from typing import IO, Any, Literal, Protocol, TypeVar

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    make_wsgi_app,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus-client looks for the files' folder
PREFIX = "catalogue-metrics-"
LOCK = "lock"  # a file in it, which is locked as long as a process of the server lives
PERIOD = 0.25  # seconds, after which a worker writes down what it has done and is doing
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
# Of any other, which a client makes up, there would be a series each.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

Kind = TypeVar("Kind", Counter, Gauge, Histogram)
_place = "none"
_lock: IO[str]
values.ValueClass = values.MultiProcessValue(lambda: _place)  # type: ignore[no-untyped-call]


def _named(
    kind: type[Kind],
    name: str,
    help: str,  # noqa: A002
    *labels: str,
    **more: Any,
) -> Kind:
    return kind(name, help, labels, namespace="catalogue", registry=None, **more)


REQUESTS = _named(Counter, "requests", "Requests answered.", "route", "method", "status")
SECONDS = _named(
    Histogram,
    "request_duration_seconds",
    "From when a thread takes a request until the answer begins.",
    *("route", "method"),
    buckets=BUCKETS,
)
STATEMENTS = _named(Counter, "database_statements", "Statements for requests.", "route")
STATEMENT_SECONDS = _named(Counter, "database_seconds", "Time that these took.", "route")
THROTTLED = _named(Counter, "throttled", "Requests refused by 429, by the limit's name.", "scope")
LOGINS = _named(Counter, "logins", "Passwords judged.", "result")
IMPORTED = _named(Counter, "imported_books", "Books of files, by what became of them.", "result")
REFUSED = _named(Counter, "pool_refused", "Requests refused, since too many waited.", "pool")
LIVE: dict[str, Literal["livesum"]] = {"multiprocess_mode": "livesum"}
BUSY = _named(Gauge, "pool_busy", "Threads at work.", "pool", **LIVE)
WAITING = _named(Gauge, "pool_waiting", "Requests that wait for a thread.", "pool", **LIVE)
# As the client's own collector calls them, which knows one process alone.
MEMORY = Gauge(
    "process_resident_memory_bytes", "Memory of a worker.", ["worker"], registry=None, **LIVE
)
CPU = Counter("process_cpu_seconds", "Processor time of a worker.", ["worker"], registry=None)


# The life of a server and of its workers (project.serve)


def open_directory() -> None:
    """Make the folder of this server's files, before it has workers; and remove those of servers
    that were killed."""
    global _lock
    for left in Path(gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), left.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent)
    os.environ[DIRECTORY] = mkdtemp(prefix=PREFIX)
    new = Path(os.environ[DIRECTORY], "new")
    _lock = new.open("w")
    fcntl.flock(_lock, fcntl.LOCK_EX)
    # It has its name once it is locked, or another server could take it for one left behind.
    new.rename(new.with_name(LOCK))


def remove_directory() -> None:
    shutil.rmtree(os.environ[DIRECTORY], ignore_errors=True)


def begin(place: int) -> None:
    """Count in this process as the worker in this place, which nobody else has."""
    from ..signals import login_tried
    from .logging import observers

    global _place
    _place = str(place)
    end(place)
    for result in ("succeeded", "failed"):
        LOGINS.labels(result)
    observers.append(_count_request)
    login_tried.connect(_count_login)


def end(place: int) -> None:
    """Forget what the worker in this place was doing, and keep what it has done."""
    mark_process_dead(place)  # type: ignore[no-untyped-call]


class Pool(Protocol):
    """Threads, as project.front has them."""

    @property
    def busy(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def refused(self) -> int: ...


async def watch(pools: Mapping[str, Pool]) -> None:
    """Write down now and then what this worker has done and is doing, until it ends."""
    process = ProcessCollector(registry=None)
    refused = dict.fromkeys(pools, 0)
    cpu = 0.0
    try:
        while True:
            for name, pool in pools.items():
                BUSY.labels(name).set(pool.busy)
                WAITING.labels(name).set(pool.waiting)
                before, refused[name] = refused[name], pool.refused
                REFUSED.labels(name).inc(refused[name] - before)
            before_cpu, cpu = cpu, process_time()
            CPU.labels(_place).inc(cpu - before_cpu)
            # It knows Linux alone.
            for metric in process.collect():
                if metric.name == "process_resident_memory_bytes":
                    MEMORY.labels(_place).set(metric.samples[0].value)
            _add_answered()
            await asyncio.sleep(PERIOD)
    finally:
        _add_answered()


# What is counted

# Route, method, status, seconds, those of the database, and its statements. To write each down
# at once would take 0.026 of the processor time of one document; together they take 0.013.
_answered: deque[tuple[str, str, int, float, float, int]] = deque()


def _count_request(
    request: HttpRequest,
    response: HttpResponseBase,
    seconds: float,
    database_seconds: float,
    statements: int,
) -> None:
    match, status = request.resolver_match, response.status_code
    # Never the path itself: there are as many as clients think of.
    route = match.route if match else ""
    _answered.append((route, request.method or "", status, seconds, database_seconds, statements))
    if status == 429:
        policy = response.headers.get("RateLimit-Policy", "")
        THROTTLED.labels(policy.partition(";")[0].strip('"')).inc()


def _add_answered() -> None:
    alike: dict[tuple[str, str, int], list[tuple[float, float, int]]] = defaultdict(list)
    for _ in range(len(_answered)):
        route, method, status, seconds, database_seconds, statements = _answered.popleft()
        known = method if method in METHODS else "other"
        alike[route, known, status].append((seconds, database_seconds, statements))
    for (route, method, status), requests in alike.items():
        REQUESTS.labels(route, method, status).inc(len(requests))
        STATEMENT_SECONDS.labels(route).inc(sum(each[1] for each in requests))
        STATEMENTS.labels(route).inc(sum(each[2] for each in requests))
        observe = SECONDS.labels(route, method).observe
        for seconds, _, _ in requests:
            observe(seconds)


def _count_login(*, succeeded: bool, **kwargs: object) -> None:
    LOGINS.labels("succeeded" if succeeded else "failed").inc()


def count_import(counts: Mapping[str, int]) -> None:
    """Add what an import did, by result, to what all have done: in METRICS_DIR, which servers read
    and which outlives them."""
    global _place
    folder = Path(os.environ["METRICS_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[DIRECTORY], _place = str(folder), "imports"
    with (folder / "lock").open("w") as lock:
        # The file is read when it is opened, so one at a time may add to it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for result, number in counts.items():
            IMPORTED.labels(result).inc(number)


# What is told


class _Counted(Collector):
    """All that workers have counted; and imports, in this folder."""

    def __init__(self, imports: str | None) -> None:
        self._imports = imports

    def collect(self) -> Any:
        folders = filter(None, (os.environ[DIRECTORY], self._imports))
        files = [str(each) for folder in folders for each in Path(folder).glob("*.db")]
        return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class _Database(Collector):
    """What the database knows, if it answers in time."""

    def __init__(self) -> None:
        from django.db import connection

        from .questions import Question, figures

        self._ask = Question(lambda: [each for figure in figures for each in figure(connection)])

    def collect(self) -> Iterator[Metric]:
        for name, help_text, value in self._ask() or ():
            yield GaugeMetricFamily(f"catalogue_{name}", help_text, value=value)


def application() -> Callable[..., Iterable[bytes]]:
    """The WSGI application that Prometheus asks."""
    registry = CollectorRegistry()
    registry.register(_Counted(os.environ.get("METRICS_DIR")))
    registry.register(_Database())
    return make_wsgi_app(registry)
