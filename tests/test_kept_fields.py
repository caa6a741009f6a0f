"""Are a serializer's fields, copied from those of the first of its class, REST framework's own?"""

import pytest
from django.core.exceptions import ValidationError
from rest_framework import serializers

from books.serializers import BookSerializer, SeriesSerializer
from project.api.serializers import StrictModelSerializer

pytestmark = pytest.mark.engineless


def every(cls=StrictModelSerializer):
    for each in cls.__subclasses__():
        if each.__module__.startswith(("books.", "authors.", "auth_api.", "project.")):
            yield from every(each)
            if hasattr(getattr(each, "Meta", None), "model"):
                yield each


def made_anew(serializer):
    return super(StrictModelSerializer, serializer).get_fields()


@pytest.mark.parametrize("cls", sorted(set(every()), key=lambda cls: cls.__qualname__))
def test_fields_that_are_kept_are_those_that_would_be_made(cls):
    for _ in range(2):
        kept, made = cls().get_fields(), made_anew(cls())
        assert list(kept) == list(made)
        for name, field in made.items():
            assert type(kept[name]) is type(field)
            assert vars(kept[name]).keys() == vars(field).keys()
            if hasattr(field, "child"):
                child = kept[name].child
                assert child.parent is kept[name]
                assert vars(child).keys() == vars(field.child).keys()
                names = ("field_name", "source", "source_attrs", "label", "read_only")
                assert all(getattr(child, n) == getattr(field.child, n) for n in names)
            assert repr(kept[name]) == repr(field)


def test_fields_are_made_once(monkeypatch):
    assert SeriesSerializer().fields
    monkeypatch.setattr(serializers.ModelSerializer, "build_standard_field", None)
    assert SeriesSerializer(data={"name": "Hainish Cycle"}).is_valid()


def test_what_one_serializer_does_to_its_fields_is_its_own():
    def refuse(value):
        raise ValidationError("No.")

    body = {"title": "Dune", "contributions": [{"author_id": 1, "role": "author"}]}
    first = BookSerializer(data=body, context={"request": None})
    first.fields["title"].validators.append(refuse)
    first.fields["title"].error_messages["invalid"] = "Own."
    first.fields["contributions"].child.fields["role"].choices = {"poet": "Poet"}
    first.fields["author_ids"].child.allow_null = True
    assert not first.is_valid()
    second = BookSerializer(data=body, context={"request": None})
    assert second.is_valid(), second.errors
    assert second.fields["title"].error_messages["invalid"] != "Own."
    assert second.fields["title"].parent is second
    assert not second.fields["author_ids"].child.allow_null


def test_a_serializer_may_still_build_its_fields_by_what_it_knows_of_the_request():
    class Series(SeriesSerializer):
        def build_standard_field(self, name, model_field):
            field, kwargs = super().build_standard_field(name, model_field)
            return field, {**kwargs, "help_text": self.context["help"]}

    for text in ("one", "two"):
        assert Series(context={"help": text}).fields["name"].help_text == text


def test_a_serializer_may_still_change_what_it_gets():
    class Series(SeriesSerializer):
        def get_fields(self):
            return {k: v for k, v in super().get_fields().items() if k in self.context["names"]}

    for names in (["id"], ["id", "name"]):
        assert list(Series(context={"names": names}).fields) == names


def test_a_serializer_with_a_constructor_of_its_own_is_made_by_it():
    class Own(serializers.Serializer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.seen = {"names": []}

    class Series(SeriesSerializer):
        own = Own(required=False)

        class Meta(SeriesSerializer.Meta):
            fields = ["id", "own"]

    Series().fields["own"].seen["names"].append("one")
    assert Series().fields["own"].seen == {"names": []}


def test_a_field_is_asked_for_what_it_makes_of_nothing():
    class Counted(serializers.IntegerField):
        def run_validation(self, data=serializers.empty):
            return 7 if data is serializers.empty else super().run_validation(data)

    class Series(SeriesSerializer):
        counted = Counted(required=False)
        colour = serializers.CharField(default="red")
        size = serializers.CharField()

        class Meta(SeriesSerializer.Meta):
            fields = ["id", "name", "counted", "colour", "size"]

    valid = Series(data={"name": "Hainish Cycle", "size": "S"}, context={"request": None})
    assert valid.is_valid()
    expected = {"name": "Hainish Cycle", "counted": 7, "colour": "red", "size": "S"}
    assert valid.validated_data == expected
    assert not Series(data={"name": "Hainish Cycle"}, context={"request": None}).is_valid()
    change = Series(data={"name": "Hain"}, partial=True, context={"request": None})
    assert change.is_valid()
    assert change.validated_data == {"name": "Hain", "counted": 7}
