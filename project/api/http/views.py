"""Views, as the modules of this package hand them on to each other."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from django.db import models
from django.http import HttpRequest, HttpResponseBase

from ..models import AnyQuerySet, AnyRow
from ..relations import RelatedSerializer

# What REST framework hands to filters: any view, which they ask for what a View has.
AnyView: TypeAlias = Any

if TYPE_CHECKING:
    from rest_framework.views import APIView
    from rest_framework.viewsets import GenericViewSet

    _GenericViewSet = GenericViewSet[models.Model]
else:
    # Its module imports what the settings name, which imports this one.
    _GenericViewSet = object


class Documents(Protocol):
    """An array in JSON, and what is in it."""

    def items(self) -> Sequence[bytes]: ...


class View(_GenericViewSet):
    """A viewset of a model, by its declarations."""

    queryset: AnyQuerySet
    serializer_class: type[RelatedSerializer]
    ordering: Sequence[str] | None
    # Of those alone that answer with documents
    search_keys: Mapping[str, Callable[[str], str]]
    search_used: Mapping[str, str] | None

    if TYPE_CHECKING:

        def get_queryset(self) -> AnyQuerySet: ...

        def filter_queryset(self, queryset: AnyQuerySet) -> AnyQuerySet: ...

        def get_object(self) -> AnyRow: ...

        def get_serializer_class(self) -> type[RelatedSerializer]: ...

        def get_serializer(self, *args: object, **kwargs: object) -> RelatedSerializer: ...

        @property
        def unread_properties(self) -> frozenset[str]: ...

        def documents(self, keys: Sequence[object]) -> Documents: ...

        def get_document(self, pk: object) -> bytes: ...


class ViewFunction(Protocol):
    """What `as_view` gives: it makes a view of its class for each request."""

    cls: "type[APIView]"
    initkwargs: Mapping[str, object]

    def __call__(
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponseBase: ...

    def __hash__(self) -> int: ...
