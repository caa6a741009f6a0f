"""`search`: the words of a query among those of each object, the best match first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Lookup, QuerySet
from django.template import loader
from rest_framework import filters as backends
from rest_framework.request import Request
from rest_framework.settings import api_settings

from .filters import is_list, parameter_schema
from .problems import Fault, Refused
from .search_tables import WordsField, words_of

MAX_LENGTH = 200
MAX_WORDS = 20
DESCRIPTION = (
    "Words, all of which must occur; the last one may be the beginning of a word. Case and accents"
    " do not matter. Without `ordering` the best match comes first."
)


# Lookups


class Has(Lookup):
    """Whether the title, or the document, has what the query asks for."""

    lookup_name = "has"
    prepare_rhs = False
    # Of FTS5, by the name of the column.
    fts5 = {"title": "title : ({0})", "document": "({0})"}
    # Of PostgreSQL.
    tsquery = "{column} @@ %s::tsquery"

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        title = self.lhs.target.model._meta.get_field("title").get_col(self.lhs.alias)
        [(column, _), (title, _)] = map(compiler.compile, (self.lhs, title))
        written = self.tsquery.format(column=column, title=title)
        return written, [self.rhs] * written.count("%s")

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        quote = connection.ops.quote_name
        # The hidden column that stands for the whole row has the table's name.
        row = f"{quote(self.lhs.alias)}.{quote(self.lhs.target.model._meta.db_table)}"
        return f"{row} MATCH %s", [self.fts5[self.lhs.target.column].format(self.rhs)]


class HasElsewhere(Has):
    """Whether the document has it, and the title alone has not."""

    lookup_name = "has_elsewhere"
    fts5 = {"document": "({0}) NOT (title : ({0}))"}
    tsquery = "({column} @@ %s::tsquery AND NOT {title} @@ %s::tsquery)"


WordsField.register_lookup(Has)
WordsField.register_lookup(HasElsewhere)


# Queries


@dataclass(frozen=True)
class Search:
    """What is looked for: keys, each the whole value of a field, and words."""

    text: str
    keys: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, keys: Mapping[str, Callable[[str], str]]) -> "Search":
        """`keys` maps lookups to the function that gives a text, or a word, the form of a key, or
        raises ValidationError. What has the form is looked for nowhere else.

        Raises ValidationError where this is too long.
        """
        if "\0" in text or len(text) > MAX_LENGTH or len(text.split()) > MAX_WORDS:
            raise ValidationError(
                f"At most {MAX_LENGTH} characters and {MAX_WORDS} words, no NUL.", "invalid"
            )
        words: list[Any] = []
        found: list[Any] = []
        for word in [text] if _key(text, keys) else text.split():
            key = _key(word, keys)
            (found if key else words).append(key or word)
        return cls(" ".join(words), found)

    def find(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """All that has this, in the queryset's own order."""
        queryset = self._with_keys(queryset)
        if not self.text:
            return queryset
        query = self._query(queryset.db)
        return queryset.filter(search__document__has=query) if query else queryset.none()

    def rank(self, queryset: QuerySet[Any]) -> list[QuerySet[Any]]:
        """The same with the best match first: one part behind the other."""
        if not self.text:
            return [self._with_keys(queryset)]
        query = self._query(queryset.db)
        if not query:
            return [queryset.none()]
        queryset = self._with_keys(queryset).order_by("search__length")
        return [
            queryset.filter(search__title__has=query),
            queryset.filter(search__document__has_elsewhere=query),
        ]

    def _with_keys(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for key in self.keys:
            # A subquery, since a join gives a row once for each of its related rows.
            matching = queryset.model._default_manager.filter(**key).order_by()
            queryset = queryset.filter(pk__in=matching.values("pk"))
        return queryset

    def _query(self, using: str) -> str:
        """In the engine's own language; empty where there is no word in it."""
        connection = connections[using]
        if connection.vendor == "sqlite":
            words = " AND ".join(f'"{word}"' for word in words_of(self.text))
            return words and f"{words}*"
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(search_query(%s)::text, '')", [self.text])
            [query] = cursor.fetchone()
            return str(query)


def _key(text: str, keys: Mapping[str, Callable[[str], str]]) -> dict[str, str] | None:
    for lookup, canonical in keys.items():
        try:
            return {lookup: canonical(text)}
        except ValidationError:
            continue
    return None


def _is_ordered(request: Request) -> bool:
    return bool(request.query_params.get(api_settings.ORDERING_PARAM))


class SearchFilter(backends.SearchFilter):
    """`search`, for what has entries. Where no `ordering` is asked for, the view ranks."""

    def parameters_of(self, view: Any) -> frozenset[str]:
        return frozenset({self.search_param} if hasattr(view.queryset.model, "search") else ())

    def search(self, request: Request, view: Any) -> Search | None:
        text = request.query_params.get(self.search_param)
        if not text or not is_list(view):
            return None
        try:
            return Search.of(text, view.search_keys)
        except ValidationError as error:
            [detail] = error.messages
            raise Refused([Fault("invalid", detail, parameter=self.search_param)]) from error

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        search = self.search(request, view) if _is_ordered(request) else None
        return queryset if search is None else search.find(queryset)

    def rank(self, request: Request, queryset: QuerySet[Any], view: Any) -> list[QuerySet[Any]]:
        """The parts, one behind the other, that this list has."""
        search = None if _is_ordered(request) else self.search(request, view)
        return [queryset] if search is None else search.rank(queryset)

    def to_html(self, request: Request, queryset: QuerySet[Any], view: Any) -> str:
        if not self.parameters_of(view):
            return ""
        term = request.query_params.get(self.search_param, "")
        context = {"param": self.search_param, "term": term}
        return loader.get_template(self.template).render(context)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        if not self.parameters_of(view):
            return []
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}
        return [parameter_schema(self.search_param, schema, DESCRIPTION)]
