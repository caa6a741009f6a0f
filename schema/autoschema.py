"""How a view becomes operations of the contract.

What a caller can't see from types is derived from the view, never declared a second time: the
names of operations, who may call them, and the problems that they answer with.
"""

from types import SimpleNamespace
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db.models import PROTECT, UniqueConstraint
from drf_spectacular.drainage import warn
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import SAFE_METHODS
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ViewSetMixin

from project.api.http.problems import MEDIA_TYPE
from project.api.serializers import ItemSerializer

from .examples import EXAMPLES
from .problems import DESCRIPTIONS, FAULT, HEADERS, NAMES_OF_PROBLEMS, PROBLEM

SUCCESSES = {
    "200": "It is done; this is the result.",
    "201": "It is created; `Location` is its URL.",
    "204": "It is done; there is nothing to say.",
}

# Of an operation on a resource, by the action of its viewset
NAMES = {
    "list": "list",
    "retrieve": "get",
    "create": "create",
    "update": "update",
    "partial_update": "partialUpdate",
    "destroy": "delete",
}
SUMMARIES = {
    "list": "List {many}",
    "retrieve": "Get {one}",
    "create": "Create {one}",
    "update": "Update {one}",
    "partial_update": "Update some properties of {one}",
    "destroy": "Delete {one}",
}
MEANINGS = {
    "update": "The required properties must be there. Any other that is left out keeps its value.",
    "partial_update": "What is left out keeps its value.",
}
# Of what nests others
RELATIONS = {
    "create": "Relations can be given as keys or as nested objects, which are created with it.",
    "update": "So do relations; `null` or `[]` empties one.",
    "partial_update": "So do relations; `null` or `[]` empties one.",
}
# In this order they come before a list's filters.
COMMON_PARAMETERS = [
    *("cursor", "page_size", "count"),
    *("ordering", "search"),
    *("fields", "omit", "expand"),
]
ITEM = (
    "With an `id` it names a stored object; properties beside it say what changes. Without, it "
    "describes a new one."
)


def _with_article(noun: str) -> str:
    # Of our nouns only “user” begins with a u.
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


