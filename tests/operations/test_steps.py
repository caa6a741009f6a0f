"""Do the Containerfile's steps make a server? They are typed on a Debian, without an engine."""

import json
import re
import shlex

import pytest

from tests.operations.machine import REASON, Machine, is_possible
from tests.server import ROOT
from tests.test_operations_docs import EXAMPLES, REQUIRED

pytestmark = pytest.mark.skipif(not is_possible(), reason=REASON)
SOURCE = re.sub(r"(?m)^#.*\n", "", (ROOT / "Containerfile").read_text("utf-8"))
INSTRUCTIONS = [
    line.split(None, 1) for line in SOURCE.replace("\\\n", " ").splitlines() if line.strip()
]
IGNORED = (ROOT / ".containerignore").read_text("utf-8").split()


def copied():
    """What `COPY . .` takes, as a command that writes it to where it is."""
    left_out = [
        f"--no-anchored --exclude={shlex.quote(each.removeprefix('**/'))}"
        if each.startswith("**/")
        else f"--anchored --exclude={shlex.quote(f'./{each}')}"
        for each in IGNORED
    ]
    return f"tar --create --directory {ROOT} {' '.join(left_out)} . | tar --extract --no-same-owner"


def test_the_containerfiles_steps_make_a_server_that_is_healthy():
    folder, user, environment, last = "/", "0", "", {}
    with Machine() as machine:
        for name, rest in INSTRUCTIONS:
            match name:
                case "FROM":
                    user = "0"
                case "WORKDIR":
                    folder = rest
                    machine.run(f"mkdir --parents {folder}")
                case "COPY" if rest == ". .":
                    machine.run(copied(), folder)
                case "COPY":
                    # From the stage before, to the same place.
                    assert rest == "--from=built /opt/catalogue /opt/catalogue"
                case "RUN":
                    machine.run(rest, folder, in_the_world=True)
                case "USER":
                    user = rest
                case "ENV":
                    environment = rest
                case "EXPOSE":
                    assert rest == "8000"
                case "HEALTHCHECK" | "CMD":
                    last[name] = json.loads(rest[rest.index("[") :])
                case _:
                    raise AssertionError(name)
        given = {each: EXAMPLES[each] for each in REQUIRED} | {
            "DATABASE_URL": "sqlite:////var/lib/catalogue/media/catalogue.sqlite3"
        }
        variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in given.items())
        as_user = (
            f"setpriv --reuid {user} --regid {user} --clear-groups env {variables} {environment}"
        )
        machine.run(f"{as_user} .venv/bin/python manage.py migrate --verbosity 0", folder)
        machine.run(f"{as_user} {shlex.join(last['CMD'])} > /run/log 2>&1 &", folder)
        healthy = f"{shlex.join(last['HEALTHCHECK'])} 2> /dev/null"
        machine.run(
            f"for n in $(seq 60); do {healthy} && exit; sleep 0.5; done; cat /run/log; false",
            folder,
        )
