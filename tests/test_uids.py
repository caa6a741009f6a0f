"""Can a phone that is offline name what it makes, so that a repeat makes nothing twice?"""

from importlib import import_module
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.state import ProjectState
from django.db.models import CharField, Func, Value
from django.urls import get_resolver
from rest_framework.test import APIClient

from authors.models import Author
from books.models import Book, Publisher, Series, Subject
from project.api.declarations import routes
from project.api.documents.statements import statement
from project.api.models import AggregateRoot
from tests.catalogue import authors, book, faults, send

pytestmark = pytest.mark.django_db

ROOTS = [
    ("/authors/", {"name": "Ursula K. Le Guin"}),
    ("/books/", {"title": "The Dispossessed"}),
    ("/series/", {"name": "Hainish Cycle"}),
    ("/publishers/", {"name": "Harper & Row"}),
    ("/subjects/", {"name": "Utopias"}),
]
UPGRADES = {
    "authors": import_module("authors.migrations.0005_hyphenated_uids"),
    "books": import_module("books.migrations.0009_hyphenated_uids"),
}
NOT_UIDS = [
    *(5, None, "", "x", "0b5f4d6e4a1f4f398f0b3c1d2e4f5a6b"),
    "{0b5f4d6e-4a1f-4f39-8f0b-3c1d2e4f5a6b}",
    "urn:uuid:0b5f4d6e-4a1f-4f39-8f0b-3c1d2e4f5a6b",
    "٠b5f4d6e-4a1f-4f39-8f0b-3c1d2e4f5a6b",
]


def new_uid():
    return str(uuid4())


@pytest.mark.parametrize(("path", "body"), ROOTS)
def test_a_uid_that_the_client_gives_is_kept_in_small_letters(admin, path, body):
    uid = new_uid()
    made = send(admin, "POST", path, {**body, "uid": uid.upper()}, 201)
    assert made["uid"] == uid
    assert send(admin, "GET", f"{path}?uid={uid.upper()}")["results"] == [made]
    assert send(admin, "GET", f"{path}?uid={new_uid()}")["results"] == []


@pytest.mark.parametrize(("path", "body"), ROOTS)
def test_an_object_has_a_uid_of_its_own_where_none_is_given(admin, path, body):
    [(name, value)] = body.items()
    first = send(admin, "POST", path, body, 201)
    second = send(admin, "POST", path, {name: f"{value} 2"}, 201)
    assert first["uid"] != second["uid"]


@pytest.mark.parametrize("model", [Author, Publisher, Series, Subject, Book])
def test_the_database_gives_uids_to_rows_that_come_without(model):
    [name] = {"name", "title"} & {f.name for f in model._meta.fields}
    rows = [model(**{name: f"{name} {i}", **slug_of(model, i)}) for i in range(20)]
    uid = model._meta.get_field("uid")
    for row in rows:
        row.uid = uid.db_default
    model.objects.bulk_create(rows)
    uids = set(model.objects.values_list("uid", flat=True))
    assert len(uids) == 20
    assert {uid.version for uid in uids} == {4}
    assert {uid.variant for uid in uids} == {"specified in RFC 4122"}


@pytest.mark.parametrize(("path", "body"), ROOTS)
def test_an_upgrade_hyphenates_the_uids_that_sqlite_has_stored_as_digits(admin, path, body):
    made = send(admin, "POST", path, body, 201)
    label = "authors" if path == "/authors/" else "books"
    state = ProjectState.from_apps(apps)
    for operation in UPGRADES[label].Migration.operations:
        model = apps.get_model(label, operation.model_name)
        if connection.vendor == "sqlite":
            digits = Func(
                "uid", Value("-"), Value(""), function="replace", output_field=CharField()
            )
            model.objects.update(uid=digits)
        operation.database_forwards(label, connection.schema_editor(), state, state)
    assert send(admin, "GET", f"{path}?uid={made['uid']}")["results"] == [made]


def test_no_statement_formats_a_uid():
    for view in {each for each in routes(get_resolver()) if each.serializer_class is not None}:
        if issubclass(view.queryset.model, AggregateRoot):
            sql = statement(view.serializer_class, frozenset(), "default").sql
            assert "uid" in sql
            assert "|| '-' ||" not in sql


def slug_of(model, i):
    return {"slug": f"slug-{i}"} if model is Subject else {}


@pytest.mark.parametrize("uid", NOT_UIDS)
def test_what_is_no_uid_is_refused(librarian, uid):
    [(at, _)] = faults(send(librarian, "POST", "/books/", {"title": "A", "uid": uid}, 400))
    assert at == "/uid"
    nested = {"title": "A", "series": {"uid": uid, "name": "B"}}
    [(at, _)] = faults(send(librarian, "POST", "/books/", nested, 400))
    assert at == "/series/uid"


@pytest.mark.parametrize("uid", ["x", "{0b5f4d6e-4a1f-4f39-8f0b-3c1d2e4f5a6b}"])
def test_a_list_is_not_asked_for_what_is_no_uid(anonymous, uid):
    problem = anonymous.get("/api/books/", {"uid": uid}).json()
    assert problem["errors"] == [
        {"parameter": "uid", "code": "invalid", "detail": "Enter a valid UUID."}
    ]


