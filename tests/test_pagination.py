"""Does a walk through the pages give each row once, in order, at the same price everywhere?"""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import Signer
from django.db import connection, transaction
from django.urls import path
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from authors.models import Author
from project.api.lists.keysets import Keyset
from project.api.lists.pagination import CursorPagination
from project.api.lists.parameters import StrictQueryParameters


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id"]


class AuthorViewSet(StrictQueryParameters, ModelViewSet):
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer
    ordering_fields = ["sort_name", "birth_year", "updated_at", "id"]
    ordering = ["sort_name"]


urlpatterns = [path("api/authors/", AuthorViewSet.as_view({"get": "list"}))]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

ORDERINGS = [sign + field for field in AuthorViewSet.ordering_fields for sign in ("", "-")]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def get(query="", **parameters):
    return APIClient().get(f"/api/authors/{query}", parameters)


def author(name="A", birth_year=None, changed=NOON):
    made = Author.objects.create(name=name, birth_year=birth_year)
    Author.objects.filter(pk=made.pk).update(updated_at=changed)
    made.refresh_from_db()
    return made


def ids(page):
    return [row["id"] for row in page["results"]]


def in_order(authors, ordering):
    field = ordering.removeprefix("-")

    def place(row):
        value = getattr(row, field)
        return (value is None, value if value is not None else 0, row.pk)

    return [row.pk for row in sorted(authors, key=place, reverse=ordering.startswith("-"))]


def walk(url, way):
    pages = []
    while url is not None:
        page = APIClient().get(url).json()
        pages.append(page)
        url = page[way]
    return pages


rows = st.tuples(
    st.sampled_from(["A", "a", "B", "É", "🙂"]),
    st.sampled_from([None, None, -5, 1900, 1901]),
    st.sampled_from([NOON, NOON + timedelta(microseconds=1), NOON - timedelta(days=1)]),
)


@given(
    rows=st.lists(rows, max_size=9), ordering=st.sampled_from(ORDERINGS), size=st.integers(1, 10)
)
@settings(max_examples=60)
def test_a_walk_there_and_back_meets_every_row_once_in_order(rows, ordering, size):
    with transaction.atomic():
        expected = in_order([author(*row) for row in rows], ordering)

        there = walk(f"/api/authors/?ordering={ordering}&page_size={size}", "next")
        assert [pk for page in there for pk in ids(page)] == expected
        assert all(len(ids(page)) == size for page in there[:-1])
        assert there[0]["previous"] is None

        if len(there) > 1:
            back = walk(there[-1]["previous"], "previous")
            assert [ids(page) for page in reversed(back)] == [ids(page) for page in there[:-1]]
            # And turning round anywhere gives the pages of the way there.
            assert [ids(page) for page in walk(back[-1]["next"], "next")] == [
                ids(page) for page in there[1:]
            ]
        transaction.set_rollback(True)


def test_a_page_has_its_links_and_its_results_in_this_order():
    first, second, third = author("A"), author("B"), author("C")
    page = get(page_size=1).json()
    assert list(page) == ["next", "previous", "next_cursor", "results"]
    assert page["previous"] is None
    assert page["results"] == [{"id": first.pk}]
    assert page["next"].startswith("http://testserver/api/authors/?cursor=")
    assert page["next"].endswith("&page_size=1")
    page = APIClient().get(page["next"]).json()
    assert page["results"] == [{"id": second.pk}]
    page = APIClient().get(page["next"]).json()
    assert page["results"] == [{"id": third.pk}]
    assert page["next"] is None


def test_count_is_given_when_it_is_asked_for():
    author("A"), author("B")
    assert get(count="true", page_size=1).json()["count"] == 2
    assert "count" not in get(count="false").json()


def test_an_empty_list_has_no_links():
    assert get(count="true").json() == {
        "count": 0,
        "next": None,
        "previous": None,
        "next_cursor": None,
        "results": [],
    }


def test_a_page_has_50_results_unless_it_is_told_otherwise_and_200_at_most():
    Author.objects.bulk_create(Author(name=f"{i:03}") for i in range(201))
    assert len(get().json()["results"]) == 50
    assert len(get(page_size=200).json()["results"]) == 200


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_page_is_one_query_and_its_count_another(ordering, django_assert_num_queries):
    Author.objects.bulk_create(Author(name=f"{i}", birth_year=1900 + i) for i in range(9))
    with django_assert_num_queries(1):
        page = get(ordering=ordering, page_size=3).json()
    with django_assert_num_queries(1):
        page = APIClient().get(page["next"]).json()
    with django_assert_num_queries(2):
        get(ordering=ordering, count="true")


