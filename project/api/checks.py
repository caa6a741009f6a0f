"""What `manage.py check` says about the API before anybody asks it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.models import ForeignObjectRel, IntegerField, Model, QuerySet, signals
from django.dispatch import Signal
from django.urls import get_resolver
from rest_framework.serializers import BaseSerializer, ModelSerializer

from .changes import tracking, triggers
from .declarations import errors_of, has_fields, link_errors, routes, with_nested
from .documents.statements import Uncompilable, compile_statement
from .http.resources import find_partly_hidden
from .models import ModelField
from .relations import RelatedSerializer, relations_of
from .search import tables
from .serializers import ResourceSerializer, StrictModelSerializer
from .writes.deletions import owner_of
from .writes.merging import keys_with, links_to
from .writes.signals import rows_written

# What a resource cannot do without, and what to write
ATTRIBUTES = {
    "queryset": (
        "Write `queryset = Model.objects.all()`, from which permissions, the search and the "
        "contract take the model, and narrow it down in `get_queryset`."
    ),
    "serializer_class": "Write `serializer_class = …`, a ResourceSerializer of the model.",
}


@register()
def check_documents(**kwargs: object) -> list[CheckMessage]:
    """Every resource's serializer can be compiled; each field that cannot is named."""
    serializer_classes = {view.serializer_class for view in routes(get_resolver())}
    return [
        Error(f"The database cannot write “{name}”.", hint=hint, obj=each, id="api.E001")
        for each in sorted(serializer_classes - {None}, key=lambda each: each.__qualname__)
        for name, hint in _uncompilable_fields(each).items()
    ]


@register()
def check_views(**kwargs: object) -> list[CheckMessage]:
    """Every resource with a URL says on its class what it is made of."""
    return [
        Error(f"It has no `{name}`.", hint=hint, obj=view, id="api.E003")
        for view in sorted(routes(get_resolver()), key=lambda each: each.__qualname__)
        for name, hint in ATTRIBUTES.items()
        if getattr(view, name) is None
    ]


@register()
def check_declarations(**kwargs: object) -> list[CheckMessage]:
    """Every resource with a URL declares what there is, and what can work: see `declarations`."""
    resolver = get_resolver()
    return [*errors_of(routes(resolver)), *link_errors(resolver)]


@register()
def check_serializers(**kwargs: object) -> list[CheckMessage]:
    """What writes would pass over is not there: docs/differences.md has the reasons."""
    return [
        message
        for each in sorted(_written_by(), key=lambda each: each.__qualname__)
        for message in (*_overridden(each), *_unwritable(each))
    ]


@register()
def check_written_models(**kwargs: object) -> list[CheckMessage]:
    """No model that serializers write counts on being saved one by one."""
    models = {each.Meta.model for each in _written_by()}
    return [
        message
        for each in sorted(models, key=lambda each: each._meta.label)
        for message in (*_saved_by_itself(each), *_unsent(each))
    ]


@register()
def check_lookups(**kwargs: object) -> list[CheckMessage]:
    """Each resource finds its objects by a field that its URLs can hold."""
    return [
        Error(
            f"Its URLs have integers, and no “{view.lookup_field}”.",
            hint="Say with `lookup_value_converter` what they have: “slug”, “uuid” or “str”.",
            obj=view,
            id="api.E024",
        )
        for view in sorted(routes(get_resolver()), key=lambda each: each.__qualname__)
        if view.queryset is not None
        and view.lookup_value_converter == "id"
        and not isinstance(_field(view.queryset.model, view.lookup_field), IntegerField)
    ]


def _written_by() -> set[type[StrictModelSerializer]]:
    """The serializers that write by the unit of work."""
    return {
        each
        for view in routes(get_resolver())
        if view.serializer_class is not None
        for each in with_nested(view.serializer_class)
        if issubclass(each, StrictModelSerializer) and has_fields(each)
    }


def _overridden(serializer_class: type[RelatedSerializer]) -> Iterator[CheckMessage]:
    own = (ResourceSerializer, ModelSerializer)
    for name in ("create", "update"):
        if getattr(serializer_class, name) not in [getattr(each, name) for each in own]:
            yield Error(
                f"It has a `{name}` of its own, which is not called for nested objects.",
                hint="Use `perform_create` or `perform_update` of the view, the model's `clean`, or"
                " a receiver of `rows_written`.",
                obj=serializer_class,
                id="api.E020",
            )


def _unwritable(serializer_class: type[RelatedSerializer]) -> Iterator[CheckMessage]:
    model = serializer_class.Meta.model
    serializer: Any = serializer_class()
    related = {name for r in relations_of(serializer) for name in (r.name, r.key)}
    for field in serializer._writable_fields:
        if field.field_name in related or field.source == "*":
            continue
        model_field = _field(model, field.source)
        to_many = model_field is not None and (model_field.many_to_many or model_field.one_to_many)
        if isinstance(field, BaseSerializer) or to_many or "." in field.source:
            yield Error(
                f"“{field.field_name}” would not be written.",
                hint="Declare its relation in `Meta.relations`, or say `read_only=True`.",
                obj=serializer_class,
                id="api.E023",
            )


def _saved_by_itself(model: type[Model]) -> Iterator[CheckMessage]:
    rows = type(model._default_manager.all())
    for name, own, usual in (
        ("save", model.save, Model.save),
        ("delete", model.delete, Model.delete),
        ("QuerySet.delete", rows.delete, QuerySet.delete),
    ):
        if own is not usual:
            yield Error(
                f"It has a `{name}` of its own, which is not called: rows are written together.",
                hint="Use fields made from others (MadeFrom), `clean`, or a receiver of"
                " `rows_written`.",
                obj=model,
                id="api.E021",
            )


