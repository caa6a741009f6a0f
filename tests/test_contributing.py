"""Does a newcomer who follows CONTRIBUTING.md to the letter get what it promises?"""

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

from tests.server import ROOT

LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", ".uv", ".*_cache", ".hypothesis", "__pycache__", "node_modules")
)
# What compares whole bodies, and what holds the contract.
QUICK_PART = ("resources", "schema", "schema_stability", "subtitle")
TEST = """
from tests.catalogue import send


def test_a_book_has_a_subtitle(librarian):
    body = {"title": "Dune", "subtitle": "A novel"}
    made = send(librarian, "POST", "/books/", body, 201)
    assert made["subtitle"] == "A novel"
    assert send(librarian, "GET", f"/books/{made['id']}/?fields=subtitle") == {
        "subtitle": "A novel"
    }
"""


class Copy:
    """The tree as it would be committed now, in a folder where it can be changed."""

    def __init__(self, folder):
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

    def insert(self, name, pattern, text):
        """Put this text behind the first place in the file that the pattern matches."""
        path = self.folder / name
        source = path.read_text("utf-8")
        end = re.search(pattern, source, re.DOTALL).end()
        path.write_text(source[:end] + text + source[end:], "utf-8")


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT, tmp_path / "copy", ignore=LEFT_OUT)
    copy = Copy(tmp_path / "copy")
    if shutil.which("git") is None:
        pytest.skip("There is no git here to hold the contract against what it was.")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "Begin"]):
        copy.git(*command)
    return copy


def test_a_field_more_is_a_column_a_name_and_a_test(copy, request):
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Add a field")[2]
    [line] = re.findall(r"```python\n( +subtitle = .+?\n) +```", guide)
    copy.insert(
        "books/models.py",
        r"class Book\(.+?\n(?=    \w+ = )",
        textwrap.indent(line.lstrip(), " " * 4),
    )
    copy.manage("makemigrations", "books", "--verbosity", "0")
    copy.insert("books/serializers.py", r'class BookSerializer\(.+?"title",\n', '"subtitle",\n')
    (copy.folder / "tests" / "test_subtitle.py").write_text(TEST, "utf-8")
    copy.manage("spectacular", "--validate", "--fail-on-warn", "--file", "schema/openapi.yaml")
    engine = request.config.getoption("engine")
    files = [f"tests/test_{name}.py" for name in QUICK_PART]
    copy.run(sys.executable, "-m", "pytest", "-q", "-x", "--engine", engine, *files)
    [migration] = (copy.folder / "books" / "migrations").glob("*_book_subtitle.py")
    assert copy.git("status", "--porcelain").splitlines() == [
        " M books/models.py",
        " M books/serializers.py",
        " M schema/openapi.yaml",
        f"?? books/migrations/{migration.name}",
        "?? tests/test_subtitle.py",
    ]
