"""What a batch of drafts adds to the catalogue, written by bulk statements."""

import sys
from collections.abc import Collection, Mapping

from django.db import connection, models

from authors.models import Author, OtherName
from books.models import Book, Contribution, Edition, Identifier, Publisher, Role, Series
from project.api.http.problems import Fault, Refused, pointer
from project.api.relations import MAX_ITEMS
from project.api.writes.deletions import raise_versions
from project.api.writes.signals import WrittenRows

from .bulk import give_keys, insert
from .drafts import Columns, Draft
from .matching import (
    Authors,
    ByColumn,
    Catalogue,
    MatchedBook,
    Subjects,
    as_survivors,
    told_by,
)
from .merging import Changes, Disagreement, Ours, fitting, unknown


class Batch:
    """What some drafts add to the catalogue, found out and written by `put_in`.

    The caller opens the transaction. The number of statements is the same whatever the number of
    drafts.
    """

    def __init__(self, ours: Ours) -> None:
        self._ours = ours
        # What speaks against a draft once the catalogue is known, by its place.
        self.refused: dict[int, list[Fault]] = {}
        # What drafts say in vain, since something else is known.
        self.disagreements: list[tuple[int, Disagreement]] = []
        # The places of drafts with an edition that an earlier one has, word for word.
        self.repeats: list[int] = []
        self.unchanged = self.changed = 0
        self.editions_unchanged = self.editions_changed = 0
        self.new: list[MatchedBook] = []
        # Whether the draft at a place, which means a known book, says something new.
        self._learnt: dict[int, bool] = {}
        self.editions: list[tuple[MatchedBook, Columns]] = []
        # Identifiers, each with the edition that gets it.
        self._identifiers: list[tuple[Columns, tuple[str, str]]] = []
        # Stored editions that get a publisher.
        self._published: list[Columns] = []
        # Stored books that get something.
        self._extended: set[int] = set()
        # Book, author, role, position, the name on the title page, and the role in words.
        self._contributions: list[tuple[MatchedBook, Columns, str, int, str, str]] = []
        self._subject_links: list[tuple[MatchedBook, Columns]] = []
        self.authors = Authors(ours)
        self.catalogue = Catalogue(self.authors, ours)
        self.series = ByColumn(Series, "name")
        self.subjects = Subjects()
        self.publishers = ByColumn(Publisher, "name_folded")
        self._books, self._editions = Changes(Book), Changes(Edition)

    def put_in(self, drafts: Mapping[int, Draft]) -> None:
        """Drafts by their places in the file, the most certain first.

        What disagrees with an earlier one is left out. New things are made in the file's order.
        """
        if connection.vendor == "postgresql":
            # The tables grow faster than the planner's knowledge of them; an index always fits.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        in_order = [drafts[place] for place in sorted(drafts)]
        as_survivors(in_order)
        editions = [edition for draft in in_order for edition in draft.editions]
        mentions = [credit.author for draft in in_order for credit in draft.credits]
        self.authors.load(mentions)
        self.catalogue.load([draft for draft in in_order if draft.is_book])
        self.series.load([draft.series for draft in in_order if draft.series])
        self.subjects.load([each for draft in in_order for each in draft.subjects])
        self.publishers.load([each["publisher"] for each in editions if each["publisher"]])
        for place, draft in drafts.items():
            if not draft.is_book:
                self.authors.use(self.authors.meant(draft.credits[0].author))
            elif (entry := self._settle(place, draft)) is not None:
                self._count(place, entry, self._add_editions(place, entry, draft))
        self.new.sort(key=lambda entry: entry.place)
        # Those of one book stay in the order of their drafts' certainty.
        self._contributions.sort(key=lambda each: each[0].place)
        self._subject_links.sort(key=lambda each: each[0].place)
        self.editions.sort(key=lambda each: each[0].place)
        self.authors.forget_unused(mentions)
        for shared in (self.series, self.subjects, self.publishers):
            shared.order_new()
        self._write()

    @property
    def made(self) -> dict[type[models.Model], list[Columns]]:
        return {
            Book: [entry.book for entry in self.new],
            Edition: [edition for _, edition in self.editions],
            Author: self.authors.new,
        }

    def _settle(self, place: int, draft: Draft) -> MatchedBook | None:
        """The book that a draft means, with all that the draft says of it but the editions."""
        try:
            entry = self.catalogue.find(draft)
            editions = {told_by(edition) for edition in draft.editions}
            if entry is not None:
                self._refuse_long_lists(entry, draft, editions)
        except Refused as error:
            self.refused[place] = error.faults
            return None
        if entry is None:
            entry = self._make(draft)
        else:
            self._merge(place, entry, draft)
        entry.place = min(entry.place, place)
        entry.told |= editions
        for i, subject in enumerate(draft.subjects):
            if subject["slug"] and self.subjects.has_slug_of_another(subject):
                self._disagree(place, subject["slug"], None, "subjects", i, "slug")
        for edition in draft.editions:
            if edition["isbn13"] is not None:
                self.catalogue.remember_isbn(edition["isbn13"], entry)
        return entry

    def _refuse_long_lists(
        self, entry: MatchedBook, draft: Draft, editions: Collection[object]
    ) -> None:
        """Raise Refused where the book would have lists that the API does not take."""
        lists = {
            "editions": entry.number_of_others + len(entry.told.union(editions)),
            "subjects": len(entry.subjects.union(each["name_folded"] for each in draft.subjects)),
            "contributions": len(entry.credits) + len(draft.credits),
        }
        if lists["contributions"] > MAX_ITEMS:
            lists["contributions"] -= sum(
                bool(entry.credited(each, role, self.authors)) for each, role, *_ in draft.credits
            )
        faults = [
            Fault("max_length", f"“{name}” would have more than {MAX_ITEMS} items.", pointer(name))
            for name, length in lists.items()
            if length > MAX_ITEMS
        ]
        if faults and self._ours.may_extend(Book, entry.book):
            raise Refused(faults)

    def _make(self, draft: Draft) -> MatchedBook:
        # A copy, since a draft may be tried again.
        entry = MatchedBook({**draft.book}, None, is_stored=False, place=sys.maxsize)
        if draft.series is not None:
            entry.series = self.series.find_or_make(draft.series)
            entry.series_name = draft.series["name"]
        self._add_credits(entry, draft)
        self._add_subjects(entry, draft)
        self.new.append(entry)
        self.catalogue.remember(entry)
        return entry

    def _merge(self, place: int, entry: MatchedBook, draft: Draft) -> None:
        new, other = unknown(Book, entry.book, draft.book)
        if draft.series is not None:
            self.series.find(draft.series)
            if entry.series_name is None:
                new["series"] = draft.series
            elif entry.series_name != draft.series["name"]:
                other["series"] = draft.series
        given = {**draft.book, "series": draft.series}
        new, other = self._ours.settle(Book, entry.book, given, new, other)
        if "series" in other and "series_position" in new:
            # Of which series it would be the place nobody could tell.
            other["series_position"] = new.pop("series_position")
        series = new.pop("series", None)
        new = fitting(Book, entry.book, new)
        if series is not None:
            entry.series = self.series.find_or_make(series)
            entry.series_name = series["name"]
        if entry.is_stored and new:
            self._books.change(entry.book, new)
        else:
            entry.book |= new
        for name, value in other.items():
            kept = entry.series_name if name == "series" else entry.book[name]
            told = value["name"] if name == "series" else value
            self._disagree(place, told, kept, name)
        self._learnt[place] = bool(new) or series is not None
        self._learnt[place] |= self._add_credits(entry, draft, place)
        self._learnt[place] |= self._add_subjects(entry, draft)
        self.catalogue.remember(entry, draft.book["title"])

    def _disagree(self, place: int, given: object, kept: object, *at: str | int) -> None:
        self.disagreements.append((place, Disagreement(pointer(*at), given, kept)))

    def _add_credits(self, entry: MatchedBook, draft: Draft, place: int | None = None) -> bool:
        """Whether there is somebody new. Authors come all together or not at all."""
        authors = self.authors
        before = len(entry.credits)
        has_authors = place is not None and any(role == Role.AUTHOR for _, role in entry.credits)
        for i, (given, role, credited_as, other_role) in enumerate(draft.credits):
            meant = authors.meant(given)
            same = entry.credited(given, role, authors)
            if place is not None and (other := authors.disagreements.get(id(given))):
                for name, value in other.items():
                    self._disagree(place, value, meant[name], "contributions", i, "author", name)
            if same:
                authors.use(meant if meant in same else same[0])
            elif role == Role.AUTHOR and has_authors:
                kept = "; ".join(each["name"] for each in entry.of_role(Role.AUTHOR))
                self._disagree(place or 0, given["name"], kept, "contributions", i)
            elif self._ours.may_extend(Book, entry.book):
                authors.use(meant)
                self._contributions.append(
                    (entry, meant, role, entry.next_position, credited_as, other_role)
                )
                entry.next_position += 1
                entry.credits.append((meant, role))
        return len(entry.credits) > before

    def _add_subjects(self, entry: MatchedBook, draft: Draft) -> bool:
        before = len(entry.subjects)
        for given in draft.subjects:
            name = given["name_folded"]
            if name in entry.subjects or not self._ours.may_extend(Book, entry.book):
                self.subjects.find(given)
                continue
            entry.subjects.add(name)
            self._subject_links.append((entry, self.subjects.find_or_make(given)))
        return len(entry.subjects) > before

    def _add_editions(self, place: int, entry: MatchedBook, draft: Draft) -> bool:
        """Whether the draft has editions that the book has not, or knows more of one."""
        learnt = False
        for i, edition in enumerate(draft.editions):
            publisher, told = edition["publisher"], told_by(edition)
            known = entry.edition(edition, self.catalogue.holders)
            if publisher is not None and known is not None:
                self.publishers.find(publisher)
            if known is None:
                found = publisher and self.publishers.find_or_make(publisher)
                known = {**edition, "publisher": found, "held": set()}
                self.editions.append((entry, known))
                self._add_identifiers(place, i, entry, known, edition)
                learnt = True
            elif self._merge_edition(place, i, entry, known, edition) | self._add_identifiers(
                place, i, entry, known, edition
            ):
                self.editions_changed += 1
                learnt = True
            else:
                self.editions_unchanged += 1
                if (first := entry.rows.get(told, place)) != place:
                    self.repeats.append(max(first, place))
            # Another one may say the same of itself, but for its identifiers.
            entry.editions.setdefault(told, known)
            entry.rows[told] = min(place, entry.rows.get(told, place))
        return learnt

    def _add_identifiers(
        self, place: int, i: int, entry: MatchedBook, known: Columns, given: Columns
    ) -> bool:
        """Whether the edition gets identifiers: those that no other one has."""
        if not given["identifiers"] or not self._ours.may_extend(Edition, known):
            return False
        holders, held, learnt = self.catalogue.holders, known["held"], False
        for n, each in enumerate(given["identifiers"]):
            if each not in holders and len(held) < MAX_ITEMS:
                holders[each] = entry, known
                held.add(each)
                self._identifiers.append((known, each))
                learnt = True
            elif each not in held:
                self._disagree(place, ":".join(each), None, "editions", i, "identifiers", n)
        if learnt and entry.is_stored:
            self._extended.add(entry.book["id"])
        return learnt

    def _merge_edition(
        self, place: int, i: int, entry: MatchedBook, known: Columns, given: Columns
    ) -> bool:
        new, other = unknown(Edition, known, given)
        if given["publisher"] is not None:
            if known["publisher"] is None:
                new["publisher"] = given["publisher"]
            elif known["publisher"]["name_folded"] != given["publisher"]["name_folded"]:
                other["publisher"] = given["publisher"]
        new, other = self._ours.settle(Edition, known, given, new, other)
        is_stored = "id" in known
        for name, value in other.items():
            kept, told = known[name], value
            if name == "publisher":
                kept, told = kept["name"], value["name"]
            self._disagree(place, told, kept, "editions", i, name)
        learnt = bool(new)
        if (publisher := new.pop("publisher", None)) is not None:
            known["publisher"] = self.publishers.find_or_make(publisher)
            if is_stored:
                self._published.append(known)
        if is_stored and learnt:
            self._extended.add(entry.book["id"])
            self._editions.change(known, new)
        else:
            known |= new
        return learnt

    def _count(self, place: int, entry: MatchedBook, has_editions: bool) -> None:
        learnt = has_editions or self._learnt.get(place, False)
        if learnt and entry.is_stored:
            self._extended.add(entry.book["id"])
        if place in self._learnt:
            self.changed += learnt
            self.unchanged += not learnt

    def _write(self) -> None:
        written = WrittenRows()
        self.subjects.give_slugs()
        for shared in (self.authors, self.series, self.subjects, self.publishers):
            give_keys(shared.model, shared.new)
            insert(shared.model, shared.new, written)
        insert(
            OtherName,
            [
                {"author_id": author["id"], "name": name, "sort_name": sort_name}
                for author, name, sort_name in self.authors.named
            ],
            written,
        )
        books = [entry.book for entry in self.new]
        give_keys(Book, books)
        for entry in self.new:
            if entry.series is not None:
                entry.book["series_id"] = entry.series["id"]
        for entry, edition in self.editions:
            edition["book_id"] = entry.book["id"]
            edition["publisher_id"] = edition["publisher"] and edition["publisher"]["id"]
        # Before their books, whose words for searching are then complete when the books come. That
        # the books are there is checked at the end of the transaction.
        insert(
            Contribution,
            [
                {
                    "book_id": entry.book["id"],
                    "author_id": author["id"],
                    "role": role,
                    "position": position,
                    "credited_as": credited_as,
                    "other_role": other_role,
                }
                for entry, author, role, position, credited_as, other_role in self._contributions
            ],
            written,
        )
        insert(Book, books, written)
        insert(
            Book.subjects.through,
            [
                {"book_id": entry.book["id"], "subject_id": subject["id"]}
                for entry, subject in self._subject_links
            ],
            written,
        )
        editions = [edition for _, edition in self.editions]
        give_keys(Edition, editions)
        insert(Edition, editions, written)
        insert(
            Identifier,
            [
                {"edition_id": edition["id"], "scheme": scheme, "value": value}
                for edition, (scheme, value) in self._identifiers
            ],
            written,
        )
        self._write_changes(written)
        written.announce(Book)

    def _write_changes(self, written: WrittenRows) -> None:
        books, editions = self._books, self._editions
        for entry in self.catalogue.stored:
            if entry.series is not None:
                books.change(entry.book, {"series_id": entry.series["id"]})
        for edition in self._published:
            editions.change(edition, {"publisher_id": edition["publisher"]["id"]})
        raise_versions(self.authors.changes.write(written, also=self.authors.changed), written)
        raise_versions(books.write(written, also=self._extended), written)
        editions.write(written)
