"""What an operation answers: bodies, headers, and the problems that it can meet."""

from copy import deepcopy

from django.db.models import Model, UniqueConstraint
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import mixins
from rest_framework.permissions import SAFE_METHODS
from rest_framework.serializers import ModelSerializer

from project.api.http.preconditions import OVERWRITES, UNSAFE, ConditionalWrites
from project.api.http.problems import MEDIA_TYPE
from project.api.http.replicas import ReplicaReads
from project.api.lists.parameters import Schema
from project.api.viewsets import ResourceViewSet
from project.api.writes.bulk_items import METHODS
from project.api.writes.former_keys import is_mergeable

from .bodies import WITH_A_BODY, Bodies
from .operations import AnySerializer, of_meta, single
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
from .wording import success

RESULT = (
    "What has become of an item: the `status` that it would be answered with at its own URL, the "
    "object as it is stored now, and the `problem` of one that is refused. With 412 there are both."
)


class Responses(Bodies):
    def get_response_serializers(self) -> AnySerializer:
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
        serializer = single(self.get_request_serializer())
        if not isinstance(serializer, ModelSerializer):
            return False
        if of_meta(serializer, "relations"):
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
