"""Whom a mention of an author means."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Q

from authors.models import Author, OtherName
from project.api.relations import MAX_ITEMS

from ..drafts import Columns, defaults_of
from ..merging import Changes, Ours, agree, facts_of, fitting, unknown
from .shared import Shared, stored_like


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
        self.disagreements: dict[int, Columns] = {}

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


def _certainty(mention: Columns) -> tuple[object, ...]:
    """Those that say best whom they mean come first."""
    return (
        mention["uid"] is None,
        mention["openlibrary_key"] is None,
        mention["birth_year"] is None,
        mention["name"],
        repr(list(mention.values())),
    )
