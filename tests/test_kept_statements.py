"""Do the statements that are kept store and find what those of the ORM do?"""

import datetime
import uuid
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Upper
from django.forms import model_to_dict

from books.models import Publisher
from project.api.databases.bound import FEW_ROWS, by_keys, by_keys_of_each, insert
from project.api.fields import MAX_ID
from tests.models import Coin, Label, Shelf, Tag, Thing

pytestmark = pytest.mark.django_db
FULL = {
    "text": "é\n“%s”",
    "line": "%(a)s",
    "color": "r",
    "size": 2,
    "number": -(2**63),
    "real": 0.1,
    "price": Decimal("12345678901.2345"),
    "is_new": True,
    "day": datetime.date(1, 1, 1),
    "clock": datetime.time(23, 59, 59, 999999),
    "moment": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
    "span": datetime.timedelta(days=-1, microseconds=1),
    "token": uuid.UUID(int=1),
    "data": {"a": [1, None, "é"]},
}


@pytest.mark.parametrize("number", [1, 2, FEW_ROWS, FEW_ROWS + 1])
def test_rows_are_stored_as_bulk_create_stores_them(number, django_assert_num_queries):
    def rows():
        return [
            Thing(line=str(i), shelf=shelf) if i % 2 else Thing(shelf=shelf, **FULL)
            for i in range(number)
        ]

    shelf = Shelf()
    by_us, by_django = rows(), rows()
    insert([shelf])
    with django_assert_num_queries(1):
        insert(by_us)
    Thing.objects.bulk_create(by_django)
    stored = [
        [model_to_dict(Thing.objects.get(pk=row.pk), exclude=["id"]) for row in each]
        for each in (by_us, by_django)
    ]
    assert stored[0] == stored[1]
    assert stored[0][0]["shelf"] == shelf.pk
    assert not any(row._state.adding for row in by_us)
    by_us[0].line = "saved again"
    by_us[0].save(force_update=True)


@pytest.mark.parametrize("numbers", [(1, 2), (FEW_ROWS + 1, 1), (FEW_ROWS + 2, FEW_ROWS + 1)])
def test_postgresql_inserts_rows_of_several_models_at_once(numbers, django_assert_num_queries):
    shelves = [Shelf(name=f"{i}") for i in range(numbers[0])]
    things = [Thing(line=f"{i}") for i in range(numbers[1])]
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 2):
        insert(shelves, things)
    stored = [
        dict(Shelf.objects.values_list("pk", "name")),
        dict(Thing.objects.values_list("pk", "line")),
    ]
    assert stored == [{e.pk: e.name for e in shelves}, {e.pk: e.line for e in things}]


def test_what_a_save_makes_is_made():
    publisher = Publisher(name="  Ace   Books ")
    insert([publisher])
    stored = Publisher.objects.get()
    assert (stored.pk, stored.uid, stored.name) == (publisher.pk, publisher.uid, "Ace Books")
    assert (stored.name_folded, stored.created_at) == ("ace books", publisher.created_at)


def test_rows_that_refer_to_what_is_not_stored_are_refused():
    with pytest.raises(ValueError, match="unsaved related object"):
        insert([Thing(shelf=Shelf())])


def test_rows_with_keys_and_with_expressions_are_stored():
    tag = Tag(name="a")
    insert([tag])
    insert([Thing(pk=7, line="b")])
    insert([Label(thing_id=7, text="c")])
    insert([Shelf(name=Upper(Value("d")))])
    assert [*Tag.objects.values_list()] == [(tag.pk, "a")]
    assert [*Label.objects.values_list()] == [(7, "c")]
    assert Shelf.objects.get().name == "D"


def test_a_manager_that_creates_rows_its_own_way_is_asked():
    coin = Coin()
    insert([coin])
    assert coin.was_made_by == Coin.objects
    assert [*Coin.objects.all()] == [coin]


def test_rows_are_found_by_several_keys(django_assert_num_queries):
    things = [Thing.objects.create(**FULL) for _ in range(3)]
    with django_assert_num_queries(1):
        found = by_keys(Thing, [things[2].pk, things[0].pk, things[2].pk, 10**6, MAX_ID + 1])
    assert {each.pk: model_to_dict(each) for each in found} == {
        each.pk: model_to_dict(each) for each in (things[0], things[2])
    }
    with django_assert_num_queries(0):
        assert by_keys(Thing, [MAX_ID + 1]) == by_keys(Thing, []) == []


def test_rows_are_found_by_keys_of_other_types():
    tags = [Tag.objects.create(name=str(i)) for i in range(2)]
    labels = [Label.objects.create(thing=Thing.objects.create(), text=str(i)) for i in range(2)]
    assert {*by_keys(Tag, [each.pk for each in tags])} == {*tags}
    assert {*by_keys(Label, [each.pk for each in labels])} == {*labels}


def test_rows_of_several_models_are_found_at_once(django_assert_num_queries):
    things = [Thing.objects.create(**FULL) for _ in range(2)]
    tag, shelf = Tag.objects.create(name="a"), Shelf.objects.create(name="b")
    keys = {
        Thing: [each.pk for each in things],
        Tag: [tag.pk],
        Shelf: [shelf.pk, 10**6, MAX_ID + 1],
        Label: [MAX_ID + 1],
    }
    with django_assert_num_queries(1):
        found = by_keys_of_each(keys)
    assert {each: model_to_dict(each) for each in found} == {
        each: model_to_dict(each) for each in (*things, tag, shelf)
    }
    coin = Coin._base_manager.create(is_sealed=True)
    assert by_keys_of_each({Coin: [coin.pk], Tag: [tag.pk]}) == [tag]
    assert by_keys_of_each({Label: [MAX_ID + 1], Thing: []}) == by_keys_of_each({}) == []


def test_rows_that_the_manager_hides_are_not_found():
    coins = [Coin._base_manager.create(is_sealed=is_sealed) for is_sealed in (True, False)]
    assert by_keys(Coin, [each.pk for each in coins]) == coins[1:]


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite plans alike for all keys.")
@pytest.mark.django_db(transaction=True)
def test_one_plan_is_kept_for_however_many_keys():
    # What others have prepared goes with the connection.
    connection.close()
    things = [Thing.objects.create(**FULL) for _ in range(3)]
    for number in [1, 2, 3] * 5:
        assert len(by_keys(Thing, [each.pk for each in things[:number]])) == number
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custom_plans, generic_plans > 0 FROM pg_prepared_statements"
            " WHERE statement LIKE 'SELECT%%tests_thing%%ANY%%'"
        )
        # PostgreSQL tries five plans made for their keys before it compares.
        assert cursor.fetchall() == [(5, True)]
