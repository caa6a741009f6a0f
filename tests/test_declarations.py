"""Is every misspelt declaration named at start-up, with what would be right?"""

import subprocess
import sys

import pytest
from django.core.checks import run_checks
from django.db.models import Count, Max, Q
from django.test import override_settings
from django.urls import include, path
from django_filters.rest_framework import CharFilter, DjangoFilterBackend
from rest_framework import filters as backends
from rest_framework import pagination, serializers
from rest_framework.routers import SimpleRouter
from rest_framework_nested.routers import NestedSimpleRouter

from authors.serializers import AuthorSerializer
from authors.views import AuthorViewSet
from books.models import Book, Contribution
from books.serializers import BookSerializer, ContributionItem, EditionSerializer
from books.views import (
    AuthorBookViewSet,
    BookContributionViewSet,
    BookViewSet,
)
from project.api.filters import ListFilterSet, TextFilter
from project.api.relations import Owned, ReverseVia, Shared, Via
from project.api.search.filter import SearchFilter
from project.api.serializers import ResourceSerializer
from project.api.viewsets import ItemViewSet, NestedViewSet
from tests.postgres import free_port
from tests.server import ROOT, development

# Django's own checks ask the database for what it can do, the first time in a process.
pytestmark = pytest.mark.django_db


def errors(root=None, nested=None, lookup="author", parent=AuthorViewSet):
    """What check says of a viewset at its own URL, or under a parent's: (id, message, hint)."""
    router = SimpleRouter(use_regex_path=False)
    router.register("parents", parent, "parent")
    below = NestedSimpleRouter(router, "parents", lookup=lookup, use_regex_path=False)
    if root is not None:
        router.register("roots", root, "root")
    if nested is not None:
        below.register("children", nested, "child")
    patterns = (path("api/", include(router.urls)), path("api/", include(below.urls)))
    own = {root, nested, getattr(root, "serializer_class", None)}
    with override_settings(ROOT_URLCONF=patterns):
        return [
            (error.id, error.msg, error.hint)
            for error in run_checks()
            if (error.obj in own or getattr(error.obj, "__name__", "") == "Wrong")
            # That of documents asks of every viewset of this process.
            and error.id != "api.E001"
        ]


def viewset(base, **attributes):
    return type(f"A{base.__name__}", (base,), attributes)


def assert_named(found, number, message, hint):
    """There is this one error, which says this, and what would be right."""
    assert [each[0] for each in found] == [number], found
    assert message in found[0][1]
    assert hint in found[0][2]


def test_what_the_project_declares_is_right():
    assert [error for error in run_checks() if error.id.startswith("api.")] == []


@pytest.mark.parametrize(
    ("base", "attributes", "message", "hint"),
    [
        (AuthorBookViewSet, {"parent_lookup": "author"}, "“author” leads from Book", "“authors”"),
        (
            AuthorBookViewSet,
            {"parent_lookup": "contributions__autor"},
            "to no other model. Of the serializer's relations, these do: contributions__author, se",
            "contributions",
        ),
        (AuthorBookViewSet, {"parent_lookup": "title"}, "“title” leads", "There are: authors,"),
        (
            AuthorBookViewSet,
            {"parent_lookup": "editions__publisher"},
            "there is no <publisher_pk> in it",
            "lookup='publisher'",
        ),
        (BookContributionViewSet, {"parent_lookup": "autor"}, "leads from Contr", "“author”"),
        (NestedViewSet, {}, "It has no `parent_lookup`.", "There are: authors, contributions"),
    ],
)
def test_a_way_to_the_parent_that_is_none(base, attributes, message, hint):
    declared = {"queryset": Book.objects.all(), "serializer_class": BookSerializer}
    found = errors(
        nested=viewset(base, **({} if base is not NestedViewSet else declared), **attributes)
    )
    assert_named(found, "api.E010", message, hint)


class Plain(ResourceSerializer):
    class Meta:
        model = Book
        fields = ["id"]


def test_a_parent_that_no_body_can_name():
    nested = viewset(
        NestedViewSet,
        queryset=Book.objects.all(),
        serializer_class=Plain,
        parent_lookup="series",
    )
    found = errors(nested=nested, lookup="series")
    message = "nothing that can be written says which series is the parent"
    assert_named(found, "api.E010", message, "Meta.relations of Plain")


@pytest.mark.parametrize("owner", [EditionSerializer, Plain, None])
def test_an_owner_that_owns_none_of_these(owner):
    attributes = {} if owner is None else {"owner_serializer_class": owner}
    base = ItemViewSet if owner is None else BookContributionViewSet
    declared = {
        "queryset": Contribution.objects.all(),
        "serializer_class": BookContributionViewSet.serializer_class,
    }
    found = errors(nested=viewset(base, **declared, **attributes), lookup="book")
    message = "has 0 times Owned(…) of Contribution" if owner else "no `owner_serializer_class`"
    assert_named(found, "api.E011", message, "Owned(“the relation to Contribution”)")


