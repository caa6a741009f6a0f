"""Who may follow the feed, look back, and restore what was deleted."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class MayFollow(BasePermission):
    """Who has the permission `changes.view_entry`: members and above."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("changes.view_entry"))


class MayLookBack(BasePermission):
    """Who has the permission `changes.view_change`: librarians and above."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return may_see_actors(request)


class MayRestore(BasePermission):
    """Who has the permission `changes.restore_change`: admins."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("changes.restore_change"))


def may_see_actors(request: Request) -> bool:
    """Librarians and above."""
    return bool(request.user and request.user.has_perm("changes.view_change"))
