"""Is a child's URL one with its parent: found, refused, written and deleted under it alone?"""

from unittest.mock import ANY
from uuid import uuid4

import pytest
from django.db import connection

from authors.models import Author
from books.models import Book, Contribution, Edition, Identifier, Publisher, Series, Subject
from books.serializers import EditionSerializer
from books.views import BookEditionViewSet
from tests.catalogue import authors, book, continue_ids, credits_of, everything, faults, isbn, send

pytestmark = pytest.mark.django_db

NOWHERE = 10**12
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]


@pytest.fixture
def stored(db):
    """Two of everything: the first of each belong together, and so do the second."""
    for pk, number in ((1, 101), (2, 102)):
        author = Author.objects.create(id=pk, name=f"Author {pk}")
        series = Series.objects.create(id=pk, name=f"Series {pk}")
        subject = Subject.objects.create(id=pk, name=f"Subject {pk}")
        publisher = Publisher.objects.create(id=pk, name=f"Publisher {pk}")
        made = Book.objects.create(id=pk, title=f"Book {pk}", series=series)
        made.subjects.add(subject)
        Contribution.objects.create(id=pk, book=made, author=author)
        edition = Edition.objects.create(id=pk, book=made, publisher=publisher, isbn13=isbn(number))
        Identifier.objects.create(id=pk, edition=edition, scheme="oclc", value=f"{pk}")
    continue_ids()


