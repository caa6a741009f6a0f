"""How a view becomes operations of the contract.

What a caller can't see from types is derived from the view, never declared a second time: the
names of operations, who may call them, and the problems that they answer with.
"""

import logging
from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any, Literal

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db.models import PROTECT, Model, UniqueConstraint
from django.http import HttpRequest
from drf_spectacular.drainage import error, warn
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent, force_instance
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import mixins
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer, ListField, ModelSerializer
from rest_framework.viewsets import ViewSetMixin

from project.api.http.preconditions import OVERWRITES, UNSAFE, ConditionalWrites
from project.api.http.problems import MEDIA_TYPE
from project.api.http.renderers import EXPORTS, PARTIAL_MEDIA_TYPE
from project.api.http.replicas import ReplicaReads
from project.api.links import LinkViewSet
from project.api.lists.parameters import CHOOSING, Schema, is_list
from project.api.relations import Owned
from project.api.serializers import ItemSerializer
from project.api.viewsets import (
    ItemViewSet,
    MergeSerializer,
    NestedViewSet,
    ResourceViewSet,
)
from project.api.writes.bulk_items import ADDRESS, MAX_ITEMS, METHODS
from project.api.writes.former_keys import is_mergeable

from .examples import EXAMPLES, in_bulk, least_of
from .problems import (
    DATABASE_POSITION,
    ENTITY_TAG,
    FAULT,
    HEADERS,
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_REPLAYED,
    IF_MATCH,
    IF_NONE_MATCH,
    MERGED,
    NOT_MODIFIED,
    POSITION_AFTER_WRITE,
    PROBLEM,
    description,
    name_of,
)
from .wording import (
    METHOD_SUMMARIES,
    METHOD_VERBS,
    VERBS,
    Resource,
    camel_case,
    role_requirement,
    success,
)

logger = logging.getLogger(__name__)

# What a generic view does in answer to a method, by the mixin that it has this from
MIXINS: dict[str, list[tuple[type, str]]] = {
    "GET": [(mixins.ListModelMixin, "list"), (mixins.RetrieveModelMixin, "retrieve")],
    "POST": [(mixins.CreateModelMixin, "create")],
    "PUT": [(mixins.UpdateModelMixin, "update")],
    "PATCH": [(mixins.UpdateModelMixin, "partial_update")],
    "DELETE": [(mixins.DestroyModelMixin, "destroy")],
}
# What a viewset of links does in answer to PUT and DELETE
LINK_ACTIONS = {"update": "link", "destroy": "unlink"}
WITH_A_BODY = ("POST", "PUT", "PATCH")
# In this order they come before a list's filters.
COMMON_PARAMETERS = [
    *("cursor", "page_size", "count"),
    *("ordering", "search", "exact"),
    *("fields", "omit", "expand"),
]
EXPORT = (
    "Who is logged in gets all of it, not a page, as `text/csv` or `application/x-ndjson`, by "
    "`Accept` or by `format`. Where as many exports are under way as there may be at once, the "
    "answer is 503 `busy`."
)
PARTIAL = f"as `{PARTIAL_MEDIA_TYPE}`."
RESULT = (
    "What has become of an item: the `status` that it would be answered with at its own URL, the "
    "object as it is stored now, and the `problem` of one that is refused. With 412 there are both."
)
ITEM = (
    "With an `id`, a stored object, which the other properties change. Without an `id`, a new "
    "object."
)