def _unsent(model: type[Model]) -> Iterator[CheckMessage]:
    """Receivers that hear of no write, of modules that do not hear ours as well.

    Those of deletions do hear.
    """
    knowing = {each.__module__ for each in _receivers(rows_written, _Nobody)}
    senders: list[tuple[Signal, type | None]] = [
        (signals.pre_save, model),
        (signals.post_save, model),
    ]
    sets = model._meta.local_many_to_many
    senders += [(signals.m2m_changed, each.remote_field.through) for each in sets]
    for signal, sender in senders:
        everybody = _receivers(signal, _Nobody)
        for receiver in _receivers(signal, sender):
            if receiver.__module__ in knowing:
                continue
            name = f"{receiver.__module__}.{getattr(receiver, '__qualname__', receiver)}"
            kind, letter = (checks.Warning, "W") if receiver in everybody else (Error, "E")
            yield kind(
                f"{name} does not hear what the API writes: Django's signal is not sent.",
                hint="Connect it to `rows_written`, which has all rows of a write.",
                obj=model,
                id=f"api.{letter}022",
            )


class _Nobody:
    """Sends nothing: who hears this, hears every sender."""


def _receivers(signal: Signal, sender: type | None) -> list[object]:
    receivers, asynchronous = signal._live_receivers(sender)
    return [*receivers, *asynchronous]


def _field(model: type[Model], name: str) -> ModelField | ForeignObjectRel | None:
    if name == "pk":
        return model._meta.pk
    with suppress(FieldDoesNotExist):
        return model._meta.get_field(name)
    return None


@register(Tags.database)
def check_databases(databases: Sequence[str] | None = None, **kwargs: object) -> list[CheckMessage]:
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
        # An open one would not be asked again, by the next of these checks.
        connections[alias].close()
        return str(error)
    return None


def _usable(databases: Sequence[str] | None) -> list[BaseDatabaseWrapper]:
    """Those that are not refused, whichever check Django makes first: their order is any."""
    return [connections[alias] for alias in databases or () if not _refusal_of(alias)]


@register(Tags.database)
def check_search(databases: Sequence[str] | None = None, **kwargs: object) -> list[CheckMessage]:
    """What a search finds is what is stored, as far as numbers tell. A warning, since it is
    `migrate` that mends it, which runs these checks before."""
    return [
        checks.Warning(fault, id="api.W001")
        for connection in _usable(databases)
        if (fault := tables.fault_of_numbers(connection))
    ]


@register(Tags.database)
def check_triggers(databases: Sequence[str] | None = None, **kwargs: object) -> list[CheckMessage]:
    """Every change is recorded, whoever makes it. A warning for the same reason."""
    return [
        checks.Warning(fault, id="api.W002")
        for connection in _usable(databases)
        if (fault := triggers.fault_before_migrate(connection))
    ]


@register(Tags.database)
def check_history(databases: Sequence[str] | None = None, **kwargs: object) -> list[CheckMessage]:
    """No database stands in the midst of migrations that are one by now: nothing leads on from
    there, and Django would end with a KeyError."""
    return [
        Error(
            f"This database has had some of the migrations that {app}.{name} replaces, and not"
            f" {', '.join(lacking)}.",
            hint="Migrate it by the code that has these, and then by this: CHANGELOG.md.",
            id="api.E027",
        )
        for connection in _usable(databases)
        for (app, name), lacking in _half_replaced(MigrationLoader(connection))
    ]


def _half_replaced(loader: MigrationLoader) -> Iterator[tuple[tuple[str, str], list[str]]]:
    for key, migration in loader.replacements.items():
        lacking = [each for each in migration.replaces if each not in loader.applied_migrations]
        if 0 < len(lacking) < len(migration.replaces) and not loader.disk_migrations.keys() >= {
            *lacking
        }:
            yield key, [name for _, name in lacking]


@register()
def check_roots(**kwargs: object) -> list[CheckMessage]:
    """The feed can name each aggregate root: by an integer, and in one table."""
    return [
        Error(fault, hint=hint, obj=root, id="api.E025")
        for root in tracking.roots()
        for fault, hint in _faults_of_root(root)
    ]


def _faults_of_root(root: type[Model]) -> Iterator[tuple[str, str]]:
    if root._meta.parents:
        yield (
            "It has the table of another root, too, which the feed would tell of instead.",
            "Derive both from an abstract model.",
        )
    elif not isinstance(root._meta.pk, IntegerField):
        yield (
            "Its key is no integer, which the feed names objects by.",
            "Use a BigAutoField; clients have the `uid`.",
        )


@register()
def check_mergers(**kwargs: object) -> list[CheckMessage]:
    """Whatever refers to an object that may be merged can refer to another instead."""
    return [
        Error(
            f"No two {link.model._meta.verbose_name_plural} of different owners have the same"
            f" “{link.name}”, so that two {root._meta.verbose_name_plural} cannot be merged.",
            hint="Leave out `is_mergeable`, or have what owns the rows in the unique constraint.",
            obj=link.model,
            id="api.E027",
        )
        for root in tracking.roots()
        if root.is_mergeable
        for link in links_to(root)
        if (owner := owner_of(link.model)) is not link
        and any(owner not in others for others in keys_with(link))
    ]


def _uncompilable_fields(serializer_class: type[RelatedSerializer]) -> dict[str, str]:
    if not has_fields(serializer_class):
        return {}
    try:
        compiled = compile_statement(serializer_class, frozenset(), DEFAULT_DB_ALIAS)
        # As for a request that may not see all.
        shown = {each: each._default_manager.all() for each in find_partly_hidden(compiled.models)}
        compile_statement(serializer_class, frozenset(), DEFAULT_DB_ALIAS, shown)
    except Uncompilable as error:
        return error.faults
    return {}
