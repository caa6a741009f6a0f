"""Does one tag of a list ever stand for two lists, and is 304 right without the list being read?"""

import random
from threading import Event, Thread
from types import ModuleType

import pytest
from django.db import connection, connections, models, transaction
from django.db.models.functions import Length, Now
from django.urls import include, path
from django_filters.rest_framework import CharFilter, DateRangeFilter
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient

from authors.models import Author, AuthorProfile, OtherName
from books.models import Contribution, Identifier, Publisher, Series, Subject
from books.serializers import SeriesSerializer
from project.api.changes import list_tags, positions
from project.api.changes.models import Feed
from project.api.changes.tracking import tracked_tables
from project.api.filters import RootFilterSet
from project.api.lists.pagination import CursorPagination
from project.api.serializers import ResourceSerializer
from project.api.viewsets import ResourceViewSet
from tests.catalogue import TABLES as ALL_TABLES
from tests.catalogue import book, continue_ids, isbn, statements
from tests.models import Coin, Note, Thing
from tests.test_hidden import PROJECTS
from tests.test_preconditions import digest

pytestmark = pytest.mark.django_db
LISTS = [
    *("/books/", "/authors/", "/series/", "/publishers/", "/subjects/"),
    *("/books/1/contributions/", "/books/1/editions/", "/publishers/1/editions/"),
    *("/authors/1/books/", "/series/1/books/", "/subjects/1/books/"),
    "/authors/?expand=books",
    "/books/?fields=id,title&page_size=1&ordering=-updated_at&count=true",
    "/books/?series=1&subject=1,2&publisher=1,null&first_published_year_min=1900&id=1,2",
    "/books/?updated_since=2020-01-01T00:00:00Z",
    "/publishers/?name=GOLLANCZ",
    "/books/1/editions/?published_on_min=1990&edition_format=hardcover",
]


@pytest.fixture
def omens(db):
    """A row in each table of the catalogue, all with the id 1."""
    author = Author.objects.create(id=1, name="Terry Pratchett")
    AuthorProfile.objects.create(id=1, author=author)
    OtherName.objects.create(id=1, author=author, name="Sir Terry")
    series = Series.objects.create(id=1, name="Angels")
    made = book(id=1, series=series, language="en", first_published_year=1990)
    Contribution.objects.create(id=1, book=made, author=author, role="author", position=0)
    gollancz = Publisher.objects.create(id=1, name="Gollancz")
    edition = {"isbn13": isbn(1), "published_on": "1990-05", "format": "hardcover"}
    made.editions.create(id=1, publisher=gollancz, **edition)
    Identifier.objects.create(id=1, edition_id=1, scheme="oclc", value="21478515")
    made.subjects.add(Subject.objects.create(id=1, name="Apocalypse"))
    continue_ids()
    positions.give("default")
    return made


def get(client, url, tag=None, **headers):
    headers |= {} if tag is None else {"If-None-Match": tag}
    return client.get(f"/api{url}", headers=headers)


def tag_of(client, url, **headers):
    """The tag of a list, which is not the digest of its bytes."""
    answer = get(client, url, **headers)
    assert answer.status_code == 200, answer.content
    assert answer["ETag"] != f'"{digest(answer.content)}"'
    return answer["ETag"]


# 304


@pytest.mark.documents_alone
@pytest.mark.parametrize("url", LISTS)
def test_list_that_has_not_changed_is_not_read(url, anonymous, omens):
    whole = get(anonymous, url)
    assert b'"id":1' in whole.content.replace(b'"id": 1', b'"id":1')
    tag = tag_of(anonymous, url)
    assert tag_of(anonymous, url) == tag
    # The parent, where there is one, and the state
    number = 1 + (url.count("/") > 2)
    for each in (tag, f"W/{tag}", f'"other", {tag}', f'{tag[:-1]}-zstd"'):
        assert len(statements(lambda each=each: get(anonymous, url, each))) == number
        answer = get(anonymous, url, each)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer["ETag"] == each.rpartition(" ")[2].removeprefix("W/")
        assert answer["Vary"] == whole["Vary"]
        assert not answer.has_header("Content-Type")
    head = anonymous.head(f"/api{url}", headers={"If-None-Match": tag})
    assert head.status_code == 304
    assert get(anonymous, url, tag, **{"If-Match": '"other"'}).status_code == 412
    assert get(anonymous, url, tag, **{"If-Match": tag}).status_code == 304


