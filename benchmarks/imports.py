"""Measures the import of books beside what PostgreSQL's COPY of the same rows reaches alone.

`python -m benchmarks.imports [--books N]`: a file of JSON Lines goes in by `import_books`, into an
empty database and then once more. After that the rows that it made are taken out, and put back by
COPY from memory, with all indexes and constraints in place: by one connection, and by two with
half of the books each. That is the limit, which only an import at no cost of its own could reach.
CPU is that of all processes of either side, for a book; memory is the most that the import held.

`--memory` has plain books instead, on SQLite: 100,000 and a million, or as many as are said.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.run import ROOT, cpu_of, database

# In the order in which they go in; what books share, and each part of a book with its book's id.
# Contributions before their books, as the import puts them in, and what a search finds behind them.
SHARED = (
    *("books_publisher", "books_series", "books_subject", "authors_author"),
    *("books_publishersearch", "books_seriessearch", "books_subjectsearch", "authors_authorsearch"),
    "search_word",
)
PARTS = {
    "books_contribution": "book_id",
    "books_book": "id",
    "books_book_subjects": "book_id",
    "books_edition": "book_id",
    "books_booksearch": "rowid",
}
TABLES = ", ".join((*SHARED, *PARTS))
# About as many as a batch of the import has.
BOOKS_PER_TRANSACTION = 3_000

SEED = 1965

# The rows of a transaction, as COPY writes and reads them, with their tables.
Rows = list[tuple[str, bytes]]


def write_file(books: int, path: Path) -> None:
    """In a process of its own, which sets Django up."""
    import django

    django.setup()
    from benchmarks.catalogue import Catalogue

    with path.open("w") as file:
        for body in Catalogue(books).bodies():
            file.write(json.dumps(body, ensure_ascii=False) + "\n")


@dataclass
class Usage:
    """What has been used up between the two ends of a `with`."""

    server: psutil.Process | None
    seconds: float = 0.0
    database_cpu: float = 0.0
    # To be filled in by whoever knows.
    application_cpu: float = 0.0
    memory: int = 0

    @contextmanager
    def measured(self) -> Iterator["Usage"]:
        before = cpu_of(self.server) if self.server else 0.0
        start = time.perf_counter()
        yield self
        self.seconds = time.perf_counter() - start
        self.database_cpu = (cpu_of(self.server) if self.server else 0.0) - before

    def line(self, name: str, books: int) -> str:
        return (
            f"{name:34}{books / self.seconds:9,.0f}{self.application_cpu / books * 1e6:10.0f}"
            f"{self.database_cpu / books * 1e6:10.0f}{self.memory / 1e6:8.0f}"
        )


def manage(env: dict[str, str], *arguments: str) -> tuple[float, int]:
    """Its CPU in seconds, and the most memory that it held, in bytes."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def import_once(file: Path, env: dict[str, str], server: psutil.Process | None) -> Usage:
    with Usage(server).measured() as usage:
        usage.application_cpu, usage.memory = manage(env, "import_books", str(file))
    return usage


def take_out(url: str) -> list[Rows]:
    """What the tables hold: first what books share, then the parts of some books at a time."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:

        def rows(table: str, where: str = "") -> tuple[str, bytes]:
            with cursor.copy(f"COPY (SELECT * FROM {table} {where}) TO STDOUT") as copy:  # noqa: S608
                return table, b"".join(copy)

        [(last,)] = cursor.execute("SELECT max(id) FROM books_book").fetchall()
        transactions = [[rows(table) for table in SHARED]]
        for first in range(0, last, BOOKS_PER_TRANSACTION):
            of = f"> {first} AND {{}} <= {first + BOOKS_PER_TRANSACTION}"
            transactions.append(
                [rows(table, f"WHERE {book} {of.format(book)}") for table, book in PARTS.items()]
            )
    return transactions


def put_in(url: str, transactions: list[Rows]) -> None:
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        for rows in transactions:
            with connection.transaction():
                for table, data in rows:
                    with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                        copy.write(data)


def copy_alone(
    url: str, transactions: list[Rows], connections: int, server: psutil.Process | None
) -> Usage:
    with psycopg.connect(url) as connection:
        connection.execute(f"TRUNCATE {TABLES} CASCADE")
    own = time.process_time()
    with Usage(server).measured() as usage, ThreadPoolExecutor(connections) as pool:
        put_in(url, transactions[:1])
        parts = [transactions[1 + i :: connections] for i in range(connections)]
        list(pool.map(put_in, [url] * connections, parts))
    usage.application_cpu = time.process_time() - own
    return usage


def write_plain_file(books: int, path: Path) -> None:
    """Each with an author and an edition, in no order."""
    numbers = list(range(books))
    random.Random(SEED).shuffle(numbers)
    with path.open("w") as file:
        for number in numbers:
            body = {
                "title": f"Book {number}",
                "authors": [{"name": f"Author {number % 5_000}"}],
                "editions": [{"format": "paperback", "pages": number % 900 + 1}],
            }
            file.write(json.dumps(body) + "\n")


def measure_memory(numbers: Sequence[int], env: dict[str, str]) -> None:
    print(f"{'':34}{'books/s':>9}{'app µs':>10}{'db µs':>10}{'MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "books.jsonl"
        for books in numbers:
            write_plain_file(books, file)
            with database("sqlite") as (url, server):
                env["DATABASE_URL"] = url
                manage(env, "migrate", "-v0")
                used = import_once(file, env, server)
                print(used.line(f"sqlite, {books:,} plain books", books), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=int, default=200_000)
    parser.add_argument("--memory", type=int, nargs="*", metavar="BOOKS")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the file, and no more")
    options = parser.parse_args()
    books = options.books
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    if options.write:
        write_file(books, options.write)
        return
    if options.memory is not None:
        measure_memory(options.memory or (100_000, 1_000_000), env)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "books.jsonl"
        subprocess.run(
            [*(sys.executable, "-m", "benchmarks.imports"), "--books", str(books), "--write", file],
            env={**env, "DATABASE_URL": "sqlite:///:memory:"},
            cwd=ROOT,
            check=True,
        )
        print(f"{'':34}{'books/s':>9}{'app µs':>10}{'db µs':>10}{'MB':>8}")
        for engine in ("postgresql", "sqlite"):
            with database(engine) as (url, server):
                env["DATABASE_URL"] = url
                manage(env, "migrate", "-v0")
                for name in ("import", "import again"):
                    used = import_once(file, env, server)
                    print(used.line(f"{engine}, {name}", books), flush=True)
                if engine == "postgresql":
                    transactions = take_out(url)
                    for connections in (1, 2):
                        used = copy_alone(url, transactions, connections, server)
                        name = f"{engine}, COPY by {connections} connection(s)"
                        print(used.line(name, books), flush=True)


if __name__ == "__main__":
    main()
