"""What merges two objects of a resource, and leads on from the one that is gone."""

from collections.abc import Iterator

from django.db import models
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    MethodNotAllowed,
    NotFound,
)
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from ..fields import KeyField
from ..http.views import View
from ..serializers import StrictSerializer
from ..writes.former_keys import mergers


class MayMerge(BasePermission):
    """Who has the permission `changes.merge_change`: admins."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("changes.merge_change"))


class MergeSerializer(StrictSerializer):
    """Which object it is that the one of the URL is merged into."""

    into = KeyField(help_text="The id of the object that stays.")


class FormerURLs(View, GenericViewSet[models.Model]):
    """URLs that name an object by id, or its parent, which may have been merged into another."""

    def handle_exception(self, exc: Exception) -> Response:
        """Lead on from what was merged: what reads it to its survivor; what writes it is 410."""
        if not isinstance(exc, Http404 | NotFound):
            return super().handle_exception(exc)
        for kwarg, model in self._roots_of_url():
            name = ("id", self.kwargs[kwarg])
            merged = mergers(model, [name], self.request).get(name)
            if merged is None:
                continue
            exc = self._denial() or merged
            if exc is merged and self.request.method in SAFE_METHODS:
                return self._moved(kwarg, merged.key)
        return super().handle_exception(exc)

    def _denial(self) -> Exception | None:
        """What refuses the method or who asks, which a missing parent has come before."""
        method = str(self.request.method)
        if method not in self.allowed_methods:
            return MethodNotAllowed(method)
        try:
            APIView.check_permissions(self, self.request)
        except (APIException, Http404) as error:
            return error
        return None

    def _roots_of_url(self) -> Iterator[tuple[str, type[models.Model]]]:
        """What the URL names by id, each with the argument that has it."""
        kwarg = self.lookup_url_kwarg or self.lookup_field
        queryset = type(self).queryset
        if self.lookup_field == "pk" and kwarg in self.kwargs and queryset is not None:
            yield kwarg, queryset.model

    def _moved(self, kwarg: str, key: int) -> Response:
        match = self.request.resolver_match
        assert match is not None  # noqa: S101  (a URL has led here)
        url = reverse(match.view_name, kwargs={**self.kwargs, kwarg: key}, request=self.request)
        query = self.request.META.get("QUERY_STRING")
        location = f"{url}?{query}" if query else url
        return Response(status=status.HTTP_308_PERMANENT_REDIRECT, headers={"Location": location})
