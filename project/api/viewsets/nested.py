"""Viewsets under the URL of a parent."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import models
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request

from ..databases.bound import by_key
from ..http.problems import Fault, Refused
from ..http.resources import (
    lists_all,
    resource_of,
    shows_all,
    shows_each,
)
from ..models import AnyQuerySet, AnyRow, Attrs, ForeignKey
from ..relations import Owned, ParentLink, RelatedSerializer, way_to_owned
from ..writes.items import Edit
from ..writes.transactions import Confirm, write, write_item
from .resources import ResourceViewSet


class NestedViewSet(ResourceViewSet):
    """A resource under a parent's URL: the objects whose `parent_lookup` is the parent.

    A parent that does not exist is 404, whatever the method. What is created here belongs to the
    parent by the relation of the serializer that goes the same way; a body that puts the object
    outside of the parent is 400.
    """

    parent_lookup: str
    # Of which there may be a parent here; all, unless declared.
    parent_queryset: models.QuerySet[models.Model] | None = None

    @classmethod
    def has_bulk(cls) -> bool:
        return False

    def _roots_of_url(self) -> Iterator[tuple[str, type[models.Model]]]:
        yield f"{self.parent_name}_pk", self.parent_link.model
        yield from super()._roots_of_url()

    @property
    def parent_link(self) -> ParentLink:
        serializer_class: type = self.get_serializer_class()
        return ParentLink.of(serializer_class, self.parent_lookup)

    @property
    def parent_name(self) -> str:
        return self.parent_link.name

    @cached_property
    def parent(self) -> models.Model:
        """The object that the URL names, as its own viewset shows it to who asks."""
        link = self.parent_link
        key = self.kwargs[f"{link.name}_pk"]
        parent: models.Model | None
        if self.parent_queryset is None:
            parent = by_key(link.model, key)
        else:
            parent = self.parent_queryset.filter(pk=key).first()
        if parent is None:
            raise Http404
        resource = resource_of(link.model)
        if resource is not None and not shows_each(resource.view_class):
            resource.view(self.request, "GET", parent).get_object()
        return parent

    def check_permissions(self, request: Request) -> None:
        # To whom the catalogue is closed, no parent is there or not.
        if settings.CATALOGUE_REQUIRES_LOGIN and not request.user.is_authenticated:
            self.permission_denied(request)
        self.parent  # noqa: B018  (404 before anything else is asked)
        super().check_permissions(request)

    def get_queryset(self) -> AnyQuerySet:
        queryset = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset
        return self.parent_link.children(queryset, self.parent)

    def _get_parent_of_pages(self) -> tuple[ParentLink | None, object] | None:
        view_class = type(self)
        is_whole = view_class.get_queryset is NestedViewSet.get_queryset and lists_all(
            view_class, super(NestedViewSet, view_class).get_queryset
        )
        return (self.parent_link, self.parent.pk) if is_whole else None

    def _shows_what_it_writes(self) -> bool:
        if type(self).get_queryset is not NestedViewSet.get_queryset:
            return shows_all(self)
        # It is the parent's, or the write was refused.
        return shows_all(self, super().get_queryset())

    def write_within(
        self, serializer: RelatedSerializer, instance: models.Model | None, attrs: Attrs
    ) -> models.Model:
        return self._write(serializer, instance, attrs, self._tie(serializer, instance, attrs))

    def _write(
        self,
        serializer: RelatedSerializer,
        instance: models.Model | None,
        attrs: Attrs,
        confirm: Confirm | None,
    ) -> models.Model:
        return write(serializer, instance, attrs, confirm)

    def _tie(
        self, serializer: RelatedSerializer, instance: models.Model | None, attrs: Attrs
    ) -> Confirm | None:
        """Tie what is created to the parent, unless the body does: what confirms that it did."""
        relation: Any = self.parent_link.relation
        if relation is None:
            return self._confirm("")
        names: list[str] = [relation.name, relation.key, getattr(relation, "through", "")]
        sent = [name for name in names if name in attrs]
        if sent:
            stored = [] if instance is None else relation.keys(instance)
            # The twin that differs from what is stored is the one that counts.
            twins = [name for name in sent if name in (relation.name, relation.key)]
            telling = (name for name in twins if _ids(attrs[name]) != _ids(stored))
            return self._confirm(next(telling, sent[-1]))
        if instance is None:
            many = isinstance(serializer.fields[relation.key], serializers.ListField)
            attrs[relation.key] = [self.parent.pk] if many else self.parent.pk
        return None

    def _confirm(self, name: str) -> Confirm:
        def confirm(written: models.Model) -> None:
            rows = type(written)._base_manager.filter(pk=written.pk)
            if not self.parent_link.children(rows, self.parent).exists():
                detail = f"This would put it outside of {self.parent_name} {self.parent.pk}."
                pointer = f"/{name}" if name else ""
                raise Refused([Fault("conflicting_values", detail, pointer=pointer)])

        return confirm


def _ids(value: object) -> set[object]:
    """Of what a twin holds, be it keys or objects; None stands for null, and for what is new."""
    items = value if isinstance(value, list) else [value]
    return {
        item.pk
        if isinstance(item, models.Model)
        else item.get("id")
        if isinstance(item, Mapping)
        else item
        for item in items
    }


class ItemViewSet(NestedViewSet):
    """The items of a list that an owner owns, each with a URL under the owner, or under what
    `parent_lookup` says.

    To write one is to write the owner's list, an `Owned` relation of `owner_serializer_class`, or
    of what that owns: the same rules hold, the root's version rises, and positions stay 0 … n−1.
    """

    owner_serializer_class: type[RelatedSerializer]

    @property
    def way_to_items(self) -> tuple[Owned, ...]:
        """The relations that lead from the serializer's objects to these items."""
        model: type[models.Model] = self.queryset.model
        return way_to_owned(self.owner_serializer_class, model)

    @property
    def owner_keys(self) -> list[ForeignKey]:
        """The foreign keys from an item to its owner, and on to the root."""
        model = self.owner_serializer_class.Meta.model
        keys: list[ForeignKey] = []
        for relation in self.way_to_items:
            reverse = model._meta.get_field(relation.name)
            keys.insert(0, reverse.field)
            model = reverse.related_model
        return keys

    @property
    def owner_name(self) -> str:
        """The foreign key to the owner."""
        return self.owner_keys[0].name

    @property
    def parent_lookup(self) -> str:  # type: ignore[override]
        return self.owner_name

    @property
    def root_path(self) -> str | None:
        return "__".join(key.name for key in self.owner_keys)

    def _write(
        self,
        serializer: RelatedSerializer,
        instance: models.Model | None,
        attrs: Attrs,
        confirm: Confirm | None,
    ) -> models.Model:
        named = attrs.pop(f"{self.owner_name}_id", None)
        if self.owner_name in attrs:
            named = attrs.pop(self.owner_name).pk
        owner = self._owner(instance, named)
        if owner == self.parent:
            # An item stays with its owner.
            confirm = None
        written: models.Model = self._edit(
            owner, Edit(None if instance is None else instance.pk, attrs), confirm
        )
        return written

    def delete_within(self, instance: models.Model) -> None:
        self._edit(getattr(instance, self.owner_name), Edit(instance.pk, None))

    def _edit(
        self,
        owner: models.Model,
        edit: Edit,
        confirm: Confirm | None = None,
    ) -> Any:
        relation, *below = self.way_to_items
        keys = self.owner_keys[1:]
        for each, key in zip(reversed(below), keys, strict=True):
            edit = Edit(owner.pk, {each.name: edit})
            owner = getattr(owner, key.name)
        serializer = self.owner_serializer_class(owner, context=self.get_serializer_context())
        return write_item(serializer, owner, relation.name, edit, confirm)

    def _owner(self, item: models.Model | None, named: int | None) -> AnyRow:
        """The owner, which the item, the URL or else the body names."""
        pointer = f"/{self.owner_name}_id"
        model = self.owner_keys[0].related_model
        if item is not None:
            owner = getattr(item, self.owner_name)
        elif isinstance(self.parent, model):
            owner = self.parent
        elif named is None:
            raise Refused([Fault("required", "This field is required.", pointer=pointer)])
        else:
            owner = model._default_manager.filter(pk=named).first()
        if owner is None:
            detail = f"There is no {self.owner_name} {named}."
            raise Refused([Fault("does_not_exist", detail, pointer=pointer)])
        if named not in (None, owner.pk):
            detail = f"This belongs to {self.owner_name} {owner.pk}."
            raise Refused([Fault("conflicting_values", detail, pointer=pointer)])
        return owner
