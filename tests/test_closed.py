"""Is a nested write closed, unless a rule of what it touches opens it?"""

import pytest
from django.urls import include, path
from rest_framework import generics
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import (
    SAFE_METHODS,
    AllowAny,
    BasePermission,
    IsAuthenticatedOrReadOnly,
)
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework_nested.routers import NestedSimpleRouter

from auth_api.models import User
from books.models import Book
from project.api.http.resources import _hiding, lists_all, shows_each
from project.api.relations import RelatedKeyField, Shared
from project.api.serializers import ItemSerializer, ResourceSerializer
from project.api.viewsets import ItemViewSet, ResourceViewSet
from tests.catalogue import authors, book, everything, send
from tests.models import Note, Remark, Shelf
from tests.test_hooks import NoteSerializer, RemarkSerializer, context

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class IsOwnerOrReadOnly(BasePermission):
    """The one of REST framework's tutorial."""

    def has_object_permission(self, request, view, obj):
        return request.method in SAFE_METHODS or obj.owner == request.user


class NoteViewSet(ResourceViewSet):
    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    permission_classes = [IsAuthenticatedOrReadOnly, IsOwnerOrReadOnly]

    def perform_create(self, serializer):
        serializer.save(owner=self.request.user)


class RemarkViewSet(ItemViewSet):
    queryset = Remark.objects.all()
    serializer_class = RemarkSerializer
    owner_serializer_class = NoteSerializer
    permission_classes = [IsAuthenticatedOrReadOnly]
    parent_queryset = Note.objects.all()


class PlainView(generics.CreateAPIView):
    """REST framework's own view of one of our serializers."""

    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    permission_classes = [IsAuthenticatedOrReadOnly]


class NoteItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Note
        fields = ["id", "text"]


class CommentSerializer(ResourceSerializer):
    # Null where the note is hidden from who asks.
    note = NoteItem(required=False, allow_null=True)
    note_id = RelatedKeyField(required=False, allow_null=True)

    class Meta:
        model = Remark
        fields = ["id", "text", "note", "note_id"]
        relations = [Shared("note", key="note_id")]


class CommentViewSet(ResourceViewSet):
    queryset = Remark.objects.all()
    serializer_class = CommentSerializer
    permission_classes = [IsAuthenticatedOrReadOnly]


class OnlyToRead(BasePermission):
    def has_permission(self, request, view):
        return request.method in SAFE_METHODS


class ShelfSerializer(ResourceSerializer):
    class Meta:
        model = Shelf
        fields = ["id", "name"]


class BareView(APIView):
    """A view that tells the serializer of the request alone."""

    permission_classes = [AllowAny]

    def post(self, request):
        serializer = NoteSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, 201)


router = SimpleRouter(use_regex_path=False)
router.register("notes", NoteViewSet, "note")
router.register("comments", CommentViewSet, "comment")
notes = NestedSimpleRouter(router, "notes", lookup="note", use_regex_path=False)
notes.register("remarks", RemarkViewSet, "note-remark")
urlpatterns = [
    path("api/plain/", PlainView.as_view()),
    path("api/bare/", BareView.as_view()),
    path("api/", include(router.urls)),
    path("api/", include(notes.urls)),
    path("", include("project.urls")),
]


@pytest.fixture(autouse=True)
def forgets():
    """A viewset that a test changes is looked at anew."""
    forget()
    yield
    forget()


def forget():
    lists_all.cache_clear()
    shows_each.cache_clear()
    _hiding.cache_clear()


@pytest.fixture
def other(db):
    return User.objects.create_user("other", "other@example.org")


def rows():
    return everything(), list(Note.objects.values()), list(Remark.objects.values())


NEW_BOOK = {"text": "a", "book": {"title": "Dune"}}


WAYS = ["/notes/", "/plain/", "/bare/"]


@pytest.mark.parametrize("url", WAYS)
def test_a_member_makes_no_book_through_a_note(member, librarian, anonymous, url):
    before = rows()
    problem = send(member, "POST", url, NEW_BOOK, 403)
    assert problem["detail"] == "You may not create books."
    send(anonymous, "POST", url, NEW_BOOK, 401)
    assert rows() == before
    made = send(librarian, "POST", url, NEW_BOOK, 201)
    assert made["book"] == {"id": Book.objects.get().pk, "title": "Dune"}


