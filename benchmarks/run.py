"""Measures the project beside its peers: `make bench`, or `make bench QUICK=1` in a minute.

Every peer runs under the same server, with one worker, on the same database, and gives the same
answers, which is checked first. Rounds go from peer to peer, so that what else the machine does
hits all alike; a ratio is made within a round. CPU is that of all processes of the application
and of the database, per request.
"""

import argparse
import json
import os
import platform
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.postgres import PostgreSQL, free_port

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
CONNECTIONS = 4
WARM_UP = 10  # requests on each connection, with which statements get prepared
COMPARED = 12  # answers of each scenario
START_TIMEOUT = 30  # seconds
# As many at once as are measured with the server that production has.
MANY_CONNECTIONS = 64
ADDRESS = "127.0.0.1:{port}"
GRANIAN = ("-m", "granian", "--no-ws", "--workers", "1", "--port", "{port}")
WSGI = (*GRANIAN, "--interface", "wsgi", "--blocking-threads", "2")
ASGI = (*GRANIAN, "--interface", "asgi", "--loop", "uvloop")
DJANGO = (*WSGI, "project.wsgi:application")
# By name: what Python runs, and the path before /books/. django-bolt has a server of its own.
PEERS = {
    "project": (DJANGO, "/api"),
    "plain-drf": (DJANGO, "/plain-drf"),
    "ninja": (DJANGO, "/ninja"),
    "bolt": (
        ("manage.py", "runbolt", "--host", "127.0.0.1", "--port", "{port}", "--no-admin"),
        "",
    ),
    "fastapi": ((*ASGI, "benchmarks.peers.fastapi:app"), ""),
    "limit": ((*WSGI, "benchmarks.peers.limit:application"), ""),
}
# The project as it is served, and behind its front with one worker.
PRODUCTION = (("-m", "gunicorn", "--config", "project/serve.py", "--bind", ADDRESS), "/api")
FRONT = ((*PRODUCTION[0], "--workers", "1"), "/api")
STARTED = ("Started worker-1", "[django-bolt] Workers", "Booting worker")
# Those that are written for PostgreSQL alone.
POSTGRESQL_ONLY = {"fastapi", "limit"}
GOALS = {
    "list plain-drf": "≥ 14",
    "list fastapi": "≥ 5.5",
    "list limit-cpu": "≤ 1.45",
    "list 304-cpu": "≤ 0.25",
    "one plain-drf": "≥ 9",
    "one fastapi": "≥ 3.5",
    "front list p99/p50": "≤ 2.5",
    "front memory MB": "≤ 80",
}


# Servers


