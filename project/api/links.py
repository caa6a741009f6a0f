"""URLs for the links of a many-to-many relation: one is added or removed without all the others."""

from functools import cached_property

from rest_framework import status
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from .http.preconditions import UNSAFE, ConditionalWrites
from .http.resources import Resource
from .http.views import View
from .lists.parameters import StrictQueryParameters
from .models import AggregateRoot, AnyQuerySet, AnyRow
from .relations import Shared, relations_of
from .viewsets import ResourceViewSet
from .writes.items import Edit
from .writes.transactions import write


class LinkViewSet(ConditionalWrites, StrictQueryParameters, ViewSet):
    """What an object's relation links, each at a URL below the object's: PUT links it, DELETE takes
    the link away. Where that is so already, nothing changes.

    To link is to PATCH the object: who may do that may do this, its version rises, and `If-Match`
    names it. `ETag` has the version that it has then. `links` makes these.
    """

    lookup_value_converter = "id"
    owner_view_class: type[View]
    relation_name: str

    @property
    def parent_name(self) -> str:
        """What URLs and messages call the object."""
        return str(self.owner_view_class.queryset.model._meta.model_name)

    @property
    def root_path(self) -> str | None:
        return "" if issubclass(self.owner_view_class.queryset.model, AggregateRoot) else None

    @property
    def queryset(self) -> AnyQuerySet:
        """What can be linked."""
        relation = self.owner_view_class.queryset.model._meta.get_field(self.relation_name)
        linked: AnyQuerySet = relation.related_model._default_manager.all()
        return linked

    @cached_property
    def owner_view(self) -> View:
        """The view of the object, as it would be asked to change it, or else to show it."""
        method = "PATCH" if self.request.method in UNSAFE else "GET"
        view = Resource(self.owner_view_class, {}, "").view(self.request, method)
        key = view.lookup_url_kwarg or view.lookup_field
        view.kwargs = {key: self.kwargs[f"{self.parent_name}_pk"]}
        return view

    def check_permissions(self, request: Request) -> None:
        self.owner_view.check_permissions(self.owner_view.request)

    def get_object(self) -> AnyRow:
        return self.owner_view.get_object()

    def update(self, request: Request, *args: object, **kwargs: object) -> Response:
        if request.META.get("CONTENT_LENGTH") not in (None, "", "0"):
            raise ParseError("Send no body: the URL says it all.")
        return self._write(Edit(self.kwargs["pk"], {}))

    def destroy(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self._write(Edit(self.kwargs["pk"], None))

    def _write(self, edit: Edit) -> Response:
        owner = self.get_object()
        serializer = self.owner_view.get_serializer(owner)
        written = write(serializer, owner, {self.relation_name: edit})
        response = Response(status=status.HTTP_204_NO_CONTENT)
        if isinstance(written, AggregateRoot):
            response.version = written.version  # type: ignore[attr-defined]
        return response


def links(view_class: type[ResourceViewSet], name: str) -> type[LinkViewSet]:
    """The viewset of the links of a many-to-many relation that the serializer of this one declares.

    `manage.py check` says where it declares no such relation.
    """
    attributes = {
        "__module__": view_class.__module__,
        "owner_view_class": view_class,
        "permission_classes": view_class.permission_classes,
        "relation_name": name,
    }
    owner = view_class.__name__.removesuffix("ViewSet")
    return type(f"{owner}{name.title()}LinkViewSet", (LinkViewSet,), attributes)


def linkable(view_class: type[View]) -> list[str]:
    """The relations of this viewset's objects whose links may have URLs."""
    model = view_class.queryset.model
    return [
        each.name
        for each in relations_of(view_class.serializer_class)
        if isinstance(each, Shared) and model._meta.get_field(each.name).many_to_many
    ]
