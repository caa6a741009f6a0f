"""Does a nested write do what the body says, and nothing else?"""

from uuid import uuid4

import pytest

from authors.models import Author, AuthorProfile
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from tests.catalogue import (
    authors,
    book,
    continue_ids,
    credits_of,
    everything,
    faults,
    isbn,
    numbered,
    send,
)

pytestmark = pytest.mark.django_db

NOWHERE = 10**12


# A foreign id neither steals nor edits a child


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("contributions", {}),
        ("contributions", {"credited_as": "Mine"}),
        ("editions", {}),
        ("editions", {"pages": 1}),
    ],
)
def test_another_books_child_is_refused_like_one_that_does_not_exist(
    librarian, method, name, change
):
    [author] = authors("Terry Pratchett")
    victim = book("Mort", [author], [isbn(1)])
    mine = book("Jingo", [author], [isbn(2)])
    child = getattr(victim, name).get().pk
    stored = everything()
    problems = []
    for pk in (child, NOWHERE):
        body = {"title": "Jingo", name: [{"id": pk, **change}]}
        problem = send(librarian, method, f"/books/{mine.pk}/", body, 409)
        problem["errors"][0]["detail"] = problem["errors"][0]["detail"].replace(str(pk), "…")
        del problem["request_id"]
        problems.append(problem)
    assert problems[0] == problems[1]
    assert problems[0] == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "The request conflicts with what is stored.",
        "code": "conflict",
        "instance": f"/api/books/{mine.pk}/",
        "errors": [
            {
                "pointer": f"/{name}/0/id",
                "code": "does_not_exist",
                "detail": f"There is no {name.removesuffix('s')} … here.",
            }
        ],
    }
    assert everything() == stored


@pytest.mark.parametrize("body", [{"profile": {"id": None, "biography": "Mine"}}, "key"])
@pytest.mark.parametrize("has_one", [False, True])
def test_another_authors_profile_is_refused(librarian, body, has_one):
    victim, mine = authors("Terry Pratchett", "Neil Gaiman")
    profile = AuthorProfile.objects.create(author=victim, biography="His")
    if has_one:
        AuthorProfile.objects.create(author=mine)
    stored = everything()
    if body == "key":
        body, at = {"profile_id": profile.pk}, "/profile_id"
    else:
        body, at = {"profile": {**body["profile"], "id": profile.pk}}, "/profile/id"
    problem = send(librarian, "PATCH", f"/authors/{mine.pk}/", body, 409)
    assert faults(problem) == [(at, "does_not_exist")]
    assert everything() == stored


def test_a_new_book_owns_no_stored_child(librarian):
    stored = book("Mort", authors("Terry Pratchett"), [isbn(1)])
    body = {
        "title": "New",
        "contributions": [{"id": stored.contributions.get().pk}],
        "editions": [{"pages": 7}, {"id": stored.editions.get().pk}],
    }
    problem = send(librarian, "POST", "/books/", body, 409)
    assert faults(problem) == [
        ("/contributions/0/id", "does_not_exist"),
        ("/editions/1/id", "does_not_exist"),
    ]


# An array is the full list; a single item has its own URL


def test_an_array_is_the_full_list_in_order(librarian):
    a, b, c = authors("A", "B", "C")
    stored = book(contributors=[a, b, c])
    first, second, _ = stored.contributions.all()
    body = {"contributions": [{"id": second.pk}, {"author_id": c.pk, "role": "editor"}]}
    answer = send(librarian, "PATCH", f"/books/{stored.pk}/", body)
    assert credits_of(stored) == [(b.pk, "author"), (c.pk, "editor")]
    assert answer["contributions"][0]["id"] == second.pk
    assert not Contribution.objects.filter(pk=first.pk).exists()
    assert Author.objects.count() == 3


def test_a_single_item_is_changed_at_its_own_url_beside_its_siblings(librarian):
    a, b = authors("A", "B")
    stored = book(contributors=[a, b])
    second = stored.contributions.last()
    path = f"/books/{stored.pk}/contributions/{second.pk}/"
    send(librarian, "PATCH", path, {"credited_as": "Bee"})
    assert credits_of(stored) == [(a.pk, "author"), (b.pk, "author")]
    second.refresh_from_db()
    assert second.credited_as == "Bee"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_missing_key_leaves_relations_and_optional_properties_alone(librarian, method):
    series, subject = Series.objects.create(name="S"), Subject.objects.create(name="T")
    stored = book("Mort", authors("A"), [isbn(1)], series=series, description="Death.")
    stored.subjects.add(subject)
    before = send(librarian, "GET", f"/books/{stored.pk}/")
    after = send(librarian, method, f"/books/{stored.pk}/", {"title": "Sourcery"})
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"title", "sort_title", "version", "updated_at"}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("/title", "required")]),
        ({"author_ids": []}, [("/title", "required")]),
        ({"title": None}, [("/title", "null")]),
    ],
)
def test_put_keeps_required_properties_required(librarian, body, errors):
    stored = book()
    assert faults(send(librarian, "PUT", f"/books/{stored.pk}/", body, 400)) == errors


# An item with an id is partial, one without is whole, whatever the method


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_items_are_partial_by_their_id_and_not_by_the_method(librarian, method):
    [author] = authors("A")
    stored = book("Mort", [author])
    kept = stored.contributions.get()
    body = {
        "title": "Mort",
        "contributions": [{"id": kept.pk, "author": {"id": author.pk}}, {"author": {}}],
    }
    problem = send(librarian, method, f"/books/{stored.pk}/", body, 400)
    assert faults(problem) == [("/contributions/1/author/name", "required")]
    body["contributions"][1] = {"role": "editor"}
    problem = send(librarian, method, f"/books/{stored.pk}/", body, 400)
    assert faults(problem) == [("/contributions/1/author", "required")]


def test_what_is_new_is_whole_behind_an_item_with_an_id_too(librarian):
    stored = book("Mort", authors("A"))
    kept = stored.contributions.get()
    body = {"contributions": [{"id": kept.pk, "author": {"sort_name": "B"}}], "title": "Mort"}
    for method in ("PUT", "PATCH"):
        problem = send(librarian, method, f"/books/{stored.pk}/", body, 400)
        assert faults(problem) == [("/contributions/0/author/name", "required")]


