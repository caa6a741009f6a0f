"""The serializers that every resource is made of: strict about types, open to nested writes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import cache, partial
from itertools import islice
from typing import Any, ClassVar

from django.db import models, router
from django.utils.module_loading import import_string
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ParseError
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.utils.model_meta import FieldInfo
from rest_framework.validators import UniqueValidator

from . import fields
from .databases.beside import Beside
from .documents.statements import (
    Document,
    Statement,
    Uncompilable,
    compile_statement,
    statement,
)
from .fields import SerializerField
from .http.problems import MAX_FAULTS
from .http.resources import find_partly_hidden, visible
from .http.views import AnyView
from .models import AnyRow, Attrs, ModelField, NameField
from .relations import (
    MAX_ITEMS,
    ItemList,
    RelatedKeyField,
    RelatedKeysField,
    RelatedSerializer,
    Relation,
    ReverseVia,
    relations_of,
)
from .writes import transactions
from .writes.items import Edit

# What REST framework asks a serializer for its fields: all that may have it answer otherwise than
# others of its class do.
FIELD_HOOKS = [
    name
    for name in dir(serializers.ModelSerializer)
    if name.startswith("build_") or name.endswith(("_field_names", "_extra_kwargs"))
]
# Of the fields in these modules, a copy is what a constructor would make of the same arguments; of
# serializers, where these make and copy them.
PLAIN_FIELDS = frozenset(
    each.__module__ for each in (serializers.CharField, fields.KeyField, RelatedKeyField)
)
# Whose fields make nothing of what is not given.
OWN_MODULES = ("rest_framework.", "project.api.")
PLAIN_SERIALIZERS = PLAIN_FIELDS | {serializers.Serializer.__module__}


class StrictSerializer(serializers.Serializer[Any]):
    """An unknown property is refused, so that a misspelt one is not lost in silence.

    A read-only one that comes back is ignored.
    """

    # The object of JSON that is being validated, if it is one.
    _given: Mapping[str, object] | None = None

    @property
    def _writable_fields(self) -> list[SerializerField]:
        """Without those that are not given and say nothing then, of which most bodies have many."""
        every, given = super()._writable_fields, self._given
        return [field for field in every if given is None or _counts(field, given)]

    def to_internal_value(self, data: object) -> object:
        unknown = {}
        if isinstance(data, Mapping):
            names = (name for name in data if name not in self.fields)
            # Of each of many items a few will do: REST framework copies them on every level.
            room = MAX_FAULTS if self.parent is None else MAX_FAULTS // 5
            unknown = {
                name: [ErrorDetail("There is no such property.", code="unknown")]
                for name in islice(names, room)
            }
        self._given = data if type(data) is dict else None
        try:
            attrs = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                error.detail.update(unknown)
            raise
        finally:
            self._given = None
        if unknown:
            raise serializers.ValidationError(unknown)
        return attrs


class StrictModelSerializer(StrictSerializer, RelatedSerializer):
    """What all serializers of models share.

    Uniqueness is judged by the write itself, on the final state.
    """

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: fields.StrictCharField,
        models.TextField: fields.ProseField,
        NameField: fields.NameField,
        models.EmailField: fields.StrictEmailField,
        models.URLField: fields.StrictURLField,
        models.AutoField: fields.StrictIntegerField,
        models.BigAutoField: fields.StrictIntegerField,
        models.IntegerField: fields.StrictIntegerField,
        models.PositiveIntegerField: fields.StrictIntegerField,
        models.PositiveSmallIntegerField: fields.StrictIntegerField,
        models.SmallIntegerField: fields.StrictIntegerField,
        models.BooleanField: fields.StrictBooleanField,
        models.UUIDField: fields.StrictUUIDField,
        models.DateField: fields.StrictDateField,
        models.DateTimeField: fields.TimestampField,
        models.FileField: fields.StoredFileField,
        models.ImageField: fields.StoredFileField,
    }
    serializer_choice_field = fields.StrictChoiceField
    # By class: what makes its fields, which belong to no serializer yet.
    _copies: ClassVar[dict[type, dict[str, Callable[[], Any]]]] = {}

    def get_fields(self) -> dict[str, SerializerField]:
        """As REST framework makes them, by copies of those that the first of its class had.

        To have them all made from the model anew takes 0.2 of the time of a nested POST.
        """
        cls = type(self)
        if not _has_fields_of_its_class(cls):
            return super().get_fields()
        if (copies := self._copies.get(cls)) is None:
            made = super().get_fields()
            copies = self._copies[cls] = {name: _copier(each) for name, each in made.items()}
        return {name: copy() for name, copy in copies.items()}

    def build_field(
        self, field_name: str, info: FieldInfo, model_class: type[models.Model], nested_depth: int
    ) -> Any:
        for relation in relations_of(self):
            if relation.key == field_name:
                return self.build_key_field(relation, model_class)
            if relation.name == field_name and isinstance(relation, ReverseVia):
                item = import_string(relation.serializer)
                return item, {"many": True, "required": False}
        return super().build_field(field_name, info, model_class, nested_depth)

    def build_key_field(self, relation: Relation, model_class: type[models.Model]) -> object:
        model_field = model_class._meta.get_field(relation.name)
        to_many = model_field.many_to_many or model_field.one_to_many
        if isinstance(relation, ReverseVia):
            return RelatedKeysField, {"read_only": True}
        if to_many:
            return RelatedKeysField, {"required": False, "max_length": MAX_ITEMS}
        nullable = model_field.null or model_field.auto_created
        return RelatedKeyField, {"required": False, "allow_null": nullable}

    def build_standard_field(
        self, field_name: str, model_field: ModelField
    ) -> tuple[type[SerializerField], Attrs]:
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        if issubclass(field_class, fields.StoredFileField):
            return field_class, {"read_only": True, "allow_null": model_field.blank}
        if model_field.null:
            # Null says that there is none, and no constraint lets an empty text say it too.
            kwargs.pop("allow_blank", None)
        if "validators" in kwargs:
            kwargs["validators"] = [
                v for v in kwargs["validators"] if not isinstance(v, UniqueValidator)
            ]
        return field_class, kwargs

    def get_uniqueness_extra_kwargs(
        self, field_names: object, declared_fields: object, extra_kwargs: object
    ) -> Any:
        return extra_kwargs, {}

    def get_validators(self) -> list[Any]:
        return []

    def run_validation(self, data: object = empty) -> object:
        request = self.context.get("request")
        # REST framework takes no body for an empty object, which a PATCH would be content with.
        if self.parent is None and request is not None:
            require_body(request, data)
        return super().run_validation(data)


class ResourceSerializer(StrictModelSerializer):
    """The serializer of a resource with URLs of its own.

    `save` writes the object with all that is nested in it, or nothing.
    """

    @property
    def data(self) -> Any:
        """As a GET shows the object, in one statement, as it is stored now.

        Where Python has a part in it (a serializer with a method field), as REST framework does.
        """
        instance = self.instance
        is_stored = isinstance(instance, models.Model) and not instance._state.adding
        if is_stored and not hasattr(self, "_data") and not getattr(self, "_errors", None):
            with suppress(Uncompilable):
                self._data = self._document(instance)
        return super().data

    def _document(self, instance: models.Model) -> object:
        using = router.db_for_write(type(instance), instance=instance)
        unread = frozenset(getattr(self.Meta, "expandable", ()))
        request = self.context.get("request")
        return json.loads(documents(type(self), unread, [instance.pk], using, request))[0]

    def create(self, validated_data: Attrs) -> models.Model:
        return self._write(None, validated_data)

    def update(self, instance: models.Model, validated_data: Attrs) -> models.Model:
        return self._write(instance, validated_data)

    def save_item(self, name: str, pk: int, **values: object) -> AnyRow:
        """Give an item of the list `name`, which the object owns, these values: the item.

        It comes with its owner, whose version has risen. Http404 where it is not there any more.
        """
        return transactions.write_item(self, self.instance, name, Edit(pk, values))

    def _write(self, instance: models.Model | None, attrs: Attrs) -> models.Model:
        view: AnyView = self.context.get("view")
        # Its URL may stand for a parent, which what it writes belongs to.
        within = getattr(view, "write_within", None)
        if within is not None and isinstance(self, view.get_serializer_class()):
            written: models.Model = within(self, instance, attrs)
            return written
        return transactions.write(self, instance, attrs)


class ItemSerializer(StrictModelSerializer):
    """The serializer of an object inside of another's body.

    With an `id` it names a stored object and says only what changes; without, it describes a new
    one in full, or with a `uid` either of the two. The method of the request has no part in that.
    """

    id = fields.KeyField(required=False)

    class Meta:
        list_serializer_class = ItemList

    @classmethod
    def many_init(cls, *args: object, **kwargs: object) -> Any:
        kwargs.setdefault("max_length", MAX_ITEMS)
        return super().many_init(*args, **kwargs)

    def run_validation(self, data: object = empty) -> object:
        # At its own URL it is the request's body, and the method says whether it is whole.
        if self.parent is None or not isinstance(data, Mapping):
            return super().run_validation(data)
        with _partial(self.root, "id" in data or "uid" in data):
            return super().run_validation(data)


def _counts(field: SerializerField, given: Mapping[str, object]) -> bool:
    """Whether a field makes anything of this body, be it that it misses itself there."""
    field_class: Any = type(field)
    return (
        field.field_name in given
        or field.required
        or field.default is not empty
        or not _is_silent(field_class)
    )


@cache
def _is_silent(field_class: type[Any]) -> bool:
    """Whether such a field is left out that is not given, not required and without a default."""
    names = ("get_value", "run_validation", "validate_empty_values", "get_default")
    return all(getattr(field_class, name).__module__.startswith(OWN_MODULES) for name in names)


@cache
def _has_fields_of_its_class(serializer_class: type[StrictModelSerializer]) -> bool:
    own = StrictModelSerializer
    return serializer_class.build_key_field is own.build_key_field and all(
        getattr(serializer_class, name)
        in (getattr(own, name), getattr(serializers.ModelSerializer, name))
        for name in FIELD_HOOKS
    )


def _is_plain(field_class: type[SerializerField]) -> bool:
    if issubclass(field_class, serializers.BaseSerializer):
        made_by = (field_class.__new__, field_class.__init__, field_class.__deepcopy__)
        return PLAIN_SERIALIZERS.issuperset(each.__module__ for each in made_by)
    return field_class.__module__ in PLAIN_FIELDS


def _copier(field: SerializerField) -> Callable[[], Any]:
    """Makes what `deepcopy` makes of a field that has no parent yet, at a tenth of its time."""
    if not _is_plain(type(field)):
        return partial(deepcopy, field)
    field_class, state = type(field), vars(field)
    mutable = [(name, value) for name, value in state.items() if isinstance(value, dict | list)]
    copy_child = _copier(state["child"]) if "child" in state else None

    def copy() -> Any:
        copied: Any = object.__new__(field_class)
        # One that is filled instead would grow with the names.
        of_copy = copied.__dict__ = state.copy()
        for name, value in mutable:
            of_copy[name] = value.copy()
        if copy_child is not None:
            child = of_copy["child"] = copy_child()
            # Which it has of the one that it belonged to.
            child.source = None
            child.bind("", copied)
        return copied

    return copy


def documents(
    serializer_class: type[RelatedSerializer],
    unread: frozenset[str],
    keys: Sequence[object],
    using: str,
    request: Request | None,
    beside: str | None = None,
) -> Document:
    """The representations of these objects, in this order, as they are stored now.

    Of the objects that are related to them, those that who asks may see. `Statement.documents` says
    what `beside` is.
    """
    compiled = _statement(serializer_class, unread, using, request)
    return compiled.documents(keys, using, request and request.user.pk, beside)


def each_document(
    serializer_class: type[RelatedSerializer],
    unread: frozenset[str],
    keys: Sequence[object],
    using: str,
    request: Request,
) -> dict[Any, bytes]:
    """The same one by one, by key."""
    compiled = _statement(serializer_class, unread, using, request)
    return compiled.each_document(keys, using, request.user.pk)


def document(
    serializer_class: type[RelatedSerializer],
    unread: frozenset[str],
    key: object,
    using: str,
    request: Request | None,
    version: str | None,
) -> Document | None:
    """The representation of one object, None where it is not stored.

    It has the version at the end of this path of the ORM's, if one is given.
    """
    compiled = _statement(serializer_class, unread, using, request, version)
    return compiled.document(key, using, request and request.user.pk)


def document_beside(
    serializer_class: type[RelatedSerializer],
    unread: frozenset[str],
    key: object,
    using: str,
    version: str | None,
) -> Beside[Document] | None:
    """The same, to be asked beside another statement; None where it depends on who asks."""
    compiled = statement(serializer_class, unread, using, version=version)
    return None if find_partly_hidden(compiled.models) else compiled.beside(key, using)


def _statement(
    serializer_class: type[RelatedSerializer],
    unread: frozenset[str],
    using: str,
    request: Request | None,
    version: str | None = None,
) -> Statement:
    compiled = statement(serializer_class, unread, using, version=version)
    if request is not None and (hidden := find_partly_hidden(compiled.models)):
        # Not kept: it has conditions of this request.
        shown = {model: visible(model, request) for model in hidden}
        return compile_statement(serializer_class, unread, using, shown, version=version)
    return compiled


def require_body(request: Request, data: object) -> None:
    if not data and request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        raise ParseError("The body is missing.")


@contextmanager
def _partial(root: serializers.BaseSerializer[Any], partial: bool) -> Iterator[None]:
    """Judge whether properties may be missing by the item, though a field asks the root alone."""
    before = root.partial
    root.partial = partial
    try:
        yield
    finally:
        root.partial = before
