"""The bodies of requests, and the properties of all bodies."""

from typing import Any, Literal

from drf_spectacular.utils import OpenApiExample
from rest_framework.serializers import ListField, ModelSerializer

from project.api.lists.parameters import Schema
from project.api.serializers import ItemSerializer
from project.api.viewsets import MergeSerializer, NestedViewSet
from project.api.writes.bulk_items import ADDRESS, MAX_ITEMS, METHODS

from .examples import EXAMPLES, in_bulk, least_of
from .names import Names, paragraphs
from .operations import AnySerializer, of_meta

WITH_A_BODY = ("POST", "PUT", "PATCH")
ITEM = (
    "With an `id`, a stored object, which the other properties change. Without an `id`, a new "
    "object."
)


class Bodies(Names):
    def get_request_serializer(self) -> AnySerializer:
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

    def get_serializer_name(
        self, serializer: AnySerializer, direction: Literal["request", "response"]
    ) -> str:
        """With the parent in front where the body leaves to the path what the parent is."""
        name = str(super().get_serializer_name(serializer, direction))
        is_short = direction == "request" and self._said_by_path(serializer)
        return f"{self.view.parent_link.model.__name__}{name}" if is_short else name

    def _said_by_path(self, serializer: AnySerializer) -> set[str]:
        """The properties of the operation's own body that could only repeat the path."""
        view = self.view
        if not isinstance(view, NestedViewSet):
            return set()
        own = view.get_serializer_class()
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
            words = paragraphs(serializer.Meta.model.__doc__)
            # Django gives the fields of a model that has no words of its own.
            if words and not words[0].startswith(f"{serializer.Meta.model.__name__}("):
                schema["description"] = words[0]
        if direction == "response" and isinstance(serializer, ModelSerializer):
            # They are always sent, also those that a request may leave out.
            expandable = of_meta(serializer, "expandable")
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