LISTS = [
    "/authors/{}/books/",
    "/series/{}/books/",
    "/subjects/{}/books/",
    "/books/{}/contributions/",
    "/books/{}/editions/",
    "/publishers/{}/editions/",
    "/editions/{}/identifiers/",
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("url", LISTS)
def test_a_parent_that_does_not_exist_is_404_whatever_the_method(admin, stored, method, url):
    for path in (url.format(NOWHERE), url.format(NOWHERE) + "1/"):
        response = admin.generic(method, f"/api{path}", b"{]", "application/json")
        assert response.status_code == 404
        if method != "HEAD":
            assert response.json() == {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "Not found.",
                "code": "not_found",
                "instance": f"/api{path}",
                "request_id": ANY,
            }


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("url", LISTS)
def test_another_parents_child_is_404(admin, stored, method, url):
    before = everything()
    body = None if method in ("GET", "DELETE") else {}
    for child in (2, NOWHERE):
        send(admin, method, f"{url.format(1)}{child}/", body, 404)
    assert everything() == before


@pytest.mark.parametrize("url", LISTS)
def test_a_list_has_the_parents_children_and_no_others(anonymous, stored, url):
    for parent in (1, 2):
        page = send(anonymous, "GET", url.format(parent))
        assert [each["id"] for each in page["results"]] == [parent]
        child = send(anonymous, "GET", f"{url.format(parent)}{parent}/")
        assert child == page["results"][0]


@pytest.mark.parametrize(
    ("url", "body", "at"),
    [
        ("/authors/1/books/", {"author_ids": [2]}, "/author_ids"),
        ("/authors/1/books/", {"authors": [{"id": 2}]}, "/authors"),
        ("/authors/1/books/", {"author_ids": []}, "/author_ids"),
        ("/authors/1/books/", {"contributions": [{"author_id": 2}]}, "/contributions"),
        ("/series/1/books/", {"series_id": 2}, "/series_id"),
        ("/series/1/books/", {"series_id": None}, "/series_id"),
        ("/series/1/books/", {"series": {"name": "New"}}, "/series"),
        ("/subjects/1/books/", {"subject_ids": [2]}, "/subject_ids"),
        ("/subjects/1/books/", {"subjects": []}, "/subjects"),
        ("/books/1/contributions/", {"book_id": 2, "author_id": 1}, "/book_id"),
        ("/books/1/editions/", {"book_id": 2}, "/book_id"),
        ("/publishers/1/editions/", {"publisher_id": 2, "book_id": 1}, "/publisher_id"),
        ("/publishers/1/editions/", {"publisher": None, "book_id": 1}, "/publisher"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_body_that_names_another_parent_is_400(librarian, stored, method, url, body, at):
    before = everything()
    if url.endswith("/books/"):
        body = {"title": "X", **body}
    path = url if method == "POST" else f"{url}1/"
    problem = send(librarian, method, path, body, 400)
    assert faults(problem) == [(at, "conflicting_values")]
    assert everything() == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("url", "edited", "at"),
    [
        ("/authors/1/books/1/", {"author_ids": [2]}, "/author_ids"),
        ("/authors/1/books/1/", {"authors": []}, "/authors"),
        ("/authors/1/books/1/", {"contributions": [{"author_id": 2}]}, "/contributions"),
        ("/series/1/books/1/", {"series_id": 2}, "/series_id"),
        ("/series/1/books/1/", {"series": None}, "/series"),
        ("/subjects/1/books/1/", {"subject_ids": [2]}, "/subject_ids"),
        ("/subjects/1/books/1/", {"subjects": [{"name": "New"}]}, "/subjects"),
        ("/publishers/1/editions/1/", {"publisher_id": None}, "/publisher_id"),
        ("/publishers/1/editions/1/", {"publisher": {"name": "New"}}, "/publisher"),
    ],
)
def test_what_moves_a_whole_body_to_another_parent_is_what_was_edited(
    librarian, stored, method, url, edited, at
):
    before = everything()
    body = send(librarian, "GET", url) | edited
    assert faults(send(librarian, method, url, body, 400)) == [(at, "conflicting_values")]
    assert everything() == before


def test_an_edition_under_a_publisher_stays_with_its_book(librarian, stored):
    before = everything()
    body = {"book_id": 2}
    problem = send(librarian, "PATCH", "/publishers/1/editions/1/", body, 400)
    assert faults(problem) == [("/book_id", "conflicting_values")]
    problem = send(librarian, "POST", "/publishers/1/editions/", {}, 400)
    assert faults(problem) == [("/book_id", "required")]
    problem = send(librarian, "POST", "/publishers/1/editions/", {"book_id": NOWHERE}, 409)
    assert faults(problem) == [("/book_id", "does_not_exist")]
    assert everything() == before


@pytest.mark.parametrize(
    ("url", "body", "belongs"),
    [
        ("/authors/1/books/", {"title": "New"}, {"author_ids": [1]}),
        ("/authors/1/books/", {"title": "New", "author_ids": [2, 1]}, {"author_ids": [2, 1]}),
        (
            "/authors/1/books/",
            {"title": "New", "contributions": [{"author_id": 1, "role": "narrator"}]},
            {"author_ids": []},
        ),
        ("/series/1/books/", {"title": "New"}, {"series_id": 1}),
        ("/series/1/books/", {"title": "New", "series": {"id": 1}}, {"series_id": 1}),
        ("/subjects/1/books/", {"title": "New"}, {"subject_ids": [1]}),
        ("/subjects/1/books/", {"title": "New", "subject_ids": [1, 2]}, {"subject_ids": [1, 2]}),
        ("/books/1/contributions/", {"author_id": 2}, {"book_id": 1, "position": 1}),
        ("/books/1/editions/", {"pages": 3}, {"book_id": 1}),
        ("/books/1/editions/", {"book_id": 1}, {"book_id": 1}),
        ("/publishers/1/editions/", {"book_id": 2}, {"book_id": 2, "publisher_id": 1}),
    ],
)
def test_what_is_created_under_a_parent_belongs_to_it(librarian, stored, url, body, belongs):
    response = librarian.post(f"/api{url}", body, format="json")
    assert response.status_code == 201
    answer = response.json()
    assert answer.items() >= belongs.items()
    assert response["Location"] == f"http://testserver/api{url}{answer['id']}/"
    assert send(librarian, "GET", f"{url}{answer['id']}/") == answer


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "/books/1/contributions/", {"author_id": 2}),
        ("PATCH", "/books/1/contributions/1/", {"credited_as": "X"}),
        ("PUT", "/books/1/contributions/1/", {"credited_as": "X"}),
        ("PATCH", "/books/1/contributions/1/", {"author": {"name": "New"}}),
        ("DELETE", "/books/1/contributions/1/", None),
        ("POST", "/books/1/editions/", {}),
        ("PATCH", "/books/1/editions/1/", {"isbn13": None}),
        ("DELETE", "/books/1/editions/1/", None),
        ("POST", "/editions/1/identifiers/", {"scheme": "a", "value": "1"}),
        ("PATCH", "/editions/1/identifiers/1/", {"value": "7"}),
        ("DELETE", "/editions/1/identifiers/1/", None),
        ("POST", "/publishers/1/editions/", {"book_id": 1}),
        ("PUT", "/publishers/1/editions/1/", {"pages": 7}),
        ("DELETE", "/publishers/1/editions/1/", None),
        ("PATCH", "/authors/1/books/1/", {"description": "X"}),
        ("PATCH", "/series/1/books/1/", {"author_ids": [2]}),
    ],
)
def test_a_write_to_a_part_raises_its_books_version(librarian, stored, method, url, body):
    before = Book.objects.get(pk=1)
    send(librarian, method, url, body, {"POST": 201, "DELETE": 204}.get(method, 200))
    after = Book.objects.get(pk=1)
    assert (before.version, after.version) == (1, 2)
    assert after.updated_at > before.updated_at
    for model in (Author, Series, Subject, Publisher):
        assert set(model.objects.values_list("version", flat=True)) == {1}
    assert Book.objects.get(pk=2).version == 1