# Uniqueness is judged on the final state


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_objects_own_unique_values_are_no_conflict(librarian, method):
    stored = book("Mort", authors("A"), [isbn(1)], openlibrary_key="OL1W")
    edition = stored.editions.get()
    body = {
        "title": "Mort",
        "openlibrary_key": "OL1W",
        "editions": [{"id": edition.pk, "isbn13": isbn(1), "pages": 9}],
    }
    answer = send(librarian, method, f"/books/{stored.pk}/", body)
    assert answer["editions"][0]["pages"] == 9
    publisher = Publisher.objects.create(name="Gollancz")
    body = {"name": "GOLLANCZ"}
    assert send(librarian, method, f"/publishers/{publisher.pk}/", body)["name"] == "GOLLANCZ"
    subject = Subject.objects.create(name="Myth")
    assert send(librarian, method, f"/subjects/{subject.pk}/", {"name": "Myth"})["version"] == 1


def test_editions_trade_isbns_in_one_put(librarian):
    stored = book("Mort", isbns=[isbn(1), isbn(2), isbn(3)])
    ids = list(stored.editions.values_list("pk", flat=True))
    numbers = [isbn(2), isbn(3), isbn(1)]
    editions = [{"id": pk, "isbn13": n} for pk, n in zip(ids, numbers, strict=True)]
    answer = send(librarian, "PUT", f"/books/{stored.pk}/", {"title": "Mort", "editions": editions})
    assert [(each["id"], each["isbn13"]) for each in answer["editions"]] == list(
        zip(ids, numbers, strict=True)
    )


def test_contributions_trade_authors_and_roles_in_one_put(librarian):
    a, b = authors("A", "B")
    stored = book("Mort", [a, (b, "editor")])
    first, second = stored.contributions.all()
    contributions = [
        {"id": first.pk, "author_id": b.pk, "role": "editor"},
        {"id": second.pk, "author_id": a.pk, "role": "author"},
    ]
    body = {"title": "Mort", "contributions": contributions}
    answer = send(librarian, "PUT", f"/books/{stored.pk}/", body)
    assert [each["id"] for each in answer["contributions"]] == [first.pk, second.pk]
    assert credits_of(stored) == [(b.pk, "editor"), (a.pk, "author")]


@pytest.mark.parametrize(
    "editions",
    [
        # A removed item's value, and one that another item gives up, are free.
        lambda a, b: [{"isbn13": isbn(1)}],
        lambda a, b: [{"id": b, "isbn13": isbn(1)}],
        lambda a, b: [{"id": a, "isbn13": None}, {"id": b, "isbn13": isbn(1)}],
        lambda a, b: [{"isbn13": isbn(2)}, {"id": a, "isbn13": isbn(3)}, {"isbn13": isbn(1)}],
        lambda a, b: [{"id": a, "isbn13": isbn(2)}, {"id": b, "isbn13": isbn(3)}],
        lambda a, b: [{"id": b, "isbn13": isbn(1)}, {"id": a, "isbn13": isbn(2)}],
    ],
)
def test_a_value_that_is_free_in_the_end_can_be_taken(librarian, editions):
    stored = book("Mort", isbns=[isbn(1), isbn(2)])
    wanted = editions(*stored.editions.values_list("pk", flat=True))
    answer = send(librarian, "PATCH", f"/books/{stored.pk}/", {"editions": wanted})
    assert sorted((each["isbn13"] or "") for each in answer["editions"]) == sorted(
        each["isbn13"] or "" for each in wanted
    )


def test_an_isbn_of_another_book_is_409_with_its_id(librarian):
    other = book("Mort", isbns=[isbn(1)]).editions.get()
    body = {"title": "Jingo", "editions": [{"pages": 1}, {"isbn13": isbn(1)}]}
    assert send(librarian, "POST", "/books/", body, 409)["errors"] == [
        {
            "pointer": "/editions/1/isbn13",
            "code": "unique",
            "detail": f"Edition {other.pk} has this isbn13.",
            "existing_id": other.pk,
        }
    ]


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/publishers/", {"name": "GOLLANCZ"}, "/name"),
        ("/subjects/", {"name": "Sea stories"}, "/name"),
        ("/subjects/", {"name": "Ships", "slug": "sea-stories"}, "/slug"),
        ("/authors/", {"name": "A", "openlibrary_key": "OL1A"}, "/openlibrary_key"),
        ("/books/", {"title": "A", "openlibrary_key": "OL1W"}, "/openlibrary_key"),
        # Nested, where something else is said of it
        (
            "/books/",
            {"title": "A", "authors": [{"name": "B", "openlibrary_key": "OL1A"}]},
            "/authors/0/openlibrary_key",
        ),
        (
            "/books/",
            {"title": "A", "subjects": [{"name": "SEA  stories", "slug": "sea"}]},
            "/subjects/0/name",
        ),
        (
            "/books/",
            {"title": "A", "subjects": [{"name": "Ships", "slug": "sea-stories"}]},
            "/subjects/0/slug",
        ),
        (
            "/books/",
            {"title": "A", "editions": [{"publisher": {"name": "gollancz", "uid": str(uuid4())}}]},
            "/editions/0/publisher/name",
        ),
        (
            "/authors/",
            {"name": "A", "books": [{"title": "B", "openlibrary_key": "OL1W"}]},
            "/books/0/openlibrary_key",
        ),
    ],
)
def test_a_natural_key_that_is_taken_is_409_naming_who_has_it(librarian, path, body, at):
    made = [
        Publisher.objects.create(name="Gollancz"),
        Subject.objects.create(name="Sea stories"),
        Author.objects.create(name="A", openlibrary_key="OL1A"),
        Book.objects.create(title="A", openlibrary_key="OL1W"),
    ]
    stored = everything()
    [fault] = send(librarian, "POST", path, body, 409)["errors"]
    assert (fault["pointer"], fault["code"]) == (at, "unique")
    assert fault["existing_id"] in {each.pk for each in made}
    assert everything() == stored


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"subjects": [{"name": "SEA  stories"}]}, {"subject_ids": [1]}),
        ({"subjects": [{"name": "sea stories", "slug": "sea-stories"}]}, {"subject_ids": [1]}),
        ({"subjects": [{"name": "sea stories", "slug": ""}]}, {"subject_ids": [1]}),
        ({"subjects": [{"name": "sea stories"}, {"name": "Sea stories"}]}, {"subject_ids": [1]}),
        ({"subjects": [{"name": "sea stories"}, {"id": 2}]}, {"subject_ids": [1, 2]}),
        ({"subjects": [{"name": "sea stories"}, {"id": 1}]}, {"subject_ids": [1]}),
        ({"subjects": [{"id": 1}, {"name": "sea stories"}]}, {"subject_ids": [1]}),
        ({"subjects": [{"name": "sea stories"}], "subject_ids": [1]}, {"subject_ids": [1]}),
        ({"authors": [{"name": "A", "openlibrary_key": "OL1A"}]}, {"author_ids": [1]}),
        (
            {"contributions": [{"author": {"name": "A", "openlibrary_key": "OL1A"}}]},
            {"author_ids": [1]},
        ),
        (
            {
                "contributions": [
                    {"author": {"name": "A", "openlibrary_key": "OL1A", "sort_name": ""}},
                    {"author_id": 1, "role": "editor"},
                ],
                "authors": [{"name": "A", "openlibrary_key": "OL1A"}],
            },
            {"author_ids": [1]},
        ),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_what_has_the_natural_key_is_linked_if_it_is_all_that_is_said(
    librarian, method, body, names
):
    numbered(Subject, "Sea stories", "Ships")
    Author.objects.create(id=1, name="A", openlibrary_key="OL1A")
    continue_ids()
    path = "/books/" if method == "POST" else f"/books/{book().pk}/"
    answer = send(librarian, method, path, {"title": "X", **body}, 201 if method == "POST" else 200)
    assert {name: answer[name] for name in names} == names
    assert (Subject.objects.count(), Author.objects.count()) == (2, 1)


