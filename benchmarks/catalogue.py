"""The catalogue that every peer serves: made up from a seed, of any size, skewed as real ones are.

A few authors have thousands of books and most have one or two; there are more books of recent
years than of old ones; a few words stand in every tenth title and most in hardly any.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import SimpleNamespace
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction
from stdnum import ean

from authors.models import Author
from books.models import Book, Contribution, Edition, Format, Publisher, Role, Series, Subject
from project.api.changes import positions
from project.api.models import Made
from project.api.search import tables as search_tables

SEED = 1965
SYLLABLES = [
    "an",
    "bel",
    "cor",
    "dé",
    "el",
    "fi",
    "gra",
    "hu",
    "il",
    "jo",
    "kö",
    "lan",
    "mi",
    "qui",
]
SUBJECTS = 3_000
TITLE_WORDS = 40_000
# As "the", "of" and "and" are: in many titles, and in none alone.
LINKING_WORDS = SYLLABLES
# About as many as are in use.
HAN = [chr(0x4E00 + i) for i in range(3_000)]
GIVEN_NAMES = 3_000
FAMILY_NAMES = 60_000
BATCH = 5_000

Rows = Iterator[tuple[Any, ...]]


class Catalogue:
    def __init__(self, books: int) -> None:
        self.books = books
        self.authors = max(books * 3 // 10, 10)
        self.series = max(books // 10, 10)
        self.publishers = max(books // 50, 10)
        self.random = random.Random(SEED)
        self.title_words = self._vocabulary(TITLE_WORDS)
        self.given_names = [word.capitalize() for word in self._vocabulary(GIVEN_NAMES)]
        self.family_names = [word.capitalize() for word in self._vocabulary(FAMILY_NAMES)]
        self.contributions = self.editions = 0

    @transaction.atomic
    def load(self) -> None:
        """Fill the empty tables of the default database."""
        search_tables.drop(connection)
        tables: list[tuple[type[models.Model], Rows]] = [
            (Publisher, self._named(self.publishers, lambda i, name: (name, name.casefold()))),
            (Series, self._named(self.series, lambda i, name: (name,))),
            (
                Subject,
                self._named(SUBJECTS, lambda i, name: (name, name.casefold(), f"subject-{i}")),
            ),
            (Author, self._authors()),
            (Book, self._books()),
            (Contribution, self._contributions()),
            (Edition, self._editions()),
            (Book.subjects.through, self._subjects_of_books()),
        ]
        for model, rows in tables:
            _copy(model, rows)
        search_tables.create(connection)
        # Else the first readers of lists would give positions to so many changes, 100 at a time.
        positions.give(connection.alias, None)
        copied = [model for model, _ in tables]
        with connection.cursor() as cursor:
            # What is written next has ids of its own.
            for statement in connection.ops.sequence_reset_sql(no_style(), copied):
                cursor.execute(statement)
            cursor.execute("ANALYZE")

    def _vocabulary(self, size: int) -> list[str]:
        """Words of two syllables or more, all different, the short ones first."""
        words = {
            "".join(self.random.choices(SYLLABLES, k=2 + i * 4 // (size + 1))) for i in range(size)
        }
        while len(words) < size:
            words.add("".join(self.random.choices(SYLLABLES, k=5)))
        return sorted(words, key=lambda word: (len(word), word))

    def _pick(self, words: list[str]) -> str:
        """One of these words; the n-th is n times as rare as the first (Zipf's law)."""
        return words[int(len(words) ** self.random.random()) - 1]

    def bodies(self) -> Iterator[dict[str, object]]:
        """Such books as `POST /api/books/` takes them, with all that belongs to them."""
        named = {
            model: [{"name": name} for _, _, _, _, name, _ in rows]
            for model, rows in (
                (Publisher, self._named(self.publishers, lambda i, name: (name, ""))),
                (Series, self._named(self.series, lambda i, name: (name, ""))),
                (Subject, self._named(SUBJECTS, lambda i, name: (name, ""))),
            )
        }
        authors = [_members(Author, row) for row in self._authors()]
        contributions = _by_book(Contribution, self._contributions())
        editions = _by_book(Edition, self._editions())
        subjects = _by_book(Book.subjects.through, self._subjects_of_books())
        for number, row in enumerate(self._books(), 1):
            book = _members(Book, row)
            series = book.pop("series_id")
            yield {
                **book,
                "series": series and named[Series][series - 1],
                "subjects": [named[Subject][each["subject_id"] - 1] for each in subjects(number)],
                "contributions": [
                    {"author": authors[each["author_id"] - 1], "role": each["role"]}
                    for each in contributions(number)
                ],
                "editions": [
                    {
                        "publisher": named[Publisher][each.pop("publisher_id") - 1],
                        **each,
                    }
                    for each in editions(number)
                ],
            }

    def _name(self, words: int) -> str:
        return " ".join(self._pick(self.title_words) for _ in range(words)).title()

    def _title(self) -> str:
        title = self._name(1)
        for _ in range(self.random.choice([0, 1, 1, 2, 2, 3, 4])):
            link = self._pick(LINKING_WORDS) + " " if self.random.random() < 0.6 else ""
            title += f" {link}{self._name(1)}"
        return title

    def _original_title(self) -> str:
        """Of every fifth book, and of half of these without blanks, in Chinese characters."""
        if self.random.random() >= 0.2:
            return ""
        if self.random.random() < 0.5:
            return self._name(2)
        return "".join(self._pick(HAN) for _ in range(self.random.randint(3, 10)))

    def _moments(self) -> tuple[datetime, datetime]:
        start = datetime(2020, 1, 1, tzinfo=UTC)
        created = start + timedelta(microseconds=self.random.randrange(10**14))
        return created, created + timedelta(microseconds=self.random.randrange(10**13))

    def _named(self, number: int, columns: Callable[[int, str], tuple[object, ...]]) -> Rows:
        for i in range(1, number + 1):
            yield i, 1, *self._moments(), *columns(i, f"{self._name(2)} {i}")

    def _authors(self) -> Rows:
        for i in range(1, self.authors + 1):
            given, family = self._pick(self.given_names), self._pick(self.family_names)
            born = self.random.choice([None, self.random.randint(1800, 1990)])
            died = None if born is None else self.random.choice([None, born + 70])
            key = f"OL{i}A"
            yield i, 1, *self._moments(), f"{given} {family}", f"{family}, {given}", born, died, key

    def _books(self) -> Rows:
        for i in range(1, self.books + 1):
            title = self._title()
            is_definite = self.random.random() < 0.3
            year = (
                2026 - int(300 * self.random.random() ** 3) if self.random.random() < 0.97 else None
            )
            series = self.random.randint(1, self.series) if self.random.random() < 0.3 else None
            yield (
                *(i, 1, *self._moments(), f"The {title}" if is_definite else title),
                f"{title}, The" if is_definite else title,
                self._original_title(),
                self.random.choice(["en", "en", "en", "fr", "de", None]),
                year if self.random.random() < 0.97 else None,
                self._name(self.random.randint(0, 40)),
                series,
                "" if series is None else str(self.random.randint(1, 9)),
                f"OL{i}W",
            )

    def _contributions(self) -> Rows:
        roles = [Role.AUTHOR, Role.AUTHOR, Role.TRANSLATOR, Role.ILLUSTRATOR]
        for book in range(1, self.books + 1):
            authors = {
                1 + int(self.authors * self.random.random() ** 2.2)
                for _ in range(self.random.choice([1, 1, 1, 2, 2, 4]))
            }
            for position, author in enumerate(sorted(authors)):
                self.contributions += 1
                role = self.random.choice(roles) if position else Role.AUTHOR
                yield self.contributions, book, author, role.value, position, ""

    def _editions(self) -> Rows:
        for book in range(1, self.books + 1):
            for _ in range(self.random.choice([0, 1, 1, 2])):
                self.editions += 1
                digits = f"978{self.editions:09}"
                yield (
                    *(self.editions, book, digits + ean.calc_check_digit(digits)),
                    self.random.randint(1, self.publishers),
                    self.random.choice(Format.values),
                    self.random.randint(80, 900),
                    datetime(self.random.randint(1970, 2025), 5, 17, tzinfo=UTC).date().isoformat(),
                    "en",
                )

    def _subjects_of_books(self) -> Rows:
        row = 0
        for book in range(1, self.books + 1):
            for subject in self.random.sample(range(1, SUBJECTS + 1), self.random.randint(0, 4)):
                row += 1
                yield row, book, subject


# The columns in the order in which the rows above have them, where it is not the model's.
ROOT = ["id", "version", "created_at", "updated_at"]
COLUMNS = {
    Publisher: [*ROOT, "name", "name_folded"],
    Series: [*ROOT, "name"],
    Subject: [*ROOT, "name", "name_folded", "slug"],
    Author: [*ROOT, "name", "sort_name", "birth_year", "death_year", "openlibrary_key"],
    Book: [
        *(*ROOT, "title", "sort_title", "original_title", "language", "first_published_year"),
        *("description", "series_id", "series_position", "openlibrary_key"),
    ],
    Contribution: ["id", "book_id", "author_id", "role", "position", "credited_as"],
    Edition: [
        *("id", "book_id", "isbn13", "publisher_id", "format", "pages", "published_on"),
        "language",
    ],
    Book.subjects.through: ["id", "book_id", "subject_id"],
}


def _members(model: type[models.Model], row: tuple[Any, ...]) -> dict[str, Any]:
    """What a body says of this row: all but what the database gives it."""
    named = dict(zip(COLUMNS[model], row, strict=True))
    return {name: value for name, value in named.items() if name not in (*ROOT, "book_id")}


def _by_book(model: type[models.Model], rows: Rows) -> Callable[[int], list[dict[str, Any]]]:
    """Called with 1, 2, 3 and so on, it returns the rows of this book, which come in its order."""
    place = COLUMNS[model].index("book_id")
    ahead = [next(rows)]

    def rows_of(book: int) -> list[dict[str, Any]]:
        found = []
        while ahead and ahead[0][place] == book:
            found.append(_members(model, ahead.pop()))
            ahead.extend(islice(rows, 1))
        return found

    return rows_of


def _whole(model: type[models.Model], rows: Rows) -> tuple[list[str], Rows]:
    """The rows with the columns that nobody has named: what is made, or the default."""
    named = COLUMNS[model]
    others = [
        field
        for field in model._meta.concrete_fields
        if field.column not in named and not (field.null or field.has_db_default())
    ]

    def values() -> Rows:
        for row in rows:
            known = SimpleNamespace(**{f.attname: f.get_default() for f in others})
            vars(known).update(zip(named, row, strict=True))
            yield (
                *row,
                *(
                    field.value_of(known) if isinstance(field, Made) else field.get_default()
                    for field in others
                ),
            )

    return [*named, *(field.column for field in others)], values()


def _copy(model: type[models.Model], rows: Rows) -> None:
    columns, rows = _whole(model, rows)
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    if connection.vendor == "postgresql":
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        return
    fields = [next(f for f in model._meta.concrete_fields if f.column == name) for name in columns]
    marks = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        while batch := list(islice(rows, BATCH)):
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608
                [
                    [f.get_db_prep_save(v, connection) for f, v in zip(fields, row, strict=True)]
                    for row in batch
                ],
            )