@pytest.mark.parametrize("url", WAYS)
def test_a_member_links_what_there_is_and_writes_what_is_owned(member, anonymous, url):
    stored = book("Dune")
    body = {"text": "a", "book_id": stored.pk, "remarks": [{"text": "b"}]}
    send(anonymous, "POST", url, body, 401)
    made = send(member, "POST", url, body, 201)
    assert (made["book_id"], made["remarks"][0]["text"]) == (stored.pk, "b")
    assert Book.objects.get().version == 1


def test_what_belongs_to_another_is_closed_with_all_that_it_owns(member, other):
    note = Note.objects.create(text="a", owner=other)
    remark = note.remarks.create(text="b")
    before = rows()
    for method, url, body in [
        ("PATCH", f"/notes/{note.pk}/", {"remarks": []}),
        ("DELETE", f"/notes/{note.pk}/", None),
        # These views know nothing of owners.
        ("POST", f"/notes/{note.pk}/remarks/", {"text": "c"}),
        ("PATCH", f"/notes/{note.pk}/remarks/{remark.pk}/", {"text": "c"}),
        ("DELETE", f"/notes/{note.pk}/remarks/{remark.pk}/", None),
    ]:
        send(member, method, url, body, 403)
    assert rows() == before
    Note.objects.update(owner=member.user)
    send(member, "POST", f"/notes/{note.pk}/remarks/", {"text": "c"}, 201)
    send(member, "DELETE", f"/notes/{note.pk}/remarks/{remark.pk}/", status=204)
    send(member, "PATCH", f"/notes/{note.pk}/", {"text": "d"})
    assert Note.objects.get().version == 4


# The rule of the model's own viewset, or of the project


NEW_NOTE = {"text": "a", "note": {"text": "b"}}


def test_the_viewset_of_a_nested_object_says_who_may_write_it(member, anonymous, monkeypatch):
    before = rows()
    send(anonymous, "POST", "/comments/", NEW_NOTE, 401)
    monkeypatch.setattr(NoteViewSet, "http_method_names", ["get", "patch"])
    problem = send(member, "POST", "/comments/", NEW_NOTE, 403)
    assert problem["detail"] == "You may not create notes."
    monkeypatch.undo()
    monkeypatch.setattr(NoteViewSet, "get_permissions", lambda self: [OnlyToRead()])
    send(member, "POST", "/comments/", NEW_NOTE, 403)
    assert rows() == before
    monkeypatch.undo()
    assert send(member, "POST", "/comments/", NEW_NOTE, 201)["note"]["text"] == "b"


def test_what_is_hidden_from_who_asks_cannot_be_linked(member, other, monkeypatch):
    monkeypatch.setattr(
        NoteViewSet,
        "get_queryset",
        lambda self: Note.objects.filter(owner=self.request.user.pk),
    )
    forget()
    hidden, own = (Note.objects.create(text="a", owner=each) for each in (other, member.user))
    before = rows()
    for key in (hidden.pk, own.pk + 100):
        problem = send(member, "POST", "/comments/", {"text": "a", "note_id": key}, 409)
        assert [(e["pointer"], e["code"], e["detail"]) for e in problem["errors"]] == [
            ("/note_id", "does_not_exist", f"There is no note {key}.")
        ]
    assert rows() == before
    send(member, "POST", "/comments/", {"text": "a", "note_id": own.pk}, 201)


def save(client, serializer_class, body):
    serializer = serializer_class(data=body, context=context(client))
    serializer.is_valid(raise_exception=True)
    return serializer.save()


def test_a_model_without_a_viewset_is_judged_by_the_projects_rule(
    member, librarian, admin, settings
):
    """Of `auth_api`: what librarians do not keep is the admins'."""
    for client in (member, librarian):
        with pytest.raises(PermissionDenied, match="You may not create shelfs"):
            save(client, ShelfSerializer, {"name": "A"})
    assert save(admin, ShelfSerializer, {"name": "A"}) == Shelf.objects.get()
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    }
    # Which says nothing of a model, so that nobody may.
    with pytest.raises(PermissionDenied, match="You may not create shelfs"):
        save(admin, ShelfSerializer, {"name": "A"})
    assert Shelf.objects.count() == 1


@pytest.mark.parametrize("role", ["member", "librarian"])
def test_the_catalogue_keeps_its_rules(request, role):
    client = request.getfixturevalue(role)
    [author] = authors("A")
    status = 403 if role == "member" else 201
    send(client, "POST", "/books/", {"title": "X", "author_ids": [author.pk]}, status)
