"""Does a list go by what is computed as by what is stored, on both engines, to its last page?"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import (
    Avg,
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    FloatField,
    Max,
    OuterRef,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower
from django.urls import include, path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient

from project.api.lists.keysets import Keyset
from project.api.serializers import StrictModelSerializer
from project.api.viewsets import ResourceViewSet
from tests.models import Part, Shelf, Thing

COLUMNS = {
    "text": st.sampled_from(["", "a", "B", "É", "🙂", None]),
    "number": st.sampled_from([-(2**63), -1, 0, 2**63 - 1, None]),
    "real": st.sampled_from([0.1, 0.1 + 0.2, 0.3, -1e-300, 1e300, None]),
    "price": st.sampled_from([Decimal("0.1"), Decimal("99999999.9999"), Decimal(-1), None]),
    "is_new": st.sampled_from([True, False, None]),
    "day": st.sampled_from([date(1, 1, 1), date(2026, 1, 31), None]),
    "clock": st.sampled_from([time(0), time(0, 0, 0, 1), time(23, 59), None]),
    "moment": st.sampled_from(
        [
            datetime(2026, 1, 31, 12, tzinfo=UTC),
            datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC),
            datetime(1815, 12, 10, tzinfo=UTC),
            None,
        ]
    ),
    "span": st.sampled_from([timedelta(0), timedelta(microseconds=-1), timedelta(400), None]),
    "token": st.sampled_from([UUID(int=0), UUID(int=2**127), UUID(int=255), None]),
}
THINGS = st.lists(
    st.fixed_dictionaries(
        {
            **COLUMNS,
            "on": st.sampled_from([0, 1, None]),
            "places": st.lists(st.integers(0, 3), max_size=3),
        }
    ),
    max_size=7,
)


class ThingSerializer(StrictModelSerializer):
    parts = serializers.IntegerField(read_only=True)
    average = serializers.FloatField(read_only=True)
    average_or_zero = serializers.FloatField(read_only=True)
    highest_name = serializers.CharField(read_only=True)
    cased = serializers.DecimalField(15, 4, read_only=True)
    doubled = serializers.DecimalField(15, 4, read_only=True)
    lower = serializers.CharField(read_only=True)
    has_parts = serializers.BooleanField(read_only=True)
    the_day = serializers.DateField(read_only=True)

    class Meta:
        model = Thing
        fields = [
            "id",
            "parts",
            "average",
            "average_or_zero",
            "highest_name",
            "cased",
            "doubled",
            "lower",
            "has_parts",
            "the_day",
        ]
        expressions = {
            "parts": Count("part"),
            "average": Avg("part__place"),
            "average_or_zero": Coalesce(Avg("part__place"), 0.0),
            "highest_name": Max("part__name"),
            "cased": Case(When(number__gte=0, then="price"), default=None),
            "doubled": Coalesce(F("price") + F("price"), Decimal(0)),
            "lower": Lower("text"),
            "has_parts": Exists(Part.objects.filter(thing=OuterRef("pk"))),
            "the_day": F("day"),
        }


class ThingViewSet(ResourceViewSet):
    queryset = Thing.objects.annotate(
        distinct_places=Count("part__place", distinct=True),
        is_second=Case(
            When(Q(number=-1) | Q(is_new=True), then=Value(True)),
            default=Value(False),
            output_field=BooleanField(),
        ),
    )
    serializer_class = ThingSerializer
    permission_classes = [AllowAny]
    ordering_fields = [
        "id",
        *COLUMNS,
        *ThingSerializer.Meta.expressions,
        "distinct_places",
        "is_second",
        "shelf__name",
        "shelf__room",
        "shelf_id",
    ]


class ShelfSerializer(StrictModelSerializer):
    average = serializers.DecimalField(20, 8, read_only=True)
    sum = serializers.DecimalField(20, 8, read_only=True)
    real = serializers.FloatField(read_only=True)

    class Meta:
        model = Shelf
        fields = ["id", "average", "sum", "real"]
        expressions = {
            "average": Avg("things__price"),
            "sum": Sum("things__price"),
            "real": Coalesce(Sum("things__real"), 0.5, output_field=FloatField()),
        }


class ShelfViewSet(ResourceViewSet):
    queryset = Shelf.objects.all()
    serializer_class = ShelfSerializer
    permission_classes = [AllowAny]
    ordering_fields = ["average", "sum", "real"]


router = SimpleRouter(use_regex_path=False)
router.register("things", ThingViewSet, "test-thing")
router.register("shelves", ShelfViewSet, "test-shelf")
urlpatterns = [path("api/", include(router.urls))]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


def walk(url, way):
    pages = []
    while url is not None:
        response = APIClient().get(url)
        assert response.status_code == 200, response.content
        page = response.json()
        pages.append(page)
        url = page[way]
    return pages


def ids(pages):
    return [[row["id"] for row in page["results"]] for page in pages]


def assert_walks(url, ordering, size, values):
    """The pages have the rows of `values`, (pk, value) each, in order, there and back."""
    rows = sorted(values, key=lambda row: (row[1] is None, row[1] is not None and row[1], row[0]))
    if ordering.startswith("-"):
        rows.reverse()
    expected = [pk for pk, _ in rows]
    there = walk(f"/api/{url}/?ordering={ordering}&page_size={size}&fields=id", "next")
    assert [pk for page in ids(there) for pk in page] == expected
    if len(there) > 1:
        back = walk(there[-1]["previous"], "previous")
        assert ids(reversed(back)) == ids(there[:-1])
        assert ids(walk(back[-1]["next"], "next")) == ids(there[1:])


def computed(thing, name):
    places = thing.places
    match name:
        case "parts":
            return len(places)
        case "average":
            return Fraction(sum(places), len(places)) if places else None
        case "average_or_zero":
            return Fraction(sum(places), len(places)) if places else 0
        case "highest_name":
            return str(max(places)) if places else None
        case "cased":
            return None if thing.number is None or thing.number < 0 else thing.price
        case "doubled":
            return 0 if thing.price is None else 2 * thing.price
        case "lower":
            # SQLite's and PostgreSQL's C know ASCII alone.
            return thing.text and "".join(c.lower() if c.isascii() else c for c in thing.text)
        case "has_parts":
            return bool(places)
        case "the_day":
            return thing.day
        case "distinct_places":
            return len(set(places))
        case "is_second":
            return thing.number == -1 or thing.is_new is True
        case "shelf__name":
            return thing.shelf and thing.shelf.name
        case "shelf__room":
            return thing.shelf and thing.shelf.room
    return getattr(thing, name)


def store(things):
    shelves = [Shelf.objects.create(name="b", room=None), Shelf.objects.create(name="a", room="r")]
    for values in things:
        values = dict(values)
        on, places = values.pop("on"), values.pop("places")
        thing = Thing.objects.create(**values, shelf=None if on is None else shelves[on])
        thing.places = places
        for place in places:
            thing.part_set.create(place=place, name=str(place))
        yield thing


@pytest.mark.parametrize("name", ThingViewSet.ordering_fields)
@given(things=THINGS, descending=st.booleans(), size=st.integers(1, 4))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_a_walk_meets_every_row_once_in_order(name, things, descending, size):
    with transaction.atomic():
        stored = list(store(things))
        ordering = "-" * descending + name
        values = [(thing.pk, computed(thing, name)) for thing in stored]
        assert_walks("things", ordering, size, values)
        transaction.set_rollback(True)


PRICES = st.lists(
    st.none() | st.decimals("-1000", "1000", places=4, allow_nan=False), min_size=0, max_size=4
)


@pytest.mark.parametrize("name", ShelfViewSet.ordering_fields)
@given(shelves=st.lists(PRICES, max_size=6), descending=st.booleans(), size=st.integers(1, 3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_sums_and_averages_are_exact_enough_for_both_engines(name, shelves, descending, size):
    with transaction.atomic():
        values = []
        for prices in shelves:
            shelf = Shelf.objects.create(name="")
            reals = [None if price is None else float(int(price)) / 4 for price in prices]
            for price, real in zip(prices, reals, strict=True):
                shelf.things.create(line="", price=price, real=real)
            numbers = [Fraction(price) for price in prices if price is not None]
            value = {
                "average": sum(numbers) / len(numbers) if numbers else None,
                "sum": sum(numbers) if numbers else None,
                "real": sum(real for real in reals if real is not None) if numbers else 0.5,
            }[name]
            values.append((shelf.pk, value))
        assert_walks("shelves", "-" * descending + name, size, values)
        transaction.set_rollback(True)


def test_pages_by_a_computed_value_cost_what_others_cost(django_assert_num_queries):
    for number in range(5):
        thing = Thing.objects.create(line="", number=number)
        for place in range(number // 2):
            thing.part_set.create(place=place, name="")
    with django_assert_num_queries(2):
        page = APIClient().get("/api/things/?ordering=average&page_size=2").json()
    assert [row["average"] for row in page["results"]] == [0.0, 0.0]
    with django_assert_num_queries(3):
        # Rows without a value border on the others.
        page = APIClient().get(page["next"]).json()
    assert [row["average"] for row in page["results"]] == [0.5, None]


def test_a_filter_and_a_count_go_with_a_computed_value():
    things = list(store([{"on": 0, "places": [number]} for number in (3, 1, 2)]))
    answer = APIClient().get("/api/things/?ordering=-parts&count=true&page_size=1").json()
    assert answer["count"] == 3
    assert answer["results"][0]["id"] == things[2].pk


def test_what_has_no_order_is_refused_to_the_developer():
    for name in ("data", "part", "part__place", "tags", "shelf__nothing", "line__x"):
        with pytest.raises(ImproperlyConfigured, match=f"“{name}”"):
            Keyset.of(Thing.objects.order_by(name))
    for terms in ([F("line")], ["line", "text"], ["line", "-id"], ["?"]):
        with pytest.raises(ImproperlyConfigured):
            Keyset.of(Thing.objects.order_by(*terms))
