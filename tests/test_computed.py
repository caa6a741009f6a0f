"""Does what depends on who asks show each user their own, and nobody another's?"""

import pytest
from django.db.models import Avg, Count, Exists, Max, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.urls import include, path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from project.api.documents.statements import compile_statement, statement
from project.api.serializers import StrictModelSerializer
from project.api.viewsets import ResourceViewSet
from tests.models import Rating, Shelf, Thing


class ThingSerializer(StrictModelSerializer):
    my_stars = serializers.IntegerField(read_only=True)
    my_stars_or_one = serializers.IntegerField(read_only=True)
    is_rated_by_me = serializers.BooleanField(read_only=True)
    others = serializers.IntegerField(read_only=True)
    me = serializers.IntegerField(read_only=True)
    average = serializers.FloatField(read_only=True)

    class Meta:
        model = Thing
        expressions = {
            "my_stars": lambda user: Max("ratings__stars", filter=Q(ratings__rater=user)),
            "my_stars_or_one": lambda user: Coalesce(
                Max("ratings__stars", filter=Q(ratings__rater=user)), 1
            ),
            "is_rated_by_me": lambda user: Exists(
                Rating.objects.filter(thing=OuterRef("pk"), rater=user)
            ),
            "others": lambda user: Count("ratings", filter=~Q(ratings__rater=user)),
            "me": lambda user: user + Value(0),
            "average": Avg("ratings__stars"),
        }
        fields = ["id", *expressions]


class ShelfSerializer(StrictModelSerializer):
    things = ThingSerializer(many=True, read_only=True)

    class Meta:
        model = Shelf
        fields = ["id", "things"]


class ThingViewSet(ResourceViewSet):
    queryset = Thing.objects.all()
    serializer_class = ThingSerializer
    permission_classes = [AllowAny]
    ordering_fields = ["my_stars", "average"]


class ShelfViewSet(ResourceViewSet):
    queryset = Shelf.objects.all()
    serializer_class = ShelfSerializer
    permission_classes = [AllowAny]


router = SimpleRouter(use_regex_path=False)
router.register("things", ThingViewSet, "test-thing")
router.register("shelves", ShelfViewSet, "test-shelf")
urlpatterns = [path("api/", include(router.urls))]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture
def clients(anonymous, member, librarian):
    anonymous.user = None
    return [anonymous, member, librarian]


def get(client, url):
    response = client.get(f"/api/{url}")
    assert response.status_code == 200, response.content
    return response.json()


def rate(thing, client, stars):
    Rating.objects.create(thing=thing, rater=client.user.pk, stars=stars)


def shown(thing, client):
    """What the rules say, for this client."""
    ratings = list(Rating.objects.filter(thing=thing))
    key = client.user and client.user.pk
    mine = [rating.stars for rating in ratings if rating.rater == key]
    stars = max(mine, default=None)
    return {
        "id": thing.pk,
        "my_stars": stars,
        "my_stars_or_one": stars or 1,
        "is_rated_by_me": bool(mine),
        # To a database nothing differs from what nobody knows.
        "others": len(ratings) - len(mine) if key else 0,
        "me": key,
        "average": sum(r.stars for r in ratings) / len(ratings) if ratings else None,
    }


@pytest.mark.documents_alone
@given(
    stars=st.lists(
        st.dictionaries(st.sampled_from([1, 2]), st.integers(1, 5)), min_size=1, max_size=4
    ),
    turns=st.lists(st.sampled_from([0, 1, 2]), min_size=3, max_size=6),
)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_each_user_sees_their_own_whoever_asked_before(clients, stars, turns):
    Thing.objects.all().delete()
    shelf = Shelf.objects.create(name="")
    things = [Thing.objects.create(line="", shelf=shelf) for _ in stars]
    for thing, given_by in zip(things, stars, strict=True):
        for number, count in given_by.items():
            rate(thing, clients[number], count)
    for number in turns:
        client = clients[number]
        expected = [shown(thing, client) for thing in things]
        assert get(client, "things/")["results"] == expected
        assert get(client, f"things/{things[0].pk}/") == expected[0]
        assert get(client, f"shelves/{shelf.pk}/")["things"] == expected


def test_a_statement_is_kept_for_all_users_and_holds_the_key_of_none(clients):
    thing = Thing.objects.create(line="")
    rate(thing, clients[1], 4)
    statement.cache_clear()
    for client in clients * 2:
        get(client, f"things/{thing.pk}/")
    assert statement.cache_info().misses == 1
    compiled = compile_statement(ThingSerializer, frozenset(), "default")
    assert not {client.user.pk for client in clients if client.user} & {
        param for param in compiled.params if isinstance(param, int) and param not in (0, 1)
    }
    assert compiled == compile_statement(ThingSerializer, frozenset(), "default")


def test_who_binds_nobody_reads_as_nobody(clients):
    thing = Thing.objects.create(line="")
    rate(thing, clients[1], 4)
    document = compile_statement(
        ThingSerializer, frozenset({"others", "average"}), "default"
    ).documents([thing.pk], "default")
    assert document.decode() == (
        f'[{{"id":{thing.pk},"my_stars":null,"my_stars_or_one":1,"is_rated_by_me":false,"me":null}}]'
    )


def test_a_list_goes_by_what_depends_on_who_asks(clients):
    low, high, none = (Thing.objects.create(line="") for _ in range(3))
    rate(low, clients[1], 1), rate(high, clients[1], 5)
    rate(low, clients[2], 5), rate(high, clients[2], 1)
    for client, expected in zip(
        clients, [[low, high, none], [low, high, none], [high, low, none]], strict=True
    ):
        page = get(client, "things/?ordering=my_stars&page_size=1")
        found = [row["id"] for row in page["results"]]
        while page["next"]:
            page = client.get(page["next"]).json()
            found += [row["id"] for row in page["results"]]
        assert found == [thing.pk for thing in expected]


def test_a_choice_without_it_does_not_ask_for_the_user(clients):
    compiled = compile_statement(
        ThingSerializer, frozenset({*ThingSerializer.Meta.expressions} - {"average"}), "default"
    )
    assert not compiled.depends_on_user
    assert compile_statement(ThingSerializer, frozenset(), "default").depends_on_user