@pytest.mark.parametrize(
    ("url", "body", "status", "errors"),
    [
        ("/books/1/contributions/", {}, 400, [("/author", "required")]),
        ("/books/1/contributions/", {"author": {}}, 400, [("/author/name", "required")]),
        (
            "/books/1/contributions/",
            {"author_id": NOWHERE},
            409,
            [("/author_id", "does_not_exist")],
        ),
        (
            "/books/1/contributions/",
            {"author": {"id": 2, "name": "X"}},
            400,
            [("/author/name", "not_editable_here")],
        ),
        (
            "/books/1/contributions/",
            {"author_id": 1, "role": "author"},
            409,
            [("", "unique")],
        ),
        ("/books/1/editions/", {"isbn13": isbn(102)}, 409, [("/isbn13", "unique")]),
        ("/books/1/editions/", {"isbn13": isbn(101)}, 409, [("/isbn13", "unique")]),
        (
            "/books/1/editions/",
            {"publisher": {"name": "PUBLISHER 2", "uid": str(uuid4())}},
            409,
            [("/publisher/name", "unique")],
        ),
    ],
)
def test_a_part_obeys_the_rules_of_its_list(librarian, stored, url, body, status, errors):
    before = everything()
    assert faults(send(librarian, "POST", url, body, status)) == errors
    assert everything() == before


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_positions_stay_without_holes(librarian, gone):
    people = authors("A", "B", "C")
    stored = book(contributors=people)
    path = f"/books/{stored.pk}/contributions/"
    send(librarian, "DELETE", f"{path}{stored.contributions.all()[gone].pk}/", status=204)
    left = [(each.pk, "author") for each in people if each is not people[gone]]
    assert credits_of(stored) == left
    send(librarian, "POST", path, {"author_id": people[gone].pk, "role": "editor"}, 201)
    assert credits_of(stored) == [*left, (people[gone].pk, "editor")]


@pytest.mark.parametrize("name", ["contributions", "editions"])
def test_a_full_list_takes_no_more(librarian, name):
    stored = book()
    people = Author.objects.bulk_create(Author(name=f"{i}") for i in range(201))
    for position, author in enumerate(people[:200]):
        if name == "contributions":
            stored.contributions.create(author=author, position=position, role="editor")
        else:
            stored.editions.create()
    before = everything()
    body = {"author_id": people[200].pk} if name == "contributions" else {}
    problem = send(librarian, "POST", f"/books/{stored.pk}/{name}/", body, 400)
    assert faults(problem) == [(f"/{name}", "max_length")]
    if name == "contributions":
        body = {"author_ids": [people[200].pk]}
        problem = send(librarian, "PATCH", f"/books/{stored.pk}/", body, 400)
        assert faults(problem) == [("/contributions", "max_length")]
        body = {"name": "B", "books": [{"id": stored.pk}]}
        problem = send(librarian, "POST", "/authors/", body, 400)
        assert faults(problem) == [("/books/0/contributions", "max_length")]
    assert everything() == before


