"""The viewset of a model: what it shows and whom it lets write holds wherever else the model is."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import TypeVar

from django.conf import settings
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver, get_urlconf
from django_filters.rest_framework import FilterSet
from rest_framework.permissions import BasePermission
from rest_framework.request import Request, clone_request
from rest_framework.reverse import reverse

from ..models import AnyQuerySet
from .views import View

Model = type[models.Model]
Filter = TypeVar("Filter", bound=Callable[..., AnyQuerySet])

# Methods that may hide an object, and the modules in which REST framework's own hide none. They are
# not imported: these modules import what the settings name, which imports this one.
HOOKS = {
    "get_object": "rest_framework.generics",
    "filter_queryset": "rest_framework.generics",
    "check_object_permissions": "rest_framework.views",
}
# What a view may have of its own, beside its class, that says what it hides.
OVERRIDES = frozenset({"queryset", "filter_backends", "filterset_class", "permission_classes"})
# What each method of HTTP calls in a viewset.
ACTIONS = {"GET": "retrieve", "POST": "create", "PATCH": "partial_update", "DELETE": "destroy"}


@dataclass(frozen=True)
class Resource:
    """A viewset, as the URL map has it."""

    view_class: type[View]
    initkwargs: Mapping[str, object]
    url_name: str
    # The last part of the path of its list: `books`.
    collection: str = ""

    def offers(self, method: str) -> bool:
        has_action = hasattr(self.view_class, ACTIONS[method])
        return has_action and method.lower() in self.view_class.http_method_names

    def view(self, request: Request, method: str, instance: models.Model | None = None) -> View:
        """The view as it would be asked with this method, for a stored object at its URL."""
        view = self.view_class(**self.initkwargs)
        view.request = clone_request(request, method)
        view.args, view.format_kwarg = (), None
        view.kwargs = {} if instance is None else lookup_kwargs(self.view_class, instance)
        view.action_map = {each.lower(): action for each, action in ACTIONS.items()}
        view.action = ACTIONS[method]
        return view

    def url_of(self, instance: models.Model) -> str:
        return str(reverse(self.url_name, kwargs=lookup_kwargs(self.view_class, instance)))


def lookup_kwargs(view: View | type[View], instance: models.Model) -> dict[str, object]:
    """What the URL of an object has for it."""
    value = reduce(getattr, view.lookup_field.split("__"), instance)
    return {view.lookup_url_kwarg or view.lookup_field: value}


def resource_of(model: Model) -> Resource | None:
    """The viewset that has the model's objects at URLs of their own, below no other object.

    The first of the URL map, where there are more; None where there is none, as for what is owned.
    """
    return _resources(get_urlconf() or settings.ROOT_URLCONF).get(model)


def resources() -> Mapping[Model, Resource]:
    """Every model that has a viewset of its own, with it."""
    return _resources(get_urlconf() or settings.ROOT_URLCONF)


@cache
def _resources(urlconf: str) -> Mapping[Model, Resource]:
    resources: dict[Model, Resource] = {}
    for route, pattern in _patterns(get_resolver(urlconf).url_patterns):
        function = pattern.callback
        view_class: type[View] | None = getattr(function, "cls", None)
        actions = set(getattr(function, "actions", {}).values())
        is_detail = bool(actions & {"retrieve", "update", "partial_update", "destroy"})
        if view_class and is_detail and route.count("<") == 1 and (model := _model_of(view_class)):
            collection = route.partition("<")[0].strip("/").rpartition("/")[2]
            initkwargs: Mapping[str, object] = getattr(function, "initkwargs", {})
            resource = Resource(view_class, initkwargs, str(pattern.name), collection)
            resources.setdefault(model, resource)
    return resources


def _model_of(view_class: object) -> Model | None:
    queryset = getattr(view_class, "queryset", None)
    if queryset is not None:
        return queryset.model  # type: ignore[no-any-return]
    serializer_class = getattr(view_class, "serializer_class", None)
    return getattr(getattr(serializer_class, "Meta", None), "model", None)


def _patterns(
    patterns: Iterable[URLPattern | URLResolver], above: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, route)
        else:
            yield route, pattern


# What is hidden


def find_partly_hidden(shown: frozenset[Model]) -> Sequence[Model]:
    """Those of these models whose viewsets leave out objects of their lists."""
    return _hiding(shown, get_urlconf() or settings.ROOT_URLCONF)


@cache
def _hiding(shown: frozenset[Model], urlconf: str) -> Sequence[Model]:
    resources = _resources(urlconf)
    return [
        each for each in shown if each in resources and not lists_all(resources[each].view_class)
    ]


@cache
def lists_all(
    view_class: type[View], get_queryset: Callable[..., AnyQuerySet] | None = None
) -> bool:
    """Whether the lists of a viewset have each object that there is, whoever asks.

    Or each that its own `get_queryset` takes of what this one has.
    """
    asked = get_queryset or view_class.get_queryset
    return asked.__module__ == "rest_framework.generics" and hides_nothing(view_class)


def hides_nothing(view_class: type[View]) -> bool:
    """The same of what its `get_queryset` gives, by all else that a viewset declares."""
    return (
        view_class.filter_queryset.__module__ == HOOKS["filter_queryset"]
        and all(getattr(e.filter_queryset, "for_lists", False) for e in view_class.filter_backends)
        and not narrows(getattr(view_class, "filterset_class", None))
        and view_class.queryset is not None
        and _is_whole(view_class.queryset)
    )


@cache
def shows_each(view_class: type[View]) -> bool:
    """Whether a viewset shows each object that there is, whoever asks."""
    return (
        lists_all(view_class)
        and all(getattr(view_class, name).__module__ == HOOKS[name] for name in HOOKS)
        and view_class.get_permissions.__module__ == "rest_framework.views"
        and not any(
            # Composed ones have operands and no class.
            getattr(each, "has_object_permission", None) is not BasePermission.has_object_permission
            for each in view_class.permission_classes
        )
    )


def for_lists(filter_queryset: Filter) -> Filter:
    """Say of a backend's method that it leaves out rows of lists alone, as they were asked for."""
    filter_queryset.for_lists = True  # type: ignore[attr-defined]  # a function takes any
    return filter_queryset


