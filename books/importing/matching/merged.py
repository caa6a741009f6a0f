"""What drafts mean that name a thing which was merged into another."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from django.db import models

from authors.models import Author
from books.models import Publisher, Series, Subject
from project.api.models import FormerKey
from project.api.writes.former_keys import Name, survivors
from project.api.writes.unit_of_work import natural_keys

from ..drafts import Columns, Draft, columns_of


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
    stored: dict[type[models.Model], dict[int, Columns]] = defaultdict(dict)
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
    values: dict[tuple[type[models.Model], str], set[object]] = defaultdict(set)
    for model, column, value in names:
        values[model, column].add(value)
    for (model, column), wanted in values.items():
        rows = model._default_manager.filter(**{f"{column}__in": wanted})
        for value in rows.values_list(column, flat=True):
            yield model, column, value
