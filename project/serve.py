"""Serve with granian: `python -m project.serve --port 8000`, and any other option of granian's."""

import os
import signal
import subprocess
import sys
from types import FrameType

GRANIAN = [
    *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
    # SQLite lets one write at a time, and a PostgreSQL on the same machine wants its share.
    *("--workers", "2", "--blocking-threads", "3", "--respawn-failed-workers"),
    # A worker that is told to stop before it has started does not hear it.
    *("--workers-kill-timeout", "30"),
]


def main() -> int:
    """Serve until a signal ends it, and return granian's exit code; or what a system check finds
    wrong, as a misspelt name in a viewset, ends it before it starts.

    Granian's workers hang when Ctrl-C and their parent's SIGTERM reach them together. So they are
    in a session of their own, where Ctrl-C does not reach them, and only their parent is told.
    """
    # Workers that refuse to start would be started again and again.
    settings = {"DJANGO_SETTINGS_MODULE": "project.settings.prod", **os.environ}
    check = [sys.executable, "-m", "django", "check"]
    if code := subprocess.run(
        check, env=settings, stdout=subprocess.DEVNULL, check=False
    ).returncode:
        return code
    server = subprocess.Popen(
        [*GRANIAN, *sys.argv[1:], "project.wsgi:application"], start_new_session=True
    )

    def stop(number: int, frame: FrameType | None) -> None:
        server.terminate()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), stop)
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