def test_any_tag_is_no_reason_to_take_a_bad_request_for_a_good_one(anonymous, omens):
    assert get(anonymous, "/books/", "*").status_code == 304
    assert get(anonymous, "/books/?page_size=999", "*").status_code == 400
    assert get(anonymous, "/books/?ordering=x", "*").status_code == 400
    assert get(anonymous, "/series/2/books/", "*").status_code == 404


# What changes a list


TABLES = [each for each in tracked_tables() if each.model._meta.app_label in ("authors", "books")]


@pytest.mark.parametrize("table", TABLES, ids=lambda each: each.table)
def test_hand_with_sql_changes_each_list_by_each_table(table, anonymous, omens):
    [row] = table.model._default_manager.all()
    tags = {tag_of(anonymous, "/books/")}
    name, column = connection.ops.quote_name(table.table), table.columns[-1]
    changes = [f"UPDATE {name} SET {column} = {column}"]
    if not table.is_root:
        changes += [f"DELETE FROM {name}", None]
    for number, sql in enumerate(changes, 2):
        if sql is None:
            table.model._default_manager.bulk_create([row])
        else:
            with connection.cursor() as cursor:
                cursor.execute(sql)
        positions.give("default")
        tags.add(tag_of(anonymous, "/books/"))
        assert len(tags) == number, sql


def test_tables_whose_rows_lists_show_are_all_in_the_feed():
    assert {each.model for each in TABLES} == {*ALL_TABLES}


def test_every_thing_that_bytes_depend_on_has_its_own_tag(
    anonymous, member, librarian, omens, settings, monkeypatch
):
    Series.objects.create(name="Demons")
    positions.give("default")
    asked = [
        (anonymous, "/series/", {}),
        (member, "/series/", {}),
        (librarian, "/series/", {}),
        (anonymous, "/series/", {"Host": "localhost"}),
        (anonymous, "/series/", {"Accept": "application/json; indent=2"}),
        (anonymous, "/series/?page_size=1", {}),
        (anonymous, "/series/?page_size=50", {}),
        (anonymous, "/series/?fields=id", {}),
        (anonymous, "/series/?fields=id&page_size=1", {}),
        (anonymous, "/series/?page_size=1&fields=id", {}),
    ]
    tags = [tag_of(client, url, **headers) for client, url, headers in asked]
    tags.append(anonymous.get("/api/series/", secure=True)["ETag"])
    monkeypatch.setattr(CursorPagination, "page_size", 1)
    tags.append(tag_of(anonymous, "/series/"))
    settings.SECRET_KEY = "another"
    tags.append(tag_of(anonymous, "/series/"))
    monkeypatch.setattr(list_tags, "code_digest", lambda: "another")
    tags.append(tag_of(anonymous, "/series/"))
    assert len({*tags}) == len(tags) == 14


def test_code_is_named_by_all_its_files():
    paths = {*list_tags._sources()}
    root = list_tags.settings.BASE_DIR
    for each in ("books/views.py", "project/settings/api.py", "project/api/lists/statements.py"):
        assert root / each in paths
    assert not any("site-packages" in path.parts for path in paths)


# What may depend on something else


@pytest.mark.parametrize(
    "url",
    [
        *("/books/?search=omens", "/books/?search=omens&exact=true"),
        # Methods, filters and fields of an app's own
        *(
            "/books/?author=1",
            "/books/?title=Omens",
            f"/books/?isbn={isbn(1)}",
            "/books/?language=en",
        ),
        *("/authors/1/books/?role=author", f"/books/1/editions/?isbn={isbn(1)}"),
    ],
)
def test_list_that_may_depend_on_something_else_has_the_digest_of_its_bytes(url, anonymous, omens):
    answer = get(anonymous, url)
    assert answer["ETag"] == f'"{digest(answer.content)}"'
    assert get(anonymous, url, answer["ETag"]).status_code == 304


class ThisWeek(RootFilterSet):
    when = DateRangeFilter(field_name="created_at")
    way = CharFilter(field_name="name", lookup_expr="iregex")
    owner = CharFilter(field_name="owner__username")


class OwnQs(ThisWeek):
    def filter_queryset(self, queryset):
        return super().filter_queryset(queryset)


