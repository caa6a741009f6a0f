"""Measures nested writes beside plain REST framework with drf-writable-nested, in one run.

`make bench-writes`: a book with 50 contributions is created, gets 50 others, and has them reversed;
and a typical one is created, with two contributions, an edition and two subjects. Both write the
same models in the same database; requests alternate between the two, so that what else the machine
does hits both alike. Times are those of the whole request, without a network. The project's answer
is the full document, with the authors nested; the other one's holds their keys, and writes nothing
that a search finds.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, nullcontext
from typing import Any

from tests.postgres import PostgreSQL

ITEMS = 50
ROUNDS = 30
WARM_UP = 3
# The least ratio, by scenario.
GOALS = {"create": 5, "replace": 5, "reorder": 5, "typical": 4}


def measure() -> None:
    """Print the milliseconds of each request, by scenario and peer, as JSON."""
    import django

    django.setup()
    from django.core.management import call_command
    from rest_framework.test import APIRequestFactory, force_authenticate

    from auth_api.models import User
    from authors.models import Author
    from benchmarks.peers.writable_nested import WholeBookViewSet, WritableNestedBookViewSet
    from books.models import Book, Publisher, Subject
    from books.views import BookViewSet
    from project.api.search.entries import suppress_save_receivers

    call_command("migrate", verbosity=0)
    user = User.objects.create_user(
        username="librarian", email="librarian@example.org", role=User.Role.LIBRARIAN
    )
    authors = [
        author.pk
        for author in Author.objects.bulk_create(
            Author(name=f"Author {i}", sort_name=f"Author {i}") for i in range(2 * ITEMS)
        )
    ]
    publisher = Publisher.objects.create(name="A Publisher").pk
    subjects = [Subject.objects.create(name=f"Subject {i}").pk for i in range(2)]
    factory = APIRequestFactory(SERVER_NAME="127.0.0.1")
    methods = {"post": "create", "put": "update"}
    views: dict[str, Any] = {
        "project": (BookViewSet.as_view(methods, basename="book"), "author_id"),
        "drf-writable-nested": (WritableNestedBookViewSet.as_view(methods), "author"),
    }
    # By peer, what is sent to create a typical book, and to which view.
    edition = {"format": "paperback", "pages": 320}
    typical: dict[str, tuple[Any, dict[str, Any]]] = {
        "project": (
            views["project"][0],
            {"editions": [{**edition, "publisher_id": publisher}], "subject_ids": subjects},
        ),
        "drf-writable-nested": (
            WholeBookViewSet.as_view(methods),
            {"editions": [{**edition, "publisher": publisher}], "subjects": subjects},
        ),
    }
    times: dict[str, dict[str, list[float]]] = {}

    def send(scenario: str, name: str, method: str, body: object, **kwargs: int) -> Any:
        view, _ = typical[name] if scenario == "typical" else views[name]
        request = getattr(factory, method)("/api/books/", body, format="json")
        force_authenticate(request, user)
        # What a search finds is the project's own, and would be written for each object saved.
        with nullcontext() if name == "project" else suppress_save_receivers():
            start = time.perf_counter()
            response = view(request, **kwargs).render()
            elapsed = time.perf_counter() - start
        times.setdefault(scenario, {}).setdefault(name, []).append(1000 * elapsed)
        if response.status_code not in (200, 201):
            raise RuntimeError(response.content)
        return json.loads(response.content)

    for _ in range(WARM_UP + ROUNDS):
        for name, (_, key) in views.items():

            def items(pks: list[int], key: str = key) -> list[dict[str, int]]:
                return [{key: pk, "position": i} for i, pk in enumerate(pks)]

            book = {"title": "A Book", "language": "en", "first_published_year": 1990}
            made = send("create", name, "post", {**book, "contributions": items(authors[:ITEMS])})
            others = {**book, "contributions": items(authors[ITEMS:])}
            made = send("replace", name, "put", others, pk=made["id"])
            order = [
                {"id": each["id"], key: each[key], "position": i}
                for i, each in enumerate(reversed(made["contributions"]))
            ]
            send("reorder", name, "put", {**book, "contributions": order}, pk=made["id"])
            stored = Book.objects.get(pk=made["id"]).contributions.values_list("author_id")
            if [pk for (pk,) in stored] != authors[ITEMS:][::-1]:
                raise RuntimeError(f"{name} has stored another order.")
            roles = ("author", "translator")
            two = [
                {**each, "role": role} for each, role in zip(items(authors[:2]), roles, strict=True)
            ]
            made = send("typical", name, "post", {**book, **typical[name][1], "contributions": two})
            if [len(made[each]) for each in ("contributions", "editions", "subjects")] != [2, 1, 2]:
                raise RuntimeError(f"{name} has not stored all of the typical book.")
    print(json.dumps(times))


def run() -> bool:
    """Print the medians and the ratios of both engines; whether the goal is met."""
    met = True
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {
            "SQLite": f"sqlite:///{folder}/benchmark.sqlite3",
            "PostgreSQL": stack.enter_context(PostgreSQL()).url,
        }
        print(f"{'':22}{'project':>12}{'drf-writable-nested':>22}{'ratio':>9}")
        for engine, url in urls.items():
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.writes", "measure"],
                env={
                    **os.environ,
                    "DATABASE_URL": url,
                    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
                },
                stdout=subprocess.PIPE,
                check=True,
            )
            for scenario, peers in json.loads(done.stdout).items():
                ours, theirs = (
                    peers[name][WARM_UP:] for name in ("project", "drf-writable-nested")
                )
                ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
                met = met and ratio >= GOALS[scenario]
                print(
                    f"{engine + ', ' + scenario:22}{statistics.median(ours):9.1f} ms"
                    f"{statistics.median(theirs):19.1f} ms{ratio:9.1f}"
                )
    return met


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    else:
        sys.exit(not run())
