"""Do REST framework's hooks mean here what its documentation says?"""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import include, path
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ValidationError
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView
from rest_framework_nested.routers import NestedSimpleRouter

from books.models import Book, Series
from books.serializers import BookSerializer, SeriesSerializer
from books.views import BookEditionViewSet, BookViewSet, SeriesBookViewSet, SeriesViewSet
from project.api.relations import Owned, Shared
from project.api.serializers import ItemSerializer, ResourceSerializer
from project.api.viewsets import ResourceViewSet
from tests.catalogue import book, everything, faults, numbered, send
from tests.models import Note, Remark

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class RemarkItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Remark
        fields = ["id", "text"]


class BookItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Book
        fields = ["id", "title"]


class NoteSerializer(ResourceSerializer):
    book = BookItem(required=False, allow_null=True)
    remarks = RemarkItem(many=True, required=False)

    class Meta:
        model = Note
        fields = ["id", "text", "owner_id", "book", "book_id", "remarks", "version"]
        read_only_fields = ["owner_id"]
        relations = [Shared("book", key="book_id"), Owned("remarks")]


class RemarkSerializer(ResourceSerializer, RemarkItem):
    class Meta(RemarkItem.Meta):
        fields = ["id", "text"]
        extra_kwargs = {"id": {"read_only": True}}


class Hooked:
    """Notes what is called in which order."""

    calls = []
    is_asked = False

    def note(self, name):
        # A parent's view is asked by another.
        self.is_asked |= name == "initial"
        if self.is_asked:
            self.calls.append(name)

    def initial(self, request, *args, **kwargs):
        self.note("initial")
        super().initial(request, *args, **kwargs)

    def get_queryset(self):
        self.note("get_queryset")
        return super().get_queryset()

    def filter_queryset(self, queryset):
        self.note("filter_queryset")
        return super().filter_queryset(queryset)

    def get_object(self):
        self.note("get_object")
        return super().get_object()

    def get_serializer_class(self):
        return super().get_serializer_class()

    def perform_create(self, serializer):
        self.note("perform_create")
        super().perform_create(serializer)

    def perform_update(self, serializer):
        self.note("perform_update")
        super().perform_update(serializer)

    def perform_destroy(self, instance):
        self.note("perform_destroy")
        super().perform_destroy(instance)

    def get_success_headers(self, data):
        self.note("get_success_headers")
        return {"X-Made": str(data["id"])}

    def finalize_response(self, request, response, *args, **kwargs):
        self.note("finalize_response")
        return super().finalize_response(request, response, *args, **kwargs)

    def handle_exception(self, exc):
        self.note("handle_exception")
        return super().handle_exception(exc)


class HookedBooks(Hooked, BookViewSet):
    pass


class HookedSeriesBooks(Hooked, SeriesBookViewSet):
    pass


class HookedEditions(Hooked, BookEditionViewSet):
    pass


class OwnNotes(ResourceViewSet):
    """As the tutorial of REST framework has it."""

    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    permission_classes = [IsAuthenticated]

    def perform_create(self, serializer):
        self.saved = serializer.save(owner=self.request.user)
        assert self.saved is serializer.instance
        assert self.saved.pk is not None

    def perform_update(self, serializer):
        assert serializer.validated_data["text"]
        instance = serializer.save(text=serializer.validated_data["text"].upper())
        assert serializer.data["text"] == instance.text

    def perform_destroy(self, instance):
        instance.delete()

    def get_success_headers(self, data):
        return {"Location": f"/notes/{data['id']}"}


class SeenSeriesSerializer(SeriesSerializer):
    """Refuses whatever it is asked for, with the name that it finds stored."""

    def validate(self, attrs):
        raise ValidationError({"name": self.instance.name})


class RenamingSeries(SeriesViewSet):
    """Writes by itself before it has the body judged."""

    serializer_class = SeenSeriesSerializer

    def update(self, request, *args, **kwargs):
        Series.objects.filter(pk=kwargs["pk"]).update(name="Renamed")
        return super().update(request, *args, **kwargs)

    @action(detail=True, methods=["post"])
    def rename(self, request, *args, **kwargs):
        Series.objects.filter(pk=kwargs["pk"]).update(name="Renamed")
        return self.get_update_response(request.data)


