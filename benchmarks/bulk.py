"""Measures a bulk of new books beside single requests and drf-writable-nested, and exports.

`make bench-bulk`: 200 books with all that they nest are created by one bulk and by 200 requests, in
turns; and 200 books with two contributions by one bulk and by a `many=True` serializer of
drf-writable-nested. Then all books of a catalogue are exported as JSON Lines and as CSV. Times are
those of whole requests, without a network; of exports, of the application's processor alone, which
other work on the machine does not change. It fails where a goal is missed.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

from tests.postgres import PostgreSQL

ITEMS = 200
ROUNDS = 5
BOOKS = 20_000
# How many times as long as a bulk they take, of the same books.
GOALS = {"requests": ("bulk", 6), "many=True": ("bulk of plain books", 10)}
GOAL_OF_EXPORT = 20_000  # books a second of the processor


def _bodies(authors: list[int], publisher: int, subjects: list[int]) -> list[dict[str, object]]:
    return [
        {
            "title": f"A Book {i}",
            "language": "en",
            "series": {"name": f"Series {i}"},
            "subject_ids": subjects,
            "contributions": [
                {"author_id": authors[i % len(authors)]},
                {"author": {"name": f"New {i}"}, "role": "translator"},
            ],
            "editions": [{"format": "ebook", "publisher_id": publisher, "pages": 100}],
        }
        for i in range(ITEMS)
    ]


def measure() -> None:
    """Print the seconds of each round by what was measured, and the books a second, as JSON."""
    import django

    django.setup()
    from django.core.management import call_command
    from rest_framework.test import APIClient

    from auth_api.models import User
    from authors.models import Author
    from benchmarks.catalogue import Catalogue
    from benchmarks.peers.writable_nested import WritableNestedBookViewSet
    from books.models import Book, Publisher, Subject
    from tests.catalogue import continue_ids

    call_command("migrate", verbosity=0)
    Catalogue(BOOKS).load()
    continue_ids()
    user = User.objects.create_user(
        username="librarian", email="librarian@example.org", role=User.Role.LIBRARIAN
    )
    client = APIClient(SERVER_NAME="127.0.0.1")
    client.force_authenticate(user)
    authors = list(Author.objects.values_list("pk", flat=True)[:50])
    publisher = Publisher.objects.values_list("pk", flat=True)[0]
    subjects = list(Subject.objects.values_list("pk", flat=True)[:2])
    bodies = _bodies(authors, publisher, subjects)
    pairs = [(authors[i % 50], authors[(i + 1) % 50]) for i in range(ITEMS)]

    def plain(key: str) -> list[dict[str, object]]:
        return [
            {"title": f"A Book {i}", "contributions": [{key: pk, "position": 0} for pk in pair]}
            for i, pair in enumerate(pairs)
        ]

    def bulk(items: list[dict[str, object]]) -> None:
        response = client.post("/api/books/bulk/", {"create": items}, format="json")
        if response.status_code != 200:
            raise RuntimeError(response.content)

    def single() -> None:
        for body in bodies:
            response = client.post("/api/books/", body, format="json")
            if response.status_code != 201:
                raise RuntimeError(response.content)

    def many() -> None:
        serializer = WritableNestedBookViewSet.serializer_class(data=plain("author"), many=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        if len(serializer.data) != ITEMS:
            raise RuntimeError(serializer.data)

    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, call in (
            ("bulk", lambda: bulk(bodies)),
            ("requests", single),
            ("bulk of plain books", lambda: bulk(plain("author_id"))),
            ("many=True", many),
        ):
            start = time.perf_counter()
            call()
            times.setdefault(name, []).append(time.perf_counter() - start)
    number = Book.objects.count()
    for form in ("ndjson", "csv"):
        for _ in range(ROUNDS):
            start = time.process_time()
            response = client.get(f"/api/books/?format={form}")
            size = sum(map(len, response.streaming_content))  # type: ignore[attr-defined]
            if size < 100 * number:
                raise RuntimeError(f"{size} bytes of {number} books")
            times.setdefault(form, []).append(number / (time.process_time() - start))
    print(json.dumps(times))


def run() -> bool:
    """Print the medians and the ratios of both engines; whether the goals are met."""
    met = True
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {
            "SQLite": f"sqlite:///{folder}/benchmark.sqlite3",
            "PostgreSQL": stack.enter_context(PostgreSQL()).url,
        }
        for engine, url in urls.items():
            settings = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.bulk", "measure"],
                env={**os.environ, **settings},
                stdout=subprocess.PIPE,
                check=True,
            )
            times = json.loads(done.stdout)
            for name, (ours, goal) in GOALS.items():
                pairs = zip(times[ours], times[name], strict=True)
                ratio = statistics.median(theirs / each for each, theirs in pairs)
                met = met and ratio >= goal
                seconds = [statistics.median(times[each]) for each in (ours, name)]
                print(
                    f"{engine}, {ITEMS} books: {ours} {seconds[0]:.2f} s,"
                    f" {name} {seconds[1]:.2f} s, ratio {ratio:.1f}"
                )
            for form in ("ndjson", "csv"):
                rate = statistics.median(times[form])
                met = met and (form == "csv" or rate >= GOAL_OF_EXPORT)
                print(f"{engine}, export as {form}: {rate:,.0f} books in a second of the processor")
    return met


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    else:
        sys.exit(not run())