class AutoSchema(SpectacularAutoSchema):
    view: Any

    def get_operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        """The operation; None, with an error in the log, where a view cannot be described.

        Whatever goes wrong in code of a view that is called without a request, its serializer's or
        its permissions', costs that operation its place in the contract, and no other. `make
        schema` fails and names it.
        """
        registry: ComponentRegistry = kwargs.get("registry", args[-1])
        whole = dict(registry._components)
        try:
            return self._operation(*args, **kwargs)
        except Exception as exception:
            # What was begun for it.
            registry._components = whole
            here = f"{self.method} {self.path}"
            logger.exception("%s is left out of the contract.", here)
            error(f"{here} is left out of the contract: {exception!r}")
            return None

    @property
    def action(self) -> str:
        """What a viewset or a mixin calls this operation; of another view, its method."""
        if isinstance(self.view, ViewSetMixin):
            action = str(self.view.action)
            return LINK_ACTIONS.get(action, action) if self._is_link else action
        for mixin, action in MIXINS.get(self.method, ()):
            if isinstance(self.view, mixin):
                return action
        return self.method.lower()

    @property
    def _is_resource(self) -> bool:
        """Whether the operation is one of those that REST framework has for a resource."""
        return self.action in VERBS

    @property
    def _is_bulk(self) -> bool:
        return self.action == "bulk" and isinstance(self.view, ResourceViewSet)

    @property
    def _is_link(self) -> bool:
        return isinstance(self.view, LinkViewSet)

    @property
    def _is_merge(self) -> bool:
        return self.action == "merge" and isinstance(self.view, ResourceViewSet)

    @property
    def _may_be_merged(self) -> bool:
        """Whether what the URL names may have gone into another object."""
        if not isinstance(self.view, ResourceViewSet):
            return False
        parents = [self.view.parent_link.model] if isinstance(self.view, NestedViewSet) else []
        own = [self._model] if self.view.detail and self._model is not None else []
        return any(map(is_mergeable, [*parents, *own]))

    @property
    def _is_exported(self) -> bool:
        return any(isinstance(each, EXPORTS) for each in self.view.get_renderers())

    @property
    def _handler(self) -> Any:
        is_viewset = isinstance(self.view, ViewSetMixin)
        return getattr(self.view, self.view.action if is_viewset else self.method.lower(), None)

    @property
    def _extra_action(self) -> Any:
        """The function under `@action` that makes this operation's URL, if one does."""
        if not isinstance(self.view, ViewSetMixin):
            return None
        extra: list[Any] = type(self.view).get_extra_actions()
        return next((each for each in extra if self.action in each.mapping.values()), None)

    @property
    def _path_words(self) -> list[str]:
        return [word for word in self._tokenize_path() if word != "api"]

    @property
    def _model(self) -> type[Model] | None:
        model: type[Model] | None = getattr(getattr(self.view, "queryset", None), "model", None)
        if model is None:
            serializer_class = getattr(self.view, "serializer_class", None)
            model = getattr(getattr(serializer_class, "Meta", None), "model", None)
        return model

    @property
    def _answered(self) -> Any:
        """The serializer of the objects, one or many, that are answered; None of other answers."""
        serializer = self._serializer() if self._is_bulk else self.get_response_serializers()
        if isinstance(serializer, Mapping) and serializer:
            serializer = serializer[min(serializer, key=str)]
        return _single(serializer)

    @property
    def _resource(self) -> Resource:
        parent = getattr(self.view, "parent_name", None)
        noun, plural = self._nouns()
        relations = _of_meta(self._answered, "relations")
        return Resource(
            noun,
            plural,
            parent,
            is_named="{" in self.path.replace(f"{{{parent}_id}}", ""),
            nests=bool(relations),
            owned=tuple(each.name.replace("_", " ") for each in relations if type(each) is Owned),
            is_shared=parent is not None and not isinstance(self.view, ItemViewSet),
            is_referred_to=self._is_referred_to(),
        )

    def _nouns(self) -> tuple[str, str]:
        if self._model is not None:
            meta = self._model._meta
            return str(meta.verbose_name), str(meta.verbose_name_plural)
        words = [word.replace("-", " ").replace("_", " ") for word in self._path_words] or [
            "result"
        ]
        basename = str(getattr(self.view, "basename", None) or words[-1])
        return basename.rpartition("-")[2].replace("_", " "), words[-1]

    # What it is called

    def get_operation_id(self) -> str:
        words = self._path_words
        if not isinstance(self.view, ViewSetMixin):
            variables = [name for name in self._variables() if name not in words]
            by = ["by", *variables] if variables else []
            return camel_case(VERBS.get(self.action) or METHOD_VERBS[self.method], *words, *by)
        *parents, one = (getattr(self.view, "basename", None) or "-".join(words) or "root").split(
            "-"
        )
        if self.action == "list" and words:
            return self._name(self.action, [*(parents if len(words) > 1 else ()), words[-1]])
        if self._is_bulk:
            return camel_case(VERBS["bulk"], words[-2])
        if self._is_resource:
            return self._name(self.action, [*parents, one])
        extra = self._extra_action
        verbs = [self.action]
        if extra is not None and [*extra.mapping.values()].count(self.action) > 1:
            verbs = [METHOD_VERBS[self.method], self.action]
        if extra is None or extra.detail:
            return camel_case(*verbs, *parents, one)
        own = len([word for word in extra.url_path.split("/") if word and word[0] not in "<("])
        return camel_case(*verbs, *parents, *(words[: len(words) - own][-1:] or [one]))

    def _variables(self) -> list[str]:
        return [part.strip("{}") for part in self.path.split("/") if part.startswith("{")]

    @staticmethod
    def _name(action: str, nouns: list[str]) -> str:
        return camel_case(VERBS[action], *(noun.lower() for noun in nouns))

    def get_summary(self) -> str | None:
        if self._is_resource:
            return self._resource.summary(self.action)
        name = str(self.view.get_view_name()).capitalize()
        methods = {*self.view.allowed_methods} - {"HEAD", "OPTIONS"}
        if extra := self._extra_action:
            methods = {method for method, name in extra.mapping.items() if name == self.action}
            name = self.action.replace("_", " ").capitalize()
            if self.action == extra.__name__:
                name = str(extra.kwargs.get("name", name))
        if len(methods) == 1:
            return name
        return f"{METHOD_SUMMARIES[self.method]} {name[:1].lower()}{name[1:]}"

    def get_tags(self) -> list[str]:
        return self._path_words[:1]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """What the operation does, by its own docstring or in our words, then who may.

        Of a class's docstring the first paragraph says what there is, and so describes the list;
        what follows holds for whatever changes it.
        """
        first, *notes = _paragraphs(type(self.view).__doc__) or [""]
        if words := self._own_words():
            notes = []
        elif not self._is_resource:
            words = [first or f"{self.get_summary()}."]
        elif first and (self.action == "list" or self._is_only_one):
            words = [first]
        else:
            words = [self._resource.meaning(self.action)]
        if self.action == "list" and self._is_exported:
            words.append(EXPORT)
        if self._is_resource and self.method in SAFE_METHODS and not self._is_only_one:
            notes = []
        who = [self._who_may()] if self.view.get_authenticators() else []
        return "\n\n".join([*words, *notes, *who])

    @property
    def _is_only_one(self) -> bool:
        """Whether it gives an object that the path does not choose, as one's own account."""
        return self.action == "retrieve" and "{" not in self.path

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Also an action that filters and pages, unless it says that it answers something else."""
        answer = self.get_response_serializers() if serializer is None else serializer
        is_own = not self._is_resource and isinstance(answer, BaseSerializer)
        return (is_own and is_list(self.view)) or bool(super()._is_list_view(serializer))

    def _own_words(self) -> list[str]:
        """The docstring of the operation itself, unless it speaks of every view's."""
        module = getattr(self._handler, "__module__", "rest_framework")
        general = module.startswith(("rest_framework", "project.api."))
        return [] if general else _paragraphs(self._handler.__doc__)

    # Who may

    def _allows(self, user: Any) -> bool | None:
        """Whether the view's permissions let this user in; None if it depends on the request."""
        request = Request(HttpRequest())
        request._request.method = self.method
        request.user, request.auth = user, None
        try:
            return all(
                permission.has_permission(request, self.view)
                for permission in self.view.get_permissions()
            )
        except APIException:
            return False
        except Exception:  # noqa: BLE001
            # A rule about what is asked for finds nothing here, and fails in whatever way it likes.
            return None

    @property
    def _is_public(self) -> bool:
        return self._allows(AnonymousUser()) is True

    def _roles(self) -> dict[str, bool | None]:
        """Of each role, whether the view's permissions let it in."""
        user = get_user_model()
        return {role.value: self._allows(user(role=role)) for role in user.Role}

    def _who_may(self) -> str:
        roles = self._roles()
        if self._is_public:
            words = "Requires no login."
        elif None in roles.values():
            words = "Whether it is allowed depends on the request."
        else:
            allowed = [role for role, may in roles.items() if may]
            words = role_requirement(allowed, len(roles))
        if self._may_refuse_objects():
            words += " Whether it is allowed depends on the object, too."
        return words

    def _may_refuse_objects(self) -> bool:
        return "{" in self.path and any(
            type(each).has_object_permission is not BasePermission.has_object_permission
            for each in self.view.get_permissions()
        )

    def get_auth(self) -> list[Schema]:
        return [] if self._is_public else super().get_auth()

    # Parameters

    def _get_parameters(self) -> list[Schema]:
        return sorted(super()._get_parameters(), key=_place_of)

    def map_renderers(self, attribute: str) -> list[object]:
        """Without exports, which words tell of: clients would take a page for a text as well."""
        exported = {getattr(each, attribute) for each in EXPORTS}
        return [each for each in super().map_renderers(attribute) if each not in exported]

    def get_override_parameters(self) -> list[Any]:
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
        if expandable := list(_of_meta(serializer, "expandable")):
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

    def _component(self, name: str, schema: Schema, kind: str = ResolvedComponent.SCHEMA) -> Schema:
        """A reference to the component of this name, which all operations share."""
        component = ResolvedComponent(name=name, type=kind, schema=schema, object=name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        if self.registry[component].schema != schema:
            warn(f"Two different schemas are called {name}.")
        return dict(component.ref)

    @property
    def _is_chosen_from(self) -> bool:
        """Whether `fields` and `omit` choose the properties of the answer."""
        known: frozenset[str] = getattr(self.view, "list_parameters", frozenset())
        return known >= CHOOSING and self.method in SAFE_METHODS

    def _partial(self, schema: Schema) -> Schema:
        """The schema of the same answer where each object has but some of its properties."""
        if "items" in schema:
            return {**schema, "items": self._partial(schema["items"])}
        if "$ref" not in schema:
            return schema
        name = schema["$ref"].rpartition("/")[2]
        whole = self.registry._components[name, ResolvedComponent.SCHEMA].schema
        if "results" in whole.get("properties", {}):
            results = self._partial(whole["properties"]["results"])
            part = {**whole, "properties": {**whole["properties"], "results": results}}
        else:
            part = {key: each for key, each in whole.items() if key != "required"}
            part["description"] = f"Some properties of a `{name}`, by `fields` or `omit`."
        return self._component(f"Partial{name}", deepcopy(part))

    # Bodies

    def _serializer(self, **kwargs: object) -> Any:
        """The resource's own, of whatever operation."""
        return self.view.get_serializer_class()(**kwargs)

    def get_request_serializer(self) -> Any:
        if self._is_link:
            return None
        if self._is_merge:
            return MergeSerializer
        if not self._is_bulk:
            return super().get_request_serializer()
        serializer = self._serializer()
        name = self._get_serializer_name(serializer, "response")
        address = {
            each: self._map_serializer_field(field, "request")  # type: ignore[no-untyped-call]
            for each, field in ADDRESS.items()
        }
        changes = self._map_serializer(self._serializer(partial=True), "request")  # type: ignore[no-untyped-call]
        changes.pop("required", None)
        changes["properties"] = {**changes["properties"], **address}
        items = {
            "create": dict(self.resolve_serializer(serializer, "request").ref),
            "update": self._component(f"{name}BulkUpdateRequest", changes),
            "delete": self._component(
                "BulkDeleteRequest",
                {
                    "type": "object",
                    "description": "The object to delete, by its `id` or its `uid`.",
                    "properties": address,
                },
            ),
        }
        lists = {
            each: {"type": "array", "maxItems": MAX_ITEMS, "items": items[each]}
            for each, method in reversed(METHODS.items())
            if method.lower() in self.view.http_method_names
        }
        words = {"description": "Whether each item stands alone; false if left out."}
        partial = {"type": "boolean", **words}
        body = {"type": "object", "properties": {**lists, "partial": partial}}
        return {"application/json": self._component(f"{name}BulkRequest", body)}

    def get_response_serializers(self) -> Any:
        if self._is_link:
            return {204: None}
        if not self._is_bulk:
            return super().get_response_serializers()
        serializer = self._serializer()
        name = self._get_serializer_name(serializer, "response")
        self._component("Fault", FAULT)
        result = {
            "type": "object",
            "description": RESULT,
            "required": ["status"],
            "properties": {
                "status": {"type": "integer", "minimum": 200, "maximum": 499},
                "document": dict(self.resolve_serializer(serializer, "response").ref),
                "problem": self._component("Problem", PROBLEM),
            },
        }
        results = {"type": "array", "items": self._component(f"{name}BulkResult", result)}
        lists = dict.fromkeys(reversed(METHODS), results)
        answer = {"type": "object", "required": [*lists], "properties": lists}
        return {200: self._component(f"{name}Bulk", answer)}

    def get_serializer_name(
        self, serializer: Any, direction: Literal["request", "response"]
    ) -> str:
        """With the parent in front where the body leaves to the path what the parent is."""
        name = str(super().get_serializer_name(serializer, direction))
        is_short = direction == "request" and self._said_by_path(serializer)
        return f"{self.view.parent_link.model.__name__}{name}" if is_short else name

    def _said_by_path(self, serializer: Any) -> set[str]:
        """The properties of the operation's own body that could only repeat the path."""
        view = self.view
        if not isinstance(view, NestedViewSet):
            return set()
        own: Any = view.get_serializer_class()
        if type(serializer) is not own:
            return set()
        relation: Any = view.parent_link.relation
        key = relation.key if relation else f"{view.parent_name}_id"
        field = serializer.fields.get(key)
        if field is None or field.read_only or isinstance(field, ListField):
            return set()
        return {key, relation.name} if relation else {key}

    def _map_basic_serializer(self, serializer: object, direction: object) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        schema.pop("description", None)
        if direction == "request":
            for name in self._said_by_path(serializer):
                schema["properties"].pop(name, None)
                if name in schema.get("required", ()):
                    schema["required"].remove(name)
        is_item = (
            isinstance(serializer, ItemSerializer)
            and "id" in serializer.fields
            and not serializer.fields["id"].read_only
        )
        if doc := vars(type(serializer)).get("__doc__"):
            schema["description"] = " ".join(doc.split())
        elif is_item and direction == "request":
            schema["description"] = ITEM
        elif direction == "response" and isinstance(serializer, ModelSerializer):
            words = _paragraphs(serializer.Meta.model.__doc__)
            # Django gives the fields of a model that has no words of its own.
            if words and not words[0].startswith(f"{serializer.Meta.model.__name__}("):
                schema["description"] = words[0]
        if direction == "response" and isinstance(serializer, ModelSerializer):
            # They are always sent, also those that a request may leave out.
            expandable = _of_meta(serializer, "expandable")
            names = schema.get("properties", {})
            schema["required"] = [name for name in names if name not in expandable]
        elif is_item:
            # What a new one needs, one that is named by its id does not.
            schema.pop("required", None)
        return schema

    def get_examples(self) -> list[OpenApiExample]:
        if self.get_operation_id() in EXAMPLES or self.method not in WITH_A_BODY:
            return EXAMPLES.get(self.get_operation_id(), [])
        if self._is_bulk:
            serializer = self._serializer()
            create = self.examples_of("create") or least_of(serializer)
            return [in_bulk(each) for each in create[:1]]
        serializer = self.get_request_serializer()
        return least_of(serializer) if isinstance(serializer, ModelSerializer) else []

    def examples_of(self, action: str) -> list[OpenApiExample]:
        """The examples of what a resource's `create` or `partial_update` takes."""
        basename = getattr(self.view, "basename", None)
        return EXAMPLES.get(self._name(action, basename.split("-")), []) if basename else []

    # Answers

    def _operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation.setdefault("security", [])
        if "requestBody" in operation:
            # Where it may be left out, some generated clients put it last of all arguments.
            operation["requestBody"]["required"] = True
        conditions = self._conditions()
        if conditions or "parameters" in operation:
            parameters = operation.get("parameters", [])
            # A filter comes last.
            place = sum(_place_of(each) < len(COMMON_PARAMETERS) for each in parameters)
            parameters = self._shared(parameters)
            operation["parameters"] = [*parameters[:place], *conditions, *parameters[place:]]
        responses = operation["responses"]
        for status, response in responses.items():
            if not response.get("description") or "content" not in response:
                response["description"] = self._success(status)
        if "201" in responses and self._says_where:
            responses["201"].setdefault("headers", {})["Location"] = {
                "description": "The URL of what is created.",
                "schema": {"type": "string", "format": "uri"},
            }
        content = responses.get("200", {}).get("content", {})
        if self._is_chosen_from and "application/json" in content:
            schema = self._partial(content["application/json"]["schema"])
            content[PARTIAL_MEDIA_TYPE] = {"schema": schema}
        self._tag(responses)
        for status in sorted(self._problem_statuses()):
            responses[str(status)] = self._problem_response(status)
        return operation

    def _success(self, status: str) -> str:
        if self._is_resource and status in ("200", "201", "204"):
            return self._resource.answer(self.action)
        return success(status)

    @property
    def _says_where(self) -> bool:
        """Whether what is created is answered with its URL."""
        headers = getattr(type(self.view), "get_success_headers", None)
        own = headers is not mixins.CreateModelMixin.get_success_headers
        return self.action == "create" and (isinstance(self.view, ResourceViewSet) or own)

    # Conditions

    @property
    def _root_path(self) -> str | None:
        """As ConditionalWrites has it; None of any other view, too."""
        is_conditional = isinstance(self.view, ConditionalWrites)
        return self.view.root_path if is_conditional else None

    @property
    def _takes_if_match(self) -> bool:
        is_for_one = bool(getattr(self.view, "detail", False))
        return is_for_one and self.method in UNSAFE and self._root_path is not None

    @property
    def _has_tag(self) -> bool:
        """Whether what a GET gives has an ETag: not what nobody may keep."""
        return self.method == "GET" and not getattr(self.view, "never_stored", False)

    @property
    def _takes_key(self) -> bool:
        is_kept = not getattr(self.view, "never_stored", False)
        return self.method in UNSAFE and is_kept and bool(self.view.get_authenticators())

    def _conditions(self) -> list[Schema]:
        """The headers that make the request depend on what is stored, as parameters."""
        known = {"IfMatch": IF_MATCH} if self._takes_if_match else {}
        known |= {"IfNoneMatch": IF_NONE_MATCH} if self._has_tag else {}
        known |= {"IdempotencyKey": IDEMPOTENCY_KEY} if self._takes_key else {}
        if self.method == "GET" and isinstance(self.view, ReplicaReads):
            known["DatabasePosition"] = DATABASE_POSITION
        return [
            self._component(name, each, ResolvedComponent.PARAMETER) for name, each in known.items()
        ]

    def _tag(self, responses: Schema) -> None:
        """Say which answers have an ETag and need not be sent again, which are replayed, and which
        say how far the database is."""
        if self.method in UNSAFE:
            position = self._component(
                "DatabasePosition", POSITION_AFTER_WRITE, ResolvedComponent.HEADER
            )
            for response in responses.values():
                response.setdefault("headers", {})["X-Database-Position"] = position
        if self._takes_key:
            replayed = self._component(
                "IdempotencyReplayed", IDEMPOTENCY_REPLAYED, ResolvedComponent.HEADER
            )
            for response in responses.values():
                response.setdefault("headers", {})["Idempotency-Replayed"] = replayed
        is_one = self._root_path is not None and not self._is_bulk
        is_written = self.method in UNSAFE and is_one
        if not (self._has_tag or is_written):
            return
        header = self._component("ETag", ENTITY_TAG, ResolvedComponent.HEADER)
        for status, response in responses.items():
            if (status in ("200", "201") and "content" in response) or (
                status == "204" and self._is_link
            ):
                response.setdefault("headers", {})["ETag"] = header
        if self._has_tag:
            unchanged = {**NOT_MODIFIED, "headers": {"ETag": header}}
            responses["304"] = self._component("NotModified", unchanged, ResolvedComponent.RESPONSE)
        if self._may_be_merged and self.method == "GET":
            responses["308"] = self._component("Merged", MERGED, ResolvedComponent.RESPONSE)

    def _problem_response(self, status: int) -> Schema:
        self._component("Fault", FAULT)
        schema = self._component("Problem", PROBLEM)
        response = {
            "description": description(status),
            **({"headers": HEADERS[status]} if status in HEADERS else {}),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        return self._component(name_of(status), response, ResolvedComponent.RESPONSE)

    def _problem_statuses(self) -> set[int]:
        # Each of them can be malformed, or ask for an answer in a format that there is not.
        statuses = {400, 406, *getattr(self.view, "problem_statuses", ())}
        for permission in self.view.get_permissions():
            statuses.update(getattr(permission, "problem_statuses", ()))
        if self.view.get_authenticators() or hasattr(self.view, "get_queryset"):
            # It asks the database, which can be away.
            statuses.add(503)
        if self.method in WITH_A_BODY and self._get_request_body():  # type: ignore[no-untyped-call]
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
            elif self._may_refuse_objects() or not (self._is_public or all(self._roles().values())):
                statuses.add(403)
        if self.method == "DELETE" and self._is_referred_to():
            statuses.add(409)
        if self._takes_if_match:
            overwrites = self.method in OVERWRITES or self.action in self.view.overwriting_actions
            statuses |= {412, 428} if overwrites else {412}
        if self._may_be_merged and self.method in UNSAFE:
            statuses.add(410)
        if self._is_merge:
            statuses.add(409)
        if self._is_bulk:
            statuses |= {404, 409, 412, 428}
            statuses |= {410} if is_mergeable(self.view.queryset.model) else set()
        if self._takes_key:
            statuses |= {409, 422}
        return statuses

    def _can_conflict(self) -> bool:
        """Whether a write can meet what is stored: a unique value, or an id that is no more."""
        serializer = _single(self.get_request_serializer())
        if not isinstance(serializer, ModelSerializer):
            return False
        if _of_meta(serializer, "relations"):
            return True
        model: type[Model] = serializer.Meta.model
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
        if self.action != "create":
            # It never changes, and so is refused for what it is.
            writable.discard("uid")
        return bool(unique & writable)

    def _is_referred_to(self) -> bool:
        """Whether rows that refer to this one keep it from being deleted."""
        return self._model is not None and any(
            getattr(field, "on_delete", None) is PROTECT
            for field in self._model._meta.related_objects
        )


def _single(serializer: object) -> Any:
    """An instance of the serializer, of its items where it is a list; None of what is none."""
    serializer = force_instance(serializer)  # type: ignore[no-untyped-call]
    serializer = getattr(serializer, "child", serializer)
    return serializer if isinstance(serializer, BaseSerializer) else None


def _of_meta(serializer: object, name: str) -> Collection[Any]:
    return getattr(getattr(serializer, "Meta", None), name, ())


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(each.split()) for each in (text or "").split("\n\n") if each.strip()]


def _order(choice: str) -> str:
    """What code calls an ordering: BY_NAME, or BY_NAME_DESCENDING for `-name`."""
    return f"BY_{choice.removeprefix('-').upper()}" + "_DESCENDING" * choice.startswith("-")


def _place_of(parameter: Schema) -> int:
    # Some generated functions take them by position, so a new filter comes last.
    if parameter["in"] == "path":
        return -1
    name = parameter["name"]
    return COMMON_PARAMETERS.index(name) if name in COMMON_PARAMETERS else len(COMMON_PARAMETERS)


def _list_parameter(name: str, items: Schema, description: str) -> OpenApiParameter:
    """Some of these choices, separated by commas."""
    schema = {"type": "array", "items": items, "minItems": 1}
    return OpenApiParameter(name, schema, description=description, style="form", explode=False)