# Deleting


def test_deleting_an_author_who_contributed_is_409_naming_the_contributions(admin, stored):
    before = everything()
    assert send(admin, "DELETE", "/authors/1/", status=409) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "The request conflicts with what is stored.",
        "code": "conflict",
        "instance": "/api/authors/1/",
        "request_id": ANY,
        "errors": [
            {
                "code": "in_use",
                "detail": "In use by contribution 1: Author 1, author of “Book 1”.",
                "existing_id": 1,
            }
        ],
    }
    assert everything() == before


@pytest.mark.parametrize("path", ["/series/1/", "/subjects/1/", "/publishers/1/"])
def test_deleting_what_is_shared_leaves_books_standing_with_a_new_version(admin, stored, path):
    books = {pk: send(admin, "GET", f"/books/{pk}/") for pk in (1, 2)}
    send(admin, "DELETE", path, status=204)
    send(admin, "GET", path, status=404)
    one, two = (send(admin, "GET", f"/books/{pk}/") for pk in (1, 2))
    assert two == books[2]
    assert one["version"] == 2
    assert one["updated_at"] > books[1]["updated_at"]
    if "publishers" in path:
        assert one["editions"] == [
            {**books[1]["editions"][0], "publisher": None, "publisher_id": None}
        ]
    else:
        unlinked = {"/series/1/": (None, None), "/subjects/1/": ([], [])}[path]
        name = path.split("/")[1]
        key = {"series": "series_id", "subjects": "subject_ids"}[name]
        assert (one[name], one[key]) == unlinked


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        # Who deletes is named in one statement, on SQLite in two. Where a series is no more, the
        # entries of its books are written anew.
        ("/series/1/", {"sqlite": 17, "postgresql": 15}[connection.vendor]),
        ("/subjects/1/", {"sqlite": 15, "postgresql": 14}[connection.vendor]),
        ("/publishers/1/", {"sqlite": 14, "postgresql": 13}[connection.vendor]),
    ],
)
@pytest.mark.parametrize("number", [20, 60])
def test_deleting_costs_the_same_however_many_books_there_are(
    admin, stored, path, queries, number, django_assert_num_queries
):
    for i in range(number):
        made = Book.objects.create(title=f"{i}", series_id=1)
        made.subjects.add(1)
        made.editions.create(publisher_id=1)
    with django_assert_num_queries(queries):
        send(admin, "DELETE", path, status=204)
    assert Book.objects.filter(version=2).count() == number + 1


@pytest.mark.parametrize("path", ["/books/1/", "/authors/1/books/1/", "/series/1/books/1/"])
def test_a_deleted_book_takes_what_it_owns_with_it_and_nothing_else(librarian, stored, path):
    send(librarian, "DELETE", path, status=204)
    for model in (Book, Contribution, Edition, Identifier, Book.subjects.through):
        assert model.objects.count() == 1
    for model in (Author, Series, Subject, Publisher):
        assert set(model.objects.values_list("version", flat=True)) == {1}
        assert model.objects.count() == 2
    send(librarian, "DELETE", path, status=404)


def test_what_relates_to_nothing_but_its_owner_is_written_at_its_url(
    librarian, stored, monkeypatch
):
    class Plain(EditionSerializer):
        publisher = None

        class Meta:
            model = Edition
            fields = ["id", "book_id", "pages"]

    monkeypatch.setattr(BookEditionViewSet, "serializer_class", Plain)
    made = send(librarian, "POST", "/books/1/editions/", {"pages": 5}, status=201)
    assert made == {"id": made["id"], "book_id": 1, "pages": 5}
    edition = f"/books/1/editions/{made['id']}/"
    assert send(librarian, "PATCH", edition, {"pages": 6}) == {**made, "pages": 6}
    send(librarian, "DELETE", edition, status=204)