@pytest.mark.parametrize("place", [0, 1])
def test_what_is_said_beside_an_id_counts_wherever_the_natural_key_stands(librarian, place):
    numbered(Subject, "Sea stories")
    subjects = [{"name": "sea stories"}]
    subjects.insert(place, {"id": 1, "name": "Ships"})
    problem = send(librarian, "POST", "/books/", {"title": "X", "subjects": subjects}, 400)
    assert faults(problem) == [(f"/subjects/{place}/name", "not_editable_here")]


def test_a_publisher_is_linked_by_its_name_and_a_book_by_its_key(librarian):
    [publisher] = numbered(Publisher, "Gollancz")
    stored = book(openlibrary_key="OL1W")
    body = {"title": "X", "editions": [{"publisher": {"name": "GOLLANCZ"}} for _ in range(2)]}
    answer = send(librarian, "POST", "/books/", body, 201)
    assert [each["publisher"] for each in answer["editions"]] == [
        {"id": publisher.pk, "uid": str(publisher.uid), "name": "Gollancz"}
    ] * 2
    body = {"name": "B", "books": [{"title": "Good Omens", "openlibrary_key": "OL1W"}]}
    assert send(librarian, "POST", "/authors/", body, 201)["book_ids"] == [stored.pk]


def test_to_say_again_what_a_list_has_by_its_natural_key_changes_nothing(librarian):
    stored = book(contributors=[Author.objects.create(name="A", openlibrary_key="OL1A")])
    stored.subjects.add(Subject.objects.create(name="Ships"))
    body = {
        "subjects": [{"name": "ships"}],
        "authors": [{"name": "A", "openlibrary_key": "OL1A"}],
    }
    assert send(librarian, "PATCH", f"/books/{stored.pk}/", body)["version"] == 1


def test_one_natural_key_in_one_body_is_one_new_object(librarian):
    author = {"name": "A", "openlibrary_key": "OL1A"}
    body = {
        "title": "X",
        "contributions": [{"author": author}, {"author": author, "role": "editor"}],
        "subjects": [{"name": "New"}, {"name": "new"}, {"name": "Other"}],
        "editions": [{"publisher": {"name": "New"}}, {"publisher": {"name": "NEW"}}],
    }
    answer = send(librarian, "POST", "/books/", body, 201)
    assert len({each["author_id"] for each in answer["contributions"]}) == 1
    assert [each["name"] for each in answer["subjects"]] == ["New", "Other"]
    assert [each["publisher"]["name"] for each in answer["editions"]] == ["New", "New"]
    assert (Author.objects.count(), Publisher.objects.count()) == (1, 1)


# An owned one-to-one


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_profile_without_an_id_is_updated_in_place(librarian, method):
    [author] = authors("A")
    profile = AuthorProfile.objects.create(author=author, biography="B", website="https://a.org/")
    body = {"name": "A", "profile": {"biography": "C"}}
    answer = send(librarian, method, f"/authors/{author.pk}/", body)
    assert answer["profile"] == {
        "id": profile.pk,
        "biography": "C",
        "website": "https://a.org/",
    }
    assert AuthorProfile.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"profile": None}, 0),
        ({"profile_id": None}, 0),
        ({"profile": None, "profile_id": None}, 0),
        ({"profile": {}}, 1),
        ({}, 1),
    ],
)
def test_null_deletes_a_profile_and_nothing_else_does(librarian, body, left):
    [author] = authors("A")
    AuthorProfile.objects.create(author=author, biography="B")
    answer = send(librarian, "PATCH", f"/authors/{author.pk}/", body)
    assert AuthorProfile.objects.count() == left
    assert answer["version"] == 2 - left


@pytest.mark.parametrize("body", [{"profile": None}, {"profile_id": None}])
def test_null_where_there_is_no_profile_changes_nothing(librarian, body):
    [author] = authors("A")
    stored = everything()
    send(librarian, "PATCH", f"/authors/{author.pk}/", body)
    assert everything() == stored


def test_the_edited_twin_of_a_profile_wins(librarian):
    [author] = authors("A")
    profile = AuthorProfile.objects.create(author=author, biography="B")
    path = f"/authors/{author.pk}/"
    body = send(librarian, "GET", path)
    body["profile"]["biography"] = "C"
    assert send(librarian, "PUT", path, body)["profile"]["biography"] == "C"
    body["profile_id"] = None
    body["profile"] = {"id": profile.pk, "biography": "C", "website": None}
    assert send(librarian, "PUT", path, body)["profile"] is None


