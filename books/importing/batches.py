"""Books found in the catalogue, or put in by bulk statements, a batch at a time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone

from authors.models import Author
from books.models import Book, Contribution, Edition, Publisher, Role, Series, Subject
from project.api.http.problems import Fault, Refused, pointer

from .bulk import give_keys, insert
from .drafts import Draft, Thing

# By what an author and a book are told apart.
COLUMNS_OF_AUTHOR = ("name", "birth_year", "openlibrary_key")
COLUMNS_OF_BOOK = ("title", "openlibrary_key", "first_published_year", "series_position")


def is_same_author(given: Thing, stored: Thing) -> bool:
    """By the Open Library's key if both have one; else by name, if no years of birth differ."""
    if given["openlibrary_key"] and stored["openlibrary_key"]:
        return bool(given["openlibrary_key"] == stored["openlibrary_key"])
    return given["name"] == stored["name"] and _agree(given["birth_year"], stored["birth_year"])


def _agree(one: Any, other: Any) -> bool:
    """Whether two values are the same, as far as they are given."""
    return one in (None, "") or other in (None, "") or one == other


def stored_like(
    given: Sequence[Thing], column: str, stored: models.QuerySet[Any, Any], *others: Q
) -> models.QuerySet[Any, Any]:
    """Those with the Open Library's key of a given one, or its name if not both have a key.

    Without that condition a batch would read all stored namesakes, ever more of them. In a single
    query PostgreSQL would compare the name of each row that it finds with all that are asked for.
    """
    names = {each[column] for each in given}
    of_keyless = {each[column] for each in given if each["openlibrary_key"] is None}
    keys = {each["openlibrary_key"] for each in given} - {None}
    conditions = (
        Q(openlibrary_key__any_of=keys),
        Q(openlibrary_key=None, **{f"{column}__any_of": names}),
        Q(**{f"{column}__any_of": of_keyless}),
        *others,
    )
    first, *rest = (stored.filter(condition).order_by() for condition in conditions)
    return first.union(*rest).order_by("id")


# What books share: found, or made once


