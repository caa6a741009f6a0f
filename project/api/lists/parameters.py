"""Query parameters: a refusal of all that is not understood."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

from ..http.problems import Fault, Refused
from ..http.renderers import is_export
from ..http.views import AnyView

# Of OpenAPI's: a schema (JSON Schema, 2020-12), an operation or another of its objects.
Schema: TypeAlias = dict[str, Any]

# As browsers, JSON, PHP (1) and Python (True) write them
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# These leave properties out of what is read. A write is answered with the whole object.
CHOOSING = frozenset({"fields", "omit"})


class StrictQueryParameters:
    """For a view: a query parameter that it does not know is 400, and so is one that is empty or
    has one value and stands twice, whatever the method. Anything else would answer a question
    nobody asked.

    A list knows those of its filters, its search, its ordering and its pages. `list_parameters` are
    those of every method, but for `fields` and `omit`, which are of reads alone. These and filters
    that take several values may stand several times: `?id=1&id=2` is `?id=1,2`, and what some
    clients make of any list.
    """

    list_parameters: frozenset[str] = frozenset()

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        method = str(request.method).lower()
        # A method that the view does not have is 405, whatever the parameters.
        if method == "options" or not hasattr(self, method):
            return
        # Without any, which names are known need not be put together.
        if not request.query_params:
            return
        if faults := list(self._parameter_faults(request)):
            raise Refused(faults)
        repeated = {name: v for name, v in request.query_params.lists() if len(v) > 1}
        if repeated:
            joined = request.query_params.copy()
            for name, values in repeated.items():
                joined[name] = ",".join(values)
            request._request.GET = joined  # type: ignore[assignment]  # it may be changed

    def _parameter_faults(self, request: Request) -> Iterator[Fault]:
        known = self.list_parameters | {api_settings.URL_FORMAT_OVERRIDE}
        if request.method not in SAFE_METHODS:
            known -= CHOOSING
        if is_list(self):
            sources = [backend() for backend in self.filter_backends]  # type: ignore[attr-defined]
            # An export has no pages.
            if not is_export(request):
                sources.append(self.paginator)  # type: ignore[attr-defined]
            known = known.union(*(parameters_of(source, self) for source in sources))
        # A browser sends the empty fields of a form too.
        is_form = isinstance(request.accepted_renderer, BrowsableAPIRenderer)
        for name, values in request.query_params.lists():
            if name not in known:
                yield Fault("unknown", "There is no such parameter here.", parameter=name)
            elif len(values) > 1 and not self._takes_several(name):
                yield Fault("repeated", "Give this parameter once.", parameter=name)
            elif "" in values and not is_form:
                yield Fault("blank", "Leave it out, or give it a value.", parameter=name)

    def _takes_several(self, name: str) -> bool:
        filters = getattr(getattr(self, "filterset_class", None), "base_filters", {})
        return name in self.list_parameters or getattr(filters.get(name), "takes_several", False)


def is_list(view: AnyView) -> bool:
    """Whether this request is for a list, which filters, ordering and pages apply to.

    A GET of a `@action(detail=False)` is, unless `filter_backends=[]` and `pagination_class=None`
    are in the decorator.
    """
    action = getattr(view, "action", None)
    if action == "list":
        return True
    is_extra = getattr(view, "detail", None) is False and view.action_map.get("get") == action
    return is_extra and bool(view.filter_backends or view.pagination_class)


def parameters_of(source: object, view: object) -> frozenset[str]:
    """The query parameters that a filter backend or a paginator reads, as it says itself.

    Those of this project have `parameters_of(view)`, any other REST framework's
    `get_schema_operation_parameters(view)`; what has neither reads none.
    """
    if hasattr(source, "parameters_of"):
        names: frozenset[str] = source.parameters_of(view)
        return names
    if hasattr(source, "get_schema_operation_parameters"):
        return frozenset(each["name"] for each in source.get_schema_operation_parameters(view))
    return frozenset()


def is_true(request: Request, name: str) -> bool:
    """What a parameter says that is true or false, and false where it is not given."""
    answer = BOOLEANS.get(request.query_params.get(name, "false").lower())
    if answer is None:
        raise Refused([Fault("invalid", "Give true or false.", parameter=name)])
    return answer


def parameter_schema(name: str, schema: Schema, description: str) -> Schema:
    parameter = {"name": name, "in": "query", "required": False, "schema": schema}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    return {**parameter, "description": description} if description else parameter
