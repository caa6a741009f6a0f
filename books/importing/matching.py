"""Which stored author, book or shared thing a draft means. docs/import.md says the rules."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Count, Q

from authors.models import Author, OtherName
from books.models import (
    Book,
    Contribution,
    Edition,
    Identifier,
    Publisher,
    Role,
    Series,
    Subject,
)
from project.api.http.problems import Fault, Refused, pointer
from project.api.models import FormerKey
from project.api.relations import MAX_ITEMS
from project.api.writes.former_keys import Name, survivors
from project.api.writes.unit_of_work import natural_keys

from .drafts import Columns, Draft, columns_of, defaults_of
from .merging import Changes, Ours, agree, facts_of, fitting, unknown


def is_same_author(given: Columns, stored: Columns) -> bool:
    """By the Open Library's key if both have one; else by name, if no years of birth differ."""
    if given["openlibrary_key"] and stored["openlibrary_key"]:
        return bool(given["openlibrary_key"] == stored["openlibrary_key"])
    return given["name"] == stored["name"] and agree(given["birth_year"], stored["birth_year"])


def _may_be_called(given: Columns, stored: Columns) -> bool:
    """Whether nothing but the name tells the two apart."""
    return agree(given["openlibrary_key"], stored["openlibrary_key"]) and agree(
        given["birth_year"], stored["birth_year"]
    )


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


def as_survivors(drafts: Sequence[Draft]) -> None:
    """Have drafts that name what was merged, by its uid or a key, name what it was merged into.

    What else they say of it is of that, and counts no more. A name that somebody has got again
    means that. A query, as long as nothing was ever merged.
    """
    if not FormerKey.objects.exists():
        return
    named: dict[int, tuple[type[models.Model], Columns]] = {}
    for draft in drafts:
        named |= {id(each.author): (Author, each.author) for each in draft.credits}
        named |= {id(each): (Subject, each) for each in draft.subjects}
        publishers = (edition["publisher"] for edition in draft.editions)
        named |= {id(each): (Publisher, each) for each in publishers if each}
        if draft.series:
            named[id(draft.series)] = (Series, draft.series)
    names = {mark: list(_names_of(*thing)) for mark, thing in named.items()}
    former = survivors(name for each in names.values() for name in each)
    merged = {mark: each for mark, each in names.items() if any(name in former for name in each)}
    live = set(_held(name for each in merged.values() for name in each))
    meant: dict[int, Columns] = {}
    stored: dict[Any, dict[int, Columns]] = defaultdict(dict)
    for model in {named[mark][0] for mark in merged}:
        keys = {key for (of, *_), key in former.items() if of is model}
        rows = model._default_manager.filter(pk__in=keys)
        columns = [f.attname for f in columns_of(model)]
        stored[model] = {row.pop("id"): row for row in rows.values("id", *columns)}
    for mark, each in merged.items():
        if live.isdisjoint(each):
            key = next(former[name] for name in each if name in former)
            if key in stored[named[mark][0]]:
                meant[mark] = stored[named[mark][0]][key]
    for draft in drafts if meant else ():
        draft.credits = [
            credit._replace(author=meant.get(id(credit.author), credit.author))
            for credit in draft.credits
        ]
        draft.subjects = [meant.get(id(each), each) for each in draft.subjects]
        draft.series = meant.get(id(draft.series), draft.series)
        for edition in draft.editions:
            edition["publisher"] = meant.get(id(edition["publisher"]), edition["publisher"])


def _names_of(model: type[models.Model], thing: Columns) -> Iterator[Name]:
    """By what its model's objects are told apart: the uid first, as everywhere."""
    for column in ("uid", *(f.attname for f in natural_keys(model).values())):
        if thing[column] not in (None, ""):
            yield model, column, thing[column]