# Permissions come first


def test_permissions_for_all_that_is_touched_come_before_any_write(librarian, member):
    stored = book("Mort", authors("A"), [isbn(1)])
    before = everything()
    for client, status in ((member, 403),):
        for method, path, body in [
            ("PATCH", f"/books/{stored.pk}/", {"author_ids": []}),
            ("POST", "/books/", {"title": "New", "authors": [{"name": "B"}]}),
            ("DELETE", f"/books/{stored.pk}/", None),
        ]:
            send(client, method, path, body, status)
    assert everything() == before


@pytest.mark.parametrize(
    ("missing", "body", "detail"),
    [
        ("add_author", {"authors": [{"name": "B"}]}, "You may not create authors."),
        ("add_series", {"series": {"name": "B"}}, "You may not create series."),
        ("add_edition", {"editions": [{}, {}]}, "You may not create editions."),
        ("delete_contribution", {"contributions": []}, "You may not delete contributions."),
    ],
)
def test_one_forbidden_object_forbids_the_whole_write(
    librarian, monkeypatch, missing, body, detail
):
    stored = book("Mort", authors("A"))
    before = everything()
    allowed = type(librarian.user).has_perm

    def has_perm(user, permission, *rest):
        return not permission.endswith(missing) and allowed(user, permission, *rest)

    monkeypatch.setattr(type(librarian.user), "has_perm", has_perm)
    body = {**body, "title": "Changed", "subjects": [{"name": "New"}]}
    problem = send(librarian, "PATCH", f"/books/{stored.pk}/", body, 403)
    assert problem["detail"] == detail
    assert everything() == before


# Link, or fail


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"author_ids": [NOWHERE]}, "/author_ids/0"),
        ({"authors": [{"id": NOWHERE}]}, "/authors/0/id"),
        ({"contributions": [{"author_id": NOWHERE}]}, "/contributions/0/author_id"),
        ({"contributions": [{"author": {"id": NOWHERE}}]}, "/contributions/0/author/id"),
        ({"series_id": NOWHERE}, "/series_id"),
        ({"series": {"id": NOWHERE}}, "/series/id"),
        ({"subject_ids": [NOWHERE]}, "/subject_ids/0"),
        ({"subjects": [{"id": NOWHERE}]}, "/subjects/0/id"),
        ({"editions": [{"publisher_id": NOWHERE}]}, "/editions/0/publisher_id"),
        ({"editions": [{"publisher": {"id": NOWHERE}}]}, "/editions/0/publisher/id"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_link_to_nothing_is_409_and_creates_nothing(librarian, method, body, at):
    path = "/books/" if method == "POST" else f"/books/{book().pk}/"
    stored = everything()
    problem = send(librarian, method, path, {"title": "New", **body}, 409)
    assert faults(problem) == [(at, "does_not_exist")]
    assert everything() == stored


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_link_that_agrees_links_and_one_that_differs_is_not_editable_here(librarian, method):
    author = Author.objects.create(name="Terry Pratchett", birth_year=1948)
    path = "/books/" if method == "POST" else f"/books/{book().pk}/"
    status = 201 if method == "POST" else 200
    named = {"id": author.pk, "name": "Terry Pratchett", "birth_year": 1948}
    answer = send(librarian, method, path, {"title": "Mort", "authors": [named]}, status)
    assert answer["author_ids"] == [author.pk]
    body = {"title": "Mort", "authors": [{**named, "name": "Sir Terry", "birth_year": 1949}]}
    assert send(librarian, method, path, body, 400)["errors"] == [
        {
            "pointer": f"/authors/0/{name}",
            "code": "not_editable_here",
            "detail": (f"This differs from what is stored; edit it at /api/authors/{author.pk}/."),
        }
        for name in ("name", "birth_year")
    ]
    author.refresh_from_db()
    assert author.name == "Terry Pratchett"


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"series": {"id": 1, "name": "X"}}, "/series/name"),
        ({"series": {"id": 1, "name": "X"}, "series_id": 1}, "/series/name"),
        ({"subjects": [{"id": 1, "name": "X"}]}, "/subjects/0/name"),
        ({"subjects": [{"id": 1, "slug": "x"}], "subject_ids": [1]}, "/subjects/0/slug"),
        ({"authors": [{"id": 1, "name": "X"}], "author_ids": [1]}, "/authors/0/name"),
        (
            {"authors": [{"id": 1, "name": "X"}], "contributions": [{"author_id": 1}]},
            "/authors/0/name",
        ),
        ({"contributions": [{"author": {"id": 1, "name": "X"}}]}, "/contributions/0/author/name"),
        (
            {"contributions": [{"author": {"id": 1, "name": "X"}, "author_id": 1}]},
            "/contributions/0/author/name",
        ),
        (
            {"editions": [{"publisher": {"id": 1, "name": "X"}, "publisher_id": 1}]},
            "/editions/0/publisher/name",
        ),
    ],
)
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_edit_of_what_is_shared_is_never_ignored(librarian, method, linked, body, at):
    shared = [numbered(model, "Stored")[0] for model in (Author, Series, Subject, Publisher)]
    stored = book("Mort", shared[:1], series=shared[1]) if linked else book()
    if linked:
        stored.subjects.add(shared[2])
        stored.editions.create(publisher=shared[3])
    path = "/books/" if method == "POST" else f"/books/{stored.pk}/"
    before = everything()
    problem = send(librarian, method, path, {"title": "New", **body}, 400)
    assert faults(problem) == [(at, "not_editable_here")]
    assert everything() == before


# What comes back unedited changes nothing


