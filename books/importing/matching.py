"""Which stored author, book or shared thing a draft means. docs/import.md says the rules."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

from authors.models import Author
from books.models import Book, Edition, Role, Subject
from project.api.http.problems import Fault, Refused, pointer

from .drafts import Columns, Draft

# By what an author and a book are told apart.
COLUMNS_OF_AUTHOR = ("name", "birth_year", "openlibrary_key")
COLUMNS_OF_BOOK = ("title", "openlibrary_key", "first_published_year", "series_position")


def is_same_author(given: Columns, stored: Columns) -> bool:
    """By the Open Library's key if both have one; else by name, if no years of birth differ."""
    if given["openlibrary_key"] and stored["openlibrary_key"]:
        return bool(given["openlibrary_key"] == stored["openlibrary_key"])
    return given["name"] == stored["name"] and _agree(given["birth_year"], stored["birth_year"])


def _agree(one: Any, other: Any) -> bool:
    """Whether two values are the same, as far as they are given."""
    return one in (None, "") or other in (None, "") or one == other


def stored_like(
    given: Sequence[Columns], column: str, stored: models.QuerySet[Any, Any], *others: Q
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


def stored_by_uid(
    model: type[models.Model], uids: Iterable[UUID | None]
) -> dict[UUID | None, Columns]:
    """All columns of those with these uids, by which an export finds its own rows again."""
    named = set(uids) - {None}
    if not named:
        return {}
    return {row["uid"]: row for row in model._default_manager.filter(uid__in=named).values()}


# What books share: found, or made once


class Shared:
    """The things of one model that the books of a batch share."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self._by_uid: dict[UUID | None, Columns] = {}
        self.new: list[Columns] = []
        # Those that were found or made, by identity.
        self.used: dict[int, Columns] = {}

    def load(self, given: Sequence[Columns]) -> None:
        """Read what is stored and may be meant by these."""
        self._by_uid = stored_by_uid(self.model, (each["uid"] for each in given))

    def find(self, given: Columns) -> Columns | None:
        found = self._by_uid.get(given["uid"]) or self._look_up(given)
        if found is not None:
            self.used[id(found)] = found
        return found

    def find_or_make(self, given: Columns) -> Columns:
        found = self.find(given)
        if found is None:
            # A copy, since what is given is remembered beyond this batch.
            found = {**given}
            self.used[id(found)] = found
            self.new.append(found)
            if found["uid"] is not None:
                self._by_uid[found["uid"]] = found
            self._remember(found)
        return found

    def _look_up(self, given: Columns) -> Columns | None:
        raise NotImplementedError

    def _remember(self, thing: Columns) -> None:
        raise NotImplementedError


class ByColumn(Shared):
    """Publishers, series or subjects, told apart by one column."""

    def __init__(self, model: type[models.Model], column: str) -> None:
        super().__init__(model)
        self._column = column
        self._known: dict[Any, Columns] = {}

    def load(self, given: Sequence[Columns]) -> None:
        super().load(given)
        column = self._column
        values = {each[column] for each in given}
        stored = self.model._default_manager.filter(**{f"{column}__any_of": values})
        # Where several have one name, the oldest stands.
        self._known = {each[column]: each for each in stored.order_by("-pk").values("id", column)}

    def _look_up(self, given: Columns) -> Columns | None:
        return self._known.get(given[self._column])

    def _remember(self, thing: Columns) -> None:
        self._known[thing[self._column]] = thing


class Subjects(ByColumn):
    def __init__(self) -> None:
        super().__init__(Subject, "name_folded")
        self._slug: Any = Subject._meta.get_field("slug")
        self._taken: set[str] = set()

    def load(self, given: Sequence[Columns]) -> None:
        super().load(given)
        slugs = {each["slug"] for each in given} - {""}
        self._taken = self._stored(slugs) if slugs else set()

    @staticmethod
    def _stored(slugs: set[str]) -> set[str]:
        return set(Subject.objects.filter(slug__any_of=slugs).values_list("slug", flat=True))

    def faults(self, draft: Draft) -> list[Fault]:
        """What speaks against the subjects that a draft would make: slugs that others have."""
        return [
            Fault("unique", "Another subject has this slug.", pointer("subjects", i, "slug"))
            for i, each in enumerate(draft.subjects)
            if each["slug"] in self._taken and not self._is_made(each) and not self.find(each)
        ]

    def _is_made(self, given: Columns) -> bool:
        return bool(self._slug.is_made(given["slug"], self._slug.make(given["name"])))

    def _remember(self, thing: Columns) -> None:
        super()._remember(thing)
        if thing["slug"] in self._taken:
            thing["slug"] = ""
        elif thing["slug"]:
            self._taken.add(thing["slug"])

    def give_slugs(self) -> None:
        """Make the slugs of new subjects that have none."""
        made = [thing for thing in self.new if not thing["slug"]]
        if made:
            slugs = [self._slug.made(SimpleNamespace(**thing)) for thing in made]
            distinct = self._slug.distinct(
                slugs, lambda some: self._stored(some) | (self._taken & some)
            )
            for thing, slug in zip(made, distinct, strict=True):
                thing["slug"] = slug


class Authors(Shared):
    def __init__(self) -> None:
        super().__init__(Author)
        self._by_key: dict[str, Columns] = {}
        self._by_name: dict[str, list[Columns]] = defaultdict(list)

    def load(self, given: Sequence[Columns]) -> None:
        super().load(given)
        authors = Author.objects.values("id", *COLUMNS_OF_AUTHOR)
        for author in stored_like(given, "name", authors):
            self._remember(author)

    def _remember(self, thing: Columns) -> None:
        self._by_name[thing["name"]].append(thing)
        if thing["openlibrary_key"]:
            self._by_key[thing["openlibrary_key"]] = thing

    def _look_up(self, given: Columns) -> Columns | None:
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
class MatchedBook:
    """A book of the catalogue: one that is stored, or one that this batch makes."""

    book: Columns
    series_name: str | None
    is_stored: bool
    # Those with the role author, in order.
    authors: list[Columns] = field(default_factory=list)
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

    def __init__(self) -> None:
        self._by_uid: dict[UUID | None, MatchedBook] = {}
        self._by_key: dict[str, MatchedBook] = {}
        self._by_title: dict[str, list[MatchedBook]] = defaultdict(list)
        self._by_isbn: dict[str | None, MatchedBook] = {}

    def load(self, drafts: Sequence[Draft]) -> None:
        """Read what is stored and may be meant by these."""
        editions = [edition for draft in drafts for edition in draft.editions]
        isbns = {edition["isbn13"] for edition in editions} - {None}
        held = dict(Edition.objects.filter(isbn13__any_of=isbns).values_list("isbn13", "book_id"))
        named = stored_by_uid(Book, (draft.book["uid"] for draft in drafts))
        books = Book.objects.values("id", "series__name", *COLUMNS_OF_BOOK)
        stored = stored_like(
            [draft.book for draft in drafts],
            "title",
            books,
            Q(pk__in={*held.values(), *(row["id"] for row in named.values())}),
        )
        entries = {
            book["id"]: MatchedBook(book, book["series__name"], is_stored=True) for book in stored
        }
        if entries:
            self._load_authors(entries)
            if any(edition["isbn13"] is None for edition in editions):
                self._load_unnumbered(entries)
        for entry in entries.values():
            self.remember(entry)
        for uid, row in named.items():
            self._by_uid[uid] = entries[row["id"]]
        for isbn13, book_id in held.items():
            self._by_isbn[isbn13] = entries[book_id]

    @staticmethod
    def _load_authors(entries: dict[int, MatchedBook]) -> None:
        credited = Author.objects.filter(
            contributions__role=Role.AUTHOR, contributions__book__in=entries
        ).order_by("contributions__book", "contributions__position", "contributions__pk")
        for author in credited.values("contributions__book", *COLUMNS_OF_AUTHOR):
            entries[author["contributions__book"]].authors.append(author)

    @staticmethod
    def _load_unnumbered(entries: dict[int, MatchedBook]) -> None:
        editions = Edition.objects.filter(isbn13=None, book__in=entries)
        for edition in editions.select_related("publisher"):
            publisher = edition.publisher
            told = description(vars(edition), vars(publisher) if publisher else None)
            entries[edition.book_id].unnumbered.add(told)

    def remember(self, entry: MatchedBook) -> None:
        self._by_title[entry.book["title"]].append(entry)
        if entry.book.get("uid") is not None:
            self._by_uid[entry.book["uid"]] = entry
        if entry.book["openlibrary_key"]:
            self._by_key[entry.book["openlibrary_key"]] = entry

    def remember_isbn(self, isbn13: str, entry: MatchedBook) -> None:
        self._by_isbn[isbn13] = entry

    def has_isbn(self, isbn13: str) -> bool:
        return isbn13 in self._by_isbn

    def find(self, draft: Draft) -> MatchedBook | None:
        """By the uid, the Open Library's key, an ISBN, or else by what describes the book.

        An ISBN must come with the right title or the right authors, so that a mistyped one does
        not pass a book off as another; Refused where it belongs to another book.
        """
        holders = {
            i: self._by_isbn[edition["isbn13"]]
            for i, edition in enumerate(draft.editions)
            if edition["isbn13"] in self._by_isbn
        }
        found = self._by_uid.get(draft.book["uid"]) or self._by_key.get(
            draft.book["openlibrary_key"] or ""
        )
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
    def _may_be(draft: Draft, holder: MatchedBook) -> bool:
        return holder.has_key_of(draft) and (
            draft.book["title"] == holder.book["title"]
            or (bool(holder.authors) and holder.has_authors_of(draft))
        )


def description(edition: Columns, publisher: Columns | None) -> tuple[Any, ...]:
    """All that an edition says of itself beside its ISBN."""
    return (
        publisher and publisher["name_folded"],
        edition["format"],
        edition["pages"],
        edition["published_on"],
        edition["language"],
    )
