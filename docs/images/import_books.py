"""Draws `import-books.svg`: what `manage.py import_books` shows in a terminal. See `make images`.

The command runs in a pseudo-terminal, on a database of its own. Its last bar of progress before the
end stands above what it leaves on the screen.
"""

import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WIDTH = 92
BOOKS = 12_000


def rows() -> list[dict[str, object]]:
    """A library, some of whose rows say too much, and some what cannot be."""
    books: list[dict[str, object]] = [
        {
            "title": f"Volume {number} of the library",
            "authors": [{"name": f"Author {number % 700}"}],
            "series": {"name": f"Series {number % 90}"},
            "series_position": str(number % 130 + 1),
            "subjects": [{"name": f"Subject {number % 40}"}],
            "editions": [{"publisher": {"name": f"Publisher {number % 60}"}, "pages": 300}],
        }
        for number in range(BOOKS)
    ]
    again = {**books[0], "language": "en", "openlibrary_key": "OL1W", "series_position": "77"}
    bad = {**books[1], "editions": [{"isbn13": "978-0-261-10221-8"}]}
    return [*books, {**books[0], "openlibrary_key": "OL1W"}, again, bad, {"title": ""}]


def written_to_terminal(command: list[str], env: dict[str, str]) -> str:
    terminal, end = pty.openpty()
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=end, stderr=end):
        os.close(end)
        written = b""
        try:
            while chunk := os.read(terminal, 65_536):
                written += chunk
        except OSError:
            # So Linux tells that the other end is closed.
            pass
    os.close(terminal)
    return written.decode()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "library.jsonl"
        file.write_text("\n".join(map(json.dumps, rows())))
        env = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder}/catalogue.sqlite3",
            "DJANGO_SETTINGS_MODULE": "project.settings.dev",
            "COLUMNS": str(WIDTH),
            "TERM": "xterm-256color",
        }
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v0"], cwd=ROOT, env=env, check=True)
        shown = written_to_terminal([*manage, "import_books", str(file)], env)
    # The bar is written anew over itself.
    *bars, rest = re.split(r"\r(?:\x1b\[2K)?(?!\n)", shown.replace("\r\n", "\n"))
    under_way = [bar for bar in bars if "rows" in bar and "100%" not in bar]
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print("$ python manage.py import_books library.jsonl", style="bold")
    console.print(Text.from_ansi(under_way[-1].strip()))
    console.print(Text.from_ansi(rest.strip()))
    svg = console.export_svg(title="import_books")
    # The fonts would come from another server.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (HERE / "import-books.svg").write_text(drawn)


if __name__ == "__main__":
    main()