@pytest.fixture
def rich(db):
    """A book that has all there is, and its author."""
    a, b = authors("Terry Pratchett", "Neil Gaiman")
    AuthorProfile.objects.create(author=a, biography="Wrote.", website="https://pterry.example/")
    stored = Book.objects.create(
        title="Good Omens",
        original_title="Good  Omens",
        language="en-GB",
        first_published_year=1990,
        description="Two lines\nof text",
        series=Series.objects.create(name="Omens"),
        series_position="1-2",
        openlibrary_key="OL1W",
    )
    stored.subjects.set([Subject.objects.create(name=name) for name in ("Angels", "Demons")])
    for position, (author, role) in enumerate([(b, "editor"), (a, "author"), (b, "author")]):
        stored.contributions.create(
            author=author, role=role, position=position, credited_as=f"{author} himself"
        )
    publisher = Publisher.objects.create(name="Gollancz")
    stored.editions.create(
        isbn13=isbn(1),
        publisher=publisher,
        format="hardcover",
        pages=288,
        published_on="1990-05-10",
        language="en",
    )
    stored.editions.create(format="ebook")
    return stored, a


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_get_then_put_of_the_same_body_changes_nothing(librarian, rich, method):
    stored, author = rich
    before = everything()
    edition = stored.editions.first()
    contribution = stored.contributions.first()
    publisher, subject = Publisher.objects.get(), Subject.objects.first()
    for path in [
        f"/books/{stored.pk}/",
        f"/authors/{author.pk}/",
        f"/authors/{author.pk}/books/{stored.pk}/",
        f"/series/{stored.series_id}/",
        f"/series/{stored.series_id}/books/{stored.pk}/",
        f"/publishers/{publisher.pk}/",
        f"/publishers/{publisher.pk}/editions/{edition.pk}/",
        f"/subjects/{subject.pk}/",
        f"/subjects/{subject.pk}/books/{stored.pk}/",
        f"/books/{stored.pk}/contributions/{contribution.pk}/",
        f"/books/{stored.pk}/editions/{edition.pk}/",
    ]:
        body = send(librarian, "GET", path)
        assert send(librarian, method, path, body) == body
    assert everything() == before


# What no body may say