class Peer:
    """A peer in processes of its own."""

    def __init__(self, name: str, env: dict[str, str]) -> None:
        self.name = name
        command, self.prefix = {**PEERS, "front": FRONT, "production": PRODUCTION}[name]
        self.port = free_port()
        self.log = tempfile.NamedTemporaryFile()  # noqa: SIM115  (lives as long as the server)
        self.process = psutil.Popen(
            [sys.executable, *(each.format(port=self.port) for each in command)],
            cwd=ROOT,
            env=env,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not (self._has_started() and self._answers()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {Path(self.log.name).read_text()}")
            time.sleep(0.05)

    def _has_started(self) -> bool:
        log = Path(self.log.name).read_text()
        return any(line in log for line in STARTED)

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        # At once: there is nothing to finish, and a worker that starts does not hear a request.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


def clock_of(connection: Any) -> Callable[[], float]:
    """What gives the seconds of CPU of this process and of the server of this connection."""
    backend = None
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = psutil.Process(cursor.fetchone()[0])

    def cpu() -> float:
        used = backend and backend.cpu_times()
        return time.process_time() + (used.user + used.system if used else 0.0)

    return cpu


def cpu_of(process: psutil.Process) -> float:
    """Seconds that this process and those below it have worked, ended ones included."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_of(process: psutil.Process) -> int:
    """Bytes that the workers hold for themselves."""
    workers = process.children(recursive=True) or [process]
    return sum(each.memory_full_info().uss for each in workers)


# Clients


class Client:
    """One connection, which reads each answer whole before it asks again."""

    def __init__(self, peer: Peer, token: str | None) -> None:
        self.peer = peer
        self.headers = f"Authorization: Bearer {token}\r\n" if token else ""
        self.socket = socket.create_connection(("127.0.0.1", peer.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str, tag: str | None = None) -> bytes:
        """The body; with the tag that it must still have, nothing."""
        status, head, body = self._ask(path, f"If-None-Match: {tag}\r\n" if tag else "")
        if status != ("304" if tag else "200"):
            raise RuntimeError(f"{self.peer.name} {path}: {head[:1000]!r}")
        return body

    def tag_of(self, path: str) -> str:
        _, head, _ = self._ask(path, "")
        return head.split("\r\netag: ")[1].split("\r\n")[0]

    def _ask(self, path: str, headers: str) -> tuple[str, str, bytes]:
        request = (
            f"GET {self.peer.prefix}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Accept: application/json\r\n{self.headers}{headers}\r\n"
        )
        self.socket.sendall(request.encode())
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        head = received[:end].decode("latin-1").lower()
        status = head[9:12]
        _, _, rest = head.partition("content-length:")
        length = int(rest.split("\r\n")[0]) if rest and status != "304" else 0
        while len(received) < end + 4 + length:
            received += self._receive()
        return status, head, bytes(received[end + 4 :])

    def _receive(self) -> bytes:
        data = self.socket.recv(1 << 18)
        if not data:
            raise RuntimeError(f"{self.peer.name} closed the connection.")
        return data

    def close(self) -> None:
        self.socket.close()


@dataclass
class Measurement:
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    application_cpu_ms: float
    database_cpu_ms: float

    @property
    def cpu_ms(self) -> float:
        return self.application_cpu_ms + self.database_cpu_ms


def measure(
    peer: Peer,
    token: str | None,
    paths: list[str],
    seconds: float,
    database: psutil.Process | None,
    *,
    again: bool = False,
    connections: int = CONNECTIONS,
) -> Measurement:
    """What these cost; with `again`, for who has them already."""
    latencies: list[float] = []
    clients = [Client(peer, token) for _ in range(connections)]
    tags = {path: clients[0].tag_of(path) for path in paths} if again else {}
    deadline = 0.0

    def ask(client: Client, seed: int) -> None:
        chosen = random.Random(seed)
        while (start := time.perf_counter()) < deadline:
            path = chosen.choice(paths)
            client.get(path, tags.get(path))
            latencies.append(time.perf_counter() - start)

    before = cpu_of(peer.process), cpu_of(database) if database else 0.0
    start = time.perf_counter()
    deadline = start + seconds
    threads = [
        threading.Thread(target=ask, args=(client, seed)) for seed, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    after = cpu_of(peer.process), cpu_of(database) if database else 0.0
    for client in clients:
        client.close()
    number = len(latencies)
    ordered = sorted(latencies)
    return Measurement(
        requests_per_second=number / elapsed,
        p50_ms=ordered[number // 2] * 1000,
        p99_ms=ordered[number * 99 // 100] * 1000,
        application_cpu_ms=(after[0] - before[0]) / number * 1000,
        database_cpu_ms=(after[1] - before[1]) / number * 1000,
    )


# What is asked


def scenarios(books: int) -> dict[str, list[str]]:
    years = range(1990, 2026)
    chosen = random.Random(1)
    return {
        "list": [f"/books/?first_published_year={year}" for year in years],
        "one": [f"/books/{chosen.randint(1, books)}/" for _ in range(500)],
    }


def compare(peers: list[Peer], token: str, asked: dict[str, list[str]]) -> None:
    """Every peer gives the same documents, or nothing is measured."""
    for path in (path for paths in asked.values() for path in paths[:COMPARED]):
        answers = {}
        for peer in peers:
            client = Client(peer, token)
            body = json.loads(client.get(path))
            client.close()
            answers[peer.name] = body.get("results", body)
        for name, answer in answers.items():
            if answer != answers["project"]:
                raise SystemExit(f"{name} answers {path} otherwise than the project does.")


# One engine


@dataclass
class Results:
    rounds: dict[str, dict[str, list[Measurement]]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    # What the check of a token adds to the CPU of one document, by round, in milliseconds.
    authentication: list[float] = field(default_factory=list)
    # The CPU of a list that has not changed, over that of one that is sent, by round.
    unchanged: list[float] = field(default_factory=list)
    # Lists behind the front, asked for by many connections at once.
    front: list[Measurement] = field(default_factory=list)

    def ratios(self, scenario: str, peer: str) -> list[float]:
        """Our throughput over the peer's, by round."""
        ours, theirs = (self.rounds[scenario][name] for name in ("project", peer))
        return [
            a.requests_per_second / b.requests_per_second for a, b in zip(ours, theirs, strict=True)
        ]

    def cpu_ratios(self, scenario: str, peer: str) -> list[float]:
        """Our CPU for a request over the peer's, by round."""
        ours, theirs = (self.rounds[scenario][name] for name in ("project", peer))
        return [a.cpu_ms / b.cpu_ms for a, b in zip(ours, theirs, strict=True)]

    def lines(self) -> Iterator[tuple[str, list[float]]]:
        for scenario, peers in self.rounds.items():
            for peer in peers:
                if peer != "project":
                    yield f"{scenario} {peer}", self.ratios(scenario, peer)
            if "limit" in peers:
                yield f"{scenario} limit-cpu", self.cpu_ratios(scenario, "limit")
        yield "list 304-cpu", self.unchanged
        yield "front list p99/p50", [each.p99_ms / each.p50_ms for each in self.front]
        yield "front memory MB", [self.memory["front"] / 1e6]


@contextmanager
def database(engine: str) -> Iterator[tuple[str, psutil.Process | None]]:
    """The URL of an empty database, and the process at its top, if it has any."""
    if engine == "postgresql":
        with PostgreSQL() as server:
            assert server.process is not None  # noqa: S101
            yield server.url, psutil.Process(server.process.pid)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/catalogue.sqlite3", None


def fill(books: int, env: dict[str, str]) -> str:
    """Load the catalogue, and return an access token."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fill", str(books)],
        cwd=ROOT,
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.splitlines()[-1]


def run(engine: str, options: argparse.Namespace) -> Results:
    results = Results()
    with ExitStack() as stack:
        url, server = stack.enter_context(database(engine))
        env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
        token = fill(options.books, env)
        names = [name for name in PEERS if engine == "postgresql" or name not in POSTGRESQL_ONLY]
        peers = [Peer(name, env) for name in names]
        for peer in peers:
            stack.callback(peer.stop)
        for peer in peers:
            peer.wait()
        asked = scenarios(options.books)
        compare(peers, token, asked)
        for scenario, paths in asked.items():
            for peer in peers:
                warm_up(peer, token, paths)
            results.rounds[scenario] = {name: [] for name in names}
            for _ in range(options.rounds):
                for peer in peers:
                    measurement = measure(peer, token, paths, options.seconds, server)
                    results.rounds[scenario][peer.name].append(measurement)
        for _ in range(options.rounds):
            sent, unchanged = (
                measure(peers[0], token, asked["list"], options.seconds, server, again=again).cpu_ms
                for again in (False, True)
            )
            results.unchanged.append(unchanged / sent)
        if not options.quick:
            for _ in range(options.rounds):
                known, unknown = (
                    measure(peers[0], each, asked["one"], options.seconds, server).cpu_ms
                    for each in (token, None)
                )
                results.authentication.append(known - unknown)
        results.memory = {peer.name: memory_of(peer.process) for peer in peers}
        front = Peer("front", env)
        stack.callback(front.stop)
        front.wait()
        for paths in asked.values():
            warm_up(front, token, paths)
        results.front = [
            measure(
                front, token, asked["list"], options.seconds, server, connections=MANY_CONNECTIONS
            )
            for _ in range(options.rounds)
        ]
        results.memory["front"] = memory_of(front.process)
    return results


def warm_up(peer: Peer, token: str, paths: list[str]) -> None:
    # As many connections as in the measurement, so that every thread of the server has worked.
    clients = [Client(peer, token) for _ in range(CONNECTIONS)]
    threads = [
        threading.Thread(target=lambda c=client: [c.get(path) for path in paths[:WARM_UP]])
        for client in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()


# Report


def table(engine: str, results: Results) -> Iterator[str]:
    yield f"\n{engine}: median of the rounds; CPU and latency in milliseconds a request"
    yield f"{'':16}{'req/s':>8}{'p50':>8}{'p99':>8}{'app CPU':>9}{'db CPU':>8}{'MB':>6}"
    for scenario, peers in results.rounds.items():
        for name, rounds in peers.items():
            middle = {
                key: statistics.median(asdict(each)[key] for each in rounds)
                for key in asdict(rounds[0])
            }
            yield (
                f"{scenario:5}{name:11}{middle['requests_per_second']:8.0f}"
                f"{middle['p50_ms']:8.2f}{middle['p99_ms']:8.2f}"
                f"{middle['application_cpu_ms']:9.2f}{middle['database_cpu_ms']:8.2f}"
                f"{results.memory[name] / 1e6:6.0f}"
            )
    if added := results.authentication:
        spread = f"({min(added):.2f} … {max(added):.2f})"
        yield f"The check of a token adds {statistics.median(added):.2f} {spread} to one document."


def as_json(options: argparse.Namespace, found: dict[str, Results]) -> dict[str, object]:
    return {
        "books": options.books,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "connections": CONNECTIONS,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "engines": {
            engine: {
                "measurements": {
                    scenario: {
                        name: [asdict(each) for each in rounds] for name, rounds in p.items()
                    }
                    for scenario, p in results.rounds.items()
                },
                "memory_bytes": results.memory,
                "authentication_cpu_ms": results.authentication,
                "front": [asdict(each) for each in results.front],
                "ratios": dict(results.lines()),
            }
            for engine, results in found.items()
        },
    }


def plot(found: dict[str, Results]) -> str:
    """Bars of the throughput, one panel for each scenario and engine, as SVG."""
    panels, y, column = [], 44, 0
    for engine, results in found.items():
        for column, (scenario, peers) in enumerate(results.rounds.items()):
            medians = {
                name: statistics.median(each.requests_per_second for each in rounds)
                for name, rounds in peers.items()
            }
            panels.append(
                panel(f"{NAMES[scenario]}, {NAMES[engine]}", medians, 20 + 450 * column, y)
            )
        y += 60 + 26 * len(peers)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {450 * (column + 1) + 20} {y - 20}"'
        ' font-family="system-ui, sans-serif" font-size="13" fill="#1a202c">'
        '<rect width="100%" height="100%" rx="8" fill="white"/>'
        '<text x="20" y="24" fill="#718096">requests per second; longer is better</text>'
        + "".join(panels)
        + "</svg>\n"
    )


NAMES = {
    "list": "List of 50 nested books",
    "one": "One nested book",
    "postgresql": "PostgreSQL",
    "sqlite": "SQLite",
}


def panel(title: str, values: dict[str, float], x: int, y: int) -> str:
    bars = [f'<text x="{x}" y="{y + 14}" font-size="15" font-weight="600">{title}</text>']
    for i, (name, value) in enumerate(values.items()):
        top = y + 28 + 26 * i
        width = max(260 * value / max(values.values()), 2)
        color, weight = ("#2b6cb0", 600) if name == "project" else ("#cbd5e0", 400)
        text = f'y="{top + 14}" font-weight="{weight}"'
        bars += [
            f'<text x="{x + 74}" text-anchor="end" {text}>{name}</text>',
            f'<rect x="{x + 82}" y="{top}" width="{width:.0f}" height="19" rx="3" fill="{color}"/>',
            f'<text x="{x + 90 + width:.0f}" {text}>{value:,.0f}</text>',
        ]
    return "".join(bars)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--engine", action="append", choices=["postgresql", "sqlite"])
    parser.add_argument("--quick", action="store_true", help="the ratios on PostgreSQL, at once")
    options = parser.parse_args()
    # `kill` and `timeout` end the run as Ctrl-C does: with every process stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.quick:
        options.books, options.rounds, options.seconds = 10_000, 3, 0.6
        options.engine = ["postgresql"]
    found = {engine: run(engine, options) for engine in options.engine or ["postgresql", "sqlite"]}
    for engine, results in found.items():
        print("\n".join(table(engine, results)))
    if not options.quick:
        text = json.dumps(as_json(options, found), indent=1)
        (HERE / "results.json").write_text(text + "\n")
        (HERE / "results.svg").write_text(plot(found))
    print(
        "\nThe project's throughput over each peer's (limit-cpu: its CPU over the limit's; 304-cpu:"
        " that of a list that has not changed over that of one that is sent; front: behind it, a"
        f" list with {MANY_CONNECTIONS} connections, and a worker's own memory)"
    )
    for engine, results in found.items():
        suffix = "" if options.quick else f" {engine}"
        for line, ratios in results.lines():
            spread = "" if options.quick else f" ({min(ratios):.2f} … {max(ratios):.2f})"
            goal = f", goal {GOALS[line]}" if line in GOALS else ""
            print(f"{line}{suffix} {statistics.median(ratios):.2f}{spread}{goal}")


if __name__ == "__main__":
    main()
