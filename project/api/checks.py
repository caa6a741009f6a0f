"""What `manage.py check` says about the API before anybody asks it."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections
from django.urls import get_resolver

from .declarations import errors_of, has_fields, routes
from .documents.statements import Uncompilable, compile_statement
from .search import tables

# What a resource cannot do without, and what to write
ATTRIBUTES = {
    "queryset": (
        "Write `queryset = Model.objects.all()`, from which permissions, the search and the "
        "contract take the model, and narrow it down in `get_queryset`."
    ),
    "serializer_class": "Write `serializer_class = …`, a ResourceSerializer of the model.",
}


@register()
def check_documents(**kwargs: Any) -> list[CheckMessage]:
    """Every resource's serializer can be compiled; each field that cannot is named."""
    serializer_classes = {view.serializer_class for view in routes(get_resolver())}
    return [
        Error(f"The database cannot write “{name}”.", hint=hint, obj=each, id="api.E001")
        for each in sorted(serializer_classes - {None}, key=lambda each: each.__qualname__)
        for name, hint in _uncompilable_fields(each).items()
    ]


@register()
def check_views(**kwargs: Any) -> list[CheckMessage]:
    """Every resource with a URL says on its class what it is made of."""
    return [
        Error(f"It has no `{name}`.", hint=hint, obj=view, id="api.E003")
        for view in sorted(routes(get_resolver()), key=lambda each: each.__qualname__)
        for name, hint in ATTRIBUTES.items()
        if getattr(view, name) is None
    ]


@register()
def check_declarations(**kwargs: Any) -> list[CheckMessage]:
    """Every resource with a URL declares what there is, and what can work: see `declarations`."""
    return list(errors_of(routes(get_resolver())))


@register(Tags.database)
def check_databases(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Each database that is asked about is of a version and an encoding that can be used."""
    return [
        Error(refusal, hint="README.md, “In production”, says what can be used.", id="api.E002")
        for alias in databases or ()
        if (refusal := _refusal_of(alias))
    ]


def _refusal_of(alias: str) -> str | None:
    try:
        connections[alias].ensure_connection()
    except NotSupportedError as error:
        return str(error)
    return None


@register(Tags.database)
def check_search(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """What a search finds is what is stored, as far as numbers tell. A warning, since it is
    `migrate` that mends it, which runs these checks before."""
    return [
        CheckWarning(fault, id="api.W001")
        for alias in databases or ()
        if (fault := tables.fault_of_numbers(connections[alias]))
    ]


def _uncompilable_fields(serializer_class: type[Any]) -> dict[str, str]:
    if not has_fields(serializer_class):
        return {}
    try:
        compile_statement(serializer_class, frozenset(), DEFAULT_DB_ALIAS)
    except Uncompilable as error:
        return error.faults
    return {}
