"""Do a viewset's own querysets, backends, pages and actions work as REST framework says they do?"""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from rest_framework import filters as backends
from rest_framework.decorators import action
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient
from rest_framework_nested.routers import NestedSimpleRouter

from authors.models import Author
from books.models import Book, Publisher
from books.views import BookViewSet, PublisherViewSet
from project.api.filters import StrictFilterBackend
from project.api.lists.ordering import OrderingFilter
from project.api.search.filter import SearchFilter
from project.api.viewsets import NestedViewSet
from project.api.writes.signals import rows_written
from tests.catalogue import book, send

router = SimpleRouter(use_regex_path=False)


class Pages(PageNumberPagination):
    page_size = 2


class Slices(LimitOffsetPagination):
    default_limit = 2


class WithoutDrafts(BaseFilterBackend):
    def filter_queryset(self, request, queryset, view):
        return queryset.exclude(title__startswith="Draft")


class InPages(BookViewSet):
    pagination_class = Pages


class InSlices(BookViewSet):
    pagination_class = Slices


class Whole(BookViewSet):
    pagination_class = None


class SearchedFirst(BookViewSet):
    filter_backends = [SearchFilter, WithoutDrafts, StrictFilterBackend, OrderingFilter]


class OfTheShelf(BookViewSet):
    """Its own queryset, without REST framework's, and its own filter_queryset."""

    def get_queryset(self):
        return Book.objects.exclude(title="Lost")

    def filter_queryset(self, queryset):
        return super().filter_queryset(queryset).exclude(title="Lent")


class OfAPublisher(NestedViewSet, BookViewSet):
    """Which no relation of a book's body says: its editions do."""

    parent_lookup = "editions__publisher"


class OfAnEdition(NestedViewSet, BookViewSet):
    parent_lookup = "editions"


class SearchedAsThere(BookViewSet):
    """As REST framework's documentation has it."""

    filter_backends = [backends.SearchFilter]
    search_fields = ["title", "authors__name"]
    filterset_class = None
    ordering_fields = ()
    ordering = None


class WithActions(BookViewSet):
    @action(detail=False)
    def english(self, request):
        return self.get_list_response(self.get_queryset().filter(language="en"))

    @action(detail=False)
    def recent(self, request):
        """As REST framework's documentation writes one."""
        page = self.paginate_queryset(Book.objects.order_by("-created_at"))
        return self.get_paginated_response([each.title for each in page])

    @action(detail=False)
    def found(self, request):
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([each.title for each in page])

    @action(detail=False, filter_backends=[], pagination_class=None)
    def statistics(self, request):
        return Response({"books": Book.objects.count()})

    @action(detail=False, methods=["post"])
    def reset(self, request):
        return Response({})

    @action(detail=True)
    def similar(self, request, pk):
        return self.get_list_response(self.get_queryset())

    @action(detail=True, methods=["post"])
    def translate(self, request, pk):
        return self.get_update_response({"original_title": "", "language": "en"})

    @action(detail=True, methods=["post"])
    def write_anew(self, request, pk):
        return self.get_update_response({**request.data, "editions": []})


VIEWSETS = {
    "pages": InPages,
    "slices": InSlices,
    "whole": Whole,
    "searched": SearchedFirst,
    "shelf": OfTheShelf,
    "actions": WithActions,
}
for prefix, viewset in VIEWSETS.items():
    router.register(prefix, viewset, f"test-{prefix}")