class Shared:
    """The things of one model that the books of a batch share."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self.new: list[Thing] = []
        # Those that were found or made, by identity.
        self.used: dict[int, Thing] = {}

    def find(self, given: Thing) -> Thing | None:
        found = self._look_up(given)
        if found is not None:
            self.used[id(found)] = found
        return found

    def find_or_make(self, given: Thing) -> Thing:
        found = self.find(given)
        if found is None:
            # A copy, since what is given is remembered beyond this batch.
            found = {**given}
            self.used[id(found)] = found
            self.new.append(found)
            self._remember(found)
        return found

    def _look_up(self, given: Thing) -> Thing | None:
        raise NotImplementedError

    def _remember(self, thing: Thing) -> None:
        raise NotImplementedError


class ByColumn(Shared):
    """Publishers, series or subjects, told apart by one column."""

    def __init__(self, model: type[models.Model], column: str, given: Iterable[Thing]) -> None:
        super().__init__(model)
        self._column = column
        values = {each[column] for each in given}
        stored = model._default_manager.filter(**{f"{column}__any_of": values})
        # Where several have one name, the oldest stands.
        self._known = {each[column]: each for each in stored.order_by("-pk").values("id", column)}

    def _look_up(self, given: Thing) -> Thing | None:
        return self._known.get(given[self._column])

    def _remember(self, thing: Thing) -> None:
        self._known[thing[self._column]] = thing


class Authors(Shared):
    def __init__(self, given: Iterable[Thing]) -> None:
        super().__init__(Author)
        self._by_key: dict[str, Thing] = {}
        self._by_name: dict[str, list[Thing]] = defaultdict(list)
        authors = Author.objects.values("id", *COLUMNS_OF_AUTHOR)
        for author in stored_like(list(given), "name", authors):
            self._remember(author)

    def _remember(self, thing: Thing) -> None:
        self._by_name[thing["name"]].append(thing)
        if thing["openlibrary_key"]:
            self._by_key[thing["openlibrary_key"]] = thing

    def _look_up(self, given: Thing) -> Thing | None:
        """Whose key it is, else the oldest of the same name, best of the same year of birth."""
        found = self._by_key.get(given["openlibrary_key"] or "")
        if found is None:
            found = min(
                (each for each in self._by_name[given["name"]] if is_same_author(given, each)),
                key=lambda each: each["birth_year"] != given["birth_year"],
                default=None,
            )
        return found


# Books


@dataclass(eq=False, slots=True)
class Entry:
    """A book of the catalogue: one that is stored, or one that this batch makes."""

    book: Thing
    series_name: str | None
    is_stored: bool
    # Those with the role author, in order.
    authors: list[Thing] = field(default_factory=list)
    # What there is to tell its editions without an ISBN apart.
    unnumbered: set[tuple[Any, ...]] = field(default_factory=set)

    def has_authors_of(self, draft: Draft) -> bool:
        """In the same order; one that a draft names twice counts once."""
        places = (
            next((i for i, each in enumerate(self.authors) if is_same_author(given, each)), None)
            for given in draft.authors
        )
        return list(dict.fromkeys(places)) == list(range(len(self.authors)))

    def has_key_of(self, draft: Draft) -> bool:
        return _agree(draft.book["openlibrary_key"], self.book["openlibrary_key"])

    def is_book_of(self, draft: Draft) -> bool:
        """Whether title and authors are the same, and nothing else that both say differs."""
        return (
            self.has_key_of(draft)
            and draft.book["title"] == self.book["title"]
            and self.has_authors_of(draft)
            and _agree(draft.book["first_published_year"], self.book["first_published_year"])
            and _agree(draft.series and draft.series["name"], self.series_name)
            and _agree(draft.book["series_position"], self.book["series_position"])
        )


class Catalogue:
    """The stored books that the drafts of a batch may mean, and those that it adds to them."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self._by_key: dict[str, Entry] = {}
        self._by_title: dict[str, list[Entry]] = defaultdict(list)
        self._by_isbn: dict[str | None, Entry] = {}
        editions = [edition for draft in drafts for edition in draft.editions]
        isbns = {edition["isbn13"] for edition in editions} - {None}
        held = dict(Edition.objects.filter(isbn13__any_of=isbns).values_list("isbn13", "book_id"))
        books = Book.objects.values("id", "series__name", *COLUMNS_OF_BOOK)
        stored = stored_like(
            [draft.book for draft in drafts], "title", books, Q(pk__in=set(held.values()))
        )
        entries = {book["id"]: Entry(book, book["series__name"], is_stored=True) for book in stored}
        if entries:
            self._load_authors(entries)
            if any(edition["isbn13"] is None for edition in editions):
                self._load_unnumbered(entries)
        for entry in entries.values():
            self.remember(entry)
        for isbn13, book_id in held.items():
            self._by_isbn[isbn13] = entries[book_id]

    @staticmethod
    def _load_authors(entries: dict[int, Entry]) -> None:
        credited = Author.objects.filter(
            contributions__role=Role.AUTHOR, contributions__book__in=entries
        ).order_by("contributions__book", "contributions__position", "contributions__pk")
        for author in credited.values("contributions__book", *COLUMNS_OF_AUTHOR):
            entries[author["contributions__book"]].authors.append(author)

    @staticmethod
    def _load_unnumbered(entries: dict[int, Entry]) -> None:
        editions = Edition.objects.filter(isbn13=None, book__in=entries)
        for edition in editions.select_related("publisher"):
            publisher = edition.publisher
            told = description(vars(edition), vars(publisher) if publisher else None)
            entries[edition.book_id].unnumbered.add(told)

    def remember(self, entry: Entry) -> None:
        self._by_title[entry.book["title"]].append(entry)
        if entry.book["openlibrary_key"]:
            self._by_key[entry.book["openlibrary_key"]] = entry

    def remember_isbn(self, isbn13: str, entry: Entry) -> None:
        self._by_isbn[isbn13] = entry

    def has_isbn(self, isbn13: str) -> bool:
        return isbn13 in self._by_isbn

    def find(self, draft: Draft) -> Entry | None:
        """By the Open Library's key, else by an ISBN, else by what describes the book.

        An ISBN must come with the right title or the right authors, so that a mistyped one does
        not pass a book off as another; Refused where it belongs to another book.
        """
        holders = {
            i: self._by_isbn[edition["isbn13"]]
            for i, edition in enumerate(draft.editions)
            if edition["isbn13"] in self._by_isbn
        }
        found = self._by_key.get(draft.book["openlibrary_key"] or "")
        if found is None:
            found = next(
                (holder for holder in holders.values() if self._may_be(draft, holder)), None
            )
        if found is None:
            same = (each for each in self._by_title[draft.book["title"]] if each.is_book_of(draft))
            found = next(same, None)
        faults = [
            Fault(
                "unique",
                f"This is the ISBN of an edition of “{holder.book['title']}”.",
                pointer("editions", i, "isbn13"),
            )
            for i, holder in holders.items()
            if holder is not found
        ]
        if faults:
            raise Refused(faults)
        return found

    @staticmethod
    def _may_be(draft: Draft, holder: Entry) -> bool:
        return holder.has_key_of(draft) and (
            draft.book["title"] == holder.book["title"]
            or (bool(holder.authors) and holder.has_authors_of(draft))
        )


def description(edition: Thing, publisher: Thing | None) -> tuple[Any, ...]:
    """All that an edition says of itself beside its ISBN."""
    return (
        publisher and publisher["name_folded"],
        edition["format"],
        edition["pages"],
        edition["published_on"] and str(edition["published_on"]),
        edition["language"],
    )


