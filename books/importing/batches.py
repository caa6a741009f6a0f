"""What a batch of drafts adds to the catalogue, written by bulk statements."""

from collections.abc import Sequence

from django.db import connection

from books.models import Book, Contribution, Edition, Publisher, Role, Series
from project.api.http.problems import Fault, Refused
from project.api.writes.deletions import raise_versions
from project.api.writes.signals import WrittenRows

from .bulk import give_keys, insert
from .drafts import Columns, Draft
from .matching import Authors, ByColumn, Catalogue, MatchedBook, Subjects, description


class Batch:
    """What some drafts add to the catalogue, found out and written by `put_in`.

    The caller opens the transaction. Nothing that is stored changes, except that a book may get
    another edition, which raises its version. The number of statements is the same whatever the
    number of drafts.
    """

    def __init__(self) -> None:
        # What speaks against a draft once the catalogue is known, by its place.
        self.refused: dict[int, list[Fault]] = {}
        self.unchanged = self.changed = 0
        self.editions_unchanged = 0
        self.books: list[Columns] = []
        # Each with its book.
        self.editions: list[tuple[Columns, Columns]] = []
        self._extended: set[int] = set()
        # Book, author, role, position and the name on the title page.
        self._contributions: list[tuple[Columns, Columns, str, int, str]] = []
        self._subject_links: list[tuple[Columns, Columns]] = []
        self.catalogue = Catalogue()
        self.authors = Authors()
        self.series = ByColumn(Series, "name")
        self.subjects = Subjects()
        self.publishers = ByColumn(Publisher, "name_folded")

    def put_in(self, drafts: Sequence[Draft]) -> None:
        if connection.vendor == "postgresql":
            # The tables grow faster than the planner's knowledge of them; an index always fits.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        editions = [edition for draft in drafts for edition in draft.editions]
        self.catalogue.load(drafts)
        self.authors.load([credit.author for draft in drafts for credit in draft.credits])
        self.series.load([draft.series for draft in drafts if draft.series])
        self.subjects.load([each for draft in drafts for each in draft.subjects])
        self.publishers.load([each["publisher"] for each in editions if each["publisher"]])
        for place, draft in enumerate(drafts):
            try:
                self._settle(draft)
            except Refused as error:
                self.refused[place] = error.faults
        self._write()

    def _settle(self, draft: Draft) -> None:
        entry = self.catalogue.find(draft)
        if entry is None:
            if faults := self.subjects.faults(draft):
                raise Refused(faults)
            self._add_editions(self._make(draft), draft)
            return
        self._count_as_used(draft)
        if not self._add_editions(entry, draft):
            self.unchanged += 1
            return
        self.changed += 1
        if entry.is_stored:
            self._extended.add(entry.book["id"])

    def _make(self, draft: Draft) -> MatchedBook:
        # A copy, since a draft may be tried again.
        book = {**draft.book}
        if draft.series is not None:
            book["series"] = self.series.find_or_make(draft.series)
        entry = MatchedBook(book, draft.series["name"] if draft.series else None, is_stored=False)
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

    def _add_editions(self, entry: MatchedBook, draft: Draft) -> int:
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
        written = WrittenRows()
        self.subjects.give_slugs()
        for shared in (self.authors, self.series, self.subjects, self.publishers):
            give_keys(shared.model, shared.new)
            insert(shared.model, shared.new, written)
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
            written,
        )
        insert(Book, self.books, written)
        insert(
            Book.subjects.through,
            [
                {"book_id": book["id"], "subject_id": subject["id"]}
                for book, subject in self._subject_links
            ],
            written,
        )
        insert(Edition, [edition for _, edition in self.editions], written)
        extended = Book.objects.select_for_update(no_key=True).order_by("pk")
        raise_versions(list(extended.filter(pk__in=self._extended)), written)
        written.announce(Book)
