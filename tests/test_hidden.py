"""What one way hides, does every way hide? And is nothing looked up where nothing can be hidden?"""

from functools import wraps
from types import ModuleType

import pytest
from django.http import Http404
from django.urls import include, path
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.filters import BaseFilterBackend
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.routers import SimpleRouter
from rest_framework_nested.routers import NestedSimpleRouter

from books.models import Book
from project.api.changes.positions import give
from project.api.documents.statements import Uncompilable, compile_statement
from project.api.filters import ListFilterSet
from project.api.relations import RelatedKeyField, Shared
from project.api.serializers import ItemSerializer, ResourceSerializer, StrictModelSerializer
from project.api.viewsets import ItemViewSet, ResourceViewSet
from tests.catalogue import send
from tests.models import Box, Coin, Note, Remark
from tests.test_hooks import NoteSerializer, RemarkSerializer

pytestmark = pytest.mark.django_db

# Each way that REST framework has of hiding an object: here, from all but its owner.


def own(request, queryset):
    return queryset.filter(owner=request.user.pk)


class OwnFilter(BaseFilterBackend):
    def filter_queryset(self, request, queryset, view):
        return own(request, queryset)


class OwnFilterSet(ListFilterSet):
    class Meta:
        model = Note
        fields = []

    @property
    def qs(self):
        return own(self.request, super().qs)


class IsOwner(BasePermission):
    def has_object_permission(self, request, view, obj):
        return obj.owner_id == request.user.pk


def filter_queryset(self, queryset):
    return own(self.request, ResourceViewSet.filter_queryset(self, queryset))


def get_object(self):
    note = ResourceViewSet.get_object(self)
    if note.owner_id != self.request.user.pk:
        raise Http404
    return note


def check_object_permissions(self, request, obj):
    if obj.owner_id != request.user.pk:
        raise Http404


WAYS = {
    "get_queryset": {"get_queryset": lambda self: own(self.request, Note.objects.all())},
    "filter backend": {"filter_backends": [OwnFilter]},
    "one more backend": {"filter_backends": [*ResourceViewSet.filter_backends, OwnFilter]},
    "qs of a FilterSet": {"filterset_class": OwnFilterSet},
    "filter_queryset": {"filter_queryset": filter_queryset},
    "object permission": {"permission_classes": [IsOwner]},
    "composed permission": {"permission_classes": [AllowAny & IsOwner]},
    "get_permissions": {"get_permissions": lambda self: [IsOwner()]},
    "get_object": {"get_object": get_object},
    "check_object_permissions": {"check_object_permissions": check_object_permissions},
}
# Those that REST framework does not ask for a list.
OF_ONE = {
    "object permission",
    "composed permission",
    "get_permissions",
    "get_object",
    "check_object_permissions",
}


class NoteItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Note
        fields = ["id", "text"]


class CommentSerializer(ResourceSerializer):
    """A remark that stands by itself, with the note that it is on."""

    note = NoteItem(required=False, allow_null=True)
    note_id = serializers.PrimaryKeyRelatedField(
        source="note", queryset=Note.objects.all(), allow_null=True
    )

    class Meta:
        model = Remark
        fields = ["id", "text", "note", "note_id"]
        relations = [Shared("note")]


def urlconf(notes):
    """The URLs of a project whose notes have these attributes in their viewset."""
    kind = {"queryset": Note.objects.all(), "serializer_class": NoteSerializer}
    view = type("Notes", (ResourceViewSet,), {"permission_classes": [AllowAny], **kind, **notes})

    class Remarks(ItemViewSet):
        queryset = Remark.objects.all()
        serializer_class = RemarkSerializer
        owner_serializer_class = NoteSerializer
        parent_queryset = Note.objects.all()
        permission_classes = [AllowAny]

    class Comments(ResourceViewSet):
        queryset = Remark.objects.all()
        serializer_class = CommentSerializer
        permission_classes = [AllowAny]

    router = SimpleRouter(use_regex_path=False)
    router.register("notes", view, "note")
    router.register("comments", Comments, "comment")
    below = NestedSimpleRouter(router, "notes", lookup="note", use_regex_path=False)
    below.register("remarks", Remarks, "note-remark")
    module = ModuleType("urls")
    module.urlpatterns = [
        path("api/", include(router.urls)),
        path("api/", include(below.urls)),
        path("", include("project.urls")),
    ]
    return module


