"""What a serializer declares of its relations, and the fields that are their twins.

A serializer declares its relations in `Meta.relations`; nothing else is written by hand. A
relation is *shared* (it is referred to, may be created through a parent, and is never deleted by
one) or *owned* (it lives and dies with its parent). Either of its twins may be written, the
nested object (`series`) or the key (`series_id`), with one meaning for POST, PUT and PATCH:

- a missing key leaves the relation as it is; `null` unlinks what is shared and deletes what is
  owned; an array is the full list, in order;
- `{"id": 7}` links what is shared and keeps what is owned; with more properties it updates what is
  owned, and must agree with what is shared; an object without an id is created;
- of two twins the one that differs from what is stored wins; where both differ they must agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models
from rest_framework import serializers

from .fields import KeyField
from .models import AnyField, AnyQuerySet

# A related object's key, None where there is none; of a list, its keys.
Keys: TypeAlias = int | list[int] | None
# A list that can be written is short enough to be read whole.
MAX_ITEMS = 200


@dataclass(frozen=True)
class Relation:
    """`name` is the nested twin and the model's attribute, `key` the twin that holds keys."""

    name: str
    key: str | None = None

    def related(self, instance: models.Model) -> Any:
        """The related object, or None; for a list, the objects in order."""
        related = getattr(instance, self.name, None)
        return list(related.all()) if isinstance(related, models.Manager) else related

    def keys(self, instance: models.Model) -> Keys:
        """The related object's key, or None; for a list, the keys in order."""
        related = self.related(instance)
        if isinstance(related, list):
            return [each.pk for each in related]
        return None if related is None else related.pk


@dataclass(frozen=True)
class Shared(Relation):
    """A foreign key, or a many-to-many relation without a model of its own (a set)."""

    def keys(self, instance: models.Model) -> Keys:
        field: AnyField = instance._meta.get_field(self.name)
        return super().keys(instance) if field.many_to_many else getattr(instance, field.attname)


@dataclass(frozen=True)
class Owned(Relation):
    """A reverse foreign key or a reverse one-to-one. `position` is the field that keeps order."""

    position: str | None = None


@dataclass(frozen=True)
class Via(Relation):
    """What some rows of the owned list `through` refer to by `to`: those with the values `where`.

    Written, it replaces just these rows: the others keep their order, and the block stands where
    its first row stood, in front where there was none.
    """

    through: str = ""
    to: str = ""
    where: tuple[tuple[str, object], ...] = ()

    def related(self, instance: models.Model) -> list[models.Model]:
        return [
            getattr(row, self.to) for row in getattr(instance, self.through).all() if self.has(row)
        ]

    def keys(self, instance: models.Model) -> Keys:
        rows = getattr(instance, self.through).all()
        return [getattr(row, f"{self.to}_id") for row in rows if self.has(row)]

    def has(self, row: models.Model) -> bool:
        return all(getattr(row, name) == value for name, value in self.where)


@dataclass(frozen=True)
class ReverseVia(Relation):
    """The other side of a Via: all objects whose owned list `through` refers to this one by `to`.

    Written when this one is created: each of them, linked or created, gets a row with the values
    `where` in its list; first in the list of a new object, last in that of a stored one. The keys
    are read only, each once, whatever the number of rows that join the two. `serializer` is the
    dotted name of the nested one, so that no app imports one above it.
    """

    serializer: str = ""
    through: str = ""
    to: str = ""
    where: tuple[tuple[str, object], ...] = ()

    def related(self, instance: models.Model) -> list[models.Model]:
        return list(dict.fromkeys(super().related(instance)))

    def keys(self, instance: models.Model) -> Keys:
        other = self.other_key(type(instance))
        return sorted({getattr(row, other) for row in getattr(instance, self.through).all()})

    def other_key(self, model: type[models.Model]) -> str:
        """The attribute that holds the other side's key in a row that joins the two."""
        reverse: AnyField = model._meta.get_field(self.name)
        return f"{reverse.field.m2m_field_name()}_id"


class RelatedSerializer(serializers.ModelSerializer[Any]):
    """A serializer of a model, whose `Meta` may have relations."""

    if TYPE_CHECKING:
        # Its fields are of any class, and a nested one is a serializer of this kind.
        @cached_property
        def fields(self) -> Any: ...

        # What is stored, once it is saved.
        instance: Any

        class Meta:
            model: Any


def relations_of(serializer: RelatedSerializer | type[RelatedSerializer]) -> Sequence[Relation]:
    return getattr(serializer.Meta, "relations", ())