class Misspelt(ListFilterSet):
    title = TextFilter("titel")


class WithoutMethod(ListFilterSet):
    title = TextFilter(method="by_titel")

    def by_title(self, queryset, name, value):
        return queryset


class WithoutLookup(ListFilterSet):
    title = TextFilter("title", "startwith")


class Taken(ListFilterSet):
    page_size = CharFilter("title")


class Again(ListFilterSet):
    fields = CharFilter("title")


@pytest.mark.parametrize(
    ("attributes", "number", "message", "hint"),
    [
        ({"search_keys": {"editions__isbn": str}}, "api.E012", "“editions__isbn”", "isbn13"),
        ({"search_keys": {"edition__isbn13": str}}, "api.E012", "“edition__isbn13”", "“editions”"),
        ({"search_keys": {"openlibrary_key": 1}}, "api.E012", "no function", "ValidationError"),
        ({"search_fields": ["title"]}, "api.E012", "search_fields: nothing", "SearchEntry"),
        ({"ordering_fields": ["titel"]}, "api.E013", "There is no “titel” of Book", "“title”"),
        ({"ordering_fields": ["authors__name"]}, "api.E013", "many values of one Book", "title"),
        ({"ordering_fields": ["series"]}, "api.E013", "is a relation", "“series_id”"),
        ({"ordering_fields": ["series__nam"]}, "api.E013", "“series__nam”", "Meta.expressions"),
        ({"ordering_fields": "__all__"}, "api.E013", "no list of names", "Name each"),
        ({"ordering_fields": [("title", "By title")]}, "api.E013", "no list of names", "Name each"),
        ({"ordering": ["titel"]}, "api.E013", "ordering: There is no “titel”", "“title”"),
        ({"ordering": "titel"}, "api.E013", "ordering: There is no “titel”", "“title”"),
        ({"ordering": ["title", "language"]}, "api.E013", "ordering: Cannot page", "One field"),
        (
            {"queryset": Book.objects.order_by("title", "language"), "ordering": None},
            "api.E013",
            "the order of its queryset: Cannot page",
            "One field",
        ),
        ({"filter_backends": []}, "api.E013", "ordering: nothing reads it.", "OrderingFilter"),
        ({"filterset_class": Misspelt}, "api.E014", "by “titel”, which is nothing", "“title”"),
        ({"filterset_class": WithoutMethod}, "api.E014", "no method “by_titel”", "“by_title”"),
        ({"filterset_class": WithoutLookup}, "api.E014", "“title__startwith”", "“startswith”"),
        ({"filterset_class": Taken}, "api.E014", "“page_size” is another", "`field_name`"),
        ({"filterset_class": Again}, "api.E014", "“fields” is another", "`field_name`"),
        ({"filterset_fields": ["title"]}, "api.E014", "filterset_fields: nothing", "ListFilterSet"),
        ({"list_parameters": "fields"}, "api.E018", "no set of names", "ResourceViewSet"),
        (
            {"pagination_class": pagination.CursorPagination},
            "api.E019",
            "loses rows",
            "project.api.lists.pagination",
        ),
    ],
)
def test_what_a_viewset_declares_wrongly_is_named(attributes, number, message, hint):
    if "filter_backends" in attributes:
        attributes["filterset_class"] = None
    assert_named(errors(viewset(BookViewSet, **attributes)), number, message, hint)


@pytest.mark.parametrize("backend", [DjangoFilterBackend, backends.OrderingFilter])
def test_backends_that_ignore_what_they_do_not_know_are_refused(backend):
    root = viewset(
        BookViewSet, filter_backends=[SearchFilter, backend], filterset_class=None, ordering=None
    )
    root.ordering_fields = ()
    assert_named(errors(root), "api.E019", "ignore", "Use project.api.")


def with_meta(base=BookSerializer, **meta):
    fields = [*base.Meta.fields, *meta.pop("more", ())]
    return type("Wrong", (base,), {"Meta": type("Meta", (base.Meta,), {"fields": fields, **meta})})


OTHERS = [relation for relation in BookSerializer.Meta.relations if relation.name != "authors"]


@pytest.mark.parametrize(
    ("relation", "message", "hint"),
    [
        (Shared("serie", key="series_id"), "Book has no such relation", "“series”"),
        (Shared("series", key="serie_id"), "“serie_id” is not in Meta.fields", "“series_id”"),
        (Shared("contributions"), "it is no foreign key", "Owned"),
        (Shared("authors", key="author_ids"), "many-to-many without a model of its own", "Via"),
        (Owned("series"), "its rows do not refer to this object", "Shared"),
        (Owned("contributions", position="place"), "no column “place”", "There are: author,"),
        (
            Via("authors", key="author_ids", through="contribution", to="author"),
            "through='contribution' is no list of rows",
            "“contributions”",
        ),
        (
            Via("authors", key="author_ids", through="contributions", to="autor"),
            "to='autor' is no foreign key of Contribution",
            "“author”",
        ),
        (
            Via(
                "authors",
                key="author_ids",
                through="contributions",
                to="author",
                where=(("rule", "author"),),
            ),
            "where: Contribution has no column “rule”",
            "“role”",
        ),
    ],
)
def test_what_a_relation_declares_wrongly_is_named(relation, message, hint):
    relations = [each for each in OTHERS if each.name != relation.name]
    wrong = with_meta(relations=[*relations, relation])
    found = errors(viewset(BookViewSet, serializer_class=wrong))
    assert_named(found, "api.E015", message, hint)


