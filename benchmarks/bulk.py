"""Measures a bulk of new books beside single requests and drf-writable-nested, and exports.

`make bench-bulk`: 200 books with all that they nest are created by one bulk and by 200 requests, in
turns; and 200 typical books, of two contributions, an edition and two subjects, by one bulk and one
by one in a transaction by drf-writable-nested, which must have stored the same, but for what a
search finds; and so books that have contributions alone. Then all books of a catalogue are exported
as JSON Lines and as CSV. Times are those of the processor, without a network: of the application
and its connection to the database, of exports of the application alone. It fails where a goal is
missed.
"""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks.run import clock_of
from tests.postgres import PostgreSQL

ITEMS = 200
ROUNDS = 5
BOOKS = 20_000
# How many times as long as a bulk they take, of the same books.
GOALS = {
    "requests": ("bulk", 6),
    "one by one, typical books": ("bulk of typical books", 10),
    "one by one, plain books": ("bulk of plain books", 0),
}
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
    logging.disable(logging.INFO)
    from django.core.management import call_command
    from django.db import connection, transaction
    from rest_framework.test import APIClient

    from auth_api.models import User
    from authors.models import Author
    from benchmarks.catalogue import Catalogue
    from benchmarks.peers.writable_nested import WholeBookViewSet, WritableNestedBookViewSet
    from books.models import Book, Publisher, Subject
    from project.api.search.entries import suppress_save_receivers
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

    def plain(key: str) -> list[dict[str, Any]]:
        return [
            {
                "title": f"A Book {i}",
                "language": "en",
                "first_published_year": 1900 + i % 100,
                "contributions": [
                    {key: authors[(i + place) % 50], "role": role, "position": place}
                    for place, role in enumerate(("author", "translator"))
                ],
            }
            for i in range(ITEMS)
        ]

    def typical(author: str, publisher_key: str, subjects_key: str) -> list[dict[str, Any]]:
        edition = {"format": "paperback", "pages": 320, publisher_key: publisher}
        return [
            {**book, "editions": [{**edition}], subjects_key: subjects} for book in plain(author)
        ]

    def bulk(items: list[dict[str, Any]]) -> None:
        response = client.post("/api/books/bulk/", {"create": items}, format="json")
        if response.status_code != 200:
            raise RuntimeError(response.content)

    def single() -> None:
        for body in bodies:
            response = client.post("/api/books/", body, format="json")
            if response.status_code != 201:
                raise RuntimeError(response.content)

    def one_by_one(view_class: Any, items: list[dict[str, Any]]) -> None:
        # A `many=True` serializer of drf-writable-nested stores none of what its items nest. What a
        # search finds would be written once for each object that is saved.
        with transaction.atomic(), suppress_save_receivers():
            for item in items:
                serializer = view_class.serializer_class(data=item)
                serializer.is_valid(raise_exception=True)
                serializer.save()
                json.dumps(serializer.data)

    def stored() -> list[object]:
        """What the books that were written last hold."""
        books = Book.objects.prefetch_related("contributions", "editions", "subjects")
        return [
            (
                *(book.title, book.sort_title, book.language, book.first_published_year),
                [(each.author_id, each.role, each.position) for each in book.contributions.all()],
                [(each.format, each.pages, each.publisher_id) for each in book.editions.all()],
                sorted(each.pk for each in book.subjects.all()),
            )
            for book in books.order_by("-pk")[:ITEMS]
        ]

    cpu = clock_of(connection)

    calls: dict[str, Callable[[], None]] = {
        "bulk": lambda: bulk(bodies),
        "requests": single,
        "bulk of typical books": lambda: bulk(typical("author_id", "publisher_id", "subject_ids")),
        "one by one, typical books": lambda: one_by_one(
            WholeBookViewSet, typical("author", "publisher", "subjects")
        ),
        "bulk of plain books": lambda: bulk(plain("author_id")),
        "one by one, plain books": lambda: one_by_one(WritableNestedBookViewSet, plain("author")),
    }
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            before = stored()
            start = cpu()
            call()
            times.setdefault(name, []).append(cpu() - start)
            if name.startswith("one by one") and stored() != before:
                raise RuntimeError(f"{name} has stored other books than the bulk.")
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