# What follows from these


@dataclass(frozen=True)
class ParentLink:
    """How the objects of a nested URL belong to their parent."""

    model: type[models.Model]
    # The way from an object to the parent, as the ORM's lookups have it.
    lookup: str
    # The relation of the serializer that goes there; None where no body can say it.
    relation: Relation | None

    @property
    def name(self) -> str:
        """What URLs and messages call the parent."""
        return str(self.model._meta.model_name)

    def children(
        self, queryset: "AnyQuerySet", parent: models.Model | models.Expression
    ) -> "AnyQuerySet":
        """Those of these objects that belong to this parent, or to the one whose key this is."""
        name, _, rest = self.lookup.partition("__")
        relation = queryset.model._meta.get_field(name)
        if not (relation.one_to_many and rest):
            return queryset.filter(**{self.lookup: parent})
        # A subquery, since a join gives an object once for each row that ties it to the parent.
        rows = relation.related_model._default_manager.filter(**{rest: parent})
        return queryset.filter(pk__in=rows.order_by().values(relation.field.name))

    @classmethod
    @cache
    def of(cls, serializer_class: type[RelatedSerializer], lookup: str) -> "ParentLink":
        """The link along `lookup`: ImproperlyConfigured where that leads to no model."""
        model = serializer_class.Meta.model
        for name in lookup.split("__"):
            try:
                model = model._meta.get_field(name).related_model
            except FieldDoesNotExist:
                model = None
            if model is None:
                ways = ", ".join(sorted(_ways(serializer_class))) or "none"
                raise ImproperlyConfigured(
                    f"“{lookup}” leads from {serializer_class.Meta.model.__name__} to no other"
                    f" model. Of the serializer's relations, these do: {ways}."
                )
        return cls(model, lookup, _ways(serializer_class).get(lookup))


def _ways(serializer_class: type[RelatedSerializer]) -> dict[str, Relation]:
    """The relations by which an object can be given a parent, by the way to it."""
    return {
        f"{relation.through}__{relation.to}" if isinstance(relation, Via) else relation.name: (
            relation
        )
        for relation in relations_of(serializer_class)
        if isinstance(relation, Shared | Via)
    }


@cache
def way_to_owned(
    owner_class: type[RelatedSerializer], model: type[models.Model]
) -> tuple[Owned, ...]:
    """The relations by which this serializer's objects own those of the model: one, or those of
    what they own as well.

    ImproperlyConfigured unless there is just one way.
    """
    ways = list(_ways_to_owned(owner_class, model))
    if len(ways) != 1:
        raise ImproperlyConfigured(
            f"{owner_class.__name__}.Meta.relations has {len(ways)} times Owned(…) of"
            f" {model.__name__}, and not once."
        )
    return ways[0]


def _ways_to_owned(
    owner_class: type[RelatedSerializer], model: type[models.Model]
) -> Iterator[tuple[Owned, ...]]:
    for relation in relations_of(owner_class):
        if isinstance(relation, Owned):
            found = owner_class.Meta.model._meta.get_field(relation.name).related_model
            if found is model:
                yield (relation,)
                continue
            item = owner_class().fields.get(relation.name)
            if item is not None:
                below = _ways_to_owned(type(getattr(item, "child", item)), model)
                yield from ((relation, *way) for way in below)


# The twins in a serializer


class _RelationMixin:
    """For a field that is a twin of one of its parent's relations, which its name tells."""

    @property
    def relation(self: Any) -> Relation:
        return next(r for r in relations_of(self.parent) if self.field_name in (r.name, r.key))


class RelatedKeyField(_RelationMixin, KeyField):
    """The key twin of a relation to one object."""

    def get_attribute(self, instance: models.Model) -> Any:
        return self.relation.keys(instance)


class RelatedKeysField(_RelationMixin, serializers.ListField):
    """The key twin of a relation to many objects."""

    child = KeyField()

    def run_child_validation(self, data: Any) -> Any:
        # REST framework would look at each before it counts them.
        if self.max_length is not None and len(data) > self.max_length:
            return data
        return super().run_child_validation(data)

    def get_attribute(self, instance: models.Model) -> Any:
        return self.relation.keys(instance)


class ItemList(_RelationMixin, serializers.ListSerializer[models.Model]):
    """The nested twin of a relation to many objects."""

    def get_attribute(self, instance: models.Model) -> object:
        return self.relation.related(instance)
