"""Does start-up name what differs from REST framework, wherever a program counts on it?"""

import pytest
from django.core.checks import run_checks
from django.db import models
from django.db.models import signals
from rest_framework import serializers

from books.models import Book, Edition, Series
from books.serializers import SeriesItem, SeriesSerializer
from books.views import BookViewSet, SeriesViewSet
from project.api.serializers import ResourceSerializer
from tests.catalogue import book, everything, numbered, send

pytestmark = pytest.mark.django_db


def messages(of):
    return [(each.id, each.msg) for each in run_checks() if each.obj is of]


def test_the_catalogue_has_nothing_to_name():
    assert [each for each in run_checks() if not each.obj.__module__.startswith("tests.")] == []


@pytest.mark.parametrize("name", ["create", "update"])
@pytest.mark.parametrize("serializer_class", [SeriesSerializer, SeriesItem])
def test_a_serializer_that_creates_or_updates_by_itself(monkeypatch, serializer_class, name):
    monkeypatch.setattr(serializer_class, name, lambda self, *args: None)
    message = f"It has a `{name}` of its own, which is not called for nested objects."
    assert messages(serializer_class) == [("api.E020", message)]


@pytest.mark.parametrize("name", ["save", "delete"])
@pytest.mark.parametrize("model", [Series, Edition])
def test_a_model_that_saves_or_deletes_by_itself(monkeypatch, model, name):
    monkeypatch.setattr(model, name, lambda self, *args, **kwargs: None, raising=False)
    message = f"It has a `{name}` of its own, which is not called: rows are written together."
    assert messages(model) == [("api.E021", message)]


class Softly(models.QuerySet):
    def delete(self):
        return self.update(name="")


def test_a_manager_that_deletes_by_itself(monkeypatch):
    manager = Softly.as_manager()
    manager.model = Series
    monkeypatch.setattr(Series._meta, "default_manager", manager)
    message = (
        "It has a `QuerySet.delete` of its own, which is not called: rows are written together."
    )
    assert messages(Series) == [("api.E021", message)]


def listen(**kwargs):
    pass


@pytest.mark.parametrize(
    ("signal", "sender", "model", "number"),
    [
        (signals.pre_save, Series, Series, "E022"),
        (signals.post_save, Edition, Edition, "E022"),
        (signals.m2m_changed, Book.subjects.through, Book, "E022"),
        # Somebody's library, which may care for other models alone.
        (signals.post_save, None, Series, "W022"),
    ],
)
def test_a_receiver_that_would_not_hear(signal, sender, model, number):
    signal.connect(listen, sender=sender)
    try:
        found = messages(model)
    finally:
        signal.disconnect(listen, sender=sender)
    name = f"{__name__}.listen"
    message = f"{name} does not hear what the API writes: Django's signal is not sent."
    assert found == [(f"api.{number}", message)]


@pytest.mark.parametrize(
    "field",
    [
        serializers.CharField(source="series.name"),
        serializers.PrimaryKeyRelatedField(
            source="subjects", many=True, queryset=Series.objects.all()
        ),
        SeriesItem(source="series"),
    ],
    ids=["dotted", "to-many", "nested"],
)
def test_a_field_that_would_not_be_written(monkeypatch, field):
    class Serializer(ResourceSerializer):
        series_name = field

        class Meta:
            model = Book
            fields = ["id", "series_name"]

    monkeypatch.setattr(BookViewSet, "serializer_class", Serializer)
    assert [each for each in messages(Serializer) if each[0] == "api.E023"] == [
        ("api.E023", "“series_name” would not be written.")
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("name", "Its URLs have integers, and no “name”."),
        ("nmae", "Its URLs have integers, and no “nmae”."),
        ("version", None),
    ],
)
def test_a_lookup_that_urls_cannot_hold(monkeypatch, name, message):
    monkeypatch.setattr(SeriesViewSet, "lookup_field", name)
    found = [each for each in messages(SeriesViewSet) if each[0] == "api.E024"]
    assert found == ([("api.E024", message)] if message else [])


# What does hear


def test_djangos_signals_of_deletions_are_sent(admin):
    numbered(Series, "Discworld")
    stored = book("Mort", isbns=["9780552131063"], series_id=1)
    heard = []

    def receiver(signal, instance, **kwargs):
        heard.append((signal is signals.pre_delete, type(instance), instance.pk is not None))

    for signal in (signals.pre_delete, signals.post_delete):
        signal.connect(receiver, sender=Edition)
    try:
        send(admin, "PATCH", f"/books/{stored.pk}/", {"editions": []})
        assert heard == [(True, Edition, True), (False, Edition, True)]
        stored.editions.create()
        send(admin, "DELETE", f"/books/{stored.pk}/", status=204)
        assert len(heard) == 4
    finally:
        for signal in (signals.pre_delete, signals.post_delete):
            signal.disconnect(receiver, sender=Edition)
    assert everything()[Edition] == []