router = SimpleRouter(use_regex_path=False)
router.register("renaming", RenamingSeries, "renaming")
router.register("books", HookedBooks, "book")
router.register("series", SeriesViewSet, "series")
router.register("notes", OwnNotes, "note")
series = NestedSimpleRouter(router, "series", lookup="series", use_regex_path=False)
series.register("books", HookedSeriesBooks, "series-book")
below_books = NestedSimpleRouter(router, "books", lookup="book", use_regex_path=False)
below_books.register("editions", HookedEditions, "book-edition")
urlpatterns = [
    path("api/", include(router.urls)),
    path("api/", include(series.urls)),
    path("api/", include(below_books.urls)),
    path("", include("project.urls")),
]


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    calls = []
    monkeypatch.setattr(Hooked, "calls", calls)
    return calls


@pytest.fixture
def stored(db):
    numbered(Series, "Discworld")
    return book("Mort", isbns=["9780552131063"], series_id=1)


BODIES = {"books": {"title": "New"}, "editions": {"pages": 5}}


@pytest.mark.parametrize(
    "url",
    ["/books/", "/series/1/books/", "/books/{book}/editions/"],
    ids=["root", "nested", "item"],
)
def test_each_hook_is_called_once_and_in_order(librarian, stored, calls, url):
    url = url.format(book=stored.pk)
    body = BODIES[url.rstrip("/").rpartition("/")[2]]

    def called(method, path, body=None, status=200):
        calls.clear()
        answer = send(librarian, method, path, body, status)
        hooks = [each for each in calls if each not in ("get_queryset", "filter_queryset")]
        return answer, list(dict.fromkeys(hooks))

    made, hooks = called("POST", url, body, 201)
    assert hooks == [
        "initial",
        "perform_create",
        "get_object",
        "get_success_headers",
        "finalize_response",
    ]
    one = f"{url}{made['id']}/"
    assert called("GET", one) == (made, ["initial", "get_object", "finalize_response"])
    assert {"get_queryset", "filter_queryset"} <= set(calls)
    for method in ("PUT", "PATCH"):
        answer, hooks = called(method, one, body)
        assert (answer, hooks) == (
            made,
            ["initial", "get_object", "perform_update", "finalize_response"],
        )
    _, hooks = called("DELETE", one, status=204)
    assert hooks == ["initial", "get_object", "perform_destroy", "finalize_response"]
    _, hooks = called("GET", one, status=404)
    assert hooks == ["initial", "get_object", "handle_exception", "finalize_response"]


def test_extra_headers_stand_beside_the_location(librarian, stored):
    response = librarian.post("/api/books/", {"title": "New"}, format="json")
    pk = response.json()["id"]
    assert (response["X-Made"], response["Location"]) == (
        str(pk),
        f"http://testserver/api/books/{pk}/",
    )


def test_what_is_saved_beside_the_body_reaches_the_model(member, stored):
    response = member.post("/api/notes/", {"text": "a", "remarks": [{"text": "b"}]}, format="json")
    note = Note.objects.get()
    assert response["Location"] == f"/notes/{note.pk}"
    assert (note.owner, note.version) == (member.user, 1)
    assert response.json() == {
        "id": note.pk,
        "text": "a",
        "owner_id": member.user.pk,
        "book": None,
        "book_id": None,
        "remarks": [{"id": note.remarks.get().pk, "text": "b"}],
        "version": 1,
    }
    answer = send(member, "PATCH", f"/notes/{note.pk}/", {"text": "loud"})
    assert (answer["text"], answer["version"]) == ("LOUD", 2)
    send(member, "DELETE", f"/notes/{note.pk}/", status=204)
    assert not Note.objects.exists()


