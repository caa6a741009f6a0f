"""Synchronises a large catalogue for the first time, as docs/offline.md does: `make bench-offline`.

The feed is read to its end from a worker of the application, once with each coding, and once into
the store of that page. It says bytes, seconds of this process, which leave the database out, and
how many of each a million books would take.
"""

import argparse
import json
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scale import SERVER
from tests.postgres import PostgreSQL

if TYPE_CHECKING:
    # Django is set up by then.
    from rest_framework.test import APIClient

MILLION = 1_000_000
CODINGS = ("identity", "gzip", "zstd")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--books", type=int, default=100_000)
    options = parser.parse_args()
    with PostgreSQL(**SERVER) as server:
        env = {"DATABASE_URL": server.url, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
        os.environ.update(env)
        fill = [sys.executable, "-m", "benchmarks.fill", str(options.books)]
        subprocess.run(fill, check=True, stdout=subprocess.DEVNULL)
        measure(MILLION / options.books)


def measure(scale: float) -> None:
    import django

    django.setup()
    logging.disable(logging.INFO)
    from rest_framework.test import APIClient

    from auth_api.models import User

    client = APIClient(SERVER_NAME="127.0.0.1")
    client.force_authenticate(User.objects.get(username="reader"))
    # The first that reads gives positions to all, and learns the URLs of the pages.
    urls = list(pages(client))
    print("| coding | MB | s | of a million books: MB | s |\n|---|---|---|---|---|")
    for coding in CODINGS:
        start = time.process_time()
        answers = (client.get(url, headers={"Accept-Encoding": coding}) for url in urls)
        size = sum(len(answer.content) for answer in answers)
        seconds = time.process_time() - start
        print(
            f"| {coding} | {size / 1e6:.0f} | {seconds:.0f}"
            f" | {size * scale / 1e6:.0f} | {seconds * scale:.0f} |"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.sqlite3"
        requests, seconds = fill_store(client, file)
        size = file.stat().st_size
    print(
        f"\n{requests} requests. Read, parsed and stored in {seconds:.0f} s, of a million books in"
        f" {seconds * scale:.0f} s; the store has {size / 1e6:.0f} MB, {size * scale / 1e6:.0f} MB."
    )


def pages(client: "APIClient") -> Iterator[str]:
    url = "/api/changes/?documents=true&page_size=500"
    while url:
        yield url
        url = client.get(url).json()["next"]


def fill_store(client: "APIClient", file: Path) -> tuple[int, float]:
    from tests.phone import SCHEMA, Client

    requests = 0

    def send(method: str, path: str) -> tuple[int, object]:
        nonlocal requests
        requests += 1
        answer = client.get(path)
        return answer.status_code, json.loads(answer.content)

    store = sqlite3.connect(file)
    store.executescript(SCHEMA)
    reader = Client(store, send)
    start = time.process_time()
    reader.pull()
    seconds = time.process_time() - start
    store.close()
    return requests, seconds


if __name__ == "__main__":
    main()
