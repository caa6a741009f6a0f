"""Asks a large catalogue everything that its lists can be asked: `make bench-scale`.

Each question is put many times, with values taken from rows chosen at random, so that prolific
authors come up as often as their books do. What is timed is the database alone: all statements of
a request, from sending each to having its rows. The pages at the far end are reached by the cursors
that a client would have got there. Last, the plans of all statements are searched for tables that
are read from end to end.
"""

import argparse
import json
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from tests.postgres import PostgreSQL

ROUNDS = 100
SEED = 1965
# Of the longest lists, the page that is compared with the first.
FAR_PAGE = 20_000
LARGE = 10_000  # rows, from which on a table must not be read from end to end
# What a server with 8 GB has, where the defaults are for one with half of one. A page of a list is
# not worth a second process, which would take another request's core.
SERVER = {
    "shared_buffers": "2GB",
    "effective_cache_size": "6GB",
    "maintenance_work_mem": "512MB",
    "random_page_cost": "0.2",
    "seq_page_cost": "0.2",
    "max_parallel_workers_per_gather": "0",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--books", type=int, default=1_000_000)
    options = parser.parse_args()
    with PostgreSQL(**SERVER) as server:
        env = {"DATABASE_URL": server.url, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
        os.environ.update(env)
        start = time.monotonic()
        fill = [sys.executable, "-m", "benchmarks.fill", str(options.books)]
        subprocess.run(fill, check=True, stdout=subprocess.DEVNULL)
        print(f"Loaded {options.books:,} books in {time.monotonic() - start:.0f} s.\n", flush=True)
        measure()


def measure() -> None:
    import django

    django.setup()
    logging.disable(logging.INFO)
    run = Run()
    print("| question | p50 ms | p99 ms |\n|---|---|---|")
    for question, url in QUESTIONS.items():
        sample = Sample(question)
        urls = [url(sample) for _ in range(ROUNDS)]
        # A process of the server maps each page of the cache when it first needs it, which is more
        # work than to read it, but happens once in the weeks that it serves.
        for each in urls:
            run.ask(each)
        times = sorted(map(run.ask, urls))
        print(f"| {question} | {times[ROUNDS // 2]:.1f} | {times[ROUNDS * 99 // 100 - 1]:.1f} |")
    print("\n| ordering | page 1, ms | far page, ms | ratio |\n|---|---|---|---|")
    for path, ordering, page in FAR:
        first, far = run.first_and_far(path, ordering, page)
        print(
            f"| {path} by {ordering}, page {page:,} | {first:.2f} | {far:.2f} | {far / first:.2f} |"
        )
    print()
    for question in sorted(run.sequential):
        print(f"Reads from end to end: {question}")
    print(f"{len(run.statements)} statements, {len(run.sequential)} with a large table read so.")


# Questions


class Sample:
    """Rows chosen at random, and what could be asked of them: the same for a question each time,
    whatever else is asked."""

    def __init__(self, question: str) -> None:
        from books.models import Book, Contribution, Edition

        self.random = random.Random(f"{SEED} {question}")
        self.models = (Book, Contribution, Edition)
        self.last = {model: model.objects.latest("pk").pk for model in self.models}

    def _row(self, model: Any, *related: str) -> Any:
        pk = self.random.randint(1, self.last[model])
        return model.objects.select_related(*related).get(pk=pk)

    @property
    def book(self) -> Any:
        return self._row(self.models[0])

    @property
    def contribution(self) -> Any:
        return self._row(self.models[1], "author", "book")

    @property
    def edition(self) -> Any:
        return self._row(self.models[2], "publisher")

    @property
    def subject(self) -> Any:
        while (subject := self.book.subjects.first()) is None:
            pass
        return subject

    @property
    def series(self) -> Any:
        while (series := self.book.series) is None:
            pass
        return series

    @property
    def unspaced(self) -> str:
        """A title without blanks, in Chinese characters."""
        while (title := str(self.book.original_title)) < "\u4e00":
            pass
        return title

    @property
    def year(self) -> int:
        while (year := self.book.first_published_year) is None:
            pass
        return int(year)

    @property
    def born(self) -> int:
        while (year := self.contribution.author.birth_year) is None:
            pass
        return int(year)

    def misspelt(self, word: str) -> str:
        at = self.random.randrange(1, len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


Question = Callable[[Sample], str]


def books(**parameters: Callable[[Sample], object]) -> Question:
    return of("books", **parameters)


def of(resource: str, **parameters: Callable[[Sample], object]) -> Question:
    def url(sample: Sample) -> str:
        asked = {name: value(sample) for name, value in parameters.items()}
        return f"/api/{resource}/?{urlencode(asked)}"

    return url


def hyphenated(isbn13: str) -> str:
    return f"{isbn13[:3]}-{isbn13[3:12]}-{isbn13[12:]}"


def word_and_name(sample: Sample) -> str:
    contribution = sample.contribution
    return f"{contribution.book.title.split()[-1]} {contribution.author.name.split()[-1]}"


def own_book(sample: Sample) -> str:
    contribution = sample.contribution
    word = contribution.book.title.split()[-1]
    return of(f"authors/{contribution.author_id}/books", search=lambda a: word)(sample)


QUESTIONS: dict[str, Question] = {
    "one book": lambda a: f"/api/books/{a.book.pk}/",
    "one author": lambda a: f"/api/authors/{a.contribution.author_id}/",
    "books": books(),
    "books?title": books(title=lambda a: a.book.title),
    "books?author": books(author=lambda a: a.contribution.author_id),
    "books?author&role": books(
        author=lambda a: a.contribution.author_id, role=lambda a: a.contribution.role
    ),
    "books?role": books(role=lambda a: a.contribution.role),
    "books?subject": books(subject=lambda a: a.subject.pk),
    "books?series": books(series=lambda a: a.series.pk),
    "books?publisher": books(publisher=lambda a: a.edition.publisher_id),
    "books?language": books(language=lambda a: a.random.choice(["en", "fr", "de", "la"])),
    "books?language, two": books(language=lambda a: "fr,la"),
    "books?language.exact": books(
        **{"language.exact": lambda a: a.random.choice(["en", "fr", "de", "la"])}
    ),
    "books?series=null": books(series=lambda a: "null"),
    "books?series, two": books(series=lambda a: f"{a.series.pk},{a.series.pk}"),
    "books?subject, one or none": books(subject=lambda a: f"{a.subject.pk},null"),
    "books?publisher, two": books(
        publisher=lambda a: f"{a.edition.publisher_id},{a.edition.publisher_id}"
    ),
    "books?first_published_year": books(first_published_year=lambda a: a.year),
    "books?first_published_year_min": books(first_published_year_min=lambda a: a.year),
    "books?first_published_year_max": books(first_published_year_max=lambda a: a.year),
    "books?isbn": books(isbn=lambda a: a.edition.isbn13),
    "books?openlibrary_key": books(openlibrary_key=lambda a: a.book.openlibrary_key),
    "books?updated_since": books(updated_since=lambda a: a.book.updated_at.isoformat()),
    "books?author&language": books(
        author=lambda a: a.contribution.author_id, language=lambda a: "fr"
    ),
    "books?subject&first_published_year_min": books(
        subject=lambda a: a.subject.pk, first_published_year_min=lambda a: 2000
    ),
    **{
        f"books?ordering={sign}{field}": books(ordering=lambda a, by=sign + field: by)
        for field in ("title", "first_published_year", "created_at", "updated_at", "id")
        for sign in ("", "-")
    },
    "books?search, a title": books(search=lambda a: a.book.title),
    "books?search, a title but its last letters": books(search=lambda a: a.book.title[:-2]),
    "books?search, a word of a title": books(
        search=lambda a: a.random.choice(a.book.title.split())
    ),
    "books?search, three letters": books(search=lambda a: a.book.title[:3]),
    "books?search, “the”": books(search=lambda a: "the"),
    "books?search, an author": books(search=lambda a: a.contribution.author.name),
    "books?search, a family name": books(search=lambda a: a.contribution.author.name.split()[-1]),
    "books?search, a title's word and a family name": books(search=word_and_name),
    "books?search, a misspelt name": books(
        search=lambda a: " ".join(map(a.misspelt, a.contribution.author.name.split()))
    ),
    "books?search, an unspaced title": books(search=lambda a: a.unspaced),
    "books?search, two characters inside": books(search=lambda a: a.unspaced[1:3]),
    "books?search, one character": books(search=lambda a: a.unspaced[0]),
    "books?search, an ISBN": books(search=lambda a: hyphenated(a.edition.isbn13)),
    "books?search&ordering": books(
        search=lambda a: a.book.title.split()[-1], ordering=lambda a: "-first_published_year"
    ),
    "books?search&language": books(
        search=lambda a: a.book.title.split()[-1], language=lambda a: "fr"
    ),
    "authors": of("authors"),
    "authors?name": of("authors", name=lambda a: a.contribution.author.name),
    "authors?birth_year": of("authors", birth_year=lambda a: a.born),
    "authors?birth_year_min&birth_year_max": of(
        "authors", birth_year_min=lambda a: a.born, birth_year_max=lambda a: 1990
    ),
    "authors?death_year": of("authors", death_year=lambda a: a.born + 70),
    "authors?openlibrary_key": of(
        "authors", openlibrary_key=lambda a: a.contribution.author.openlibrary_key
    ),
    "authors?updated_since": of(
        "authors", updated_since=lambda a: a.contribution.author.updated_at.isoformat()
    ),
    **{
        f"authors?ordering={field}": of("authors", ordering=lambda a, by=field: by)
        for field in ("name", "birth_year", "-death_year", "-updated_at")
    },
    "authors?search": of("authors", search=lambda a: a.contribution.author.name),
    "authors?search, a given name": of(
        "authors", search=lambda a: a.contribution.author.name.split()[0]
    ),
    "series?name": of("series", name=lambda a: a.series.name),
    "series?search": of("series", search=lambda a: a.series.name.split()[0]),
    "publishers?name": of("publishers", name=lambda a: a.edition.publisher.name),
    "publishers?search": of("publishers", search=lambda a: a.edition.publisher.name.split()[0]),
    "subjects?search": of("subjects", search=lambda a: a.subject.name.split()[0]),
    "authors/{id}/books": lambda a: f"/api/authors/{a.contribution.author_id}/books/",
    "authors/{id}/books?ordering": lambda a: (
        f"/api/authors/{a.contribution.author_id}/books/?ordering=-first_published_year"
    ),
    "authors/{id}/books?search": own_book,
    "books/{id}/contributions": lambda a: f"/api/books/{a.book.pk}/contributions/",
    "books/{id}/editions": lambda a: f"/api/books/{a.book.pk}/editions/",
    "series/{id}/books": lambda a: f"/api/series/{a.series.pk}/books/",
    "publishers/{id}/editions": lambda a: f"/api/publishers/{a.edition.publisher_id}/editions/",
    "publishers/{id}/editions?ordering": lambda a: (
        f"/api/publishers/{a.edition.publisher_id}/editions/?ordering=-published_on"
    ),
    "subjects/{id}/books": lambda a: f"/api/subjects/{a.subject.pk}/books/",
}
FAR = [
    *(
        ("books", by, FAR_PAGE - 1)
        for by in ("sort_title", "-title", "first_published_year", "-updated_at", "id")
    ),
    ("authors", "sort_name", FAR_PAGE // 4),
    ("authors", "birth_year", FAR_PAGE // 8),
]


# Answers


class Run:
    def __init__(self) -> None:
        from django.contrib.auth import get_user_model
        from django.db import connection
        from rest_framework.test import APIClient

        self.connection = connection
        self.client = APIClient(SERVER_NAME="127.0.0.1")
        self.client.force_authenticate(get_user_model().objects.get(username="reader"))
        self.statements: set[str] = set()
        self.sequential: set[str] = set()
        with connection.cursor() as cursor:
            cursor.execute("SELECT relname FROM pg_class WHERE reltuples > %s", [LARGE])
            self.large = {name for (name,) in cursor.fetchall()}

    def ask(self, url: str) -> float:
        """The milliseconds that the database takes for all statements of this request."""
        sent: list[tuple[float, str, Any]] = []

        def timed(
            execute: Callable[..., object], sql: str, params: Any, many: bool, context: object
        ) -> object:
            start = time.perf_counter()
            try:
                return execute(sql, params, many, context)
            finally:
                sent.append((time.perf_counter() - start, sql, params))

        with self.connection.execute_wrapper(timed):
            response = self.client.get(url)
        if response.status_code != 200:
            raise SystemExit(f"{url}: {response.content[:1000]!r}")
        for _, sql, params in sent:
            self._examine(url, sql, params)
        return 1000 * sum(seconds for seconds, _, _ in sent)

    def _examine(self, url: str, sql: str, params: Any) -> None:
        """Look at a statement's plan when it comes for the first time."""
        if sql in self.statements or not sql.lstrip().startswith(("SELECT", "(SELECT")):
            return
        self.statements.add(sql)
        with self.connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
            [(plan,)] = cursor.fetchall()
        nodes = [(plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]]
        while nodes:
            node = nodes.pop()
            nodes += node.get("Plans", [])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in self.large:
                self.sequential.add(f"{node['Relation Name']} for {url}")

    def first_and_far(self, path: str, ordering: str, page: int) -> tuple[float, float]:
        """The database's milliseconds for page 1 and a far one, each the median of many."""
        from authors.views import AuthorViewSet
        from books.views import BookViewSet
        from project.api.lists.keysets import Keyset
        from project.api.lists.ordering import OrderingFilter
        from project.api.lists.pagination import Cursor, CursorPagination

        view = {"books": BookViewSet, "authors": AuthorViewSet}[path]
        rows = view.queryset.order_by(OrderingFilter.column(view, ordering))
        keyset = Keyset.of(rows)
        before = keyset.order(rows, backwards=False)[(page - 1) * CursorPagination.page_size - 1]
        cursor = Cursor(False, 0, *keyset.position_of(before)).encode(keyset)
        first = f"/api/{path}/?{urlencode({'ordering': ordering})}"
        far = f"{first}&{urlencode({'cursor': cursor})}"
        times = [(self.ask(first), self.ask(far)) for _ in range(ROUNDS)]
        return sorted(a for a, _ in times)[ROUNDS // 2], sorted(b for _, b in times)[ROUNDS // 2]


if __name__ == "__main__":
    main()