class LongSerializer(ResourceSerializer):
    length = serializers.IntegerField(read_only=True)

    class Meta(SeriesSerializer.Meta):
        fields = ["id", "length"]
        expressions = {"length": Length("name")}


class MineSerializer(ResourceSerializer):
    mine = serializers.IntegerField(read_only=True)

    class Meta(SeriesSerializer.Meta):
        fields = ["id", "mine"]
        expressions = {"mine": lambda user: models.F("id") + user}


class OwnedSerializer(ResourceSerializer):
    """With a column of accounts, which are not in the feed."""

    owner = serializers.SlugRelatedField("username", read_only=True, allow_null=True)

    class Meta:
        model = Note
        fields = ["id", "owner"]


class OwnRenderer(JSONRenderer):
    pass


class OwnPages(CursorPagination):
    pass


class OwnOrder(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(created_at__lte=Now())


SERIES = {"queryset": Series.objects.all(), "serializer_class": SeriesSerializer}
VIEWS = {
    "get_queryset": {"get_queryset": lambda self: Series.objects.filter(pk__gte=0)},
    "get_serializer_class": {"get_serializer_class": lambda self: SeriesSerializer},
    "documents": {"documents": lambda self, keys: ResourceViewSet.documents(self, keys)},
    "list": {"list": lambda self, *a, **k: ResourceViewSet.list(self, *a, **k)},
    "unread": {"unread_properties": property(lambda self: frozenset({"name"}))},
    "condition": {"queryset": Series.objects.filter(created_at__lte=Now())},
    "renderer": {"renderer_classes": [OwnRenderer]},
    "pages": {"pagination_class": OwnPages},
    "computed": {"serializer_class": LongSerializer},
    "of who asks": {"serializer_class": MineSerializer},
    "accounts": {"queryset": Note.objects.all(), "serializer_class": OwnedSerializer},
    "by an account": {
        "queryset": Note.objects.all(),
        "serializer_class": type(
            "N", (ResourceSerializer,), {"Meta": type("M", (), {"model": Note, "fields": ["id"]})}
        ),
        "ordering": ["owner__username"],
    },
    "no root": {
        "queryset": Thing.objects.all(),
        "serializer_class": type(
            "T", (ResourceSerializer,), {"Meta": type("M", (), {"model": Thing, "fields": ["id"]})}
        ),
    },
    "hiding manager": {
        "queryset": Coin.objects.all(),
        "serializer_class": type(
            "C", (ResourceSerializer,), {"Meta": type("M", (), {"model": Coin, "fields": ["id"]})}
        ),
    },
}


def urlconf(attributes, **initkwargs):
    kind = {"permission_classes": [AllowAny], **SERIES, **attributes}
    view = type("Rows", (ResourceViewSet,), {"__module__": __name__, **kind})
    router = SimpleRouter(use_regex_path=False)
    router.register("rows", view, "row")
    module = ModuleType("urls")
    given = path("api/given/", view.as_view({"get": "list"}, **initkwargs))
    module.urlpatterns = [
        given,
        path("api/", include(router.urls)),
        path("", include("project.urls")),
    ]
    return module


def assert_is_digest(client, url):
    answer = get(client, url)
    assert answer.status_code == 200, answer.content
    assert answer["ETag"] == f'"{digest(answer.content)}"'


@pytest.mark.documents_alone
@pytest.mark.parametrize("way", VIEWS)
def test_viewset_that_computes_or_reads_elsewhere_has_digests(way, member, omens, settings):
    settings.ROOT_URLCONF = urlconf(VIEWS[way])
    assert_is_digest(member, "/rows/")


def test_viewset_that_declares_alone_does_not(member, omens, settings):
    own = {"perform_create": lambda self, serializer: serializer.save(), "ordering": ["-name"]}
    settings.ROOT_URLCONF = urlconf(own, queryset=Series.objects.filter(name="x"))
    tag_of(member, "/rows/")
    # What the URL map gives to a view
    assert_is_digest(member, "/given/")


@pytest.mark.parametrize("query", ["when=today", "way=a", "owner=member"])
@pytest.mark.parametrize("filterset_class", [ThisWeek, OwnQs])
def test_filters_that_do_more_than_compare_have_digests(
    query, filterset_class, member, omens, settings
):
    note = VIEWS["by an account"] | {"ordering": ["id"]}
    kind = note if query.startswith("owner") else SERIES
    settings.ROOT_URLCONF = urlconf({**kind, "filterset_class": filterset_class})
    tag_of(member, "/rows/")
    assert_is_digest(member, f"/rows/?{query}")
    answer = get(member, "/rows/?updated_since=2020-01-01T00:00:00Z")
    is_digest = answer["ETag"] == f'"{digest(answer.content)}"'
    assert is_digest == (filterset_class is OwnQs)


@pytest.mark.parametrize("way", ["get_queryset", "filter backend", "qs of a FilterSet"])
def test_list_that_shows_what_another_hides_has_digests(way, member, settings):
    note = Note.objects.create(text="a", owner=member.user)
    note.remarks.create(text="b")
    positions.give("default")
    settings.ROOT_URLCONF = PROJECTS[way]
    for url in ("/notes/", "/comments/"):
        assert_is_digest(member, url)


# While others write


def test_list_that_changes_while_it_is_read_has_the_digest(anonymous, omens, monkeypatch):
    documents = ResourceViewSet.documents

    def late(self, keys):
        Series.objects.filter(pk=1).update(name="Demons")
        return documents(self, keys)

    monkeypatch.setattr(ResourceViewSet, "documents", late)
    assert_is_digest(anonymous, "/books/")


def test_reader_places_what_is_pending_and_waits_for_nobody(transactional_db, anonymous):
    Series.objects.create(name="Angels")
    tag = tag_of(anonymous, "/series/")
    Series.objects.create(name="Demons")
    if connection.vendor == "postgresql":
        with transaction.atomic():
            # In the middle of a transaction positions would be held until its end.
            assert_is_digest(anonymous, "/series/")
        answers = []

        def ask():
            answers.append(get(anonymous, "/series/"))
            connections.close_all()

        with transaction.atomic():
            Feed.objects.select_for_update().get()
            asking = Thread(target=ask)
            asking.start()
            asking.join(20)
            assert not asking.is_alive()
        assert answers[0]["ETag"] == f'"{digest(answers[0].content)}"'
    assert tag_of(anonymous, "/series/") != tag


def test_one_tag_never_stands_for_two_bodies(transactional_db, at_once, monkeypatch):
    """Readers have what was committed before they asked, and a tag is the name of one body."""
    rows = [Series.objects.create(name=f"0 {i}") for i in range(4)]
    for i, series in enumerate(rows):
        book(f"Book {i}", series=series)
    urls = ["/series/", "/books/?fields=id,series", f"/series/{rows[0].pk}/books/"]
    over, committed = Event(), [0] * len(rows)
    bodies, faults = {}, []
    documents = ResourceViewSet.documents

    def slow(self, keys):
        # Longer between the state and what it stands for, so that something comes between.
        over.wait(0.005)
        return documents(self, keys)

    monkeypatch.setattr(ResourceViewSet, "documents", slow)

    def write(place):
        chance = random.Random(place)  # noqa: S311
        for number in range(1, 30):
            if over.is_set():
                break
            name = f"{number} {place}"
            with transaction.atomic():
                Series.objects.filter(pk=rows[place].pk).update(name=name)
                over.wait(chance.choice([0, 0, 0.01]))
            committed[place] = number
            over.wait(chance.choice([0, 0.01, 0.05]))
        over.set()

    def read(place):
        client, known, chance = APIClient(), {}, random.Random(place)  # noqa: S311
        while not over.is_set():
            url = urls[place % len(urls)]
            before = list(committed)
            answer = get(client, url, chance.choice([None, known.get(url)]))
            if answer.status_code == 503:
                continue
            tag = answer["ETag"]
            if answer.status_code == 304:
                body = bodies[url, tag]
            else:
                body = answer.json()
                if bodies.setdefault((url, tag), body) != body:
                    faults.append(f"{tag} stands for two")
            known[url] = tag
            for each in body["results"]:
                shown = each.get("series", each)
                number, of = map(int, shown["name"].split())
                if number < before[of]:
                    faults.append(f"{url} shows {shown['name']} after {before[of]}")

    readers = 2 * len(urls)
    at_once(lambda n: read(n) if n < readers else write(n - readers), readers + len(rows))
    assert faults == []
    assert len(bodies) > 3