def test_a_repeated_creation_is_a_conflict_that_names_what_is_there(librarian):
    body = {"title": "The Dispossessed", "uid": new_uid()}
    made = send(librarian, "POST", "/books/", body, 201)
    problem = send(librarian, "POST", "/books/", body, 409)
    [fault] = problem["errors"]
    assert (fault["pointer"], fault["code"]) == ("/uid", "unique")
    assert fault["existing_id"] == made["id"]
    assert Book.objects.count() == 1


def test_a_uid_never_changes(librarian):
    made = send(librarian, "POST", "/books/", {"title": "A"}, 201)
    path = f"/books/{made['id']}/"
    problem = send(librarian, "PATCH", path, {"uid": new_uid()}, 400)
    assert faults(problem) == [("/uid", "read_only")]
    assert send(librarian, "PATCH", path, {"uid": made["uid"]}) == made
    assert send(librarian, "PUT", path, made) == made


def test_a_nested_uid_links_what_has_it_and_creates_what_nobody_has(librarian):
    series = Series.objects.create(name="Hainish Cycle")
    [stored] = authors("Ursula K. Le Guin")
    new = new_uid()
    body = {
        "title": "The Dispossessed",
        "series": {"uid": str(series.uid)},
        "contributions": [
            {"author": {"uid": str(stored.uid), "name": "Ursula K. Le Guin"}},
            {"author": {"uid": new, "name": "Ann"}, "role": "foreword"},
            # The same new one once more.
            {"author": {"uid": new}, "role": "editor"},
        ],
    }
    made = send(librarian, "POST", "/books/", body, 201)
    assert made["series_id"] == series.pk
    ids = [each["author_id"] for each in made["contributions"]]
    ann = Author.objects.get(uid=new)
    assert (ids, ann.name) == ([stored.pk, ann.pk, ann.pk], "Ann")
    assert (Author.objects.count(), Series.objects.count()) == (2, 1)
    # What an offline queue sends once more changes nothing.
    path = f"/books/{made['id']}/"
    assert send(librarian, "PATCH", path, {"series": {"uid": str(series.uid)}}) == made


def test_books_of_a_new_author_are_linked_and_created_by_their_uids(librarian):
    stored, new = book("The Dispossessed"), new_uid()
    books = [{"uid": str(stored.uid)}, {"uid": new, "title": "The Lathe of Heaven"}]
    body = {"name": "Ursula K. Le Guin", "books": books}
    made = send(librarian, "POST", "/authors/", body, 201)
    assert made["book_ids"] == [stored.pk, Book.objects.get(uid=new).pk]


@pytest.mark.parametrize(
    ("series", "fault"),
    [
        ({"uid": "STORED", "name": "Another name"}, ("/series/name", "not_editable_here")),
        ({"uid": "STORED", "id": "STORED"}, None),
        ({"uid": "NEW", "id": "STORED"}, ("/series/uid", "not_editable_here")),
        ({"uid": "NEW"}, ("/series/name", "required")),
    ],
)
def test_what_a_nested_uid_says_must_be_so(librarian, series, fault):
    stored = Series.objects.create(name="Hainish Cycle")
    known = {("uid", "STORED"): str(stored.uid), ("id", "STORED"): stored.pk}
    known["uid", "NEW"] = new_uid()
    body = {name: known.get((name, value), value) for name, value in series.items()}
    status = 201 if fault is None else 400
    answer = send(librarian, "POST", "/books/", {"title": "A", "series": body}, status)
    if fault is None:
        assert answer["series_id"] == stored.pk
    else:
        assert faults(answer) == [fault]
        assert not Book.objects.exists()


def test_two_new_objects_with_one_uid_must_say_the_same(librarian):
    uid = new_uid()
    body = {
        "title": "A",
        "contributions": [
            {"author": {"uid": uid, "name": "Ann"}},
            {"author": {"uid": uid, "name": "Bob"}, "role": "editor"},
        ],
    }
    problem = send(librarian, "POST", "/books/", body, 400)
    assert faults(problem) == [("/contributions/1/author/name", "conflicting_values")]


def test_a_uid_stands_once_in_a_list(librarian):
    subject = Subject.objects.create(name="Utopias")
    for uid, name in ((str(subject.uid), "Utopias"), (new_uid(), "Anarchism")):
        twice = [{"uid": uid, "name": name}, {"uid": uid, "name": name}]
        problem = send(librarian, "POST", "/books/", {"title": "A", "subjects": twice}, 400)
        assert faults(problem) == [("/subjects/1/uid", "duplicate")]


def test_the_same_new_uid_sent_at_once_is_one_object(librarian, at_once):
    """Who comes second finds what the first has made, and links it."""
    uid = new_uid()
    token = librarian._credentials

    def post(number):
        client = APIClient()
        client.credentials(**token)
        body = {"title": f"Book {number}", "series": {"uid": uid, "name": "Hainish Cycle"}}
        return client.post("/api/books/", body, format="json").status_code

    assert at_once(post, 8) == [201] * 8
    assert Series.objects.get().books.count() == 8