def shows_all(view: View, queryset: AnyQuerySet | None = None) -> bool:
    """Whether each object that there is has its document here, so that none need be looked up.

    It is no wherever one of REST framework's hooks might hide an object: a queryset with a
    condition, a filter that is not for lists alone, an object permission, a `get_object` or
    `filter_queryset` of the view's own.

    What a class says is known from its first request on: to ask for each what follows takes 25 µs.
    """
    view_class = type(view)
    if queryset is None and OVERRIDES.isdisjoint(vars(view)) and shows_each(view_class):
        return True
    return (
        all(getattr(view_class, name).__module__ == module for name, module in HOOKS.items())
        and all(getattr(each.filter_queryset, "for_lists", False) for each in view.filter_backends)
        and not narrows(getattr(view, "filterset_class", None))
        and _is_whole(view.get_queryset() if queryset is None else queryset)
        and all(
            type(each).has_object_permission is BasePermission.has_object_permission
            for each in view.get_permissions()
        )
    )


def narrows(filterset_class: type[FilterSet] | None) -> bool:
    """Whether a FilterSet leaves out rows whatever it is asked, by a `qs` of its own."""
    return filterset_class is not None and filterset_class.qs is not FilterSet.qs


def _is_whole(queryset: AnyQuerySet) -> bool:
    """Whether a queryset plainly has all rows of its table."""
    query = queryset.query
    return not (query.where or query.is_sliced or query.distinct or query.combinator)


def visible(model: Model, request: Request | None) -> AnyQuerySet:
    """The model's rows that its own viewset shows to who asks, where it has one.

    Without a request, as in a command, these are all that the model's manager has.
    """
    rows: models.QuerySet[models.Model] = model._default_manager.all()
    resource = None if request is None else resource_of(model)
    if request is None or resource is None:
        return rows
    if lists_all(resource.view_class):
        return rows
    view = resource.view(request, "GET")
    shown = view.filter_queryset(view.get_queryset())
    return rows.filter(pk__in=shown.order_by().values("pk"))
