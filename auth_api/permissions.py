"""Who may do what through the API."""

from typing import Literal

from django.conf import settings
from django.db.models import Model
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from .machine_tokens import NotForMachines
from .models import MachineToken, User

CODENAMES = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}
RELATED_CODENAMES = {"create": "add", "update": "change", "delete": "delete"}


def has_role(request: Request, least: User.Role) -> bool:
    """Whether the user is known and has at least this role."""
    return isinstance(request.user, User) and request.user.has_role(least)


def may(request: Request, codename: str, model: type[Model]) -> bool:
    """Whether the user's role includes doing this (`add`, `change`, `delete`) to this model."""
    permission = f"{model._meta.app_label}.{codename}_{model._meta.model_name}"
    return isinstance(request.user, User) and request.user.has_perm(permission)


class ReadOnlyUnlessLibrarian(BasePermission):
    """Everyone reads; librarians and admins write; some things only an admin deletes.

    Which ones, `auth_api.models` says by the model of the view's `queryset`; the view declares
    nothing. Where it has none there is no rule, and only an admin may write. With the setting
    CATALOGUE_REQUIRES_LOGIN on, reading takes a login too.
    """

    def has_permission(self, request: Request, view: object) -> bool:
        if request.method in SAFE_METHODS:
            return not settings.CATALOGUE_REQUIRES_LOGIN or has_role(request, User.Role.MEMBER)
        model = getattr(getattr(view, "queryset", None), "model", None)
        if model is None:
            return has_role(request, User.Role.ADMIN)
        # A method that no view has is answered 405, to those who may do the most.
        return may(request, CODENAMES.get(request.method or "", "delete"), model)

    def has_related_permission(
        self,
        request: Request,
        view: object,
        action: Literal["create", "update", "delete"],
        model: type[Model],
    ) -> bool:
        """Whether a nested write may do this to an object of another model than the view's."""
        return may(request, RELATED_CODENAMES[action], model)


class InPerson(BasePermission):
    """Whoever has logged in, for what a machine token is never good for: 403 `machine_token`."""

    least = User.Role.MEMBER
    # Whatever the method and the role
    problem_statuses = (403,)

    def has_permission(self, request: Request, view: object) -> bool:
        if isinstance(request.auth, MachineToken):
            raise NotForMachines
        return has_role(request, self.least)


class AdminsOnly(InPerson):
    """Admins manage the accounts."""

    least = User.Role.ADMIN