def item(body):
    return {"contributions": [body]}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        # null, and the wrong kind
        ({"contributions": None}, [("/contributions", "null")]),
        ({"editions": None}, [("/editions", "null")]),
        ({"authors": None}, [("/authors", "null")]),
        ({"author_ids": None}, [("/author_ids", "null")]),
        ({"subjects": None}, [("/subjects", "null")]),
        ({"subject_ids": None}, [("/subject_ids", "null")]),
        ({"contributions": [None]}, [("/contributions/0", "null")]),
        ({"editions": [{}, None]}, [("/editions/1", "null")]),
        ({"author_ids": [None]}, [("/author_ids/0", "null")]),
        ({"contributions": {}}, [("/contributions", "not_a_list")]),
        ({"contributions": "1"}, [("/contributions", "not_a_list")]),
        ({"author_ids": {}}, [("/author_ids", "not_a_list")]),
        ({"author_ids": "12"}, [("/author_ids", "not_a_list")]),
        ({"author_ids": 1}, [("/author_ids", "not_a_list")]),
        ({"series": [{"name": "S"}]}, [("/series", "invalid")]),
        ({"series": 1}, [("/series", "invalid")]),
        ({"series": "S"}, [("/series", "invalid")]),
        ({"authors": [1]}, [("/authors/0", "invalid")]),
        ({"authors": [[]]}, [("/authors/0", "invalid")]),
        (item({"author": []}), [("/contributions/0/author", "invalid")]),
        (item({"author": None}), [("/contributions/0/author", "null")]),
        (item({"author_id": None}), [("/contributions/0/author_id", "null")]),
        # ids
        ({"series_id": "1"}, [("/series_id", "invalid")]),
        ({"series_id": True}, [("/series_id", "invalid")]),
        ({"series_id": 1.0}, [("/series_id", "invalid")]),
        ({"series_id": 0}, [("/series_id", "min_value")]),
        ({"series_id": -1}, [("/series_id", "min_value")]),
        ({"series_id": 2**63}, [("/series_id", "invalid")]),
        ({"series_id": [1]}, [("/series_id", "invalid")]),
        ({"author_ids": ["1"]}, [("/author_ids/0", "invalid")]),
        ({"author_ids": [False]}, [("/author_ids/0", "invalid")]),
        ({"author_ids": [{"id": 1}]}, [("/author_ids/0", "invalid")]),
        ({"authors": [{"id": "1"}]}, [("/authors/0/id", "invalid")]),
        ({"authors": [{"id": True}]}, [("/authors/0/id", "invalid")]),
        ({"authors": [{"id": None}]}, [("/authors/0/id", "null")]),
        (item({"id": "1"}), [("/contributions/0/id", "invalid")]),
        ({"editions": [{"id": 0}]}, [("/editions/0/id", "min_value")]),
        # repeated
        ({"author_ids": [1, 1]}, [("/author_ids/1", "duplicate")]),
        ({"authors": [{"id": 1}, {"id": 1}]}, [("/authors/1/id", "duplicate")]),
        ({"subject_ids": [1, 2, 1]}, [("/subject_ids/2", "duplicate")]),
        ({"subjects": [{"id": 1}, {"id": 1}]}, [("/subjects/1/id", "duplicate")]),
        (
            {"contributions": [{"author_id": 1}, {"author_id": 1}]},
            [("/contributions/1", "duplicate")],
        ),
        (
            {"editions": [{"isbn13": isbn(5)}, {"pages": 2}, {"isbn13": isbn(5)}]},
            [("/editions/2/isbn13", "duplicate")],
        ),
        (
            {"subjects": [{"name": "New"}, {"name": "new", "slug": "other"}]},
            [("/subjects/1/name", "duplicate")],
        ),
        (
            {"authors": [{"name": "B", "openlibrary_key": "OL1A"} for _ in range(2)]},
            [("/authors/1", "duplicate")],
        ),
        (
            {"authors": [{"name": "B", "openlibrary_key": "OL2A"} for _ in range(2)]},
            [("/authors/1", "duplicate")],
        ),
        # unknown, at any depth
        ({"titel": "X"}, [("/titel", "unknown")]),
        ({"series": {"name": "S", "x": 1}}, [("/series/x", "unknown")]),
        ({"authors": [{"name": "A", "profile": {}}]}, [("/authors/0/profile", "unknown")]),
        (item({"author_id": 1, "book": {}}), [("/contributions/0/book", "unknown")]),
        (
            item({"author": {"name": "A", "books": []}}),
            [("/contributions/0/author/books", "unknown")],
        ),
        (
            {"editions": [{}, {"publisher": {"name": "P", "country": "UK"}}]},
            [("/editions/1/publisher/country", "unknown")],
        ),
        # several at once, each at its place
        (
            {"title": "", "contributions": [{"role": "x", "author": {"name": 1}}], "x": 1},
            [
                ("/title", "blank"),
                ("/contributions/0/author/name", "invalid"),
                ("/contributions/0/role", "invalid_choice"),
                ("/x", "unknown"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_what_can_never_succeed_is_400_at_its_place(librarian, method, body, errors):
    numbered(Author, "A")
    Author.objects.create(name="B", openlibrary_key="OL2A")
    numbered(Subject, "One", "Two")
    path = "/books/" if method == "POST" else f"/books/{book().pk}/"
    before = everything()
    problem = send(librarian, method, path, {"title": "X", **body}, 400)
    assert sorted(faults(problem)) == sorted(errors)
    assert everything() == before


@pytest.mark.parametrize(
    "items",
    [
        lambda ids: [{"id": ids[0]}, {"id": ids[0]}],
        lambda ids: [{"id": ids[0]}, {"id": ids[1]}, {"id": ids[0], "role": "editor"}],
    ],
)
def test_a_stored_item_stands_once_in_a_list(librarian, items):
    stored = book("Mort", authors("A", "B"))
    ids = list(stored.contributions.values_list("pk", flat=True))
    contributions = items(ids)
    problem = send(
        librarian, "PATCH", f"/books/{stored.pk}/", {"contributions": contributions}, 400
    )
    assert faults(problem) == [(f"/contributions/{len(contributions) - 1}/id", "duplicate")]


@pytest.mark.parametrize(
    "name", ["contributions", "editions", "authors", "author_ids", "subjects", "subject_ids"]
)
def test_a_list_holds_200_items_and_no_more(librarian, name):
    if name in ("author_ids", "subject_ids"):
        model = Author if name == "author_ids" else Subject
        items = [model.objects.create(name=f"N{i}").pk for i in range(201)]
    else:
        items = {
            "contributions": [{"author": {"name": f"N{i}"}} for i in range(201)],
            "editions": [{"pages": 1 + i} for i in range(201)],
        }.get(name, [{"name": f"N{i}"} for i in range(201)])
    problem = send(librarian, "POST", "/books/", {"title": "X", name: items}, 400)
    assert faults(problem) == [(f"/{name}", "max_length")]
    answer = send(librarian, "POST", "/books/", {"title": "X", name: items[:200]}, 201)
    assert len(answer[name]) == 200


def test_47_contributors_and_one_author_in_two_roles_are_taken(librarian):
    names = [f"Author {i}" for i in range(46)]
    [twice] = authors("Twice")
    contributions = [
        {"author_id": twice.pk},
        *({"author": {"name": name}} for name in names),
        {"author_id": twice.pk, "role": "illustrator"},
    ]
    answer = send(librarian, "POST", "/books/", {"title": "X", "contributions": contributions}, 201)
    assert [each["author"]["name"] for each in answer["contributions"]] == [
        "Twice",
        *names,
        "Twice",
    ]
    assert [each["position"] for each in answer["contributions"]] == list(range(48))
    assert len(answer["authors"]) == 47


def test_both_kinds_of_fault_at_once_are_400(librarian):
    book("Mort", isbns=[isbn(1)])
    body = {"title": "X", "editions": [{"isbn13": isbn(1)}], "author_ids": [NOWHERE]}
    assert send(librarian, "POST", "/books/", body, 409)["code"] == "conflict"
    body["subjects"] = [{"name": "A"}, {"name": "a", "slug": "b"}]
    problem = send(librarian, "POST", "/books/", body, 400)
    assert sorted(faults(problem)) == [
        ("/author_ids/0", "does_not_exist"),
        ("/editions/0/isbn13", "unique"),
        ("/subjects/1/name", "duplicate"),
    ]


# Twins


@pytest.mark.parametrize(
    ("body", "series"),
    [
        ({"series_id": 2}, 2),
        ({"series": {"id": 2}}, 2),
        ({"series": {"id": 1, "name": "One"}, "series_id": 2}, 2),
        ({"series": {"id": 2, "name": "Two"}, "series_id": 1}, 2),
        ({"series": {"id": 2}, "series_id": 2}, 2),
        ({"series": None, "series_id": 1}, None),
        ({"series": {"id": 1, "name": "One"}, "series_id": None}, None),
        ({"series": None, "series_id": None}, None),
        ({"series": None}, None),
        ({"series_id": None}, None),
        ({}, 1),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_twin_that_differs_from_what_is_stored_wins(librarian, method, body, series):
    numbered(Series, "One", "Two")
    stored = book("Mort", series_id=1)
    answer = send(librarian, method, f"/books/{stored.pk}/", {"title": "Mort", **body})
    assert answer["series_id"] == series
    assert Series.objects.count() == 2
    assert answer["version"] == (1 if series == 1 else 2)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"series": {"id": 2}, "series_id": 3}, "/series_id"),
        ({"series": None, "series_id": 3}, "/series_id"),
        ({"series": {"id": 2}, "series_id": None}, "/series_id"),
        ({"series": {"name": "New"}, "series_id": 2}, "/series_id"),
        ({"subjects": [{"id": 2}], "subject_ids": [3]}, "/subject_ids"),
        ({"subjects": [], "subject_ids": [3]}, "/subject_ids"),
        ({"authors": [{"id": 2}], "author_ids": [3]}, "/author_ids"),
        ({"authors": [{"id": 2}, {"id": 3}], "author_ids": [3, 2]}, "/author_ids"),
        ({"authors": [{"name": "New"}], "author_ids": []}, "/author_ids"),
        ({"authors": [{"id": 2}], "contributions": [{"author_id": 3}]}, "/authors"),
        (
            {
                "author_ids": [2],
                "contributions": [{"author_id": 2}, {"author_id": 3}],
            },
            "/author_ids",
        ),
        ({"author_ids": [2], "contributions": []}, "/author_ids"),
        (
            {"contributions": [{"author": {"id": 2}, "author_id": 3}]},
            "/contributions/0/author_id",
        ),
        ({"editions": [{"publisher": {"id": 2}, "publisher_id": 3}]}, "/editions/0/publisher_id"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_twins_that_disagree_are_400(librarian, method, body, at):
    for model in (Author, Series, Subject, Publisher):
        numbered(model, "1", "2", "3")
    stored = book("Mort", [Author.objects.get(pk=1)], series_id=1)
    stored.subjects.add(1)
    path = "/books/" if method == "POST" else f"/books/{stored.pk}/"
    before = everything()
    problem = send(librarian, method, path, {"title": "Mort", **body}, 400)
    assert faults(problem) == [(at, "conflicting_values")]
    assert everything() == before


@pytest.mark.parametrize(
    "body",
    [
        {"series": {"id": 2}, "series_id": 2},
        {"series": None, "series_id": None},
        {"subjects": [{"id": 1}, {"id": 2}], "subject_ids": [2, 1]},
        {"authors": [{"id": 2}, {"id": 1}], "author_ids": [2, 1]},
        {
            "authors": [{"id": 2}],
            "author_ids": [2],
            "contributions": [{"author_id": 1, "role": "editor"}, {"author": {"id": 2}}],
        },
        {"authors": [{"name": "New"}], "contributions": [{"author": {"name": "New"}}]},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_twins_that_agree_are_one(librarian, method, body):
    for model in (Author, Series, Subject):
        numbered(model, "1", "2")
    path = "/books/" if method == "POST" else f"/books/{book().pk}/"
    status = 201 if method == "POST" else 200
    answer = send(librarian, method, path, {"title": "X", **body}, status)
    assert Author.objects.filter(name="New").count() == str(body).count("New") // 2
    if "series" in body:
        assert answer["series_id"] == body["series_id"]
    if "subjects" in body:
        assert sorted(answer["subject_ids"]) == [1, 2]
    if "authors" in body:
        assert len(answer["authors"]) == len(body["authors"])
        assert len(answer["contributions"]) == len(body.get("contributions", body["authors"]))


# Three views of the same rows


@pytest.fixture
def credited(librarian):
    """A GET body: B edits, A writes, B writes, C narrates."""
    a, b, c, _ = numbered(Author, *"ABCD")
    stored = book("Mort", [(b, "editor"), a, b, (c, "narrator")])
    return send(librarian, "GET", f"/books/{stored.pk}/")


def edited(body, **changes):
    for name, change in changes.items():
        body[name] = change(body[name])
    return body


@pytest.mark.parametrize(
    ("change", "after"),
    [
        # By keys alone
        (lambda _: {"author_ids": [1]}, "B editor, A author, C narrator"),
        (lambda _: {"author_ids": [2, 1]}, "B editor, B author, A author, C narrator"),
        (lambda _: {"author_ids": [4, 1]}, "B editor, D author, A author, C narrator"),
        (lambda _: {"author_ids": []}, "B editor, C narrator"),
        # By objects alone
        (lambda _: {"authors": [{"id": 2}]}, "B editor, B author, C narrator"),
        (
            lambda _: {"authors": [{"name": "E"}, {"id": 1, "name": "A"}]},
            "B editor, E author, A author, C narrator",
        ),
        (lambda _: {"authors": []}, "B editor, C narrator"),
        # By the whole list alone
        (
            lambda body: {"contributions": body["contributions"][::-1]},
            "C narrator, B author, A author, B editor",
        ),
        (lambda _: {"contributions": [{"author_id": 4}]}, "D author"),
        # In a body that carries all three, one of them edited
        (
            lambda body: edited(body, author_ids=lambda ids: [*ids, 4]),
            "B editor, A author, B author, D author, C narrator",
        ),
        (lambda body: edited(body, author_ids=lambda _: []), "B editor, C narrator"),
        (
            lambda body: edited(body, authors=lambda each: each[::-1]),
            "B editor, B author, A author, C narrator",
        ),
        (
            lambda body: edited(body, authors=lambda each: [*each, {"name": "E"}]),
            "B editor, A author, B author, E author, C narrator",
        ),
        (
            lambda body: edited(body, contributions=lambda each: each[:2]),
            "B editor, A author",
        ),
        (
            lambda body: edited(
                body, contributions=lambda each: [{**each[0], "role": "author"}, each[3]]
            ),
            "B author, C narrator",
        ),
        (lambda body: edited(body, contributions=lambda _: []), ""),
        # Two of them edited, in agreement
        (
            lambda body: edited(body, author_ids=lambda _: [2], authors=lambda each: [each[1]]),
            "B editor, B author, C narrator",
        ),
        (
            lambda body: edited(
                body, author_ids=lambda _: [1], contributions=lambda each: each[:2]
            ),
            "B editor, A author",
        ),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_authors_are_three_views_of_the_same_rows(librarian, credited, method, change, after):
    rows = {each["id"]: each["author_id"] for each in credited["contributions"]}
    path = f"/books/{credited['id']}/"
    body = {"title": "Mort", **change(credited)}
    answer = send(librarian, method, path, body)
    named = [f"{each['author']['name']} {each['role']}" for each in answer["contributions"]]
    assert ", ".join(named) == after
    credits_of(Book.objects.get())
    # A row of an author who stays is the same row.
    for each in answer["contributions"]:
        assert rows.get(each["id"], each["author_id"]) == each["author_id"]
    writers = [each for each in answer["contributions"] if each["role"] == "author"]
    assert answer["author_ids"] == [each["author_id"] for each in writers]
    assert answer["authors"] == [each["author"] for each in writers]


def test_authors_stand_in_front_where_there_were_none(librarian):
    a, b = authors("A", "B")
    stored = book("Mort", [(a, "editor")])
    send(librarian, "PATCH", f"/books/{stored.pk}/", {"author_ids": [b.pk, a.pk]})
    assert credits_of(stored) == [(b.pk, "author"), (a.pk, "author"), (a.pk, "editor")]


@pytest.mark.parametrize(
    ("first", "second", "at"),
    [
        ({"author_ids": [4]}, {"authors": [{"id": 3}]}, "/author_ids"),
        ({"author_ids": [4]}, {"contributions": [{"author_id": 3}]}, "/author_ids"),
        ({"authors": [{"name": "E"}]}, {"contributions": []}, "/authors"),
        ({"authors": [{"name": "E"}]}, {"contributions": [{"author": {"name": "F"}}]}, "/authors"),
    ],
)
def test_two_views_that_disagree_are_400(librarian, credited, first, second, at):
    before = everything()
    body = {**credited, **first, **second}
    problem = send(librarian, "PUT", f"/books/{credited['id']}/", body, 400)
    assert faults(problem) == [(at, "conflicting_values")]
    assert everything() == before


def test_the_simplest_requests_work(librarian):
    [herbert] = authors("Frank Herbert")
    answer = send(librarian, "POST", "/books/", {"title": "Dune", "author_ids": [herbert.pk]}, 201)
    assert answer["authors"][0]["name"] == "Frank Herbert"
    body = {"title": "Emma", "authors": [{"name": "Jane Austen"}]}
    answer = send(librarian, "POST", "/books/", body, 201)
    [contribution] = answer["contributions"]
    assert contribution["role"] == "author"
    assert contribution["author"]["sort_name"] == "Austen, Jane"


# An author's books


def test_an_author_is_created_with_profile_and_books(librarian):
    [editor] = authors("Editor")
    there = book("There", [(editor, "editor")])
    subject = Subject.objects.create(name="Sea")
    body = {
        "name": "Herman Melville",
        "profile": {"biography": "Whaler."},
        "books": [
            {
                "title": "Moby-Dick",
                "subject_ids": [subject.pk],
                "contributions": [{"author_id": editor.pk, "role": "editor"}],
            },
            {"id": there.pk},
        ],
    }
    answer = send(librarian, "POST", "/authors/?expand=books", body, 201)
    melville = Author.objects.get(name="Herman Melville")
    new = Book.objects.get(title="Moby-Dick")
    assert credits_of(new) == [(melville.pk, "author"), (editor.pk, "editor")]
    assert credits_of(there) == [(editor.pk, "editor"), (melville.pk, "author")]
    assert list(new.subjects.all()) == [subject]
    there.refresh_from_db()
    assert (there.version, new.version, melville.version) == (2, 1, 1)
    assert answer["book_ids"] == sorted([new.pk, there.pk])
    assert sorted(each["title"] for each in answer["books"]) == ["Moby-Dick", "There"]
    assert answer["profile"]["biography"] == "Whaler."


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("books", [[], [{"title": "New"}], [{"id": 1}]])
def test_books_in_an_authors_update_are_400_with_the_url_to_use(librarian, method, books):
    [author] = authors("A")
    body = {"name": "A", "books": books}
    assert send(librarian, method, f"/authors/{author.pk}/", body, 400)["errors"] == [
        {
            "pointer": "/books",
            "code": "not_editable_here",
            "detail": f"On an update, use /api/authors/{author.pk}/books/ instead.",
        }
    ]


@pytest.mark.parametrize(
    ("books", "status", "errors"),
    [
        ([{"id": NOWHERE}], 409, [("/books/0/id", "does_not_exist")]),
        ([{"id": 1}, {"id": 1}], 400, [("/books/1/id", "duplicate")]),
        ([{"id": 1, "title": "Other"}], 400, [("/books/0/title", "not_editable_here")]),
        ([{"id": 1, "contributions": []}], 400, [("/books/0/contributions", "not_editable_here")]),
        ([{}], 400, [("/books/0/title", "required")]),
        ([None], 400, [("/books/0", "null")]),
        (
            [{"title": "X", "contributions": [{"author": {"name": "B"}}]}],
            400,
            [("/books/0/contributions/0/author", "unknown")],
        ),
        (
            [{"title": "X", "editions": []}],
            400,
            [("/books/0/editions", "unknown")],
        ),
        (
            [{"title": "X", "contributions": [{"author_id": NOWHERE}]}],
            409,
            [("/books/0/contributions/0/author_id", "does_not_exist")],
        ),
        (
            [{"title": "X", "openlibrary_key": "OL1W"}],
            409,
            [("/books/0/openlibrary_key", "unique")],
        ),
    ],
)
def test_a_new_authors_books_obey_the_same_rules(librarian, books, status, errors):
    Book.objects.create(id=1, title="Stored", openlibrary_key="OL1W")
    continue_ids()
    before = everything()
    problem = send(librarian, "POST", "/authors/", {"name": "A", "books": books}, status)
    assert faults(problem) == errors
    assert everything() == before


def test_a_book_that_is_linked_may_say_what_is_stored(librarian):
    stored = book("Stored", language="en")
    body = {"name": "A", "books": [{"id": stored.pk, "title": "Stored", "language": "en"}]}
    assert send(librarian, "POST", "/authors/", body, 201)["book_ids"] == [stored.pk]


# Shared objects outlive the links to them


@pytest.mark.parametrize(
    "body",
    [
        {"series": None, "subjects": [], "contributions": [], "editions": []},
        {"series_id": None, "subject_ids": [], "author_ids": [], "editions": []},
    ],
)
def test_what_is_unlinked_lives_on_and_what_is_owned_dies(librarian, rich, body):
    stored, _ = rich
    stored.contributions.filter(role="editor").delete()
    answer = send(librarian, "PATCH", f"/books/{stored.pk}/", body)
    assert answer["series"] is None
    assert answer["subjects"] == answer["contributions"] == answer["editions"] == []
    assert [m.objects.count() for m in (Author, Series, Subject, Publisher)] == [2, 1, 2, 1]
    assert [m.objects.count() for m in (Contribution, Edition)] == [0, 0]
    assert answer["version"] == 2


@pytest.mark.parametrize("relation", ["series", "series_id"])
def test_only_the_root_that_changes_has_a_new_version(librarian, rich, relation):
    stored, _ = rich
    other = Series.objects.create(name="Other")
    value = other.pk if relation == "series_id" else {"id": other.pk}
    send(librarian, "PATCH", f"/books/{stored.pk}/", {relation: value})
    versions = [
        *Book.objects.values_list("version", flat=True),
        *Series.objects.values_list("version", flat=True),
        *Author.objects.values_list("version", flat=True),
    ]
    assert versions == [2, 1, 1, 1, 1]