class AutoSchema(SpectacularAutoSchema):
    view: Any

    @property
    def action(self) -> str:
        """What a viewset calls this operation; of another view, its method."""
        return str(getattr(self.view, "action", self.method.lower()))

    @property
    def _is_resource(self) -> bool:
        return isinstance(self.view, ViewSetMixin)

    @property
    def _path_words(self) -> list[str]:
        return [word for word in self._tokenize_path() if word != "api"]

    # What it is called

    def get_operation_id(self) -> str:
        words = self._path_words
        if not self._is_resource:
            verb = {"get": "get", "patch": "partialUpdate"}.get(self.method.lower(), "post")
            return verb + "".join(word.capitalize() for word in words)
        *parents, one = self.view.basename.split("-")
        noun = words[-1] if self.action == "list" else one
        return self._name(self.action, [*parents, noun])

    @staticmethod
    def _name(action: str, nouns: list[str]) -> str:
        return NAMES[action] + "".join(noun.capitalize() for noun in nouns)

    def get_summary(self) -> str | None:
        if not self._is_resource:
            return {"GET": "Get", "PATCH": "Update"}[self.method] + " one's own account"
        names = self.view.queryset.model._meta
        one, many = _with_article(names.verbose_name), f"{names.verbose_name_plural}"
        if parent := getattr(self.view, "parent_name", None):
            of = f" of {_with_article(parent)}"
            one, many = one + of, f"the {many}{of}"
        return SUMMARIES[self.action].format(one=one, many=many)

    def get_tags(self) -> list[str]:
        return self._path_words[:1]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """The view's words, then what all operations of this kind mean, then who may."""
        action = getattr(self.view, self.action, None)
        own = getattr(action, "__doc__", None) if self._is_ours(action) else None
        words = [" ".join(part.split()) for part in (own or self._view_words()).split("\n\n")]
        if self._is_resource:
            words.append(self._meaning())
        if self.view.get_authenticators():
            words.append(self._who_may())
        return "\n\n".join(filter(None, words))

    def _meaning(self) -> str:
        if self.action == "destroy":
            refusal = "What others refer to stays: 409 `in_use` names them."
            return refusal if self._is_referred_to() else ""
        serializer = self.get_request_serializer()
        nests = bool(getattr(getattr(serializer, "Meta", None), "relations", ()))
        meanings = [MEANINGS.get(self.action, ""), RELATIONS.get(self.action, "") if nests else ""]
        return " ".join(filter(None, meanings))

    @staticmethod
    def _is_ours(action: Any) -> bool:
        return not getattr(action, "__module__", "rest_framework").startswith("rest_framework")

    def _view_words(self) -> str:
        return str(super().get_description()) if not self._is_resource else self.view.__doc__ or ""

    # Who may

    def _allows(self, user: Any) -> bool:
        request: Any = SimpleNamespace(method=self.method, user=user)
        return all(
            permission.has_permission(request, self.view)
            for permission in self.view.get_permissions()
        )

    @property
    def _is_public(self) -> bool:
        return self._allows(AnonymousUser())

    def _roles(self) -> list[str]:
        user: Any = get_user_model()
        return [role.value for role in user.Role if self._allows(user(role=role))]

    def _who_may(self) -> str:
        roles = self._roles()
        if self._is_public:
            return "Everyone may."
        if len(roles) == len(get_user_model().Role):
            return "Who is logged in may."
        return f"May be called by: {', '.join(roles)}."

    def get_auth(self) -> list[Any]:
        return [] if self._is_public else super().get_auth()

    # Parameters

    def _get_parameters(self) -> list[Any]:
        parameters: list[Any] = super()._get_parameters()  # type: ignore[no-untyped-call]
        return sorted(parameters, key=_place_of)

    def get_override_parameters(self) -> list[Any]:
        known: frozenset[str] = getattr(self.view, "query_parameters", frozenset())
        if "fields" not in known or self.method == "DELETE":
            return []
        serializer: Any = self.get_response_serializers()
        name = self._get_serializer_name(serializer, "response")
        properties = [each for each, field in serializer.fields.items() if not field.write_only]
        choices = self._choices(f"{name}Property", properties)
        parameters = [
            _list_parameter("fields", choices, "Answer with these properties alone."),
            _list_parameter("omit", choices, "Answer without these properties."),
        ]
        if expandable := list(getattr(serializer.Meta, "expandable", ())):
            choices = self._choices(f"{name}Expandable", expandable)
            words = "Answer with these properties too."
            parameters.append(_list_parameter("expand", choices, words))
        return parameters

    def _choices(self, name: str, choices: list[str]) -> dict[str, Any]:
        # Generators make members of an enum from these: `name` is none in Kotlin.
        names = [each.upper() for each in choices]
        return self._component(name, {"type": "string", "enum": choices, "x-enum-varnames": names})

    def _resolve_path_parameters(self, variables: Any) -> list[Any]:
        parameters: list[Any] = super()._resolve_path_parameters(variables)  # type: ignore[no-untyped-call]
        for parameter in parameters:
            name = parameter["name"]
            owner = name.removesuffix("_id")
            if name in ("id", "sid"):
                owner = self.view.queryset.model._meta.verbose_name
            parameter["description"] = f"The id of the {owner}."
            if parameter["schema"]["type"] == "integer":
                parameter["example"] = 1
        return parameters

    def _get_filter_parameters(self) -> list[Any]:
        parameters: list[Any] = super()._get_filter_parameters()  # type: ignore[no-untyped-call]
        is_ranked = any(each["name"] == "search" for each in parameters)
        for parameter in parameters:
            if parameter["name"] == "ordering":
                given = "it or `search`" if is_ranked else "it"
                default = f"`{self.view.ordering[0]}` unless {given} is given."
                parameter["description"] = f"{default} {parameter['description']}"
                serializer = self.get_response_serializers()
                name = self._get_serializer_name(serializer, "response")
                choices = parameter["schema"]["enum"]
                # Generators make members of an enum from these: `name` is none in Kotlin.
                schema = {**parameter["schema"], "x-enum-varnames": [*map(_order, choices)]}
                parameter["schema"] = self._component(f"{name}Ordering", schema)
        return parameters

    def _shared(self, parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The parameters, those that many operations have as references."""
        paging = {"cursor": "Cursor", "page_size": "PageSize", "count": "Count"}
        own = getattr(self.view, "query_parameters", ())
        what = self._get_serializer_name(self.get_response_serializers(), "response") if own else ""
        shared = {**paging, **{name: what + name.capitalize() for name in own}}
        return [
            self._component(shared[each["name"]], each, ResolvedComponent.PARAMETER)
            if each["name"] in shared
            else each
            for each in parameters
        ]

    def _component(
        self, name: str, schema: dict[str, Any], kind: str = ResolvedComponent.SCHEMA
    ) -> dict[str, Any]:
        """A reference to the component of this name, which all operations share."""
        component = ResolvedComponent(name=name, type=kind, schema=schema, object=name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        if self.registry[component].schema != schema:
            warn(f"Two different schemas are called {name}.")
        return dict(component.ref)

    # Bodies

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        schema.pop("description", None)
        is_item = isinstance(serializer, ItemSerializer) and not serializer.fields["id"].read_only
        if doc := vars(type(serializer)).get("__doc__"):
            schema["description"] = " ".join(doc.split())
        elif is_item and direction == "request":
            schema["description"] = ITEM
        if direction == "response" and isinstance(serializer, ModelSerializer):
            # They are always sent, also those that a request may leave out.
            expandable = getattr(serializer.Meta, "expandable", ())
            schema["required"] = [name for name in schema["properties"] if name not in expandable]
        elif is_item:
            # What a new one needs, one that is named by its id does not.
            schema.pop("required", None)
        return schema

    def get_examples(self) -> list[Any]:
        return EXAMPLES.get(self.get_operation_id(), [])

    def examples_of(self, action: str) -> list[Any]:
        """The examples of what a resource's `create` or `partial_update` takes."""
        return EXAMPLES.get(self._name(action, self.view.basename.split("-")), [])

    # Answers

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation.setdefault("security", [])
        if "requestBody" in operation:
            # Where it may be left out, some generated clients put it last of all arguments.
            operation["requestBody"]["required"] = True
        if "parameters" in operation:
            operation["parameters"] = self._shared(operation["parameters"])
        responses = operation["responses"]
        for status, response in responses.items():
            if not response.get("description") or "content" not in response:
                response["description"] = SUCCESSES[status]
        if self._is_create_operation() and hasattr(self.view, "basename"):
            responses["201"]["headers"] = {
                "Location": {
                    "description": "The URL of what is created.",
                    "schema": {"type": "string", "format": "uri"},
                }
            }
        for status in sorted(self._problem_statuses()):
            responses[str(status)] = self._problem_response(status)
        return operation

    def _problem_response(self, status: int) -> dict[str, Any]:
        self._component("Fault", FAULT)
        schema = self._component("Problem", PROBLEM)
        response = {
            "description": DESCRIPTIONS[status],
            **({"headers": HEADERS[status]} if status in HEADERS else {}),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        return self._component(NAMES_OF_PROBLEMS[status], response, ResolvedComponent.RESPONSE)

    def _problem_statuses(self) -> set[int]:
        # Any of them can be malformed, or ask for an answer in a format that there is not.
        statuses = {400, 406, *getattr(self.view, "problem_statuses", ())}
        if self.method in ("POST", "PUT", "PATCH") and self._get_request_body():  # type: ignore[no-untyped-call]
            statuses |= {411, 413, 415}
            if self._can_conflict():
                statuses.add(409)
        if "{" in self.path:
            statuses.add(404)
        if self.view.get_authenticators():
            # A token that has expired is refused where none is needed, too.
            statuses.add(401)
            if not self._is_public and self.method not in SAFE_METHODS:
                # Of a role that may not, or of a session without its CSRF token.
                statuses.add(403)
            elif not self._is_public and len(self._roles()) < len(get_user_model().Role):
                statuses.add(403)
        if self.method == "DELETE" and self._is_referred_to():
            statuses.add(409)
        return statuses

    def _can_conflict(self) -> bool:
        """Whether a write can meet what is stored: a unique value, or an id that is no more."""
        serializer: Any = self.get_request_serializer()
        serializer = serializer() if isinstance(serializer, type) else serializer
        if not isinstance(serializer, ModelSerializer):
            return False
        if getattr(serializer.Meta, "relations", ()):
            return True
        model: Any = serializer.Meta.model
        meta = model._meta
        # What is made from another field is as unique as that.
        unique = {
            getattr(field, "source", field.name)
            for field in meta.get_fields()
            if getattr(field, "unique", False)
        }
        unique |= {
            name
            for constraint in meta.constraints
            if isinstance(constraint, UniqueConstraint)
            for name in constraint.fields
        }
        writable = {name for name, field in serializer.fields.items() if not field.read_only}
        return bool(unique & writable)

    def _is_referred_to(self) -> bool:
        """Whether rows that refer to this one keep it from being deleted."""
        model = self.view.queryset.model
        return any(
            getattr(field, "on_delete", None) is PROTECT for field in model._meta.related_objects
        )


def _order(choice: str) -> str:
    """What code calls an ordering: BY_NAME, or BY_NAME_DESCENDING for `-name`."""
    return f"BY_{choice.removeprefix('-').upper()}" + "_DESCENDING" * choice.startswith("-")


def _place_of(parameter: dict[str, Any]) -> int:
    # Some generated functions take them by position, so a new filter comes last.
    if parameter["in"] == "path":
        return -1
    name = parameter["name"]
    return COMMON_PARAMETERS.index(name) if name in COMMON_PARAMETERS else len(COMMON_PARAMETERS)


def _list_parameter(name: str, items: dict[str, Any], description: str) -> OpenApiParameter:
    """Some of these choices, separated by commas."""
    schema = {"type": "array", "items": items, "minItems": 1}
    return OpenApiParameter(name, schema, description=description, style="form", explode=False)
