"""Measures what it costs to record changes, and how fast the feed is.

`python -m benchmarks.changes [--engine sqlite] [--rounds N]`: imports and nested writes by the API,
in bursts with and without the triggers by turns, in one process; the ratio is the median of those
of the bursts, in CPU of the application and of its database connection. Then the feed is read from
its beginning, with documents, and its last page beside its first.
"""

import argparse
import json
import logging
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.run import clock_of, database

if TYPE_CHECKING:
    # Django is set up by then.
    from rest_framework.test import APIClient

NUMBERS = count()


def bodies(number: int) -> Iterator[dict[str, object]]:
    """Books that share authors, series and subjects."""
    for i in (next(NUMBERS) for _ in range(number)):
        yield {
            "title": f"Book {i} of things",
            "authors": [{"name": f"Author {i % 5000}"}],
            "editions": [{"format": "paperback", "pages": i % 900 + 1}],
            "subjects": [{"name": f"Subject {i % 50}"}, {"name": f"Subject {(i + 7) % 50}"}],
            "series": {"name": f"Series {i % 300}"},
        }


def import_books(number: int) -> None:
    from books.importing.importer import import_file

    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(body) + "\n" for body in bodies(number))
        file.flush()
        report = import_file(Path(file.name))
    if report.counts["books"].created != number:
        raise RuntimeError(report.reasons)


def write_books(client: "APIClient", number: int) -> None:
    """Create each with what it nests, then change it and one of its editions."""
    for body in bodies(number):
        new = {"authors": [{"name": "Somebody new"}], "subjects": [{"name": "Subject 1"}]}
        body |= {**new, "series": {"name": f"Series of {body['title']}"}}
        made = client.post("/api/books/", body, format="json").json()
        edition = {**made["editions"][0], "pages": 77}
        change = {"title": made["title"] + "!", "editions": [edition]}
        answer = client.patch(f"/api/books/{made['id']}/", change, format="json")
        if answer.status_code != 200:
            raise RuntimeError(answer.content)


def measure(rounds: int) -> None:
    import django
    from django.conf import settings

    # Which keeps the text of every statement.
    settings.DEBUG = False
    django.setup()
    logging.disable(logging.INFO)
    from django.core.management import call_command
    from django.db import connection
    from rest_framework.test import APIClient

    from auth_api.models import User
    from project.api.changes import triggers
    from project.api.changes.tracking import tracked_tables

    call_command("migrate", verbosity=0)
    client = APIClient(SERVER_NAME="localhost")
    client.force_authenticate(User.objects.create_user("admin", "a@example.org", role="admin"))
    cpu = clock_of(connection)

    def cost(call: Callable[[], None]) -> float:
        start = cpu()
        call()
        return cpu() - start

    def record(is_on: bool) -> None:
        if is_on:
            triggers.create(connection, tracked_tables())
            return
        with connection.cursor() as cursor:
            engine = triggers.dialect(connection)
            engine.drop(cursor, engine.read_triggers(cursor))

    work: dict[str, Callable[[], None]] = {
        "import": lambda: import_books(3000),
        "nested write": lambda: write_books(client, 60),
    }
    for call in work.values():
        call()
    for name, call in work.items():
        ratios = []
        for number in range(rounds):
            seconds = {}
            for is_on in (True, False) if number % 2 else (False, True):
                record(is_on)
                seconds[is_on] = cost(call)
            ratios.append(seconds[True] / seconds[False])
        print(
            f"{connection.vendor}: {name} with triggers / without: {statistics.median(ratios):.2f}"
        )
    record(True)

    def pages(query: str) -> Iterator[tuple[int, float]]:
        """The number of entries of each page, and the CPU that it took."""
        url = f"/api/changes/?page_size=500{query}"
        while url:
            start = cpu()
            page = client.get(url).json()
            url = page["next"]
            yield len(page["results"]), cpu() - start

    # As the server's autovacuum does within a minute.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    # Positions are given once, to whoever comes first.
    list(pages(""))
    found = list(pages("&documents=true"))
    number = sum(entries for entries, _ in found)
    rates = [entries / seconds for entries, seconds in found[:-1]]
    print(f"{connection.vendor}: {number:,} entries with documents,", end=" ")
    print(f"{statistics.median(rates):,.0f} in a second of CPU, {max(rates):,.0f} at best")
    plain = [seconds for _, seconds in pages("")][:-1]
    tenth = max(len(plain) // 10, 1)
    ratio = statistics.median(plain[-tenth:]) / statistics.median(plain[:tenth])
    print(f"{connection.vendor}: a page at the end / at the beginning: {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    with database(options.engine) as (url, _):
        settings = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "project.settings.dev"}
        os.environ.update(settings)
        measure(options.rounds)


if __name__ == "__main__":
    main()
