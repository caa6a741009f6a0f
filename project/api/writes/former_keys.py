"""What merged objects were called by, and which object is meant by it since."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

from django.db import models
from django.db.models import Q
from rest_framework.request import Request

from ..http.problems import Merged
from ..http.resources import visible
from ..models import AggregateRoot, FormerKey

Model = type[models.Model]
# A model, the name of a column, and a value of it.
Name = tuple[Model, str, object]


def survivors(names: Iterable[Name]) -> Mapping[Name, int]:
    """The keys of the objects that are meant by those of these names that merged ones had.

    One query, or none where no model is mergeable.
    """
    wanted: dict[tuple[str, str], dict[str, Name]] = defaultdict(dict)
    for model, name, value in names:
        if is_mergeable(model):
            wanted[model._meta.label_lower, name][str(value)] = (model, name, value)
    if not wanted:
        return {}
    found = FormerKey.objects.filter(
        reduce(
            or_,
            (Q(kind=kind, name=name, value__in=each) for (kind, name), each in wanted.items()),
        )
    ).values_list("kind", "name", "value", "survivor_id")
    return {wanted[kind, name][value]: key for kind, name, value, key in found}


def survivor_of(model: Model, key: object) -> int | None:
    """The key of the object that the one with this key was merged into."""
    return survivors([(model, "id", key)]).get((model, "id", key))


def mergers(
    model: Model, names: Iterable[tuple[str, object]], request: Request
) -> Mapping[tuple[str, object], Merged]:
    """What refuses to change what had one of these names, a column's with a value, by that name.

    Of those alone whose survivors who asks may see. Two queries, however many they are.
    """
    found = survivors((model, name, value) for name, value in names)
    if not found:
        return {}
    rows = visible(model, request).filter(pk__in=set(found.values()))
    uids = dict(rows.values_list("pk", "uid"))
    noun = str(model._meta.verbose_name)
    return {
        (name, value): Merged(noun, key, str(uids[key]))
        for (_, name, value), key in found.items()
        if key in uids
    }


def is_mergeable(model: Model) -> bool:
    return issubclass(model, AggregateRoot) and model.is_mergeable
