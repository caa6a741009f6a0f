"""Who may call an operation, asked of the permissions of its view."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from project.api.lists.parameters import Schema

from .operations import Operation
from .wording import role_requirement


class Access(Operation):
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
