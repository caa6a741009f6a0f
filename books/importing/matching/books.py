"""Which stored book a draft means."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import models
from django.db.models import Count, Q

from authors.models import Author
from books.models import Book, Contribution, Edition, Identifier, Role
from project.api.http.problems import Fault, Refused, pointer

from ..drafts import Columns, Draft
from ..merging import Ours, agree, facts_of, unknown
from .authors import Authors, is_same_author
from .shared import stored_by_uid, stored_like


@dataclass(eq=False, slots=True)
class MatchedBook:
    """A book of the catalogue: one that is stored, or one that this batch makes."""

    book: Columns
    series_name: str | None
    is_stored: bool
    # The first row of this batch that means it.
    place: int = sys.maxsize
    # The one that it gets.
    series: Columns | None = None
    # Author and role, in order, and the position of the next.
    credits: list[tuple[Columns, str]] = field(default_factory=list)
    next_position: int = 0
    # The folded names of its subjects.
    subjects: set[str] = field(default_factory=set)
    # By their ISBN, or else by all that is said of them; and the first row that does.
    editions: dict[object, Columns] = field(default_factory=dict)
    rows: dict[object, int] = field(default_factory=dict)
    # Those that it has or will have, and how many others are stored.
    told: set[object] = field(default_factory=set)
    number_of_others: int = 0

    def edition(self, given: Columns, holders: "Holders") -> Columns | None:
        """Which of its editions is meant: by the ISBN, an identifier, or else all that is said."""
        known = self.editions.get(told_by(given))
        if known is not None and given["isbn13"]:
            return known
        for each in given["identifiers"]:
            entry, edition = holders.get(each, (None, None))
            if entry is self and edition and agree(edition["isbn13"], given["isbn13"]):
                return edition
        if known is None or not given["identifiers"]:
            return known
        own: dict[str, set[str]] = defaultdict(set)
        for scheme, value in known["held"]:
            own[scheme].add(value)
        # What one scheme calls otherwise is another one.
        is_same = all(value in own.get(scheme, (value,)) for scheme, value in given["identifiers"])
        return known if is_same else None

    def of_role(self, role: str) -> list[Columns]:
        return [author for author, its in self.credits if its == role]

    def has_creators_of(self, draft: Draft, authors: Authors) -> bool:
        """The same authors in the same order, or editors where neither side has authors."""
        for role in (Role.AUTHOR, Role.EDITOR):
            own, given = self.of_role(role), draft.of_role(role)
            if own or given:
                places = [_place_of(each, own, authors) for each in given]
                return list(dict.fromkeys(places)) == list(range(len(own)))
        return True

    def has_key_of(self, draft: Draft) -> bool:
        return agree(draft.book["openlibrary_key"], self.book["openlibrary_key"])

    def is_book_of(self, draft: Draft, authors: Authors) -> bool:
        """Whether all that tells books of one title apart is the same, as far as both say it."""
        return (
            self.has_key_of(draft)
            and self.has_creators_of(draft, authors)
            and agree(draft.book["first_published_year"], self.book["first_published_year"])
            and agree(draft.series and draft.series["name"], self.series_name)
            and agree(draft.book["series_position"], self.book["series_position"])
        )

    def order(self) -> tuple[object, ...]:
        """Which of several is meant, where a draft says no more than each of them has."""
        return (
            self.book["openlibrary_key"] or "",
            self.book["first_published_year"] or 0,
            self.series_name or "",
            self.book["series_position"],
            self.book.get("id", 0),
        )

    def lacks_parts(self, draft: Draft, authors: Authors, holders: "Holders") -> bool:
        """Whether the draft, which tells this book by title and creators, has more parts of it."""
        return (
            (draft.series is not None and self.series_name is None)
            or not {each["name_folded"] for each in draft.subjects} <= self.subjects
            or not all(
                credit.role == Role.AUTHOR or self.credited(credit.author, credit.role, authors)
                for credit in draft.credits
            )
            or any(self._lacks_of_edition(edition, holders) for edition in draft.editions)
        )

    def _lacks_of_edition(self, given: Columns, holders: "Holders") -> bool:
        known = self.edition(given, holders)
        return known is None or bool(
            unknown(Edition, known, given)[0]
            or not holders.keys() >= {*given["identifiers"]}
            or (given["publisher"] is not None and known["publisher"] is None)
        )

    def credited(self, given: Columns, role: str, authors: Authors) -> list[Columns]:
        """Those who may be meant among those who have this role already."""
        meant = authors.meant(given)
        return [
            each
            for each, its in self.credits
            if its == role and (each is meant or is_same_author(given, each))
        ]


# By its scheme and value, which edition of which book has an identifier.
Holders = dict[tuple[str, str], tuple[MatchedBook, Columns]]


def _place_of(given: Columns, own: Sequence[Columns], authors: Authors) -> int | None:
    meant = authors.meant(given)
    same = [i for i, each in enumerate(own) if each is meant or is_same_author(given, each)]
    return min(same, key=lambda i: own[i] is not meant, default=None)


class Catalogue:
    """The stored books that the drafts of a batch may mean, and those that it adds to them."""

    def __init__(self, authors: Authors, ours: Ours) -> None:
        self._authors = authors
        self._ours = ours
        self._by_uid: dict[UUID | None, MatchedBook] = {}
        self._by_key: dict[str, MatchedBook] = {}
        self._by_title: dict[str, list[MatchedBook]] = defaultdict(list)
        self._by_isbn: dict[str | None, MatchedBook] = {}
        self.holders: Holders = {}
        self.stored: list[MatchedBook] = []

    def load(self, drafts: Sequence[Draft]) -> None:
        """Read what is stored and may be meant by these."""
        isbns = {each["isbn13"] for draft in drafts for each in draft.editions} - {None}
        held = _editions(Edition.objects.filter(isbn13__any_of=isbns))
        pairs = {
            pair for draft in drafts for each in draft.editions for pair in each["identifiers"]
        }
        if pairs:
            known = {edition["id"] for edition in held}
            identified = set(_holders_of(pairs).values()) - known
            held += _editions(Edition.objects.filter(pk__in=identified))
        named = stored_by_uid(Book, (draft.book["uid"] for draft in drafts))
        books = Book.objects.values("id", "series_id", "series__name", *facts_of(Book))
        stored = stored_like(
            [draft.book for draft in drafts],
            "title_start",
            books,
            Q(
                pk__any_of={
                    *(edition["book_id"] for edition in held),
                    *(row["id"] for row in named.values()),
                }
            ),
        )
        entries = {
            book["id"]: MatchedBook(book, book["series__name"], is_stored=True) for book in stored
        }
        for edition in held:
            entry = entries[edition["book_id"]]
            entry.editions[told_by(edition)] = edition
            if edition["isbn13"]:
                self._by_isbn[edition["isbn13"]] = entry
        if entries:
            self._load_parts(entries, drafts)
            if pairs:
                self._load_identifiers(entries)
            numbers = Edition.objects.filter(book__any_of=entries).values_list("book_id")
            for key, number in numbers.annotate(Count("pk")).order_by():
                entry = entries[key]
                entry.told.update(entry.editions)
                entry.number_of_others = number - len(entry.editions)
        for uid, row in named.items():
            entries[row["id"]].book["uid"] = uid
        self.stored = list(entries.values())
        for entry in self.stored:
            self.remember(entry)

    def _load_parts(self, entries: dict[int, MatchedBook], drafts: Sequence[Draft]) -> None:
        credited = Contribution.objects.filter(book__any_of=entries).order_by(
            "book", "position", "pk"
        )
        of_author = {f"author__{name}": name for name in ("id", *facts_of(Author))}
        for row in credited.values("book_id", "role", "position", *of_author):
            author = self._authors.stored({name: row[at] for at, name in of_author.items()})
            entry = entries[row["book_id"]]
            entry.credits.append((author, row["role"]))
            entry.next_position = row["position"] + 1
        if any(draft.subjects for draft in drafts):
            links = Book.subjects.through.objects.filter(book__any_of=entries)
            for key, name in links.values_list("book_id", "subject__name_folded"):
                entries[key].subjects.add(name)
        if any(each["isbn13"] is None for draft in drafts for each in draft.editions):
            for edition in _editions(Edition.objects.filter(isbn13=None, book__any_of=entries)):
                editions = entries[edition["book_id"]].editions
                if all(edition["id"] != each["id"] for each in editions.values()):
                    editions[told_by(edition)] = edition

    def _load_identifiers(self, entries: dict[int, MatchedBook]) -> None:
        editions = {
            edition["id"]: (entry, edition)
            for entry in entries.values()
            for edition in entry.editions.values()
        }
        rows = Identifier.objects.filter(edition__any_of=editions).order_by("pk")
        for scheme, value, key in rows.values_list("scheme", "value", "edition_id"):
            self.holders[scheme, value] = editions[key]
            editions[key][1]["held"].add((scheme, value))

    def remember(self, entry: MatchedBook, title: str | None = None) -> None:
        """Find this book by what it says; and by this title too, which a row gives it."""
        namesakes = self._by_title[title or entry.book["title"]]
        if entry not in namesakes:
            namesakes.append(entry)
        if entry.book.get("uid") is not None:
            self._by_uid[entry.book["uid"]] = entry
        if entry.book["openlibrary_key"]:
            self._by_key[entry.book["openlibrary_key"]] = entry

    def remember_isbn(self, isbn13: str, entry: MatchedBook) -> None:
        self._by_isbn[isbn13] = entry

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
            found = next(
                (
                    entry
                    for edition in draft.editions
                    for each in edition["identifiers"]
                    for entry, _ in [self.holders.get(each, (None, None))]
                    if entry is not None and self._may_be(draft, entry)
                ),
                None,
            )
        if found is None:
            namesakes = self._by_title.get(draft.book["title"], ())
            same = [each for each in namesakes if each.is_book_of(draft, self._authors)]
            found = self._fittest(same, draft) if len(same) > 1 else next(iter(same), None)
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

    def _fittest(self, same: Sequence[MatchedBook], draft: Draft) -> MatchedBook:
        """Of several that may be meant, one that gets nothing new, so that a second run does not.

        All of those have it said of them, so that no later row overwrites in the one what this row
        has said of the other.
        """
        changed = {
            id(each)
            for each in same
            if self._ours.would_change(Book, each.book, draft.book)
            or each.lacks_parts(draft, self._authors, self.holders)
        }
        for each in same:
            if id(each) not in changed:
                self._ours.say(Book, each.book, {**draft.book, "series": draft.series})
        return min(same, key=lambda each: (id(each) in changed, each.order()))

    def _may_be(self, draft: Draft, holder: MatchedBook) -> bool:
        return holder.has_key_of(draft) and (
            holder in self._by_title.get(draft.book["title"], ())
            or (
                any(role in (Role.AUTHOR, Role.EDITOR) for _, role in holder.credits)
                and holder.has_creators_of(draft, self._authors)
            )
        )


def _holders_of(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The keys of the stored editions that have these identifiers, by scheme and value."""
    by_scheme: dict[str, set[str]] = defaultdict(set)
    for scheme, value in pairs:
        by_scheme[scheme].add(value)
    found: dict[tuple[str, str], int] = {}
    # SQLite takes 500 queries in one.
    schemes = sorted(by_scheme.items())
    for start in range(0, len(schemes), 100):
        first, *rest = (
            Identifier.objects.filter(scheme=scheme, value__any_of=values)
            .order_by()
            .values_list("scheme", "value", "edition_id")
            for scheme, values in schemes[start : start + 100]
        )
        # Django 6.1 would have the union in the model's order.
        rows = first.union(*rest, all=True).order_by()
        found |= {(scheme, value): key for scheme, value, key in rows}
    return found


def _editions(editions: models.QuerySet[Edition]) -> list[Columns]:
    """These editions with their publishers, as drafts have them, and room for identifiers."""
    names = ("id", "book_id", "publisher_id", "publisher__name", "publisher__name_folded")
    return [
        {
            **row,
            "held": set(),
            "publisher": row["publisher_id"]
            and {
                "id": row["publisher_id"],
                "name": row["publisher__name"],
                "name_folded": row["publisher__name_folded"],
            },
        }
        for row in editions.values(*names, *facts_of(Edition))
    ]


def told_by(edition: Columns) -> object:
    """What tells an edition from the others of its book: its ISBN, or else all that it says."""
    publisher = edition["publisher"]
    return edition["isbn13"] or (
        publisher and publisher["name_folded"],
        *(edition[name] for name in facts_of(Edition) if name != "isbn13"),
    )
