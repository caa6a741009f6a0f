"""Is a page by a statement that is kept the page that the ORM gives, with the ORM's statement?"""

import re
from itertools import product

import pytest
from django.db import connection
from django.db.models import F, Manager
from django.db.models.sql.compiler import SQLCompiler
from django.urls import get_resolver

from authors.models import Author
from books.models import Book, Edition, Publisher, Series, Subject
from project.api.databases import bound
from project.api.databases.bound import by_key, has_rows_alone
from project.api.declarations import routes
from project.api.lists import statements
from project.api.viewsets import ResourceViewSet
from tests.catalogue import book

pytestmark = pytest.mark.django_db
PATHS = {"authors", "books", "series", "publishers", "subjects"}
VIEWS = {
    view.queryset.model._meta.verbose_name_plural: view
    for view in routes(get_resolver())
    if issubclass(view, ResourceViewSet) and hasattr(view.queryset.model, "uid")
    if not hasattr(view, "parent_lookup")
}
VALUES = {
    "uid": "0b5f4d6e-4a1f-4f39-8f0b-3c1d2e4f5a6b",
    "updated_since": "2020-01-01T00:00:00Z",
    "language": "en",
    "language.exact": "pt-BR",
    "openlibrary_key": "OL27482W",
    "isbn": "9780441013593",
    "role": "author",
}
FILTERS = [
    (name, each)
    for name, view in VIEWS.items()
    if hasattr(view, "filterset_class")
    for each in view.filterset_class.base_filters
]
NESTED = {
    "authors": "AuthorBookViewSet",
    "series": "SeriesBookViewSet",
    "publishers": "PublisherEditionViewSet",
    "subjects": "SubjectBookViewSet",
    "books": "BookEditionViewSet",
}
ORDERINGS = [
    (name, sign + field)
    for name, view in VIEWS.items()
    for field, sign in product(view.ordering_fields, ("", "-"))
]


@pytest.fixture
def both(anonymous, monkeypatch):
    """The answer to a GET with what it asked the database; the same without kept statements."""

    def answer(url):
        asked = []

        def recording(execute, sql, params, many, context):
            asked.append((re.sub(r"LIMIT \d+", "LIMIT", sql.replace("(%s)", "%s")), list(params)))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(recording):
            response = anonymous.get(url, headers={"X-Request-ID": "same"})
        return response.status_code, response.content, asked

    def both(url):
        # Once before, so that it is kept.
        answer(url)
        here = answer(url)
        with monkeypatch.context() as context:
            context.setattr(ResourceViewSet, "_kept_pages", lambda view: None)
            assert answer(url) == here
        return here

    return both


@pytest.fixture
def catalogue():
    hainish = Series.objects.create(name="Hainish Cycle")
    for i in range(6):
        author = Author.objects.create(
            name=f"Name {i // 2}", birth_year=1900 + i if i % 2 else None
        )
        each = book(f"Title {i // 2}", [author])
        year = 1960 + i // 2 if i % 3 else None
        type(each).objects.filter(pk=each.pk).update(first_published_year=year, series=hainish)
        Series.objects.create(name=f"Series {i // 2}")
        each.subjects.add(Subject.objects.get_or_create(name="Planets")[0])
        house, _ = Publisher.objects.get_or_create(name="Ace")
        Edition.objects.create(book=each, publisher=house)


def test_all_lists_are_here():
    assert VIEWS.keys() >= PATHS


@pytest.mark.parametrize(("path", "ordering"), ORDERINGS)
def test_each_order_is_walked_through_both_ways_like_the_orms(path, ordering, both, catalogue):
    url, links = f"/api/{path}/?page_size=2&ordering={ordering}", ["next"] * 4 + ["previous"] * 4
    for link in links:
        status, content, _ = both(url)
        assert status == 200
        url = re.search(rf'"{link}":(?:"(.*?)"|null)', content.decode())[1]
        if url is None:
            break


@pytest.mark.parametrize(("path", "name"), FILTERS)
@pytest.mark.parametrize("value", ["", "0", "9" * 12, "9" * 18, "\0"])
def test_each_filter_asks_what_the_orm_asks(path, name, value, both, catalogue):
    value = value or VALUES.get(name, "1")
    for ordering in ("id", "-id"):
        both(f"/api/{path}/?{name}={value}&page_size=2&ordering={ordering}")


@pytest.mark.parametrize("path", ["authors", "series", "publishers", "subjects", "books"])
def test_the_children_of_a_parent_are_those_that_the_orm_gives(path, both, catalogue):
    [view] = [
        view
        for view in routes(get_resolver())
        if hasattr(view, "parent_lookup") and view.__name__ == NESTED[path]
    ]
    parent = VIEWS[path].queryset.first()
    children = view.queryset.model._meta.verbose_name_plural
    for ordering in view.ordering_fields:
        url = f"/api/{path}/{parent.pk}/{children}/?page_size=2&ordering=-{ordering}"
        while url is not None:
            status, content, _ = both(url)
            assert status == 200
            url = re.search(r'"next":(?:"(.*?)"|null)', content.decode())[1]
    assert both(f"/api/{path}/{parent.pk + 999}/{children}/")[0] == 404


