"""A Debian machine of the test's own: this one's files under a layer that nobody else sees.

Whatever is done to it, as root, is gone in the end: packages, users, files, processes. It has the
addresses of its own, too, so port 443 is free; what must reach the world says so.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

REASON = "a machine of its own takes root on Debian, with `unshare` and overlays"
# Ends with its first process, which waits for the test to close its input.
BOOT = """
mount -t tmpfs none "$1" && mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc none proc && mount --rbind /dev dev
mount -t tmpfs none run && mkdir -p run/lock
# Packages start nothing by themselves: there is no init.
printf '#!/bin/sh\\nexit 101\\n' > usr/sbin/policy-rc.d && chmod 755 usr/sbin/policy-rc.d
ip link set lo up
echo booted; cat > /dev/null
"""


def is_possible() -> bool:
    return (
        os.geteuid() == 0 and bool(shutil.which("unshare")) and Path("/etc/debian_version").exists()
    )


class Machine:
    def __enter__(self) -> "Machine":
        self.folder = tempfile.mkdtemp(prefix="machine-")
        self.process = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--uts"),
                *("bash", "-euc", BOOT, "boot", self.folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        if self.process.stdout.readline() != "booted\n":
            self.__exit__()
            raise RuntimeError("The machine does not start.")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.init = children.read_text().split()[0]
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        Path(self.folder).rmdir()

    def command(self, script: str, folder: str, *, in_the_world: bool) -> list[str]:
        network = () if in_the_world else (f"--net=/proc/{self.init}/ns/net",)
        return [
            *("nsenter", f"--mount=/proc/{self.init}/ns/mnt", f"--pid=/proc/{self.init}/ns/pid"),
            *(*network, "chroot", f"{self.folder}/root"),
            *("bash", "-euo", "pipefail", "-c", f"cd '{folder}'; {script}"),
        ]

    def run(self, script: str, folder: str = "/", *, in_the_world: bool = False) -> str:
        """What the script says; an error where any of its commands fails."""
        with tempfile.TemporaryFile("w+") as output:
            # A server that the script starts keeps its output open: a file, not a pipe.
            done = subprocess.run(
                self.command(script, folder, in_the_world=in_the_world),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "LC_ALL": "C.UTF-8",
                },
                check=False,
            )
            output.seek(0)
            text = output.read()
        assert done.returncode == 0, f"{script}\n{text[-5000:]}"
        return text
