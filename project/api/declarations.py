"""What may be wrong with what a viewset and its serializers declare, found before anybody asks.

Each finding is an Error that `check` and the start of a server print, with what would be right:

    api.E010  parent_lookup         the way from an object to its parent, and the URL under it
    api.E011  owner_serializer_class    the list that owns the items
    api.E012  search_keys           lookups that find an object by a whole value
    api.E013  ordering(_fields)     what both engines order alike, and a cursor can hold
    api.E014  filterset_class       the fields and methods behind filters, and their names
    api.E015  Meta.relations        relations, and what their attributes name
    api.E016  Meta.expandable       properties
    api.E017  Meta.expressions      properties, and expressions of the ORM
    api.E018  list_parameters       names of query parameters
    api.E019  filter_backends, pagination_class    which of them work on documents
    api.E026  links                 many-to-many relations of the serializer

`checks` has E001 to E003, and those from E020 on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from django.core.checks import CheckMessage, Error
from django.core.exceptions import FieldDoesNotExist, FieldError, ImproperlyConfigured
from django.db import models
from django.db.models.sql import Query
from django.urls import URLResolver
from django.utils.module_loading import import_string
from django_filters.rest_framework import DjangoFilterBackend, Filter
from rest_framework import filters as backends
from rest_framework import pagination, serializers
from rest_framework.settings import api_settings
from rest_framework.viewsets import ViewSetMixin

from .documents.compiler import UserKey, computed_value, expressions_of
from .documents.statements import properties
from .filters import StrictFilterBackend, ValuesFilter
from .links import LinkViewSet, linkable
from .lists.keysets import Keyset, column
from .lists.ordering import OrderingFilter
from .lists.pagination import CursorPagination
from .lists.parameters import parameters_of
from .models import AnyField
from .relations import (
    Owned,
    ParentLink,
    RelatedSerializer,
    Relation,
    ReverseVia,
    Shared,
    Via,
    relations_of,
)
from .search.filter import SearchFilter
from .viewsets import ItemViewSet, NestedViewSet, ResourceViewSet

Viewset = TypeVar("Viewset", bound=ViewSetMixin)
# What is wrong, and what would be right.
Finding = tuple[str, str]


@dataclass
class Route:
    """Where a viewset has its URLs."""

    # Which of its methods are called there, and what all of the URLs say.
    actions: frozenset[str]
    kwargs: frozenset[str]


def routes(resolver: object) -> dict[type[ResourceViewSet], Route]:
    """The resources among the URLs, each with where it is."""
    by_viewset: dict[type[ResourceViewSet], Route] = {}
    for viewset, actions, kwargs in _routed(resolver, frozenset(), ResourceViewSet):
        route = by_viewset.setdefault(viewset, Route(actions, kwargs))
        route.actions |= actions
        route.kwargs &= kwargs
    return by_viewset


def _routed(
    resolver: Any, outer: frozenset[str], of: type[Viewset]
) -> Iterator[tuple[type[Viewset], frozenset[str], frozenset[str]]]:
    for each in resolver.url_patterns:
        kwargs = outer.union(each.pattern.converters, getattr(each.pattern.regex, "groupindex", ()))
        if isinstance(each, URLResolver):
            yield from _routed(each, kwargs, of)
            continue
        viewset = getattr(each.callback, "cls", None)
        if isinstance(viewset, type) and issubclass(viewset, of):
            yield viewset, frozenset(each.callback.actions.values()), kwargs


def errors_of(routed: Mapping[type[ResourceViewSet], Route]) -> Iterator[CheckMessage]:
    """What is wrong with these viewsets and their serializers, each thing once."""
    # What has neither is named by another check.
    whole = {
        viewset: route
        for viewset, route in routed.items()
        if None not in (viewset.queryset, viewset.serializer_class)
    }
    for viewset in _sorted(whole):
        if issubclass(viewset, NestedViewSet):
            for what, hint in _parent_findings(viewset, whole[viewset]):
                yield Error(what, hint=hint, obj=viewset, id="api.E010")
        for number, findings in VIEWSET_CHECKS.items():
            for what, hint in findings(viewset):
                yield Error(what, hint=hint, obj=viewset, id=number)
    serializer_classes = {
        each for viewset in whole for each in with_nested(viewset.serializer_class)
    }
    for serializer_class in _sorted(serializer_classes):
        for number, findings in SERIALIZER_CHECKS.items():
            for what, hint in findings(serializer_class):
                yield Error(what, hint=hint, obj=serializer_class, id=number)


def link_errors(resolver: URLResolver) -> Iterator[CheckMessage]:
    """Links of relations that are not declared."""
    for viewset in _sorted({each for each, *_ in _routed(resolver, frozenset(), LinkViewSet)}):
        owner = viewset.owner_view_class
        if any(relation_findings(owner.serializer_class)):
            continue
        if viewset.relation_name not in (choices := linkable(owner)):
            yield Error(
                f"links: {owner.serializer_class.__name__} has no"
                f" Shared({viewset.relation_name!r}) that is many-to-many.",
                hint=_choose(viewset.relation_name, choices),
                obj=owner,
                id="api.E026",
            )


def _sorted(classes: Collection[object]) -> list[Any]:
    return sorted(classes, key=lambda each: (each.__module__, each.__qualname__))


def has_fields(serializer_class: type[RelatedSerializer]) -> bool:
    """Whether its fields can be made, and those of the serializers in it: its relations are right.

    What asks for them otherwise raises a message of Django's, for the first thing that is wrong.
    """
    return not any(
        finding for each in with_nested(serializer_class) for finding in relation_findings(each)
    )


def with_nested(serializer_class: type[RelatedSerializer]) -> Iterator[type[RelatedSerializer]]:
    yield serializer_class
    if any(relation_findings(serializer_class)):
        return
    for field in serializer_class().fields.values():
        nested = getattr(field, "child", field)
        if isinstance(nested, serializers.ModelSerializer):
            nested_class: Any = type(nested)
            yield from with_nested(nested_class)


def _choose(name: str, choices: Collection[str]) -> str:
    """The name that was meant, and all that there are."""
    nearest = get_close_matches(name, choices, 1)
    question = f"Did you mean “{nearest[0]}”? " if nearest else ""
    return f"{question}There are: {', '.join(sorted(choices)) or 'none'}."


def _field_names(model: type[models.Model]) -> list[str]:
    return [field.name for field in model._meta.get_fields()]


# Viewsets


def _parent_findings(viewset: type[ResourceViewSet], route: Route) -> Iterator[Finding]:
    lookup = getattr(viewset, "parent_lookup", None)
    if issubclass(viewset, ItemViewSet) and not isinstance(lookup, str):
        if any(_owner_findings(viewset)):
            return
        lookup = viewset().parent_lookup
    if lookup is None:
        yield (
            "It has no `parent_lookup`.",
            "Name the way from an object to its parent. "
            + _choose("", _relation_names(viewset.queryset.model)),
        )
        return
    try:
        link = ParentLink.of(viewset.serializer_class, lookup)
    except ImproperlyConfigured as error:
        model = viewset.queryset.model
        yield f"parent_lookup: {error}", _choose(lookup.split("__")[0], _relation_names(model))
        return
    first = viewset.queryset.model._meta.get_field(lookup.split("__")[0])
    if (
        link.relation is None
        # Of rows in between, a body may say that they belong to the parent.
        and not first.one_to_many
        and not issubclass(viewset, ItemViewSet)
        and "create" in route.actions
    ):
        yield (
            f"parent_lookup: nothing that can be written says which {link.name} is the parent.",
            f"Add a relation that goes by “{lookup}” to Meta.relations of"
            f" {viewset.serializer_class.__name__}, or leave “post” out of `http_method_names`.",
        )
    if f"{link.name}_pk" not in route.kwargs:
        yield (
            f"Its URL does not name its parent: there is no <{link.name}_pk> in it.",
            f"Register it with a NestedSimpleRouter(…, lookup={link.name!r}).",
        )


def _relation_names(model: type[models.Model]) -> list[str]:
    return [field.name for field in model._meta.get_fields() if field.is_relation]


def _owner_findings(viewset: type[ResourceViewSet]) -> Iterator[Finding]:
    if not issubclass(viewset, ItemViewSet):
        return
    model = viewset.queryset.model
    hint = (
        "Name the serializer of what owns them, which has"
        f" Owned(“the relation to {model.__name__}”) in Meta.relations."
    )
    if getattr(viewset, "owner_serializer_class", None) is None:
        yield "It has no `owner_serializer_class`.", hint
        return
    try:
        viewset().way_to_items  # noqa: B018
    except (ImproperlyConfigured, FieldDoesNotExist) as error:
        yield f"owner_serializer_class: {error}", hint


def _search_key_findings(viewset: type[ResourceViewSet]) -> Iterator[Finding]:
    model = viewset.queryset.model
    if getattr(viewset, "search_fields", None) and _reads(viewset, SearchFilter):
        yield (
            "search_fields: nothing reads it.",
            "A search looks into the SearchEntry of the model.",
        )
    if viewset.search_keys and not hasattr(model, "search"):
        yield (
            f"search_keys: {model.__name__} is not searched.",
            "Give it a SearchEntry, as `class BookSearch(SearchEntry)` is one.",
        )
    for lookup, canonical in viewset.search_keys.items():
        if hint := _lookup_fault(model, lookup):
            yield f"search_keys: “{lookup}” leads from {model.__name__} to nothing.", hint
        if not callable(canonical):
            yield (
                f"search_keys: “{lookup}” has no function.",
                "It gives a text the form of the value, or raises ValidationError.",
            )


def _lookup_fault(model: type[models.Model], path: str) -> str | None:
    """What would be right in place of this lookup; None where it is right."""
    query = Query(model)
    try:
        lookups, parts, _ = query.solve_lookup_type(path)
        names: list[str] = [*parts, *lookups]
        _, field, _, rest = query.names_to_path(names, model._meta)
    except FieldError:
        return _choose(path.split("__")[0], _field_names(model))
    for name in rest:
        known = getattr(field, "target_field", field)
        lookup = field.get_lookup(name) or known.get_transform(name)
        if lookup is None:
            choices = [*known.get_lookups()]
            if field.is_relation and field.related_model:
                choices += _field_names(field.related_model)
            return _choose(name, choices)
    return None


def _reads(viewset: type[ResourceViewSet], *kinds: type) -> bool:
    return any(issubclass(each, kinds) for each in viewset.filter_backends)


def _ordering_findings(viewset: type[ResourceViewSet]) -> Iterator[Finding]:
    default = [viewset.ordering] if isinstance(viewset.ordering, str) else viewset.ordering or []
    if (default or viewset.ordering_fields) and not _reads(viewset, backends.OrderingFilter):
        yield (
            "ordering: nothing reads it.",
            "Put project.api.lists.ordering.OrderingFilter into `filter_backends`.",
        )
    fields = viewset.ordering_fields or ()
    if isinstance(fields, str) or not all(isinstance(each, str) for each in fields):
        yield "ordering_fields: it is no list of names.", "Name each field that may be chosen."
        fields = ()
    orders = [("ordering_fields", [name]) for name in fields]
    if default:
        orders.append(("ordering", list(default)))
    if issubclass(viewset.pagination_class or object, CursorPagination):
        for attribute, names in [*orders, ("the order of its queryset", [])]:
            if finding := _ordering_fault(viewset, names):
                yield f"{attribute}: {finding[0]}", finding[1]


def _ordering_fault(viewset: type[ResourceViewSet], names: list[str]) -> Finding | None:
    queryset = viewset.queryset
    model = queryset.model
    expressions = expressions_of(viewset.serializer_class)
    columns = [field.attname for field in model._meta.concrete_fields]
    choices = [*columns, *expressions, *queryset.query.annotations]
    name = names[0].removeprefix("-") if names else ""
    order = getattr(viewset, "ordering_columns", {}).get(name)
    if order is not None and name not in expressions:
        name, names = order, [order, *names[1:]]
    if name in expressions:
        if name in [*columns, *_field_names(model)]:
            return (
                f"“{name}” is a field of {model.__name__} and an expression.",
                "Call the expression otherwise.",
            )
        try:
            value = computed_value(model, expressions[name], UserKey())
            queryset = queryset.annotate(**{name: value})
        except (FieldError, AttributeError, TypeError, ValueError):
            # The check of expressions names it.
            return None
    elif name and name not in queryset.query.annotations:
        try:
            field, _ = column(model, name)
        except ImproperlyConfigured as error:
            return str(error), (
                _choose(name, choices)
                + " What `get_queryset` annotates is annotated in `queryset`, where it is seen, or"
                " an expression in Meta.expressions."
            )
        if field.is_relation and name.split("__")[-1] == field.name:
            return f"“{name}” is a relation.", f"Say “{name}_id”, or a field of it: “{name}__…”."
    try:
        Keyset.of(queryset.order_by(*names) if names else queryset)
    except (FieldError, ImproperlyConfigured) as error:
        return str(error), "One field, with a “-” in front where it goes down; then the id."
    return None


def _filter_findings(viewset: type[ResourceViewSet]) -> Iterator[Finding]:
    filterset_class = getattr(viewset, "filterset_class", None)
    if getattr(viewset, "filterset_fields", None):
        yield (
            "filterset_fields: nothing reads it.",
            "Declare the filters: `filterset_class = …`, a ListFilterSet.",
        )
    if filterset_class is None:
        return
    if not _reads(viewset, StrictFilterBackend):
        yield (
            "filterset_class: nothing reads it.",
            "Put project.api.filters.StrictFilterBackend into `filter_backends`.",
        )
    taken = {
        api_settings.URL_FORMAT_OVERRIDE,
        api_settings.ORDERING_PARAM,
        api_settings.SEARCH_PARAM,
        *viewset.list_parameters,
    }
    if viewset.pagination_class is not None:
        taken |= parameters_of(viewset.pagination_class(), viewset())
    for name, filter_ in filterset_class.base_filters.items():
        if name in taken:
            yield (
                f"filterset_class: “{name}” is another parameter of this list.",
                "Call the filter otherwise, and give it a `field_name`.",
            )
        if isinstance(filter_.method, str):
            if not hasattr(filterset_class, filter_.method):
                methods = [each for each in vars(filterset_class) if each[0] != "_"]
                yield (
                    f"filterset_class: there is no method “{filter_.method}” for “{name}”.",
                    _choose(filter_.method, methods),
                )
        elif filter_.method is None and type(filter_).filter in (
            Filter.filter,
            ValuesFilter.filter,
        ):
            path = filter_.field_name
            if filter_.lookup_expr != "exact":
                path += f"__{filter_.lookup_expr}"
            if hint := _lookup_fault(viewset.queryset.model, path):
                yield f"filterset_class: “{name}” filters by “{path}”, which is nothing.", hint


def _parameter_findings(viewset: type[ResourceViewSet]) -> Iterator[Finding]:
    names = viewset.list_parameters
    if not isinstance(names, set | frozenset) or not all(isinstance(each, str) for each in names):
        yield (
            "list_parameters: it is no set of names.",
            "Write `list_parameters = ResourceViewSet.list_parameters | {…}` on the class.",
        )


def _backend_findings(viewset: type[ResourceViewSet]) -> Iterator[Finding]:
    if _reads(viewset, DjangoFilterBackend):
        yield (
            "filter_backends: DjangoFilterBackend ignores what it does not know.",
            "Use project.api.filters.StrictFilterBackend, which reads `filterset_class` too.",
        )
    paginator = viewset.pagination_class
    if paginator is None:
        return
    if issubclass(paginator, pagination.CursorPagination):
        yield (
            "pagination_class: REST framework's CursorPagination loses rows without a value.",
            "Use project.api.lists.pagination.CursorPagination.",
        )
    for each in viewset.filter_backends:
        if issubclass(each, backends.OrderingFilter) and not issubclass(each, OrderingFilter):
            yield (
                "filter_backends: REST framework's OrderingFilter takes orders that no cursor can"
                " follow, and ignores what it does not know.",
                "Use project.api.lists.ordering.OrderingFilter.",
            )


# Serializers


def relation_findings(serializer_class: type[RelatedSerializer]) -> Iterator[Finding]:
    for relation in relations_of(serializer_class):
        for what, hint in _relation_faults(serializer_class, relation):
            name = f"{type(relation).__name__}({relation.name!r})"
            yield f"Meta.relations: {name}: {what}", hint


def _relation_faults(
    serializer_class: type[RelatedSerializer], relation: Relation
) -> Iterator[Finding]:
    model = serializer_class.Meta.model
    fields = getattr(serializer_class.Meta, "fields", ())
    shown = relation.key or relation.name
    if fields != serializers.ALL_FIELDS and shown not in fields:
        yield f"“{shown}” is not in Meta.fields.", _choose(shown, [*fields])
    field = _get_field(model, relation.name)
    if field is None or not field.is_relation:
        yield (
            f"{model.__name__} has no such relation.",
            _choose(relation.name, _relation_names(model)),
        )
        return
    match relation:
        case Shared():
            if field.auto_created or not (
                field.many_to_one
                or field.one_to_one
                or (field.many_to_many and field.remote_field.through._meta.auto_created)
            ):
                yield (
                    "it is no foreign key, nor many-to-many without a model of its own.",
                    "Say Owned(…) for rows that refer to this object, Via(…) for what such rows"
                    " refer to.",
                )
        case Owned():
            if not (field.one_to_many or (field.one_to_one and field.auto_created)):
                yield (
                    "its rows do not refer to this object by a foreign key.",
                    "Say Shared(…) for what this object refers to.",
                )
            elif relation.position is not None:
                item = field.related_model
                yield from _column_faults(item, "position", relation.position)
        case Via() | ReverseVia():
            yield from _via_faults(serializer_class, model, relation)


def _via_faults(
    serializer_class: type[RelatedSerializer], model: type[models.Model], relation: Via | ReverseVia
) -> Iterator[Finding]:
    through = _get_field(model, relation.through)
    if through is None or not through.one_to_many:
        lists = [field.name for field in model._meta.get_fields() if field.one_to_many]
        yield (
            f"through={relation.through!r} is no list of rows that refer to {model.__name__}.",
            _choose(relation.through, lists),
        )
        return
    rows = through.related_model
    to = _get_field(rows, relation.to)
    if to is None or not to.many_to_one:
        keys = [field.name for field in rows._meta.get_fields() if field.many_to_one]
        yield (
            f"to={relation.to!r} is no foreign key of {rows.__name__}.",
            _choose(relation.to, keys),
        )
    for name, _ in relation.where:
        yield from _column_faults(rows, "where", name)
    if isinstance(relation, Via):
        owned = [each.name for each in relations_of(serializer_class) if isinstance(each, Owned)]
        if relation.through not in owned:
            yield (
                f"through={relation.through!r} is not owned here.",
                f"Add Owned({relation.through!r}) to Meta.relations.",
            )
        return
    try:
        import_string(relation.serializer)
    except ImportError as error:
        yield (
            f"serializer={relation.serializer!r} cannot be imported: {error}",
            "Name it as in “books.serializers.BookOfAuthorItem”.",
        )


def _get_field(model: type[models.Model], name: str) -> AnyField:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _column_faults(model: type[models.Model], attribute: str, name: str) -> Iterator[Finding]:
    columns = [field.name for field in model._meta.concrete_fields]
    if name not in columns:
        yield (
            f"{attribute}: {model.__name__} has no column “{name}”.",
            _choose(name, columns),
        )


def _expandable_findings(serializer_class: type[RelatedSerializer]) -> Iterator[Finding]:
    yield from _names_of_properties(serializer_class, "expandable")


def _expression_findings(serializer_class: type[RelatedSerializer]) -> Iterator[Finding]:
    yield from _names_of_properties(serializer_class, "expressions")
    for name, expression in expressions_of(serializer_class).items():
        try:
            computed_value(serializer_class.Meta.model, expression, UserKey())
        except (FieldError, AttributeError, TypeError, ValueError) as error:
            yield (
                f"Meta.expressions: “{name}” is no expression: {error}",
                "Give an expression of the ORM, as Count(“editions”), or a function that takes the"
                " key of who asks, an expression too, and returns one.",
            )


def _names_of_properties(
    serializer_class: type[RelatedSerializer], attribute: str
) -> Iterator[Finding]:
    names = getattr(serializer_class.Meta, attribute, ())
    if not names or not has_fields(serializer_class):
        return
    known = properties(serializer_class)
    for name in names:
        if name not in known:
            yield (
                f"Meta.{attribute}: “{name}” is no property of {serializer_class.__name__}.",
                _choose(name, known),
            )


Findings = Callable[[Any], Iterator[Finding]]
VIEWSET_CHECKS: Mapping[str, Findings] = {
    "api.E011": _owner_findings,
    "api.E012": _search_key_findings,
    "api.E013": _ordering_findings,
    "api.E014": _filter_findings,
    "api.E018": _parameter_findings,
    "api.E019": _backend_findings,
}
SERIALIZER_CHECKS: Mapping[str, Findings] = {
    "api.E015": relation_findings,
    "api.E016": _expandable_findings,
    "api.E017": _expression_findings,
}