router.register("searched-as-there", SearchedAsThere, "test-there")
router.register("publishers", PublisherViewSet, "test-publisher")
router.register("editions", PublisherViewSet, "test-edition")
of_publisher = NestedSimpleRouter(router, "publishers", lookup="publisher", use_regex_path=False)
of_publisher.register("books", OfAPublisher, "test-publisher-book")
of_edition = NestedSimpleRouter(router, "editions", lookup="edition", use_regex_path=False)
of_edition.register("books", OfAnEdition, "test-edition-book")
urlpatterns = [
    path("api/", include([*router.urls, *of_publisher.urls, *of_edition.urls])),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


def get(url, status=200, **parameters):
    response = APIClient().get(f"/api/{url}", parameters)
    assert response.status_code == status, response.content
    return response.json()


def titles(answer):
    return [each["title"] for each in (answer if isinstance(answer, list) else answer["results"])]


@pytest.fixture
def moons(db):
    """Found by “moon” in this order: its title first, the shortest titles next, the rest by id."""
    author = Author.objects.create(name="Moon Unit")
    for title in ("Zappa", "Moon of the Sea", "Moon Two", "Another", "Moon"):
        book(title, [author])
    return ["Moon", "Moon Two", "Moon of the Sea", "Zappa", "Another"]


def test_pages_with_numbers_have_the_search_in_its_order(moons):
    first = get("pages/", search="moon")
    assert titles(first) == moons[:2]
    assert first["count"] == 5
    assert titles(get("pages/", search="moon", page=2)) == moons[2:4]
    assert titles(get("pages/", search="moon", page=3)) == moons[4:]
    assert get("pages/", 404, page=4)["status"] == 404


def test_pages_with_numbers_take_filters_orders_and_fields(moons):
    page = get("pages/", ordering="-title", fields="title")
    assert page["results"] == [{"title": "Zappa"}, {"title": "Moon of the Sea"}]
    assert titles(get("pages/", search="moon", ordering="title")) == ["Another", "Moon"]
    assert titles(get("pages/", title="Zappa")) == ["Zappa"]


def test_slices_have_the_search_in_its_order(moons):
    answer = get("slices/", search="moon", limit=2, offset=1)
    assert titles(answer) == moons[1:3]
    assert answer["next"].endswith("/api/slices/?limit=2&offset=3&search=moon")


def test_a_list_without_pages_is_an_array(moons):
    assert titles(get("whole/", search="moon")) == moons
    assert get("whole/", fields="title", title="Zappa") == [{"title": "Zappa"}]
    assert titles(get("whole/")) == sorted(moons)


@pytest.mark.parametrize(
    ("url", "parameter"),
    [("pages/", "cursor"), ("slices/", "page"), ("whole/", "page_size"), ("shelf/", "limit")],
)
def test_a_list_takes_no_parameter_of_pages_of_another_kind(db, url, parameter):
    [fault] = get(url, 400, **{parameter: 1})["errors"]
    assert (fault["parameter"], fault["code"]) == (parameter, "unknown")


def test_backends_may_stand_in_any_order_with_ones_own_among_them(moons):
    book("Draft of Moon", [Author.objects.get()], language="en")
    book("Moon, Again", [Author.objects.get()], language="en")
    assert titles(get("searched/", search="moon")) == [*moons[:2], "Moon, Again", *moons[2:]]
    assert titles(get("searched/", search="moon", language="en")) == ["Moon, Again"]
    assert titles(get("searched/", search="moon", ordering="-id", page_size=2)) == [
        "Moon, Again",
        "Moon",
    ]


def test_pages_of_a_search_with_ones_own_backend_lead_through_all_of_it(moons):
    found, url = [], "searched/?search=moon&page_size=2&count=true"
    while url:
        page = get(url)
        assert page["count"] == 5
        found += titles(page)
        url = page["next"] and page["next"].partition("/api/")[2]
    assert found == moons


def test_a_queryset_and_a_filter_of_ones_own_decide_what_a_list_has(moons):
    book("Lost", language="en"), book("Lent", language="en"), book("Left", language="en")
    assert titles(get("shelf/")) == sorted([*moons, "Left"])
    assert titles(get("shelf/", language="en")) == ["Left"]
    assert titles(get("shelf/", search="l")) == ["Left"]


def test_a_search_as_rest_framework_has_it_works(moons):
    assert titles(get("searched-as-there/", search="sea")) == ["Moon of the Sea"]
    page = get("searched-as-there/", search="unit", page_size=3)
    assert len(page["results"]) == 3


def test_a_parent_that_no_body_names_has_a_list_and_takes_what_belongs_to_it(librarian):
    tor, ace = (Publisher.objects.create(name=name) for name in ("Tor", "Ace"))
    dune, solaris = book("Dune"), book("Solaris")
    of_tor, _ = (
        dune.editions.create(publisher=tor),
        solaris.editions.create(publisher=ace),
    )
    assert titles(get(f"publishers/{tor.pk}/books/")) == ["Dune"]
    assert titles(get(f"editions/{of_tor.pk}/books/")) == ["Dune"]
    get(f"publishers/{tor.pk}/books/{solaris.pk}/", 404)
    path = f"/publishers/{tor.pk}/books/"
    problem = send(librarian, "POST", path, {"title": "Ubik"}, 400)
    assert problem["errors"] == [
        {
            "pointer": "",
            "code": "conflicting_values",
            "detail": f"This would put it outside of publisher {tor.pk}.",
        }
    ]
    body = {"title": "Ubik", "editions": [{"publisher_id": tor.pk}]}
    made = send(librarian, "POST", path, body, 201)
    assert get(f"publishers/{tor.pk}/books/{made['id']}/") == made
    assert Book.objects.count() == 3


# Actions


def test_an_action_answers_as_a_list_does(db):
    for number, language in enumerate(["en", "fr", "en", "en"]):
        book(f"{number}", language=language)
    assert titles(get("actions/english/")) == ["0", "2", "3"]
    page = get("actions/english/", fields="title", ordering="-title", page_size=2, count="true")
    assert page["results"] == [{"title": "3"}, {"title": "2"}]
    assert page["count"] == 3
    following = get(page["next"].partition("/api/")[2])
    assert following["results"] == [{"title": "0"}]
    assert titles(get("actions/english/", title="2")) == ["2"]
    assert titles(get("actions/english/", search="3")) == ["3"]


@pytest.mark.parametrize(
    ("parameter", "value", "code"),
    [("pages", 1, "unknown"), ("page_size", 0, "invalid"), ("fields", "titel", "unknown")],
)
def test_an_action_refuses_what_a_list_refuses(db, parameter, value, code):
    [fault] = get("actions/english/", 400, **{parameter: value})["errors"]
    assert (fault["parameter"], fault["code"]) == (parameter, code)


def test_an_action_written_as_in_the_documentation_of_rest_framework_works(moons):
    page = get("actions/recent/", page_size=3)
    assert page["results"] == ["Moon", "Another", "Moon Two"]
    assert get(page["next"].partition("/api/")[2])["results"] == ["Moon of the Sea", "Zappa"]
    assert get("actions/found/", search="moon")["results"] == moons


def test_an_action_without_pages_takes_no_parameter_of_a_list(db):
    assert get("actions/statistics/") == {"books": 0}
    for parameter in ("page_size", "search", "ordering", "title"):
        [fault] = get("actions/statistics/", 400, **{parameter: "1"})["errors"]
        assert (fault["parameter"], fault["code"]) == (parameter, "unknown")


def test_an_action_that_writes_takes_no_parameter_of_a_list(librarian):
    assert librarian.post("/api/actions/reset/").status_code == 200
    assert librarian.post("/api/actions/reset/?page_size=1").status_code == 400


def test_a_ranked_list_is_a_queryset_to_whoever_asks(moons):
    from project.api.search.queries import Search

    ranked = Search.of("moon", {}).find(Book.objects.all(), ranked=True).queryset
    assert isinstance(ranked, QuerySet)
    assert [each.title for each in ranked] == moons
    assert [each.title for each in ranked[1:3]] == moons[1:3]
    assert ranked.count() == 5
    assert [each.title for each in ranked.order_by("title")] == sorted(moons)
    assert Book.objects.filter(pk__in=ranked.filter(title__contains="o").values("pk")).count() == 4


def parameters(operation):
    return [each.get("name") or each["$ref"].rpartition("/")[2] for each in operation["parameters"]]


def test_the_contract_has_the_parameters_of_each_kind_of_list():
    paths = SchemaGenerator(patterns=urlpatterns).get_schema(request=None, public=True)["paths"]
    # An action of one's own answers pages alone, and what has another kind of pages, too.
    whole = parameters(paths["/api/actions/"]["get"])
    assert {"Cursor", "PageSize", "Count", "ordering", "search", "title", "BookFields"} <= {*whole}
    for name in ("english", "recent", "found"):
        operation = paths[f"/api/actions/{name}/"]["get"]
        assert parameters(operation) == whole
        bodies = operation["responses"]["200"]["content"].values()
        assert [each["schema"] for each in bodies] == [
            {"$ref": "#/components/schemas/PaginatedBookList"},
            {"$ref": "#/components/schemas/PartialPaginatedBookList"},
        ]
    statistics = parameters(paths["/api/actions/statistics/"]["get"])
    assert statistics == ["BookFields", "BookOmit", "IfNoneMatch", "DatabasePosition"]
    pages = ["Cursor", "PageSize", "Count"]
    others = [name for name in whole if name not in pages]
    assert parameters(paths["/api/pages/"]["get"]) == [*others, "page"]
    assert parameters(paths["/api/slices/"]["get"]) == [*others, "limit", "offset"]
    listed = parameters(paths["/api/whole/"]["get"])
    assert listed == others


# Actions that write


@pytest.fixture
def heard():
    """What the signal of writes has said of books: the versions of those that changed."""
    versions = []

    def hear(sender, changed, **kwargs):
        versions.extend(book.version for book in changed.get(Book, {}))

    rows_written.connect(hear)
    yield versions
    rows_written.disconnect(hear)


def test_an_action_writes_as_a_patch_does(librarian, heard):
    solaris = book("Solaris", original_title="Solaris", language="pl")
    answer = send(librarian, "POST", f"/actions/{solaris.pk}/translate/")
    assert answer == send(librarian, "GET", f"/actions/{solaris.pk}/")
    assert (answer["language"], answer["original_title"], answer["version"]) == ("en", "", 2)
    assert heard == [2]
    # Nothing is left to change.
    assert send(librarian, "POST", f"/actions/{solaris.pk}/translate/")["version"] == 2
    refused = send(librarian, "POST", f"/actions/{solaris.pk}/translate/?fields=version", None, 400)
    assert [(each["parameter"], each["code"]) for each in refused["errors"]] == [
        ("fields", "unknown")
    ]


def test_an_action_that_writes_refuses_whom_and_what_a_patch_refuses(member, librarian, heard):
    solaris = book("Solaris", isbns=["9780156027601"])
    path = f"/actions/{solaris.pk}"
    assert send(member, "POST", f"{path}/translate/", status=403)["code"] == "permission_denied"
    assert send(librarian, "POST", "/actions/999999/translate/", status=404)["code"] == "not_found"
    problem = send(librarian, "POST", f"{path}/write_anew/", {"title": "", "tilte": 1}, 400)
    assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [
        ("/title", "blank"),
        ("/tilte", "unknown"),
    ]
    assert Book.objects.get().editions.count() == 1
    assert heard == []
    written = send(librarian, "POST", f"{path}/write_anew/", {"author_ids": []})
    assert (written["editions"], written["version"]) == ([], 2)


def test_a_list_under_an_object_is_refused_to_the_developer(db):
    solaris = book("Solaris")
    with pytest.raises(ImproperlyConfigured, match="“similar” is no GET"):
        get(f"actions/{solaris.pk}/similar/")