def test_a_page_on_the_border_of_the_nulls_is_two_queries(django_assert_num_queries):
    for year in (1900, 1901, 1902, None, None, None):
        author(birth_year=year)
    page = get(ordering="birth_year", page_size=1).json()
    for queries in (1, 2, 2, 1, 1):
        with django_assert_num_queries(queries):
            page = APIClient().get(page["next"]).json()
    assert page["next"] is None
    for queries in (1, 2, 2, 1, 1):
        with django_assert_num_queries(queries):
            page = APIClient().get(page["previous"]).json()
    assert page["previous"] is None


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_page_starts_at_its_place_in_the_index(ordering):
    """What makes page 20,000 as cheap as the first: no sort, no rows walked over."""
    Author.objects.bulk_create(Author(name=f"{i:04}", birth_year=i + 1) for i in range(2_000))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE authors_author")
    queryset = Author.objects.order_by(ordering)
    keyset = Keyset.of(queryset)
    middle = Author.objects.order_by("pk")[1_000]
    for backwards in (False, True):
        for value in [keyset.position_of(middle)[0]] + [None] * keyset.field.null:
            for part in keyset.beyond(queryset, value, middle.pk, backwards):
                plan = part[:51].explain()
                assert "Sort Key" not in plan, plan
                assert "TEMP B-TREE" not in plan, plan
                assert "Seq Scan" not in plan, plan
                assert "SCAN" not in plan, plan


def test_rows_that_come_and_go_disturb_no_other_row():
    made = [author(f"{i}") for i in range(6)]
    page = get(page_size=3).json()
    made[2].delete()  # the row that the cursor stands on
    author("00")  # before the cursor
    assert ids(APIClient().get(page["next"]).json()) == [row.pk for row in made[3:]]


@pytest.mark.parametrize(
    "size", ["0", "201", "-1", "1.5", "x", "1e2", "+5", "05", "٣", "9" * 5_000]
)
def test_a_page_size_out_of_range_is_400(size):
    response = get(page_size=size)
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"parameter": "page_size", "code": "invalid", "detail": "A page has 1 to 200 results."}
    ]


@pytest.mark.parametrize(
    ("count", "counts"),
    [
        *((text, True) for text in ("true", "True", "TRUE", "1")),
        *((text, False) for text in ("false", "False", "0")),
    ],
)
def test_a_boolean_may_be_written_as_programs_write_it(count, counts):
    assert ("count" in get(count=count).json()) == counts


def test_the_next_cursor_is_that_of_the_next_link():
    first, second = author("A"), author("B")
    page = get(page_size=1).json()
    assert page["results"] == [{"id": first.pk}]
    assert f"cursor={quote(page['next_cursor'], safe='')}" in page["next"]
    page = get(page_size=1, cursor=page["next_cursor"]).json()
    assert (page["results"], page["next_cursor"]) == ([{"id": second.pk}], None)


@pytest.mark.parametrize("count", ["2", "yes", "on", "true\0", "01"])
def test_a_count_that_is_neither_true_nor_false_is_400(count):
    response = get(count=count)
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "count"


def forged(value, salt="cursor:authors.Author:sort_name", key=None):
    return Signer(key=key, salt=salt).sign_object(value)


@pytest.mark.parametrize(
    "cursor",
    [
        "cD1hYmM=",  # p=abc, as DRF's own cursors have it
        "cD0A",
        "x",
        ":",
        "::::",
        "\0",
        "é🙂",
        "A" * 5_000,
        "-1",
        "9" * 30,
        forged([False, "A", 1], key="another key"),
        forged([False, "A", 1], salt="cursor:authors.Author:-sort_name"),
        forged([False, "A", 1], salt="cursor:books.Book:sort_name"),
        forged([False, "A", 1]) + "x",
    ],
)
def test_a_cursor_that_this_list_did_not_make_is_400(cursor):
    response = get(cursor=cursor)
    assert response.status_code == 400
    problem = response.json()
    assert problem["errors"] == [
        {
            "parameter": "cursor",
            "code": "invalid",
            "detail": "This cursor was not made by this list in this order.",
        }
    ]


@given(cursor=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_text_in_place_of_a_cursor_is_a_500(cursor):
    assert get(cursor=cursor).status_code == 400


def test_a_cursor_of_another_ordering_is_400():
    author("A", 1900), author("B", 1901)
    cursor = get(ordering="birth_year", page_size=1).json()["next"]
    response = APIClient().get(cursor.replace("ordering=birth_year", "ordering=-birth_year"))
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "cursor"


def test_a_cursor_from_before_a_change_of_the_fields_type_is_400():
    cursor = forged([False, "Adams", 1], salt="cursor:authors.Author:birth_year")
    response = get(ordering="birth_year", cursor=cursor)
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "cursor"


def test_an_ordering_that_no_cursor_can_follow_is_refused_to_the_developer():
    request = Request(APIRequestFactory().get("/"))
    for second in ("birth_year", "-id"):
        with pytest.raises(ImproperlyConfigured):
            CursorPagination().paginate_queryset(Author.objects.order_by("name", second), request)
