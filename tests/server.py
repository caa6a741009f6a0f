"""The application in real processes, as `make run` serves it, for what only they can show."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.postgres import free_port

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
START_TIMEOUT = 30  # seconds
# A worker has started once it has had the same threads for so many looks in a row.
STEADY = 4
STOP_TIMEOUT = 10  # seconds


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


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _threads_of(worker):
    """How many it has: one while it imports, and more until its server runs."""
    threads = Path(f"/proc/{worker}/task")
    return len(list(threads.iterdir())) if threads.exists() else 0


class Server:
    """`with Server(env) as server:` serves until the block ends.

    `server.client` asks, `server.log` holds what the processes said.
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
            [sys.executable, "-m", "project.serve", "--port", str(self.port)],
            cwd=self.folder,
            env=self.env,
            stdout=self.log_file,
            stderr=self.log_file,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_TIMEOUT
        # A worker that is told to stop before its server runs does not hear it.
        steady, threads = 0, None
        while steady < STEADY:
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.log
                self.__exit__()
                raise RuntimeError(f"The server did not start:\n{log}")
            time.sleep(0.05)
            before, threads = threads, [_threads_of(worker) for worker in self.processes[1:]]
            serves = self.log.count("Started worker-") == WORKERS and 1 not in threads
            steady = steady + 1 if serves and threads == before else 0
        return self

    @property
    def log(self):
        return Path(self.log_file.name).read_text()

    @property
    def processes(self):
        """The ids of granian's processes that are alive."""
        started = map(int, re.findall(r"PID: (\d+)", self.log))
        return [process for process in started if _is_alive(process)]

    def stop(self, how=signal.SIGTERM):
        """Ask it to end, as a process manager or a terminal does, and return its exit code."""
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
            self.log_file.close()
