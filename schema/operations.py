"""What a view does in answer to a method, and on what."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from django.db.models import PROTECT, Model
from drf_spectacular.drainage import warn
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance
from rest_framework import mixins
from rest_framework.permissions import SAFE_METHODS
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ViewSetMixin

from project.api.http.renderers import EXPORTS
from project.api.http.views import AnyView
from project.api.links import LinkViewSet
from project.api.lists.parameters import CHOOSING, Schema, is_list
from project.api.relations import Owned, RelatedSerializer
from project.api.viewsets import ItemViewSet, NestedViewSet, ResourceViewSet
from project.api.writes.former_keys import is_mergeable

from .wording import VERBS, Resource

# An instance or a class, or what stands for one: drf-spectacular has no types.
AnySerializer: TypeAlias = Any
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


class Operation(SpectacularAutoSchema):
    view: AnyView

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
    def _is_only_one(self) -> bool:
        """Whether it gives an object that the path does not choose, as one's own account."""
        return self.action == "retrieve" and "{" not in self.path

    @property
    def _is_chosen_from(self) -> bool:
        """Whether `fields` and `omit` choose the properties of the answer."""
        known: frozenset[str] = getattr(self.view, "list_parameters", frozenset())
        return known >= CHOOSING and self.method in SAFE_METHODS

    def _is_list_view(self, serializer: AnySerializer = None) -> bool:
        """Also an action that filters and pages, unless it says that it answers something else."""
        answer = self.get_response_serializers() if serializer is None else serializer
        is_own = not self._is_resource and isinstance(answer, BaseSerializer)
        return (is_own and is_list(self.view)) or bool(super()._is_list_view(serializer))

    @property
    def _handler(self) -> object:
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

    def _is_referred_to(self) -> bool:
        """Whether rows that refer to this one keep it from being deleted."""
        return self._model is not None and any(
            getattr(field, "on_delete", None) is PROTECT
            for field in self._model._meta.related_objects
        )

    def _serializer(self, **kwargs: object) -> RelatedSerializer:
        """The resource's own, of whatever operation."""
        serializer: RelatedSerializer = self.view.get_serializer_class()(**kwargs)
        return serializer

    @property
    def _answered(self) -> AnySerializer:
        """The serializer of the objects, one or many, that are answered; None of other answers."""
        serializer = self._serializer() if self._is_bulk else self.get_response_serializers()
        if isinstance(serializer, Mapping) and serializer:
            serializer = serializer[min(serializer, key=str)]
        return single(serializer)

    @property
    def _resource(self) -> Resource:
        parent = getattr(self.view, "parent_name", None)
        noun, plural = self._nouns()
        relations = of_meta(self._answered, "relations")
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

    def _component(self, name: str, schema: Schema, kind: str = ResolvedComponent.SCHEMA) -> Schema:
        """A reference to the component of this name, which all operations share."""
        component = ResolvedComponent(name=name, type=kind, schema=schema, object=name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        if self.registry[component].schema != schema:
            warn(f"Two different schemas are called {name}.")
        return dict(component.ref)


def single(serializer: object) -> AnySerializer:
    """An instance of the serializer, of its items where it is a list; None of what is none."""
    serializer = force_instance(serializer)  # type: ignore[no-untyped-call]
    serializer = getattr(serializer, "child", serializer)
    return serializer if isinstance(serializer, BaseSerializer) else None


def of_meta(serializer: object, name: str) -> Collection[Any]:
    return getattr(getattr(serializer, "Meta", None), name, ())