def test_children_are_kept_for_all_parents_and_are_each_parents_own(anonymous, catalogue):
    anonymous.get(f"/api/authors/{Author.objects.latest('pk').pk}/books/")
    before = statements._statements.cache_info()
    for author in Author.objects.order_by("pk"):
        found = anonymous.get(f"/api/authors/{author.pk}/books/").json()["results"]
        assert [each["title"] for each in found] == [f"Title {found[0]['title'][6:]}"]
        assert [each["id"] for each in found] == [author.contributions.get().book_id]
    after = statements._statements.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 6)


def test_filters_together_ask_what_the_orm_asks(both, catalogue):
    series = Series.objects.get(name="Hainish Cycle").pk
    years = "first_published_year_max=1962&first_published_year_min=1960"
    for url in [
        f"/api/books/?series={series}&{years}&page_size=2",
        f"/api/books/?{years}&role=author",
    ]:
        status, content, _ = both(url)
        assert (status, content.count(b'"original_title"')) == (200, 2 if "page_size" in url else 4)


KEPT = {
    *("series", "language", "language.exact", "uid", "openlibrary_key"),
    *("first_published_year", "first_published_year_min", "first_published_year_max"),
}


# To compare a document with its serializer, statements are composed.
@pytest.mark.documents_alone
def test_a_list_of_columns_is_composed_once(anonymous, catalogue, monkeypatch):
    composed, as_sql = [], SQLCompiler.as_sql
    monkeypatch.setattr(
        SQLCompiler, "as_sql", lambda self, *a, **k: composed.append(self) or as_sql(self, *a, **k)
    )
    urls = ["/api/books/", "/api/books/?ordering=-first_published_year&page_size=2"]
    urls += [f"/api/books/?{name}={VALUES.get(name, '1')}" for name in KEPT]
    urls.append(anonymous.get(urls[1]).json()["next"])
    urls += [f"/api/authors/{Author.objects.latest('pk').pk}/books/"]
    for url in urls:
        anonymous.get(url)
        composed.clear()
        assert anonymous.get(url).status_code == 200
        assert composed == []
    anonymous.get("/api/books/?author=1")
    assert composed != []


@pytest.mark.parametrize("model", [view.queryset.model for view in VIEWS.values()])
def test_an_object_by_its_key_is_the_one_that_the_orm_gives(model, catalogue):
    pk = model.objects.latest("pk").pk
    for _ in range(2):
        kept_one, composed = by_key(model, pk), model.objects.get(pk=pk)
        assert type(kept_one) is model
        state, theirs = vars(kept_one), vars(composed)
        of_kept, of_composed = state.pop("_state"), theirs.pop("_state")
        # Django 6.1 sets this when it is asked for.
        modes = [getattr(each, "fetch_mode", None) for each in (of_kept, of_composed)]
        assert modes[0] == modes[1]
        assert vars(of_kept) == vars(of_composed)
        assert state == theirs
    assert [by_key(model, key) for key in (0, pk + 1, 2**63 - 1, 2**63)] == [None] * 4


@pytest.mark.documents_alone
def test_a_change_reads_the_object_by_statements_that_are_kept(librarian, catalogue, monkeypatch):
    pk = Series.objects.latest("pk").pk
    url = f"/api/series/{pk}/"
    assert librarian.patch(url, {"name": "First"}, format="json").status_code == 200
    asked = []

    def recording(self, *args, **kwargs):
        asked.append(self)
        return as_sql(self, *args, **kwargs)

    as_sql = SQLCompiler.as_sql
    monkeypatch.setattr(SQLCompiler, "as_sql", recording)
    assert librarian.patch(url, {"name": "Second"}, format="json").json()["name"] == "Second"
    assert not [each for each in asked if type(each) is SQLCompiler and each.query.model is Series]
    nobodys = f"/api/series/{pk + 999}/"
    assert librarian.patch(nobodys, {"name": "Third"}, format="json").status_code == 404


QUERYSETS = {
    "all": (lambda: Series.objects.all(), True),
    "ordered": (lambda: Series.objects.order_by("name"), True),
    "annotated": (lambda: Series.objects.annotate(twice=F("id") * 2), False),
    "related": (lambda: Book.objects.select_related("series"), False),
    "prefetched": (lambda: Series.objects.prefetch_related("books"), False),
    "deferred": (lambda: Series.objects.defer("name"), False),
    "some": (lambda: Series.objects.filter(name="One"), False),
    "values": (lambda: Series.objects.values("id"), False),
    "elsewhere": (lambda: Series.objects.using("other"), False),
}


@pytest.mark.parametrize("name", QUERYSETS)
def test_a_queryset_has_rows_alone_where_it_adds_nothing_to_an_object(name):
    queryset, alone = QUERYSETS[name]
    assert has_rows_alone(queryset()) is alone


def test_an_object_by_its_key_is_asked_of_a_manager_of_ones_own(catalogue, monkeypatch):
    class Nobody(Manager):
        def get_queryset(self):
            return super().get_queryset().none()

    pk = Author.objects.latest("pk").pk
    assert by_key(Author, pk).pk == pk
    nobody = Nobody()
    nobody.model = Author
    monkeypatch.setitem(vars(Author._meta), "default_manager", nobody)
    assert by_key(Author, pk) is None


def test_no_more_statements_are_kept_than_there_is_room_for():
    for cache in (statements._keyset, statements._statements, bound._rows, bound._insertion):
        assert cache.cache_info().maxsize == bound.KEPT_STATEMENTS == 256