PROJECTS = {way: urlconf(notes) for way, notes in WAYS.items()}


@pytest.mark.documents_alone
@pytest.mark.parametrize("way", WAYS)
@given(owned=st.lists(st.booleans(), min_size=1, max_size=3))
@examples(
    max_examples=5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_hidden_is_hidden_everywhere(member, settings, way, owned):
    settings.ROOT_URLCONF = PROJECTS[way]
    Note.objects.all().delete()
    notes = [
        Note.objects.create(text="a", owner=member.user if is_own else None) for is_own in owned
    ]
    listed = {each["id"] for each in send(member, "GET", "/notes/")["results"]}
    for note, is_own in zip(notes, owned, strict=True):
        remark = note.remarks.create(text="b")
        url = f"/notes/{note.pk}/"
        asked = [
            ("GET", url, None),
            ("PATCH", url, {"text": "c"}),
            ("GET", f"{url}remarks/", None),
            ("GET", f"{url}remarks/{remark.pk}/", None),
            ("POST", f"{url}remarks/", {"text": "c"}),
            ("DELETE", url, None),
        ]
        if is_own:
            assert note.pk in listed
            statuses = [200, 200, 200, 200, 201, 204]
        else:
            assert (note.pk in listed) == (way in OF_ONE)
            is_refused = way in ("object permission", "composed permission", "get_permissions")
            statuses = [403 if is_refused else 404] * len(asked)
        comment = send(member, "GET", f"/comments/{remark.pk}/")
        shown = {"id": note.pk, "text": "a"} if is_own or way in OF_ONE else None
        assert (comment["note"], comment["note_id"]) == (shown, shown and note.pk)
        assert send(member, "GET", "/comments/")["results"][-1] == comment
        for (method, path_, body), status in zip(asked, statuses, strict=True):
            send(member, method, path_, body, status)
    kept = [note.pk for note, is_own in zip(notes, owned, strict=True) if not is_own]
    assert list(Note.objects.order_by("pk").values_list("pk", "text")) == [(pk, "a") for pk in kept]


class OpenNotes(ResourceViewSet):
    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    permission_classes = [AllowAny]
    filterset_class = None


GIVEN = {
    "queryset": {"queryset": Note.objects.exclude(text="a")},
    **{name: WAYS[name] for name in ("filter backend", "qs of a FilterSet", "object permission")},
}


@pytest.mark.parametrize("way", GIVEN.values(), ids=GIVEN)
def test_what_the_url_map_gives_to_a_view_hides_too(member, settings, way):
    """As `@action(permission_classes=…)` does."""
    views = [OpenNotes.as_view({"get": "retrieve"}, **each) for each in ({}, way)]
    settings.ROOT_URLCONF = ModuleType("urls")
    settings.ROOT_URLCONF.urlpatterns = [
        path(f"api/{name}/<int:pk>/", view)
        for name, view in zip(("all", "own"), views, strict=True)
    ]
    note = Note.objects.create(text="a")
    send(member, "GET", f"/all/{note.pk}/")
    send(member, "GET", f"/own/{note.pk}/", status=403 if "permission_classes" in way else 404)


@pytest.mark.parametrize("way", WAYS)
def test_the_answer_to_a_write_shows_no_more_than_a_get(member, settings, way):
    settings.ROOT_URLCONF = PROJECTS[way]
    made = member.post("/api/notes/", {"text": "a"}, format="json")
    note = Note.objects.get()
    assert (made.status_code, made.content) == (201, b"")
    assert made["Location"] == f"http://testserver/api/notes/{note.pk}/"
    note.owner = member.user
    note.save()
    answer = member.patch(f"/api/notes/{note.pk}/", {"text": "b"}, format="json")
    assert answer.json() == send(member, "GET", f"/notes/{note.pk}/")


@pytest.mark.parametrize("is_partial", [False, True])
@pytest.mark.parametrize("own_hooks", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_bulk_reaches_no_more_than_requests_for_each_do(
    member, settings, way, own_hooks, is_partial
):
    hooks = {"perform_update": lambda self, serializer: serializer.save()} if own_hooks else {}
    hooks |= {"perform_destroy": lambda self, note: note.delete()} if own_hooks else {}
    settings.ROOT_URLCONF = urlconf({**WAYS[way], **hooks})
    own, hidden, gone = (
        Note.objects.create(text=text, owner=None if text == "hidden" else member.user)
        for text in ("own", "hidden", "gone")
    )
    good = {"update": [{"id": own.pk, "text": "b"}], "delete": [{"uid": str(gone.uid)}]}
    [edited] = send(member, "POST", "/notes/bulk/", {**good, "partial": is_partial})["update"]
    assert edited == {"status": 200, "document": send(member, "GET", f"/notes/{own.pk}/")}
    is_refused = way in ("object permission", "composed permission", "get_permissions")
    status = 403 if is_refused else 404
    for body, expected in [
        ({"update": [{"id": hidden.pk, "text": "b"}]}, status),
        ({"update": [{"uid": str(hidden.uid), "version": 9}]}, status),
        ({"delete": [{"id": hidden.pk}]}, status),
        # As if there were none.
        ({"delete": [{"uid": str(hidden.uid)}]}, 403 if is_refused else 204),
    ]:
        if is_partial:
            answer = send(member, "POST", "/notes/bulk/", {**body, "partial": True})
            [result] = answer["update"] + answer["delete"]
            assert result["status"] == expected
            assert "document" not in result
        else:
            whole = 200 if expected == 204 else expected
            send(member, "POST", "/notes/bulk/", body, whole)
    stored = dict(Note.objects.values_list("pk", "text"))
    assert stored == {own.pk: "b", hidden.pk: "hidden"}


def test_a_queryset_with_a_condition_hides(member, settings):
    settings.ROOT_URLCONF = urlconf({"queryset": Note.objects.exclude(text="hidden")})
    hidden, shown = (Note.objects.create(text=text) for text in ("hidden", "shown"))
    send(member, "GET", f"/notes/{hidden.pk}/", status=404)
    send(member, "GET", f"/notes/{hidden.pk}/remarks/", status=404)
    answer = member.patch(f"/api/notes/{shown.pk}/", {"text": "hidden"}, format="json")
    assert (answer.status_code, answer.content) == (204, b"")


# What a related model's own manager hides


class BoxItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Box
        fields = ["id", "name"]


class CoinItem(serializers.ModelSerializer):
    class Meta:
        model = Coin
        fields = ["id"]


class CoinSerializer(ResourceSerializer):
    box = BoxItem(required=False, allow_null=True)
    known_to = BoxItem(many=True, required=False)
    box_name = serializers.CharField(source="box.name", read_only=True, allow_null=True)

    class Meta:
        model = Coin
        fields = ["id", "box", "box_id", "box_name", "known_to", "known_to_ids"]
        relations = [Shared("box", key="box_id"), Shared("known_to", key="known_to_ids")]


class BoxSerializer(ResourceSerializer):
    coins = CoinItem(many=True, read_only=True)
    coin_ids = serializers.PrimaryKeyRelatedField(source="coins", many=True, read_only=True)

    class Meta:
        model = Box
        fields = ["id", "coins", "coin_ids"]
        expandable = ["coins"]


class Coins(ResourceViewSet):
    queryset = Coin.objects.all()
    serializer_class = CoinSerializer
    permission_classes = [AllowAny]


class Boxes(ResourceViewSet):
    queryset = Box.objects.all()
    serializer_class = BoxSerializer
    permission_classes = [AllowAny]


coins = SimpleRouter(use_regex_path=False)
coins.register("coins", Coins, "coin")
coins.register("boxes", Boxes, "box")
urlpatterns = [path("api/", include(coins.urls)), path("", include("project.urls"))]


@pytest.mark.documents_alone
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=4), st.integers(0, 2))
@examples(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@pytest.mark.urls(__name__)
def test_what_a_manager_hides_is_in_no_document(anonymous, described, sealed):
    Coin.everything.all().delete()
    Box.everything.all().delete()
    boxes = [Box.objects.create(name=f"{i}", is_sealed=i == sealed) for i in range(3)]
    stored = []
    for is_sealed, number in described:
        coin = Coin.objects.create(box=boxes[number], is_sealed=is_sealed)
        coin.known_to.set(boxes)
        stored.append(coin)
    open_boxes = [each for each in boxes if not each.is_sealed]
    for coin in stored:
        if coin.is_sealed:
            send(anonymous, "GET", f"/coins/{coin.pk}/", status=404)
            continue
        shown = None if coin.box.is_sealed else coin.box
        assert send(anonymous, "GET", f"/coins/{coin.pk}/") == {
            "id": coin.pk,
            "box": shown and {"id": shown.pk, "name": shown.name},
            "box_id": shown and shown.pk,
            "box_name": shown and shown.name,
            "known_to": [{"id": each.pk, "name": each.name} for each in open_boxes],
            "known_to_ids": [each.pk for each in open_boxes],
        }
    for box in boxes:
        url = f"/boxes/{box.pk}/?expand=coins"
        if box.is_sealed:
            send(anonymous, "GET", url, status=404)
            continue
        keys = [each.pk for each in stored if each.box == box and not each.is_sealed]
        assert send(anonymous, "GET", url) == {
            "id": box.pk,
            "coins": [{"id": key} for key in keys],
            "coin_ids": keys,
        }


@pytest.mark.parametrize("name", ["box", "box_id", "box_name"])
def test_what_may_be_hidden_may_be_null(name):
    kinds = {
        "box": BoxItem(read_only=True),
        "box_id": RelatedKeyField(read_only=True),
        "box_name": serializers.CharField(source="box.name", read_only=True),
    }
    relations = [Shared("box", key="box_id")]
    meta = type("Meta", (), {"model": Coin, "fields": [name], "relations": relations})
    strict = type("Strict", (StrictModelSerializer,), {name: kinds[name], "Meta": meta})
    with pytest.raises(Uncompilable) as raised:
        compile_statement(strict, frozenset(), "default")
    assert raised.value.faults == {
        name: "Its source may be missing: say allow_null=True, and no default."
    }


# Where nothing can be hidden


def test_that_nothing_can_be_hidden_is_found_out_once(anonymous, monkeypatch):
    path = f"/books/{Book.objects.create(title='Dune').pk}/"
    send(anonymous, "GET", path)
    calls, get_queryset = [], GenericAPIView.get_queryset

    @wraps(get_queryset)
    def recording(view):
        calls.append(view)
        return get_queryset(view)

    monkeypatch.setattr(GenericAPIView, "get_queryset", recording)
    send(anonymous, "GET", path)
    send(anonymous, "GET", "/books/")
    assert calls == []
    send(anonymous, "GET", "/books/?role=author")
    assert len(calls) == 1


def test_where_nothing_can_be_hidden_one_statement_is_enough(
    anonymous, librarian, settings, django_assert_num_queries
):
    book = Book.objects.create(title="Dune")
    with django_assert_num_queries(1):
        send(anonymous, "GET", f"/books/{book.pk}/")
    give("default")
    with django_assert_num_queries(1 + 2):  # and the tag
        send(anonymous, "GET", "/authors/?fields=id&expand=books")
    settings.ROOT_URLCONF = PROJECTS["get_queryset"]
    with django_assert_num_queries(1):
        send(anonymous, "GET", f"/notes/{book.pk}/", status=404)
