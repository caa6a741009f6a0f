"""Who may write what a body nests: closed, unless a rule opens it."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from django.db import models
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from ..http.resources import resource_of
from ..http.views import AnyView

if TYPE_CHECKING:
    from .unit_of_work import RowState

METHODS = {"create": "POST", "update": "PATCH"}


class Touch(NamedTuple):
    """What a write does to rows of a model that belong to one aggregate root.

    `root` is the state of the root, or of the row itself where it belongs to none.
    """

    action: Literal["create", "update", "delete"]
    model: type[models.Model]
    root: "RowState"


def require_permission(
    request: Request, view: APIView | None, tops: Sequence["RowState"], touched: Collection[Touch]
) -> None:
    """Raise PermissionDenied or NotAuthenticated unless all of this may be written.

    A permission class of the view that has `has_related_permission` decides for every model. Any
    other has judged the view's own objects, `tops`, with what they own, and nothing else: of the
    rest each root is judged by the permission classes of its model's own viewset, as if it were
    written at its own URL; or by those of the project that have `has_related_permission`, where its
    model has no viewset; and where there is none of these either, it is refused.
    """
    permissions: Sequence[Any] = getattr(view, "get_permissions", list)()
    related = [each for each in permissions if hasattr(each, "has_related_permission")]
    for each in in_order(touched):
        if not _allow(related, request, view, each):
            _refuse(request, each.action, each.model)
    if related and len(related) == len(permissions):
        return
    judged = tops if permissions and _is_for(view, tops) else ()
    for root in {each.root for each in touched}:
        of_root = [each for each in in_order(touched) if each.root is root]
        if root not in judged:
            _require_rule_of_model(request, root, of_root)


def in_order(touched: Collection[Touch]) -> list[Touch]:
    return sorted(touched, key=lambda each: (each.action, each.model.__name__))


def _is_for(view: APIView | None, tops: Sequence["RowState"]) -> bool:
    """Whether the objects are of those that the view is for, and so have been judged by it."""
    get_serializer_class = getattr(view, "get_serializer_class", None)
    meta = getattr(get_serializer_class() if get_serializer_class else None, "Meta", None)
    return getattr(meta, "model", None) is type(tops[0].instance)


def _require_rule_of_model(request: Request, root: "RowState", touched: list[Touch]) -> None:
    model = type(root.instance)
    action: Literal["create", "update"] = "create" if root.is_new else "update"
    method = METHODS[action]
    resource = resource_of(model)
    if resource is None:
        view: AnyView = None
        defaults: Any = api_settings.DEFAULT_PERMISSION_CLASSES
        permissions: Sequence[Any] = [
            each() for each in defaults if hasattr(each, "has_related_permission")
        ]
        allowed = bool(permissions)
    else:
        view = resource.view(request, method, None if root.is_new else root.instance)
        request, permissions = view.request, view.get_permissions()
        allowed = resource.offers(method)
    related = [each for each in permissions if hasattr(each, "has_related_permission")]
    others: list[BasePermission] = [each for each in permissions if each not in related]
    allowed = (
        allowed
        and all(_allow(related, request, view, each) for each in touched)
        and all(each.has_permission(request, view) for each in others)
        and (
            root.is_new
            or all(each.has_object_permission(request, view, root.instance) for each in others)
        )
    )
    if not allowed:
        _refuse(request, action, model)


def _allow(
    permissions: Collection[Any], request: Request, view: APIView | None, touch: Touch
) -> bool:
    return all(
        permission.has_related_permission(request, view, touch.action, touch.model)
        for permission in permissions
    )


def _refuse(request: Request, action: str, model: type[models.Model]) -> None:
    # As APIView.permission_denied does.
    if request.authenticators and not request.successful_authenticator:
        raise NotAuthenticated
    raise PermissionDenied(f"You may not {action} {model._meta.verbose_name_plural}.")
