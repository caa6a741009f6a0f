"""Does docs/operations.md name every variable that is read, and no other?"""

import json
import os
import re
import subprocess
import sys

import pytest
from django.conf import global_settings

from project.settings import base
from tests.server import ROOT, manage

pytestmark = pytest.mark.engineless
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
ROWS = {
    cells[0].strip("`"): cells[1:]
    for cells in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        # The table of settings has three columns.
        if re.match(r"\| `[A-Z_]+` \|(.*\|){4}", line)
    )
}
EXAMPLES = {name: cells[-1].strip("`") for name, cells in ROWS.items()}
DEFAULTS = {
    name: cells[2].strip("`") for name, cells in ROWS.items() if re.fullmatch("`[^`]+`", cells[2])
}
REQUIRED = [name for name, cells in ROWS.items() if cells[2].startswith("required")]
# Starts as the server does, and tells what code of the project has asked the environment for, and
# what has become of it.
READ = """
import json, os, runpy, sys
from pathlib import Path

ROOT, read = Path.cwd(), set()


class Recorder(type(os.environ)):
    def note(self, name):
        frame = sys._getframe(2)
        while frame.f_code.co_filename.startswith("<frozen"):
            frame = frame.f_back
        # Whatever a library reads is the library's.
        if Path(frame.f_code.co_filename).is_relative_to(ROOT / "project"):
            read.add(name)

    def __getitem__(self, name):
        self.note(name)
        return super().__getitem__(name)

    def __contains__(self, name):
        self.note(name)
        return super().__contains__(name)


os.environ.__class__ = Recorder
serve = runpy.run_path(str(ROOT / "project" / "serve.py"))
import project.front
from django.conf import settings

values = {name: str(getattr(settings, name)) for name in dir(settings) if name.isupper()}
values |= {"bind": serve["bind"], "PGOPTIONS": os.environ.get("PGOPTIONS")}
json.dump({"read": sorted(read), "values": values}, sys.stdout)
"""


def start(**environment):
    """What a server makes of these variables alone and of those that are required, which have their
    examples; that these are required is what tests/test_production.py shows."""
    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]}
        | {name: EXAMPLES[name] for name in REQUIRED}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_table_has_what_production_and_development_read():
    read = set(start()["read"]) | set(start(**EXAMPLES)["read"])
    read |= set(start(DJANGO_SETTINGS_MODULE="project.settings.dev")["read"])
    assert read - {"DJANGO_DEBUG"} == set(ROWS) == set(EXAMPLES)
    assert "`DJANGO_DEBUG` is none of them" in PAGE


def test_the_defaults_are_those_of_the_table():
    assert {"HSTS_SECONDS", "HOST", "PORT", "PGOPTIONS"} <= set(DEFAULTS)
    assert start(**DEFAULTS)["values"] == start()["values"]


def test_the_settings_of_our_own_are_those_of_the_table():
    # Nobody decides these.
    given = {"CONTENT_SECURITY_POLICY", "ROOT_URLCONF", "BASE_DIR"}
    read = {
        name
        for package in ("project", "auth_api", "authors", "books", "schema")
        for file in (ROOT / package).rglob("*.py")
        for name in re.findall(r"(?<!\w)settings\.([A-Z][A-Z_]+)", file.read_text("utf-8"))
    }
    of_libraries = {"REST_FRAMEWORK", "SPECTACULAR_SETTINGS", *dir(global_settings)}
    table = dict(re.findall(r"^\| `([A-Z_]+)` \| [^|]* \| `([^`|]*)` \|$", PAGE, re.MULTILINE))
    assert set(table) == read - given - of_libraries - set(ROWS)
    assert table == {name: str(getattr(base, name)) for name in table}


@pytest.mark.parametrize(
    ("environment", "host", "origin"),
    [
        ({"HOST": "192.168.1.20"}, "192.168.1.20:8000", "http://localhost:5173"),
        (
            {"HOST": "0.0.0.0", "DJANGO_ALLOWED_HOSTS": "laptop.local"},  # noqa: S104
            "laptop.local:8000",
            "http://127.0.0.1:3000",
        ),
        (
            {"CORS_ALLOWED_ORIGINS": "http://192.168.1.20:5173"},
            "127.0.0.1:8000",
            "http://192.168.1.20:5173",
        ),
    ],
)
def test_phones_and_front_ends_reach_development(environment, host, origin, tmp_path):
    ask = f"""
from django.test import Client
def found(host="localhost", **headers):
    return Client().get("/api/docs/", headers={{"host": host, **headers}})
ours = found("{host}", origin="{origin}")
print(ours.status_code, ours["Access-Control-Allow-Origin"])
print(found("evil.example").status_code)
for origin in ("https://evil.example", "http://localhost.evil.example"):
    print(found(origin=origin).get("Access-Control-Allow-Origin"))
"""
    done = manage(
        *("shell", "--no-imports", "-c", ask),
        env={"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{tmp_path}/a"} | environment,
    )
    assert done.stdout.splitlines() == [f"200 {origin}", "400", "None", "None"], done.stderr
