"""What a bulk request is answered: of each item, in the order of the request, what became of it."""

import json
from collections.abc import Mapping, Sequence

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404
from rest_framework.exceptions import APIException

from ..http.problems import PreconditionFailed, problem
from ..http.resources import shows_all
from ..http.views import View
from .bulk_items import METHODS, STATUSES, Item, Refusal


def read_documents(
    views: Mapping[str, View], items: Sequence[Item], refusals: Mapping[Item, Refusal]
) -> None:
    """Of what is written, and of what has changed since, take what a GET would give now."""
    for action, view in views.items():
        chosen = [
            item
            for item in items
            if item.action == action and item.written is not None and item.document is None
            if item not in refusals or refusals[item].status == PreconditionFailed.status_code
            if action != "delete" or item in refusals
        ]
        if not chosen:
            continue
        keys = [item.written.pk for item in chosen if item.written is not None]
        shown = set(keys)
        if not shows_all(view):
            queryset = view.filter_queryset(view.get_queryset())
            shown = {row.pk for row in queryset.filter(pk__in=keys) if _shows(view, row)}
        visible = [key for key in keys if key in shown]
        documents = dict(zip(visible, view.documents(visible).items(), strict=True))
        for item, key in zip(chosen, keys, strict=True):
            item.document = documents.get(key)


def _shows(view: View, row: models.Model) -> bool:
    try:
        view.check_object_permissions(view.request, row)
    except (APIException, Http404, PermissionDenied):
        return False
    return True


def answer(items: Sequence[Item], refusals: Mapping[Item, Refusal], path: str) -> bytes:
    """The body of the answer, in JSON; `path` is that of the request."""
    results = {action: [b""] * _length(items, action) for action in reversed(METHODS)}
    for item in items:
        results[item.action][item.place] = _result(item, refusals.get(item), path)
    lists = (b'"%b":[%b]' % (action.encode(), b",".join(each)) for action, each in results.items())
    return b"{%b}" % b",".join(lists)


def _length(items: Sequence[Item], action: str) -> int:
    return sum(item.action == action for item in items)


def _result(item: Item, refusal: Refusal | None, path: str) -> bytes:
    status = item.status or STATUSES[item.action]
    if refusal is not None:
        status = refusal.status
    elif item.document is None and item.action == "update":
        status = 204
    members = [b'"status":%d' % status]
    if refusal is not None:
        whole = problem(status, refusal.detail, refusal.code, path, refusal.faults)
        whole |= refusal.members
        members.append(b'"problem":' + json.dumps(whole, ensure_ascii=False).encode())
    if item.document is not None:
        members.append(b'"document":' + item.document)
    return b"{%b}" % b",".join(members)