def _held(names: Iterable[Name]) -> Iterator[Name]:
    """Those of these names that stored objects have."""
    values: dict[tuple[type[models.Model], str], set[Any]] = defaultdict(set)
    for model, column, value in names:
        values[model, column].add(value)
    for (model, column), wanted in values.items():
        rows = model._default_manager.filter(**{f"{column}__in": wanted})
        for value in rows.values_list(column, flat=True):
            yield model, column, value


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
        # Of each value, in the order of their mentions, how the batch spells the name.
        self._spelt: dict[Any, Columns] = {}

    def load(self, given: Sequence[Columns]) -> None:
        super().load(given)
        column = self._column
        for each in given:
            spelt = self._spelt.setdefault(each[column], each)
            if spelt is not each and self._spelling(each) < self._spelling(spelt):
                self._spelt[each[column]] = each
        values = self._spelt.keys()
        stored = self.model._default_manager.filter(**{f"{column}__any_of": values})
        # Where several have one name, the oldest stands.
        self._known = {each[column]: each for each in stored.order_by("-pk").values("id", column)}

    def order_new(self) -> None:
        """Have the new ones in the order in which the batch mentions them."""
        order = {value: place for place, value in enumerate(self._spelt)}
        self.new.sort(key=lambda thing: order[thing[self._column]])

    def _spelling(self, given: Columns) -> tuple[Any, ...]:
        """Which is taken: what has a uid, then letters of both cases, “Ace” before “ACE”."""
        name = given["name"]
        return given["uid"] is None, name.isupper() or name.islower(), name, repr(given)

    def find_or_make(self, given: Columns) -> Columns:
        return super().find_or_make(self._spelt[given[self._column]])

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
        slugs = {each["slug"] for each in given} - {""}
        self._taken = self._stored(slugs) if slugs else set()
        super().load(given)

    def _spelling(self, given: Columns) -> tuple[Any, ...]:
        return not given["slug"] or given["slug"] in self._taken, *super()._spelling(given)

    @staticmethod
    def _stored(slugs: set[str]) -> set[str]:
        return set(Subject.objects.filter(slug__any_of=slugs).values_list("slug", flat=True))

    def has_slug_of_another(self, given: Columns) -> bool:
        """Whether a new subject can't have the slug that it is given, and no number makes it so."""
        slug = given["slug"]
        return (
            slug in self._taken
            and "id" not in self._known.get(given["name_folded"], {})
            and not self._slug.is_made(slug, self._slug.make(given["name"]))
        )

    def give_slugs(self) -> None:
        """Make the slugs of new subjects that have none, or one that another has."""
        new = sorted(self.new, key=lambda thing: str(thing["name"]))
        for thing in new:
            if thing["slug"] in self._taken:
                thing["slug"] = ""
            elif thing["slug"]:
                self._taken.add(thing["slug"])
        made = [thing for thing in new if not thing["slug"]]
        if made:
            slugs = [self._slug.made(SimpleNamespace(**thing)) for thing in made]
            distinct = self._slug.distinct(
                slugs, lambda some: self._stored(some) | (self._taken & some)
            )
            for thing, slug in zip(made, distinct, strict=True):
                thing["slug"] = slug