def test_a_bulk_calls_them_for_each_of_its_items(librarian, member, stored):
    body = {"create": [{"text": "a"}, {"text": "b", "remarks": [{"text": "c"}]}]}
    made = send(member, "POST", "/notes/bulk/", body)["create"]
    assert [each["document"]["owner_id"] for each in made] == [member.user.pk] * 2
    ids = [each["document"]["id"] for each in made]
    body = {"update": [{"id": ids[0], "version": 1, "text": "loud"}], "delete": [{"id": ids[1]}]}
    answer = send(member, "POST", "/notes/bulk/", body)
    assert answer["update"][0]["document"]["text"] == "LOUD"
    assert [note.pk for note in Note.objects.all()] == ids[:1]
    before = everything(), list(Note.objects.values())
    body = {"create": [{"text": "d"}], "update": [{"id": ids[0], "version": 1, "text": "e"}]}
    problem = send(member, "POST", "/notes/bulk/", body, 412)
    assert faults(problem) == [("/update/0/version", "precondition_failed")]
    assert (everything(), list(Note.objects.values())) == before
    Hooked.calls = []
    Hooked.is_asked = True
    send(librarian, "POST", "/books/bulk/", {"create": [{"title": "A"}, {"title": "B"}]})
    assert Hooked.calls.count("perform_create") == 2


class Kept(BasePermission):
    def has_permission(self, request, view):
        return view.action != "destroy"


def test_permissions_throttles_and_serializers_may_depend_on_the_action(
    librarian, stored, monkeypatch
):
    class Never(BaseThrottle):
        def allow_request(self, request, view):
            return False

        def wait(self):
            return 7

    class TitleSerializer(ResourceSerializer):
        class Meta:
            model = Book
            fields = ["id", "title"]

    monkeypatch.setattr(
        HookedBooks,
        "get_permissions",
        lambda self: [Kept()] if self.action == "destroy" else [AllowAny()],
    )
    monkeypatch.setattr(
        HookedBooks,
        "get_throttles",
        lambda self: [Never()] if self.action == "partial_update" else [],
    )
    monkeypatch.setattr(
        HookedBooks,
        "get_serializer_class",
        lambda self: TitleSerializer if self.action == "retrieve" else BookSerializer,
    )
    path = f"/books/{stored.pk}/"
    assert send(librarian, "GET", path) == {"id": stored.pk, "title": "Mort"}
    assert send(librarian, "PUT", path, {"title": "Mort!"})["series_id"] == 1
    assert send(librarian, "PATCH", path, {}, 429)["code"] == "throttled"
    send(librarian, "DELETE", path, status=403)


@pytest.mark.parametrize(("method", "url"), [("PATCH", ""), ("POST", "rename/")])
@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}], ids=["plain", "conditional"])
def test_a_body_is_judged_beside_what_is_stored_by_then(librarian, stored, method, url, headers):
    answer = librarian.generic(
        method, f"/api/renaming/1/{url}", "{}", "application/json", headers=headers
    )
    assert answer.status_code == 400, answer.content
    assert [fault["detail"] for fault in answer.json()["errors"]] == ["Renamed"]


# A serializer by itself


def context(client):
    request = APIRequestFactory().post("/")
    force_authenticate(request, client.user)
    return {"request": APIView().initialize_request(request)}


def saved(serializer, **extra):
    serializer.is_valid(raise_exception=True)
    return serializer.save(**extra)


def test_a_serializer_saves_and_shows_what_is_stored(librarian, stored):
    serializer = BookSerializer(
        stored, data={"title": "X", "author_ids": []}, partial=True, context=context(librarian)
    )
    assert saved(serializer) is serializer.instance
    assert serializer.validated_data == {"title": "X", "author_ids": []}
    assert serializer.instance.version == 2
    assert serializer.data == send(librarian, "GET", f"/books/{stored.pk}/")


def test_objects_may_be_saved_beside_the_body(librarian, stored):
    made = saved(
        BookSerializer(data={"title": "Sourcery"}, context=context(librarian)),
        series=Series.objects.get(),
    )
    assert Book.objects.get(pk=made.pk).series_id == 1


def test_what_the_model_does_not_have_cannot_be_saved(librarian, stored):
    before = everything()
    serializer = BookSerializer(data={"title": "X"}, context=context(librarian))
    with pytest.raises(TypeError, match="Book has no attribute “shelf”"):
        saved(serializer, shelf=1)
    assert everything() == before


def test_a_serializer_needs_to_know_who_asks(db):
    with pytest.raises(ImproperlyConfigured, match="Give BookSerializer the request"):
        saved(BookSerializer(data={"title": "X"}))
    assert not Book.objects.exists()
    assert saved(BookSerializer(data={"title": "X"}, context={"request": None})).pk
