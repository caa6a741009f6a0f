"""The application in real processes, as `make run` serves it, for what only they can show."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.postgres import START_TIMEOUT, free_port

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a-password-for-the-tests"
WORKERS = 2
# Of a server on PostgreSQL, where a busy machine is not to be seen as a lock that lasts.
PATIENCE = {"PGOPTIONS": "-c lock_timeout=30s -c statement_timeout=60s"}
STOP_TIMEOUT = 60  # seconds, on a machine that has much else to do


def development(database_url):
    """The environment of a process that uses the development settings with this database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings.dev",
        "DATABASE_URL": database_url,
    }


def manage(*command, env, folder=ROOT):
    """Run manage.py to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def with_admins(database_url, *names):
    """The environment of processes whose database has these admins, with PASSWORD."""
    env = development(database_url) | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    assert manage("migrate", env=env).returncode == 0
    for name in names:
        user = ("--username", name, "--email", f"{name}@example.org")
        assert manage("createsuperuser", "--no-input", *user, env=env).returncode == 0
    return env


# What a token begins with: one of a session, and one of a program.
TOKENS = re.compile(r"eyJ[\w-]{10,}|bookcat_[\w-]{10,}|Bearer [\w.-]{20,}")


def secrets_in(text, env):
    """What stands in this log and may stand in none: passwords, keys and tokens."""
    password = urlsplit(env.get("DATABASE_URL", "")).password or ""
    known = [PASSWORD, password, env.get("DJANGO_SECRET_KEY", "")]
    known += re.findall(r'"k": *"([^"]+)"', env.get("JWT_KEYS", ""))
    # A shorter one of somebody's own database may be a word.
    return [each for each in known if len(each) >= 8 and each in text] + TOKENS.findall(text)


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come to pass."
        time.sleep(0.05)


class Server:
    """`with Server(env) as server:` serves until the block ends.

    `server.client` asks, `server.log` holds what the processes said, which in the end has no
    secret in it, whatever the test was about.
    """

    def __init__(self, env, folder=ROOT):
        self.env = env
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.log_file = tempfile.NamedTemporaryFile()
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "project/serve.py"],
            cwd=self.folder,
            env=self.env | {"PORT": str(self.port)},
            stdout=self.log_file,
            stderr=self.log_file,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_TIMEOUT
        ready = re.compile(rf"ASGI server listening on \S+:{self.port}\b")
        while len(ready.findall(self.log)) < WORKERS:
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.log
                self.__exit__()
                raise RuntimeError(f"The server did not start:\n{log}")
            time.sleep(0.05)
        return self

    @property
    def log(self):
        return Path(self.log_file.name).read_text()

    @property
    def processes(self):
        """The ids of the supervisor and the workers that are alive."""
        workers = map(int, re.findall(r"Booting worker with pid: (\d+)", self.log))
        return [process for process in (self.process.pid, *workers) if _is_alive(process)]

    def wait_until_ready(self):
        """On a busy machine a check may take longer than a probe waits for it."""
        wait_until(lambda: self.client.get("/readyz").status_code == 200)

    def stop(self, how=signal.SIGTERM):
        """Ask it to end, as a terminal does, and return its exit code."""
        os.killpg(self.process.pid, how)
        return self.process.wait(STOP_TIMEOUT)

    def __exit__(self, *exception):
        self.client.close()
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            for process in self.processes:
                os.kill(process, signal.SIGKILL)
            self.process.wait()
            log = self.log
            self.log_file.close()
        assert secrets_in(log, self.env) == []
