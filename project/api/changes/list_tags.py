"""The entity tag of a list, known before the list is read: it names the feed's state, not bytes.

Each change of an object in the feed gives the feed another state. So a list that is made of such
objects, of the request and of this code has the same bytes as long as the state lasts, and 304
costs one statement. What may depend on anything else has the digest of its bytes, as before.

What such a list depends on, and how it is in the tag:

- the objects, and what they own: the state;
- which of their properties, and how they are written: the text of the statement, with its
  parameters, as MEDIA_URL;
- filters, order, the place and size of the page, the host in its links: the URL as it came;
- cursors in links: the tag is signed with SECRET_KEY, as they are;
- the form of the answer: its media type;
- who asks: the account;
- all the rest: a digest of the code, and of REST framework's settings.
"""

import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from hmac import digest as hmac
from pathlib import Path

import django
import rest_framework
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import Error, connections, models, router
from django.utils.encoding import force_bytes
from django_filters.rest_framework import Filter, FilterSet
from rest_framework.request import Request
from rest_framework.settings import api_settings

from .. import filters
from ..databases.beside import Beside
from ..databases.replicas import replicas
from ..documents.compiler import expressions_of
from ..documents.statements import KEPT_STATEMENTS, Document, Uncompilable, statement
from ..http.preconditions import DIGEST_LENGTH, IF_MATCH, IF_NONE_MATCH, KEYS, Condition
from ..http.renderers import DocumentRenderer
from ..http.resources import OVERRIDES, find_partly_hidden, hides_nothing
from ..http.views import View
from ..lists.ordering import OrderingFilter
from ..lists.pagination import CursorPagination
from ..lists.statements import LOOKUPS
from ..models import AnyField
from ..relations import RelatedSerializer
from ..search.filter import EXACT, SearchFilter
from . import positions
from .models import Entry
from .tracking import tracked_tables

# Where a reader of a list gives positions, it waits for so many and no more, 1 or 2 ms.
ROUND = 100
# The modules whose classes are known to read nothing else.
KNOWN = (
    *("project.api.", "rest_framework.", "rest_framework_nested.", "django_filters."),
    *("django.", "builtins."),
)
# What a viewset may have of its own that has no part in its list.
ELSEWHERE = frozenset(
    {
        *("retrieve", "create", "update", "partial_update", "destroy", "get_csv_columns"),
        *("perform_create", "perform_update", "perform_destroy", "get_success_headers"),
    }
)
# What a view must have as its class says it.
DECLARED = OVERRIDES | {"serializer_class", "pagination_class", "ordering", "ordering_columns"}
BACKENDS = frozenset({filters.StrictFilterBackend, SearchFilter, OrderingFilter})
# Words go by tables that `reindex` writes, which is no change of an object.
OUTSIDE = frozenset({SearchFilter.search_param, EXACT})
FILTER_SET = ("qs", "filter_queryset", "get_form_class", "__init__")
NAME = re.compile(r'"((?:[^"]|"")+)"')


@dataclass(frozen=True)
class ListTag:
    """The tag that a list has at one state of the feed."""

    value: str
    state: str
    using: str

    @classmethod
    def of(cls, view: View, state: str | None = None) -> "ListTag | None":
        """At this state, or else the present one.

        None where bytes may depend on something else, or while there is more to be told.

        Nor has a standby a state: what it shows may be of one before that of the feed.
        """
        request, using = view.request, router.db_for_read(view.queryset.model)
        if using in replicas():
            return None
        shown = _shown(view, using) if _is_of_feed(view) else None
        if shown is None:
            return None
        state = state or _state(using)
        if state is None:
            return None
        named = (
            *(
                code_digest(),
                connections[using].get_database_version(),
                shown,
                CursorPagination.page_size,
            ),
            *(request.user.pk, request.accepted_media_type, request.build_absolute_uri(), state),
        )
        signature = hmac(force_bytes(settings.SECRET_KEY), repr(named).encode(), "sha256")
        return cls(f'"{signature.hex()[:DIGEST_LENGTH]}"', state, using)

    @staticmethod
    def beside(view: View) -> Beside[str] | None:
        """The state that `of` takes, to be asked beside another statement."""
        if not _is_of_feed(view):
            return None
        return positions.state_beside(router.db_for_read(view.queryset.model))

    def is_known_to(self, request: Request) -> bool:
        """Whether who asks has the list as it is, so that 304 answers it (RFC 9110, 13.1.2).

        `*` says nothing of whether the request is a good one.
        """
        value = request.META.get(KEYS[IF_NONE_MATCH])
        if value is None or KEYS[IF_MATCH] in request.META:
            return False
        return Condition.of(value, IF_NONE_MATCH).form_of(self.value.strip('"')) is not None

    def holds(self, documents: Document) -> bool:
        """Whether nothing has changed until these were read, so that it is the tag of their list.

        A state never comes back. So this needs no transaction around the statements of a list, and
        holds in one of whatever isolation. The documents, which are read last, come with the state
        of their moment: to ask for it by itself takes 0.06 of the processor time of a list.
        """
        return (documents.beside or positions.state(self.using)) == self.state


def _state(using: str) -> str | None:
    """The feed's state, to which a reader helps where it is not known, if that is quickly done."""
    state = positions.state(using)
    is_own = using == router.db_for_write(Entry) and not connections[using].in_atomic_block
    if state is None and is_own:
        # Where the server takes no writes there is the list all the same.
        with suppress(Error):
            if positions.give(using, ROUND, waits=False):
                state = positions.state(using)
    return state