class Authors(Shared):
    """Whom each mention of an author means; it is the same whatever the order of the mentions."""

    def __init__(self, ours: Ours) -> None:
        super().__init__(Author)
        self.changes = Changes(Author)
        self._ours = ours
        self._by_id: dict[int, Columns] = {}
        self._by_key: dict[str, Columns] = {}
        self._by_name: dict[str, list[Columns]] = defaultdict(list)
        self._by_other_name: dict[str, list[Columns]] = defaultdict(list)
        # New other names, each with its sort name, if that is given.
        self.named: list[tuple[Columns, str, str]] = []
        # Those of earlier batches, and those of this one, that no book has got.
        self.earlier_unused: list[Columns] = []
        self.unused: list[Columns] = []
        # By the identity of the mention, whom it means and what it says of them in vain.
        self._meant: dict[int, Columns] = {}
        self.disagreements: dict[int, dict[str, Any]] = {}

    def load(self, given: Sequence[Columns]) -> None:
        """Read what is stored, and settle whom each of these means."""
        mentions = {id(each): each for each in given}
        super().load(given)
        self._by_uid = {uid: self.stored(row) for uid, row in self._by_uid.items()}
        authors = Author.objects.values("id", *facts_of(Author))
        others = OtherName.objects.filter(name__any_of={each["name"] for each in given})
        called = list(others.order_by("pk").values_list("name", "author_id"))
        of_called = Q(pk__in={key for _, key in called})
        for author in stored_like(given, "name", authors, of_called):
            self._remember(self.stored(author))
        for name, key in called:
            self._by_other_name[name].append(self._by_id[key])
        self.earlier_unused = self._ours.unused(mentions.values())
        # Copies, since a batch may be tried again.
        self.new = [{**each} for each in self.earlier_unused]
        for each in self.new:
            if each["uid"] is not None:
                self._by_uid.setdefault(each["uid"], each)
            self._remember(each)
        for each in sorted(mentions.values(), key=_certainty):
            thing = self._meant[id(each)] = self.find_or_make(each)
            self._learn(thing, each)
        self.used.clear()
        self._learn_names([each for each in mentions.values() if each.get("other_names")])

    def _learn_names(self, given: Sequence[Columns]) -> None:
        if not given:
            return
        things = {id(thing): thing for each in given for thing in [self.meant(each)]}
        known: dict[int, set[str]] = {key: {thing["name"]} for key, thing in things.items()}
        stored = {thing["id"]: key for key, thing in things.items() if "id" in thing}
        rows = OtherName.objects.filter(author__in=stored).values_list("author_id", "name")
        for author, name in rows:
            known[stored[author]].add(name)
        for each in sorted(given, key=_certainty):
            thing = self.meant(each)
            names = known[id(thing)]
            for name, sort_name in each["other_names"].items():
                # The author's own name is no other one.
                room = len(names) <= MAX_ITEMS and self._ours.may_extend(Author, thing)
                if name not in names and room:
                    names.add(name)
                    self.named.append((thing, name, sort_name))

    @property
    def changed(self) -> set[int]:
        """The keys of the stored authors of whom something new is known."""
        new = {id(thing) for thing in self.new}
        return self.changes.keys | {t["id"] for t, *_ in self.named if id(t) not in new}

    def stored(self, row: Columns) -> Columns:
        """The one object for a stored author."""
        return self._by_id.setdefault(row["id"], row)

    def meant(self, mention: Columns) -> Columns:
        return self._meant[id(mention)]

    def use(self, thing: Columns) -> None:
        self.used[id(thing)] = thing

    def forget_unused(self, mentions: Iterable[Columns]) -> None:
        """Leave out new ones whom no book has got; the others in the order of their mentions."""
        made = {id(thing) for thing in self.new} & self.used.keys()
        self.unused = [
            thing for thing in self.new if id(thing) not in made and _says_more_than_a_name(thing)
        ]
        order = dict.fromkeys(id(self.meant(each)) for each in mentions)
        self.new = [self.used[key] for key in order if key in made]

    def _learn(self, thing: Columns, given: Columns) -> None:
        if any(each is thing for each in self._by_other_name.get(given["name"], ())):
            given = {**given, "name": thing["name"], "sort_name": thing["sort_name"]}
        for name in given.get("other_names", ()):
            self._by_other_name[name].append(thing)
        new, other = self._ours.settle(Author, thing, given, *unknown(Author, thing, given))
        if not new and not other:
            return
        new = fitting(Author, thing, new)
        if "id" in thing:
            self.changes.change(thing, new)
        else:
            thing |= new
        if thing["openlibrary_key"]:
            self._by_key[thing["openlibrary_key"]] = thing
        if other:
            self.disagreements[id(given)] = other

    def _remember(self, thing: Columns) -> None:
        self._by_name[thing["name"]].append(thing)
        if thing["openlibrary_key"]:
            self._by_key[thing["openlibrary_key"]] = thing

    def _look_up(self, given: Columns) -> Columns | None:
        """Whose key it is, else of those of the same name one who has already what it says."""
        found = self._by_key.get(given["openlibrary_key"] or "")
        if found is None:
            same = [each for each in self._by_name[given["name"]] if is_same_author(given, each)]
            found = self._fittest(same, given) if len(same) > 1 else next(iter(same), None)
        if found is None:
            called = {id(each): each for each in self._by_other_name[given["name"]]}
            same = [each for each in called.values() if _may_be_called(given, each)]
            # Which of several is meant, nobody could tell.
            found = same[0] if len(same) == 1 else None
        return found

    def _fittest(self, same: Sequence[Columns], given: Columns) -> Columns:
        """Of several that may be meant; whoever gets nothing by it has it said of them, too."""
        changed = {id(each) for each in same if self._ours.would_change(Author, each, given)}
        for each in same:
            if id(each) not in changed:
                self._ours.say(Author, each, given)
        return min(
            same,
            key=lambda each: (
                id(each) in changed,
                each["birth_year"] != given["birth_year"],
                each["openlibrary_key"] or "",
                each["birth_year"] or 0,
                each.get("id", 0),
            ),
        )


def _says_more_than_a_name(thing: Columns) -> bool:
    """Who says no more is made just the same by whoever is named so later."""
    said, _ = unknown(Author, defaults_of(Author), thing)
    return thing["uid"] is not None or len(said) > 1


def _certainty(mention: Columns) -> tuple[Any, ...]:
    """Those that say best whom they mean come first."""
    return (
        mention["uid"] is None,
        mention["openlibrary_key"] is None,
        mention["birth_year"] is None,
        mention["name"],
        repr(list(mention.values())),
    )


# Books


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
    editions: dict[Any, Columns] = field(default_factory=dict)
    rows: dict[Any, int] = field(default_factory=dict)
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

    def order(self) -> tuple[Any, ...]:
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
