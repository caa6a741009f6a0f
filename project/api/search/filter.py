"""`search`: the filter backend of lists that can be searched."""

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.template import loader
from rest_framework import filters as backends
from rest_framework.request import Request
from rest_framework.settings import api_settings

from ..http.problems import Fault, Refused
from ..http.resources import for_lists
from ..http.views import AnyView
from ..lists.parameters import Schema, is_list, is_true, parameter_schema
from ..models import AnyQuerySet
from .queries import MAX_LENGTH, Search

EXACT = "exact"
DESCRIPTION = (
    "Words, all of which must occur; the last one may be the beginning of a word. Case and accents"
    " do not matter, and an apostrophe or a hyphen may be left out. Without `ordering`, titles or"
    " names that are just these words come first, then those that have more words, the shorter"
    " before the longer, then what has them elsewhere. A word of five letters or more that nothing"
    " has gives way to one that differs by a slip of the finger; then the answer says so in"
    " `search`."
)
EXACT_DESCRIPTION = "With `true`, no word of `search` is replaced by another."


def _is_ordered(request: Request) -> bool:
    return bool(request.query_params.get(api_settings.ORDERING_PARAM))


class SearchFilter(backends.SearchFilter):
    """`search`, for what has entries: the best match first, unless an `ordering` is asked for."""

    def parameters_of(self, view: object) -> frozenset[str]:
        model = getattr(getattr(view, "queryset", None), "model", None)
        return frozenset({self.search_param, EXACT} if hasattr(model, "search") else ())

    def search(self, request: Request, view: AnyView) -> Search | None:
        if not is_list(view) or not self.parameters_of(view):
            return None
        is_exact = is_true(request, EXACT)
        text = request.query_params.get(self.search_param)
        if not text:
            return None
        try:
            return Search.of(text, view.search_keys, is_exact=is_exact)
        except ValidationError as error:
            [detail] = error.messages
            raise Refused([Fault("invalid", detail, parameter=self.search_param)]) from error

    @for_lists
    def filter_queryset(
        self, request: Request, queryset: AnyQuerySet, view: AnyView
    ) -> AnyQuerySet:
        search = self.search(request, view)
        if search is None:
            return queryset
        result = search.find(queryset, ranked=not _is_ordered(request))
        if result.used is not None:
            text = request.query_params[self.search_param]
            view.search_used = {"asked": text, "used": result.used}
        return result.queryset

    def to_html(self, request: Request, queryset: QuerySet[Model], view: object) -> str:
        if not self.parameters_of(view):
            return ""
        term = request.query_params.get(self.search_param, "")
        context = {"param": self.search_param, "term": term}
        return loader.get_template(self.template).render(context)

    def get_schema_operation_parameters(self, view: object) -> list[Schema]:
        if not self.parameters_of(view):
            return []
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}
        exact = {"type": "boolean"}
        return [
            parameter_schema(self.search_param, schema, DESCRIPTION),
            parameter_schema(EXACT, exact, EXACT_DESCRIPTION),
        ]
