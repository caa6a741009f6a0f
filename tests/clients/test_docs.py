"""Do the first lines of docs/clients.md run as they stand there?"""

import re
import sys

import pytest

from tests.clients.generators import NODE_MODULES, ROOT, node, python, run, typescript

SHOWN = "http://127.0.0.1:8000"


@pytest.fixture
def lines(catalogue):
    """The example in this language, at the address of the tests' server."""
    text = (ROOT / "docs" / "clients.md").read_text("utf-8")

    def lines(language):
        [code] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        assert SHOWN in code
        return code.replace(SHOWN, catalogue.url)

    return lines


@pytest.fixture
def title(catalogue):
    century = {"first_published_year_min": 1801, "first_published_year_max": 1900}
    return catalogue.client.get("/api/books/", params=century).json()["results"][0]["title"]


def test_python(tmp_path, lines, title):
    python(tmp_path / "catalogue")
    (tmp_path / "first.py").write_text(lines("python"))
    assert run(sys.executable, "first.py", cwd=tmp_path) == f"{title}\n"


def test_typescript(tmp_path, lines, title):
    (tmp_path / "client").mkdir()
    typescript(tmp_path / "client")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "first.ts").write_text(lines("typescript"))
    options = (
        "--strict",
        "--noEmit",
        "--module",
        "preserve",
        "--target",
        "es2022",
        "--skipLibCheck",
    )
    node("tsc", *options, "first.ts", cwd=tmp_path)
    node(*("esbuild", "first.ts", "--format=esm", "--bundle", "--outfile=first.mjs"), cwd=tmp_path)
    assert run("node", "first.mjs", cwd=tmp_path) == f"{title}\n"
