"""What the books of a batch share: found among what is stored, or made once."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from uuid import UUID

from django.db import models
from django.db.models import Q

from books.models import Subject
from project.api.models import AnyQuerySet

from ..drafts import Columns


def stored_like(
    given: Sequence[Columns], column: str, stored: AnyQuerySet, *others: Q
) -> AnyQuerySet:
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
        self._known: dict[object, Columns] = {}
        # Of each value, in the order of their mentions, how the batch spells the name.
        self._spelt: dict[object, Columns] = {}

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

    def _spelling(self, given: Columns) -> tuple[object, ...]:
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
        self._slug = Subject._meta.get_field("slug")
        self._taken: set[str] = set()

    def load(self, given: Sequence[Columns]) -> None:
        slugs = {each["slug"] for each in given} - {""}
        self._taken = self._stored(slugs) if slugs else set()
        super().load(given)

    def _spelling(self, given: Columns) -> tuple[object, ...]:
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