@cache
def code_digest() -> str:
    """Of all that answers are made by, the same wherever it runs."""
    versions = (sys.version, sqlite3.sqlite_version, django.VERSION, rest_framework.VERSION)
    digest = sha256(repr((versions, settings.REST_FRAMEWORK)).encode())
    for path in sorted(set(_sources())):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    packages = {Path(app.path) for app in apps.get_app_configs()} | {settings.BASE_DIR / "project"}
    for package in packages:
        if package.is_relative_to(settings.BASE_DIR) and "site-packages" not in package.parts:
            yield from _modules(package)


def _modules(package: Path) -> Iterator[Path]:
    yield from package.glob("*.py")
    for init in package.glob("*/__init__.py"):
        yield from _modules(init.parent)


# Whether a list is made of nothing but that


def _is_of_feed(view: View) -> bool:
    params = view.request.query_params
    view_class = type(view)
    return (
        DECLARED.isdisjoint(vars(view))
        and type(view.request.accepted_renderer) is DocumentRenderer
        and OUTSIDE.isdisjoint(params)
        and _declares_alone(view_class)
        and _orders_by_columns(view_class, params.get(api_settings.ORDERING_PARAM))
        and _compares_columns(view_class, frozenset(params))
    )


@cache
def _recorded() -> frozenset[type[models.Model]]:
    """The models whose rows cannot change without the feed."""
    return frozenset(each.model for each in tracked_tables())


@cache
def _declares_alone(view_class: type[View]) -> bool:
    """Whether a viewset says what it lists, and computes nothing for it."""
    return (
        view_class.pagination_class is CursorPagination
        and BACKENDS.issuperset(view_class.filter_backends)
        and view_class.queryset is not None
        and view_class.queryset.model in _recorded()
        and hides_nothing(view_class)
        and _is_known(view_class)
    )


def _is_known(cls: type) -> bool:
    """Whether a class has no code beside that of the modules that are known."""
    return not any(
        hasattr(type(value), "__get__")
        and name not in ELSEWHERE
        # An action of a viewset's own
        and not hasattr(value, "mapping")
        for each in cls.__mro__
        if not f"{each.__module__}.".startswith(KNOWN)
        for name, value in vars(each).items()
        if name not in ("__dict__", "__weakref__")
    )


@lru_cache(maxsize=256)
def _orders_by_columns(view_class: type[View], choice: str | None) -> bool:
    model = view_class.queryset.model
    computed = expressions_of(view_class.serializer_class)
    ordering: Sequence[object] | None = [choice] if choice else view_class.ordering
    if ordering is None:
        ordering = view_class.queryset.query.order_by or model._meta.ordering or ()
    return all(
        isinstance(each, str)
        and each.removeprefix("-") not in computed
        and _is_recorded(model, OrderingFilter.column(view_class, each).removeprefix("-"))
        for each in ordering
    )


@lru_cache(maxsize=256)
def _compares_columns(view_class: type[View], names: frozenset[str]) -> bool:
    """Whether these are no filters, or such that compare columns with the values they are given."""
    filterset_class: type[FilterSet] | None = getattr(view_class, "filterset_class", None)
    if filterset_class is None:
        return True
    asked = [each for name, each in filterset_class.base_filters.items() if name in names]
    if not asked:
        return True
    base = (
        filters.ListFilterSet if issubclass(filterset_class, filters.ListFilterSet) else FilterSet
    )
    return all(
        getattr(filterset_class, name) == getattr(base, name) for name in FILTER_SET
    ) and all(
        _compares(each) and _is_recorded(view_class.queryset.model, str(each.field_name))
        for each in asked
    )


def _compares(each: Filter) -> bool:
    """Whether a filter compares what is at the end of its path with the value that it is given."""
    filter_class = type(each)
    field_class = getattr(each, "item_class", each.field_class)
    return (
        each.method is None
        and each.lookup_expr in LOOKUPS
        and _is_known(filter_class)
        and field_class.__module__.startswith(KNOWN)
        # Some of django-filter's own go by the day.
        and (
            filter_class.filter is Filter.filter
            or filter_class.filter.__module__.startswith(filters.__name__)
        )
    )


def _is_recorded(model: type[models.Model], path: str) -> bool:
    """Whether this path of the ORM leads to a column, by tables of the feed alone, whole ones."""
    field: AnyField
    for name in path.split("__"):
        try:
            field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except (FieldDoesNotExist, AttributeError):
            return False
        model = field.related_model
        if model is not None and model._default_manager.all().query.where:
            return False
        sides: tuple[AnyField, AnyField] = (field, getattr(field, "remote_field", None))
        through = [side.through for side in sides if getattr(side, "through", None)]
        if not _recorded().issuperset([*([model] if model else []), *through]):
            return False
    return True


def _shown(view: View, using: str) -> str | None:
    """What names the statement of these documents; None where that reads other tables, or shows to
    one what it hides from another."""
    found = _statement(view.serializer_class, view.unread_properties, using)
    return None if found is None or find_partly_hidden(found[1]) else found[0]


@lru_cache(maxsize=KEPT_STATEMENTS)
def _statement(
    serializer_class: type[RelatedSerializer], unread: frozenset[str], using: str
) -> tuple[str, frozenset[type[models.Model]]] | None:
    try:
        compiled = statement(serializer_class, unread, using)
    except Uncompilable:
        return None
    tables = {each._meta.db_table for each in apps.get_models(include_auto_created=True)}
    read = tables.intersection(NAME.findall(compiled.sql))
    if compiled.is_computed or not {each._meta.db_table for each in _recorded()} >= read:
        return None
    return sha256(repr((compiled.sql, compiled.params)).encode()).hexdigest(), compiled.models