def test_a_list_that_nothing_owns_is_named():
    relations = [each for each in BookSerializer.Meta.relations if each.name != "contributions"]
    wrong = with_meta(relations=relations)
    found = errors(viewset(BookViewSet, serializer_class=wrong))
    assert_named(found, "api.E015", "is not owned here", "Owned('contributions')")


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"serializer": "books.serializers.Nobody"}, "cannot be imported", "books.serializers"),
        ({"to": "writer"}, "to='writer' is no foreign key of Contribution", "author"),
    ],
)
def test_what_the_other_side_of_a_relation_declares_wrongly_is_named(changes, message, hint):
    declared = {
        "serializer": "books.serializers.BookOfAuthorItem",
        "through": "contributions",
        "to": "author",
        **changes,
    }
    relation = ReverseVia("books", key="book_ids", **declared)
    profile = AuthorSerializer.Meta.relations[0]
    wrong = with_meta(AuthorSerializer, relations=[profile, relation])
    found = errors(viewset(AuthorViewSet, serializer_class=wrong))
    assert_named(found, "api.E015", message, hint)


def test_what_may_be_expanded_is_a_property():
    wrong = with_meta(expandable=["descriptions"])
    found = errors(viewset(BookViewSet, serializer_class=wrong))
    assert_named(found, "api.E016", "“descriptions” is no property", "“description”")


class WithCount(BookSerializer):
    count = serializers.IntegerField(read_only=True)


@pytest.mark.parametrize(
    ("expressions", "message", "hint"),
    [
        ({"counts": Count("editions")}, "“counts” is no property of Wrong", "“count”"),
        ({"count": Count("edition")}, "Cannot resolve keyword 'edition'", "Count(“editions”)"),
        ({"count": "editions"}, "is no expression", "Count(“editions”)"),
        (
            {"count": lambda user: Max("id", filter=Q(id=user.pk))},
            "has no attribute 'pk'",
            "the key of who asks",
        ),
        ({"count": lambda: Count("editions")}, "takes 0 positional", "a function that takes"),
    ],
)
def test_what_an_expression_declares_wrongly_is_named(expressions, message, hint):
    wrong = with_meta(WithCount, more=["count"], expressions=expressions)
    found = errors(viewset(BookViewSet, serializer_class=wrong))
    assert_named(found, "api.E017", message, hint)


def test_an_ordering_by_an_expression_that_hides_a_field_is_named():
    wrong = with_meta(expressions={"title": Max("sort_title")})
    found = errors(viewset(BookViewSet, serializer_class=wrong, ordering_fields=["title"]))
    assert_named(found, "api.E013", "“title” is a field of Book and an expression", "otherwise")


def test_a_nested_serializer_is_looked_into():
    item = with_meta(ContributionItem, relations=[Shared("autor", key="author_id")])
    wrong = type(
        "Wrong", (BookSerializer,), {"contributions": item(many=True), "Meta": BookSerializer.Meta}
    )
    found = errors(viewset(BookViewSet, serializer_class=wrong))
    assert_named(found, "api.E015", "Contribution has no such relation", "“author”")


WRONG = """
from django.urls import include, path
from rest_framework.routers import SimpleRouter
from books.views import BookViewSet

class Misspelt(BookViewSet):
    ordering_fields = ["titel"]

router = SimpleRouter(use_regex_path=False)
router.register("books", Misspelt, "book")
urlpatterns = [path("api/", include(router.urls))]
"""


def test_a_server_does_not_start_with_a_misspelt_declaration(tmp_path):
    (tmp_path / "wrong_urls.py").write_text(WRONG)
    settings = "from project.settings.dev import *\nROOT_URLCONF = 'wrong_urls'\n"
    (tmp_path / "wrong_settings.py").write_text(settings)
    env = {
        **development("sqlite://:memory:"),
        "DJANGO_SETTINGS_MODULE": "wrong_settings",
        "PYTHONPATH": str(tmp_path),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "project/serve.py"],
        cwd=ROOT,
        env=env | {"PORT": str(free_port())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            output, _ = server.communicate(timeout=60)
        finally:
            server.kill()
    assert server.returncode != 0
    assert "(api.E013) ordering_fields: There is no “titel” of Book." in output
    assert "HINT: Did you mean “title”?" in output
