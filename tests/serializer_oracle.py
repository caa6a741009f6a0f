"""Serves every read both ways, by the database and by the serializer, and compares the two."""

import json
from unittest import mock

from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models import Value
from rest_framework.renderers import JSONRenderer

from project.api.documents.compiler import computed_value, expressions_of
from project.api.viewsets import ResourceViewSet

# In tests that write at the same time a row may change between the two: as often as the test has
# other requests, and then no more.
ATTEMPTS = 50

by_database = ResourceViewSet.documents
one_by_database = ResourceViewSet.get_document


def documents(view, keys):
    for _ in range(ATTEMPTS):
        written = by_database(view, keys)
        expected = by_serializer(view, keys)
        if json.loads(written) == expected:
            return written
    raise AssertionError(f"The database wrote {written}; the serializer {expected}.")


def get_document(view, key):
    for _ in range(ATTEMPTS):
        written = one_by_database(view, key)
        expected = by_serializer(view, [key])
        if [json.loads(written)] == expected:
            return written
    raise AssertionError(f"The database wrote {written}; the serializer {expected}.")


def by_serializer(view, keys):
    serializer = view.get_serializer()
    for name in view.unread_properties:
        serializer.fields.pop(name)
    model = serializer.Meta.model
    connection = connections[model.objects.db]
    # What a test counts or disturbs is the statements of the application alone.
    with (
        mock.patch.object(connection, "force_debug_cursor", False),
        mock.patch.object(connection, "execute_wrappers", []),
    ):
        user = Value(view.request.user.pk, get_user_model()._meta.pk)
        expressions = {
            name: computed_value(model, expression, user)
            for name, expression in expressions_of(type(serializer)).items()
        }
        found = model.objects.annotate(**expressions).in_bulk(keys)
        return [
            json.loads(JSONRenderer().render(serializer.to_representation(found[key])))
            for key in keys
            if key in found
        ]
