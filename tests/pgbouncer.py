"""A real PgBouncer in front of a PostgreSQL of the tests, in transaction mode.

It is the machine's own, Debian's, or the one that PGBOUNCER names; PROGRAM is None where there is
none, and REASON says so.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from tests.postgres import START_TIMEOUT, PostgreSQL, as_nobody, free_port

# Debian has it where an ordinary user's PATH does not look.
PROGRAM = os.environ.get("PGBOUNCER") or shutil.which(
    "pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
)
REASON = "PgBouncer is not installed; as root, tests/databases/install does it"


class PgBouncer:
    """`with PgBouncer(database) as pooler:` starts it, and ends it at the end.

    `settings` are PgBouncer's own, by their names.
    """

    def __init__(self, database: PostgreSQL, **settings: object) -> None:
        if PROGRAM is None:
            raise RuntimeError(REASON)
        self.database = database
        self.port = free_port()
        self.settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": "users.txt",
            "pool_mode": "transaction",
            "max_client_conn": 200,
            **settings,
        }

    @property
    def url(self) -> str:
        return self.database.url.replace(f":{self.database.port}/", f":{self.port}/")

    def __enter__(self) -> "PgBouncer":
        self.folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        (self.folder / "users.txt").write_text(f'"postgres" "{self.database.password}"\n')
        self._configure()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), "pgbouncer.ini"],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_nobody(self.folder),
            )
        deadline = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return self
        log_text = (self.folder / "log").read_text()
        self.__exit__()
        raise RuntimeError("PgBouncer did not start:\n" + log_text)

    def lead_to(self, database: PostgreSQL) -> None:
        """Lead to another server from now on, as after a failover."""
        self.database = database
        self._configure()
        self.process.send_signal(signal.SIGHUP)

    def _configure(self) -> None:
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={self.database.port}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in self.settings.items())
        )

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)
