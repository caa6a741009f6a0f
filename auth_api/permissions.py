"""Who may do what, by role."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from .models import User

RANK = {User.Role.MEMBER: 0, User.Role.LIBRARIAN: 1, User.Role.ADMIN: 2}


def has_role(request: Request, least: User.Role) -> bool:
    user = request.user
    return isinstance(user, User) and RANK[User.Role(user.role)] >= RANK[least]


class ReadOnlyUnlessLibrarian(BasePermission):
    """Everyone reads; librarians and admins write."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method in SAFE_METHODS or has_role(request, User.Role.LIBRARIAN)