class Batch:
    """What some drafts add to the catalogue, all of it written once this object is made.

    The caller opens the transaction. Nothing that is stored changes, except that a book may get
    another edition, which raises its version. The number of statements is the same whatever the
    number of drafts.
    """

    def __init__(self, drafts: Sequence[Draft]) -> None:
        # What speaks against a draft once the catalogue is known, by its place.
        self.refused: dict[int, list[Fault]] = {}
        self.unchanged = self.changed = 0
        self.editions_unchanged = 0
        self.books: list[Thing] = []
        # Each with its book.
        self.editions: list[tuple[Thing, Thing]] = []
        self._extended: set[int] = set()
        # Book, author, role, position and the name on the title page.
        self._contributions: list[tuple[Thing, Thing, str, int, str]] = []
        self._subject_links: list[tuple[Thing, Thing]] = []
        if connection.vendor == "postgresql":
            # The tables grow faster than the planner's knowledge of them; an index always fits.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        self.catalogue = Catalogue(drafts)
        self.authors = Authors(credit.author for draft in drafts for credit in draft.credits)
        self.series = ByColumn(Series, "name", (d.series for d in drafts if d.series))
        self.subjects = ByColumn(Subject, "slug", (each for d in drafts for each in d.subjects))
        self.publishers = ByColumn(
            Publisher,
            "name_folded",
            (
                edition["publisher"]
                for d in drafts
                for edition in d.editions
                if edition["publisher"]
            ),
        )
        for place, draft in enumerate(drafts):
            try:
                self._settle(draft)
            except Refused as error:
                self.refused[place] = error.faults
        self._write()

    def _settle(self, draft: Draft) -> None:
        entry = self.catalogue.find(draft)
        if entry is None:
            self._add_editions(self._make(draft), draft)
            return
        self._count_as_used(draft)
        if not self._add_editions(entry, draft):
            self.unchanged += 1
            return
        self.changed += 1
        if entry.is_stored:
            self._extended.add(entry.book["id"])

    def _make(self, draft: Draft) -> Entry:
        # A copy, since a draft may be tried again.
        book = {**draft.book}
        if draft.series is not None:
            book["series"] = self.series.find_or_make(draft.series)
        entry = Entry(book, draft.series["name"] if draft.series else None, is_stored=False)
        roles: set[tuple[int, str]] = set()
        for given, role, credited_as in draft.credits:
            author = self.authors.find_or_make(given)
            if (id(author), role) in roles:
                continue
            self._contributions.append((book, author, role, len(roles), credited_as))
            roles.add((id(author), role))
            if role == Role.AUTHOR:
                entry.authors.append(author)
        subjects = {id(found): found for found in map(self.subjects.find_or_make, draft.subjects)}
        self._subject_links += [(book, subject) for subject in subjects.values()]
        self.books.append(book)
        self.catalogue.remember(entry)
        return entry

    def _count_as_used(self, draft: Draft) -> None:
        for credit in draft.credits:
            self.authors.find(credit.author)
        if draft.series is not None:
            self.series.find(draft.series)
        for subject in draft.subjects:
            self.subjects.find(subject)
        for edition in draft.editions:
            if edition["publisher"] is not None:
                self.publishers.find(edition["publisher"])

    def _add_editions(self, entry: Entry, draft: Draft) -> int:
        """The number of the draft's editions that the book did not have."""
        before = len(self.editions)
        for edition in draft.editions:
            isbn13, publisher = edition["isbn13"], edition["publisher"]
            if isbn13 is None:
                told = description(edition, publisher)
                is_known = told in entry.unnumbered
                entry.unnumbered.add(told)
            else:
                is_known = self.catalogue.has_isbn(isbn13)
                self.catalogue.remember_isbn(isbn13, entry)
            if is_known:
                self.editions_unchanged += 1
                continue
            found = publisher and self.publishers.find_or_make(publisher)
            self.editions.append((entry.book, {**edition, "publisher": found}))
        return len(self.editions) - before

    def _write(self) -> None:
        for shared in (self.authors, self.series, self.subjects, self.publishers):
            give_keys(shared.model, shared.new)
            insert(shared.model, shared.new)
        give_keys(Book, self.books)
        for book in self.books:
            if "series" in book:
                book["series_id"] = book["series"]["id"]
        for book, edition in self.editions:
            edition["book_id"] = book["id"]
            edition["publisher_id"] = edition["publisher"] and edition["publisher"]["id"]
        # Before their books, whose words for searching are then complete when the books come. That
        # the books are there is checked at the end of the transaction.
        insert(
            Contribution,
            [
                {
                    "book_id": book["id"],
                    "author_id": author["id"],
                    "role": role,
                    "position": position,
                    "credited_as": credited_as,
                }
                for book, author, role, position, credited_as in self._contributions
            ],
        )
        insert(Book, self.books)
        insert(
            Book.subjects.through,
            [
                {"book_id": book["id"], "subject_id": subject["id"]}
                for book, subject in self._subject_links
            ],
        )
        insert(Edition, [edition for _, edition in self.editions])
        if self._extended:
            Book.objects.filter(pk__in=self._extended).update(
                version=F("version") + 1, updated_at=timezone.now()
            )
