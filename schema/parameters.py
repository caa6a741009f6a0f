"""The parameters of an operation, and which of them many operations share."""

from collections.abc import Collection

from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

from project.api.http.renderers import EXPORTS, PARTIAL_MEDIA_TYPE
from project.api.lists.parameters import Schema

from .operations import AnySerializer, Operation, of_meta

# In this order they come before a list's filters.
COMMON_PARAMETERS = [
    *("cursor", "page_size", "count"),
    *("ordering", "search", "exact"),
    *("fields", "omit", "expand"),
]
PARTIAL = f"as `{PARTIAL_MEDIA_TYPE}`."


class Parameters(Operation):
    def _get_parameters(self) -> list[Schema]:
        return sorted(super()._get_parameters(), key=place_of)

    def map_renderers(self, attribute: str) -> list[object]:
        """Without exports, which words tell of: clients would take a page for a text as well."""
        exported = {getattr(each, attribute) for each in EXPORTS}
        return [each for each in super().map_renderers(attribute) if each not in exported]

    def get_override_parameters(self) -> list[AnySerializer]:
        known: frozenset[str] = getattr(self.view, "list_parameters", frozenset())
        if known.isdisjoint({"fields", "omit", "expand"}) or self.method == "DELETE":
            return []
        serializer = self._answered
        if serializer is None:
            return []
        name = self._get_serializer_name(serializer, "response")
        parameters = []
        if self._is_chosen_from:
            properties = [each for each, field in serializer.fields.items() if not field.write_only]
            choices = self._choices(f"{name}Property", properties)
            parameters += [
                _list_parameter("fields", choices, f"Answer with these properties only, {PARTIAL}"),
                _list_parameter("omit", choices, f"Answer without these properties, {PARTIAL}"),
            ]
        if expandable := list(of_meta(serializer, "expandable")):
            choices = self._choices(f"{name}Expandable", expandable)
            words = "Answer with these properties too."
            parameters.append(_list_parameter("expand", choices, words))
        return parameters

    def _choices(self, name: str, choices: list[str]) -> dict[str, object]:
        # Generators make members of an enum from these: `name` is none in Kotlin.
        names = [each.upper() for each in choices]
        return self._component(name, {"type": "string", "enum": choices, "x-enum-varnames": names})

    def _resolve_path_parameters(self, variables: object) -> list[Schema]:
        parameters: list[Schema] = super()._resolve_path_parameters(variables)  # type: ignore[no-untyped-call]
        for parameter in parameters:
            name = parameter["name"]
            owner, is_id = name.removesuffix("_id"), name.endswith("_id")
            if name == (getattr(self.view, "lookup_url_kwarg", None) or "id"):
                owner, is_id = self._resource.noun, True
            if is_id:
                parameter["description"] = f"The id of the {owner}."
            if parameter["schema"].get("type") == "integer":
                parameter["example"] = 1
        return parameters

    def _get_filter_parameters(self) -> list[Schema]:
        parameters: list[Schema] = super()._get_filter_parameters()  # type: ignore[no-untyped-call]
        is_ranked = any(each["name"] == "search" for each in parameters)
        for parameter in parameters:
            serializer = self._answered
            # REST framework's own says no choices.
            if parameter["name"] == "ordering" and serializer and "enum" in parameter["schema"]:
                if default := self._default_ordering(parameter["schema"]["enum"]):
                    else_ranked = ", with `search` the best match first" if is_ranked else ""
                    words = f"By default `{default}`{else_ranked}. {parameter['description']}"
                    parameter["description"] = words
                name = self._get_serializer_name(serializer, "response")
                choices = parameter["schema"]["enum"]
                # Generators make members of an enum from these: `name` is none in Kotlin.
                schema = {**parameter["schema"], "x-enum-varnames": [*map(_order, choices)]}
                parameter["schema"] = self._component(f"{name}Ordering", schema)
        return parameters

    def _default_ordering(self, choices: Collection[str]) -> str | None:
        """The view's own, or that of its model."""
        ordering = getattr(self.view, "ordering", None)
        if not ordering and self._model is not None:
            ordering = self._model._meta.ordering
        first = ordering if isinstance(ordering, str) else next(iter(ordering or ()), None)
        return first if first in choices else None

    def _shared(self, parameters: list[dict[str, object]]) -> list[dict[str, object]]:
        """The parameters, those that many operations have as references."""
        shared = {"cursor": "Cursor", "page_size": "PageSize", "count": "Count"}
        if getattr(self.view, "pagination_class", None) is None:
            # A page of its own kind.
            shared = {}
        lists: frozenset[str] = getattr(self.view, "list_parameters", frozenset())
        if lists and (serializer := self._answered):
            what = self._get_serializer_name(serializer, "response")
            shared |= {name: what + name.capitalize() for name in lists}
        return [
            self._component(shared[each["name"]], each, ResolvedComponent.PARAMETER)
            if each["in"] == "query" and each["name"] in shared
            else each
            for each in parameters
        ]


def _order(choice: str) -> str:
    """What code calls an ordering: BY_NAME, or BY_NAME_DESCENDING for `-name`."""
    return f"BY_{choice.removeprefix('-').upper()}" + "_DESCENDING" * choice.startswith("-")


def place_of(parameter: Schema) -> int:
    # Some generated functions take them by position, so a new filter comes last.
    if parameter["in"] == "path":
        return -1
    name = parameter["name"]
    return COMMON_PARAMETERS.index(name) if name in COMMON_PARAMETERS else len(COMMON_PARAMETERS)


def _list_parameter(name: str, items: Schema, description: str) -> OpenApiParameter:
    """Some of these choices, separated by commas."""
    schema = {"type": "array", "items": items, "minItems": 1}
    return OpenApiParameter(name, schema, description=description, style="form", explode=False)
