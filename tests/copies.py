"""A copy of the tree, in which the guides can be followed to the letter."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.server import ROOT

LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", ".uv", ".*_cache", ".hypothesis", "__pycache__", "node_modules")
)
# What compares whole bodies, who may do what, what holds the contract, and its pages, and what a
# migration may add.
QUICK_PART = ("resources", "permissions", "schema", "schema_stability", "migrations")
EMPTY_FILE = re.compile(r"empty `([^`]+)`")
DIFFERENCE = re.compile(r"^( *)```diff\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
WHOLE_FILE = re.compile(
    r"^( *)\*\*`([^`]+)`\*\*\n\n\1```python\n(.*?)^\1```$", re.DOTALL | re.MULTILINE
)


class Copy:
    """The tree as it would be committed now, or another copy, where it can be changed."""

    def __init__(self, folder, source=ROOT):
        shutil.copytree(source, folder, ignore=LEFT_OUT)
        self.folder = folder

    def run(self, *command):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "TEST_DATABASE_", "PYTEST_"))
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]
        return done.stdout

    def manage(self, *command):
        return self.run(sys.executable, "manage.py", *command)

    def git(self, *arguments):
        who = ("-c", "user.name=Newcomer", "-c", "user.email=newcomer@example.org")
        return self.run("git", *who, *arguments)

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "So far")

    def follow(self, page):
        """Do all that this part of a page shows: empty files, whole files, and differences."""
        for name in EMPTY_FILE.findall(page):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).touch()
        for _, name, text in WHOLE_FILE.findall(page):
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text), "utf-8")
        for indent, text in DIFFERENCE.findall(page):
            lines = [line.removeprefix(indent) for line in text.splitlines()]
            path = self.folder / lines[1].removeprefix("+++ b/")
            source = path.read_text("utf-8")
            for hunk in "\n".join(lines[2:]).split("@@\n")[1:]:
                before, after = (_side(hunk, sign) for sign in "-+")
                assert source.count(before) == 1, f"{path.name} has not once:\n{before}"
                source = source.replace(before, after)
            path.write_text(source, "utf-8")

    def generate(self):
        """What `make generate` does."""
        self.manage("makemigrations", "--verbosity", "0")
        self.manage("spectacular", "--validate", "--fail-on-warn", "--file", "schema/openapi.yaml")

    def test(self, engine, *files):
        for name, *arguments in (
            ["ruff", "check"],
            ["ruff", "format", "--check"],
            ["lint-imports"],
        ):
            self.run(Path(sys.executable).with_name(name), *arguments)
        self.manage("check", "--fail-level", "WARNING")
        paths = [f"tests/test_{name}.py" for name in (*QUICK_PART, *files)]
        self.run(sys.executable, "-m", "pytest", "-q", "-x", "--engine", engine, *paths)

    def changed(self):
        return {line[3:] for line in self.git("status", "--porcelain", "-uall").splitlines()}


def _side(hunk, sign):
    """The lines of a hunk on one side; an empty line is one of both."""
    lines = (line or " " for line in hunk.splitlines())
    return "".join(f"{line[1:]}\n" for line in lines if line[0] in (" ", sign))
