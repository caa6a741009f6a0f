"""Many objects of one kind in one request: `POST …/bulk/`."""

import json
import re
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import ANY

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from authors.models import Author
from books.models import Book, Publisher, Series, Subject
from tests.catalogue import book, continue_ids, everything, faults, isbn, send
from tests.test_relations_docs import shown

pytestmark = pytest.mark.django_db

STRANGER = "0b0e6cb0-0000-4000-8000-000000000001"


def bulk(client, kind, status=200, **body):
    return send(client, "POST", f"/{kind}/bulk/", body, status)


def test_deletes_updates_and_creates_in_one_request(librarian):
    gone, kept = book("Gone"), book("Kept")
    answer = bulk(
        librarian,
        "books",
        create=[{"title": "New", "authors": [{"name": "Ann"}]}],
        update=[{"id": kept.pk, "version": 1, "title": "Edited"}],
        delete=[{"uid": str(gone.uid)}],
    )
    [new] = Book.objects.filter(title="New")
    assert answer == {
        "create": [{"status": 201, "document": send(librarian, "GET", f"/books/{new.pk}/")}],
        "update": [{"status": 200, "document": send(librarian, "GET", f"/books/{kept.pk}/")}],
        "delete": [{"status": 204}],
    }
    assert answer["update"][0]["document"]["title"] == "Edited"
    assert answer["update"][0]["document"]["version"] == 2
    assert not Book.objects.filter(pk=gone.pk).exists()


@pytest.mark.parametrize(
    ("kind", "model", "body"),
    [
        ("authors", Author, {"name": "Ann"}),
        ("books", Book, {"title": "Dune"}),
        ("publishers", Publisher, {"name": "Ace"}),
        ("series", Series, {"name": "Dune"}),
        ("subjects", Subject, {"name": "Sand"}),
    ],
)
def test_every_root_has_it(admin, kind, model, body):
    made = bulk(admin, kind, create=[body])["create"][0]["document"]
    [name] = body
    bulk(admin, kind, update=[{"uid": made["uid"], name: "Another"}])
    assert getattr(model.objects.get(), name) == "Another"
    assert bulk(admin, kind, delete=[{"id": made["id"], "version": 2}])["delete"] == [
        {"status": 204}
    ]
    assert not model.objects.exists()


@pytest.mark.parametrize(
    "path", ["/books/1/editions/bulk/", "/authors/1/books/bulk/", "/users/bulk/"]
)
def test_nothing_else_has_it(admin, path):
    send(admin, "POST", path, {}, 404)


@pytest.mark.parametrize(
    "body",
    [{}, {"create": []}, {"create": [], "update": [], "delete": [], "partial": True}],
)
def test_empty_lists_are_done_at_once(librarian, body):
    assert bulk(librarian, "books", **body) == {"create": [], "update": [], "delete": []}


def test_expand_adds_properties_to_the_documents(librarian):
    answer = send(librarian, "POST", "/authors/bulk/?expand=books", {"create": [{"name": "Homer"}]})
    assert answer["create"][0]["document"]["books"] == []


# As a whole


@pytest.mark.parametrize(
    ("items", "status", "expected"),
    [
        ({"create": [{"title": ""}, {"title": 5}]}, 400, [("/create/0/title", "blank"),
                                                         ("/create/1/title", "invalid")]),
        ({"create": [{"title": "T", "series_id": 999}]}, 409,
         [("/create/0/series_id", "does_not_exist")]),
        ({"create": [{"title": "T", "editions": [{"isbn13": "1"}]}]}, 400,
         [("/create/0/editions/0/isbn13", "isbn")]),
        ({"update": [{"id": 999, "title": "T"}]}, 404, [("/update/0", "not_found")]),
        ({"update": [{"uid": STRANGER, "title": "T"}]}, 404, [("/update/0", "not_found")]),
        ({"delete": [{"id": 999}]}, 404, [("/delete/0", "not_found")]),
        ({"update": [{"id": 1, "version": 7}]}, 412,
         [("/update/0/version", "precondition_failed")]),
        ({"delete": [{"id": 1, "version": 7}]}, 412,
         [("/delete/0/version", "precondition_failed")]),
        ({"update": [{"id": 1, "uid": STRANGER}]}, 400, [("/update/0/uid", "read_only")]),
        ({"update": [{"title": "T"}]}, 400, [("/update/0", "required")]),
        ({"update": [{"id": "1"}]}, 400, [("/update/0/id", "invalid")]),
        ({"update": [{"id": None}]}, 400, [("/update/0/id", "null")]),
        ({"update": [{"id": 1, "version": 0}]}, 400, [("/update/0/version", "min_value")]),
        ({"update": [{"uid": "x"}]}, 400, [("/update/0/uid", "invalid")]),
        ({"update": [{"id": 1, "nonsense": 1}]}, 400, [("/update/0/nonsense", "unknown")]),
        ({"delete": [{"id": 1, "title": "T"}]}, 400, [("/delete/0/title", "unknown")]),
        ({"update": [{"id": 1}, {"id": 1}]}, 400, [("/update/1/id", "duplicate")]),
        ({"update": [{"id": 1}], "delete": [{"id": 1}]}, 400, [("/update/0/id", "duplicate")]),
        ({"delete": [{"id": 1, "uid": "x"}]}, 400, [("/delete/0/uid", "invalid")]),
        ({"delete": [{"uid": STRANGER}, {"uid": STRANGER}]}, 400, [("/delete/1/uid", "duplicate")]),
        ({"create": [{"title": "T", "uid": STRANGER}] * 2}, 400, [("/create/1/uid", "duplicate")]),
        ({"create": {}}, 400, [("/create", "not_a_list")]),
        ({"create": [1]}, 400, [("/create/0", "invalid")]),
        ({"partial": 1}, 400, [("/partial", "invalid")]),
        ({"upsert": []}, 400, [("/upsert", "unknown")]),
        # Of several statuses the most general one
        ({"create": [{"title": ""}], "update": [{"id": 999}, {"id": 1, "version": 7}]}, 400,
         [("/update/0", "not_found"), ("/update/1/version", "precondition_failed"),
          ("/create/0/title", "blank")]),
    ],
)  # fmt: skip
def test_one_refused_item_refuses_all_and_nothing_is_written(librarian, items, status, expected):
    book("One", id=1)
    before = everything()
    problem = bulk(librarian, "books", status, **items)
    assert faults(problem) == expected
    assert everything() == before
    if "create" not in items:
        bulk(librarian, "books", status, **items, create=[{"title": "New"}])
        assert everything() == before


def test_a_deletion_that_names_an_object_twice_means_one(librarian):
    one, two = book("One"), book("Two")
    both = {"id": one.pk, "uid": str(two.uid)}
    assert faults(bulk(librarian, "books", 409, delete=[both])) == [
        ("/delete/0/uid", "does_not_exist")
    ]
    both["uid"] = str(one.uid)
    for _ in range(2):
        bulk(librarian, "books", delete=[both])
        assert [each.pk for each in Book.objects.all()] == [two.pk]


def test_a_body_that_is_no_object_is_refused(librarian):
    assert faults(send(librarian, "POST", "/books/bulk/", [1], 400)) == [("", "invalid")]


def test_a_taken_unique_value_names_who_has_it(librarian):
    taken = book("One", isbns=[isbn(1)])
    problem = bulk(
        librarian,
        "books",
        409,
        create=[{"title": "A"}, {"title": "B", "editions": [{"isbn13": isbn(1)}]}],
    )
    assert problem["code"] == "conflict"
    assert problem["errors"] == [
        {
            "pointer": "/create/1/editions/0/isbn13",
            "code": "unique",
            "detail": f"Edition {taken.editions.get().pk} has this isbn13.",
            "existing_id": taken.editions.get().pk,
        }
    ]


def test_a_uid_that_exists_is_a_conflict(librarian):
    one = book("One")
    problem = bulk(librarian, "books", 409, create=[{"title": "T", "uid": str(one.uid)}])
    assert faults(problem) == [("/create/0/uid", "unique")]
    assert problem["errors"][0]["existing_id"] == one.pk


def test_what_others_refer_to_stays_and_each_is_named(admin):
    used, idle, also = [Author.objects.create(name=name) for name in "ABC"]
    first, second = book("One", [used]), book("Two", [also])
    before = everything()
    problem = bulk(admin, "authors", 409, delete=[{"id": each.pk} for each in (used, idle, also)])
    assert sorted(faults(problem)) == [("/delete/0", "in_use"), ("/delete/2", "in_use")]
    assert {fault["existing_id"] for fault in problem["errors"]} == {
        first.contributions.get().pk,
        second.contributions.get().pk,
    }
    assert everything() == before


def test_if_match_names_no_item(librarian):
    response = librarian.post("/api/books/bulk/", {}, format="json", HTTP_IF_MATCH='"1"')
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "header": "If-Match",
            "code": "not_supported",
            "detail": "This URL does not take the header here.",
        }
    ]


@pytest.mark.parametrize("is_partial", [True, False])
def test_of_eight_at_once_that_name_one_version_one_wins(librarian, at_once, is_partial):
    """Half of them by bulk, and half by If-Match."""
    one = book("One")

    def edit(number):
        title = f"Writer {number}"
        if number % 2:
            path, headers = f"/api/books/{one.pk}/", {"If-Match": '"1"'}
            answer = librarian.patch(path, {"title": title}, format="json", headers=headers)
            return answer.status_code
        body = {"update": [{"id": one.pk, "version": 1, "title": title}], "partial": is_partial}
        answer = librarian.post("/api/books/bulk/", body, format="json")
        if not is_partial:
            return answer.status_code
        [result] = answer.json()["update"]
        return result["status"]

    statuses = at_once(edit, 8)
    assert sorted(statuses) == [200] + 7 * [412]
    stored = Book.objects.get()
    assert (stored.title, stored.version) == (f"Writer {statuses.index(200)}", 2)


@pytest.mark.parametrize("name", ["update", "delete"])
def test_a_version_can_be_compulsory(librarian, settings, name):
    settings.PRECONDITIONS_REQUIRED = True
    one = book("One")
    problem = bulk(librarian, "books", 428, **{name: [{"id": one.pk}]})
    assert faults(problem) == [(f"/{name}/0/version", "precondition_required")]
    bulk(librarian, "books", create=[{"title": "New"}], **{name: [{"id": one.pk, "version": 1}]})


def test_two_books_swap_their_isbns(librarian):
    one, two = book("One", isbns=[isbn(1)]), book("Two", isbns=[isbn(2)])
    editions = [{"id": each.editions.get().pk} for each in (one, two)]
    bulk(
        librarian,
        "books",
        update=[
            {"id": one.pk, "editions": [{**editions[0], "isbn13": isbn(2)}]},
            {"id": two.pk, "editions": [{**editions[1], "isbn13": isbn(1)}]},
        ],
    )
    assert [each.editions.get().isbn13 for each in (one, two)] == [isbn(2), isbn(1)]


def test_what_a_deletion_frees_is_free_in_the_same_request(librarian):
    one, two = book("One", isbns=[isbn(1)]), book("Two", isbns=[isbn(2)])
    bulk(
        librarian,
        "books",
        delete=[{"id": one.pk}],
        update=[{"id": two.pk, "editions": [{"isbn13": isbn(3)}, {"isbn13": isbn(1)}]}],
        create=[{"title": "Three", "editions": [{"isbn13": isbn(2)}]}],
    )
    assert {
        each.title: [edition.isbn13 for edition in each.editions.all()]
        for each in Book.objects.all()
    } == {"Two": [isbn(3), isbn(1)], "Three": [isbn(2)]}


def test_new_books_share_an_author_that_a_phone_has_made(librarian):
    ann = {"uid": STRANGER, "name": "Ann"}
    bulk(librarian, "books", create=[{"title": name, "authors": [ann]} for name in "AB"])
    [author] = Author.objects.all()
    assert str(author.uid) == STRANGER
    assert [each.title for each in author.books.order_by("title")] == ["A", "B"]


def test_new_authors_share_a_new_book_and_a_stored_one(librarian):
    stored = book("Stored", [Author.objects.create(name="First")])
    books = [{"uid": STRANGER, "title": "Shared"}, {"id": stored.pk}]
    bulk(librarian, "authors", create=[{"name": name, "books": books} for name in ("Ann", "Bob")])
    shared = Book.objects.get(uid=STRANGER)
    assert [each.author.name for each in shared.contributions.all()] == ["Ann", "Bob"]
    names = [each.author.name for each in stored.contributions.all()]
    assert names == ["First", "Ann", "Bob"]


def test_more_items_than_two_hundred_are_too_many(librarian):
    items = [{"title": f"B{i}"} for i in range(201)]
    problem = bulk(librarian, "books", 413, create=items)
    assert problem["detail"] == "A bulk has at most 200 items."
    bulk(librarian, "books", create=items[:100], delete=[{"uid": STRANGER}])


def test_more_objects_than_two_thousand_are_too_many(librarian):
    editions = [{"pages": 1 + i} for i in range(200)]
    items = [{"title": f"B{i}", "editions": editions} for i in range(10)]
    problem = bulk(librarian, "books", 413, create=items)
    assert problem["detail"] == "The body nests more than 2,000 objects."


# Each alone


def test_each_item_alone_has_its_own_answer(librarian):
    one, two, three = [book(name) for name in ("One", "Two", "Three")]
    taken = book("Taken", isbns=[isbn(1)])
    answer = bulk(
        librarian,
        "books",
        partial=True,
        create=[
            {"title": "New"},
            {"title": ""},
            {"title": "B", "editions": [{"isbn13": isbn(1)}]},
            {"title": "A", "uid": STRANGER},
            {"title": "Again", "uid": STRANGER},
        ],
        update=[
            {"id": one.pk, "version": 1, "title": "Edited"},
            {"id": two.pk, "version": 7, "title": "Stale"},
            {"id": 999, "title": "Unknown"},
            {"id": one.pk, "title": "Twice"},
        ],
        delete=[{"uid": STRANGER[:-1] + "2"}, {"id": 998}, {"id": three.pk, "version": 2}],
    )
    assert [each["status"] for each in answer["create"]] == [201, 400, 409, 201, 409]
    assert [each["status"] for each in answer["update"]] == [200, 412, 404, 400]
    assert [each["status"] for each in answer["delete"]] == [204, 404, 412]
    problems = [each.get("problem") for each in answer["create"]]
    assert faults(problems[1]) == [("/create/1/title", "blank")]
    assert faults(problems[2]) == [("/create/2/editions/0/isbn13", "unique")]
    assert problems[2]["errors"][0]["existing_id"] == taken.editions.get().pk
    assert faults(problems[4]) == [("/create/4/uid", "unique")]
    assert problems[4]["errors"][0]["existing_id"] == answer["create"][3]["document"]["id"]
    stale = answer["update"][1]
    assert stale["document"] == send(librarian, "GET", f"/books/{two.pk}/")
    assert stale["problem"] == {
        "type": "about:blank",
        "title": "Precondition Failed",
        "status": 412,
        "detail": "It has changed since. Read it again, and decide anew.",
        "code": "precondition_failed",
        "instance": "/api/books/bulk/",
        "request_id": ANY,
        "errors": [
            {
                "pointer": "/update/1/version",
                "code": "precondition_failed",
                "detail": "It has changed since. Read it again, and decide anew.",
            }
        ],
    }
    assert answer["delete"][2]["document"] == send(librarian, "GET", f"/books/{three.pk}/")
    titles = sorted(each.title for each in Book.objects.all())
    assert titles == ["A", "Edited", "New", "Taken", "Three", "Two"]


def test_alone_one_deletion_that_is_in_the_way_stops_no_other(admin):
    used, idle = [Author.objects.create(name=name) for name in "AB"]
    book("One", [used])
    answer = bulk(admin, "authors", partial=True, delete=[{"id": used.pk}, {"id": idle.pk}])
    assert [each["status"] for each in answer["delete"]] == [409, 204]
    assert faults(answer["delete"][0]["problem"]) == [("/delete/0", "in_use")]
    assert [each.name for each in Author.objects.all()] == ["A"]


# Who may


def test_each_list_takes_the_permission_of_its_own_method(librarian):
    idle = Author.objects.create(name="Idle")
    problem = bulk(librarian, "authors", 403, create=[{"name": "A"}], delete=[{"id": idle.pk}])
    assert problem["code"] == "permission_denied"
    assert Author.objects.count() == 1
    answer = bulk(
        librarian, "authors", partial=True, create=[{"name": "A"}], delete=[{"id": idle.pk}]
    )
    assert [answer[name][0]["status"] for name in ("create", "delete")] == [201, 403]


@pytest.mark.parametrize(("who", "status"), [("anonymous", 401), ("member", 403)])
def test_who_may_not_write_is_refused_before_the_body_is_read(request, who, status):
    client = request.getfixturevalue(who)
    for body in ({}, {"create": 5}, {"create": [{"title": "T"}], "partial": True}):
        send(client, "POST", "/books/bulk/", body, status)
    assert not Book.objects.exists()


# How many statements


@pytest.fixture
def editor(admin):
    """A client whose own authentication costs no query."""
    admin.credentials()
    admin.force_authenticate(admin.user)
    return admin


def nested(number):
    """Books with all that they nest, new and stored."""
    publisher, subject = Publisher.objects.create(name="P"), Subject.objects.create(name="S")
    return [
        {
            "title": f"B{i}",
            "series": {"name": f"S{i}"},
            "subject_ids": [subject.pk],
            "authors": [{"name": f"A{i}"}],
            "editions": [{"isbn13": isbn(i), "publisher_id": publisher.pk}],
        }
        for i in range(number)
    ]


def counted(client, **body):
    with CaptureQueriesContext(connection) as queries:
        bulk(client, "books", **body)
    # What a search keeps, and what names the writer, costs statements of its own.
    return [
        query["sql"].split()[0]
        for query in queries
        if not re.search("search|changes_|set_config", query["sql"])
    ]


def test_the_number_of_statements_depends_on_no_number_of_items(editor):
    counts = []
    for number in (4, 20, 90):
        Book.objects.all().delete()
        Publisher.objects.all().delete()
        Subject.objects.all().delete()
        made = counted(editor, create=nested(number))
        stored = list(Book.objects.order_by("pk"))
        edited = counted(
            editor,
            update=[
                {"id": each.pk, "version": 1, "title": "T", "authors": [{"name": f"N{i}"}]}
                for i, each in enumerate(stored)
            ],
        )
        conflicts = counted(
            editor,
            partial=True,
            update=[
                {"uid": str(each.uid), "version": 1 + i % 2, "title": "U"}
                for i, each in enumerate(stored)
            ],
        )
        gone = counted(editor, delete=[{"uid": str(each.uid)} for each in stored])
        counts.append((made, edited, conflicts, gone))
    assert counts[0] == counts[1] == counts[2]
    # PostgreSQL inserts authors and series by one, and then all that belongs to the books.
    made = 10 if connection.vendor == "postgresql" else 13
    assert [len(each) for each in counts[0]] == [made, 14, 12, 18]


# The same as one request for each


ISBNS = st.integers(1, 6).map(isbn)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["T", "U", "V"]),
        "series": st.sampled_from([None, {"uid": STRANGER, "name": "S"}, {"name": "Alone"}]),
        "authors": st.lists(st.sampled_from(["A", "B"]), max_size=2, unique=True).map(
            lambda names: [{"name": name} for name in names]
        ),
        "editions": st.lists(ISBNS, max_size=2, unique=True).map(
            lambda isbns: [{"isbn13": each} for each in isbns]
        ),
    },
)
NUMBER = st.integers(0, 3)


@st.composite
def bulks(draw):
    """A bulk for the four books of `stored`, which names each of them once at most."""
    order = draw(st.permutations(range(4)))
    end, middle = sorted((draw(st.integers(0, 4)), draw(st.integers(0, 4))))[::-1]
    uids = [f"0b0e6cb0-0000-4000-8000-0000000001{i:02}" for i in range(draw(NUMBER))]
    return {
        "delete": [{"id": 1 + i} for i in order[:middle]],
        "update": [{"id": 1 + i, **draw(BODIES)} for i in order[middle:end]],
        "create": [{"title": "New", "uid": uid, **draw(BODIES)} for uid in uids],
    }


def fill():
    for i in range(4):
        book(f"Old {i}", [Author.objects.create(name=f"Old {i}")], [isbn(i + 1)], id=1 + i)
    continue_ids()


def state():
    """All books by uid, with what they hold, by name."""
    return {
        each.uid if each.pk > 4 else each.pk: (
            each.title,
            each.version,
            each.series and (each.series.name, each.series.version),
            [row.author.name for row in each.contributions.all()],
            [edition.isbn13 for edition in each.editions.order_by("isbn13")],
        )
        for each in Book.objects.select_related("series")
    } | {"authors": sorted(Author.objects.values_list("name", flat=True))}


def one_by_one(client, items):
    for body in items["delete"]:
        yield client.delete(f"/api/books/{body['id']}/")
    for body in items["update"]:
        changes = {name: value for name, value in body.items() if name not in ("id", "version")}
        yield client.patch(f"/api/books/{body['id']}/", changes, format="json")
    for body in items["create"]:
        yield client.post("/api/books/", body, format="json")


@contextmanager
def taken_back():
    with transaction.atomic():
        fill()
        yield
        transaction.set_rollback(True)


@examples(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=bulks())
def test_a_bulk_leaves_what_one_request_for_each_leaves(librarian, items):
    with taken_back():
        statuses = [each.status_code for each in one_by_one(librarian, items)]
        expected = state()
    with taken_back():
        before = state()
        answer = librarian.post("/api/books/bulk/", items, format="json")
        after = state()
    if max(statuses, default=200) < 400:
        assert answer.status_code == 200, answer.content
        assert after == expected
        lists = answer.json()
        assert [
            each["status"] for name in ("delete", "update", "create") for each in lists[name]
        ] == statuses
    elif answer.status_code == 200:
        # Only the final state counts: values that some exchange.
        assert set(statuses) <= {200, 201, 204, 409}
    else:
        assert answer.status_code in (400, 409)
        assert after == before


# Of no object, however many the examples make.
NOBODY = 10**9
FAULTY = st.sampled_from(
    [
        {"title": ""},
        {"nonsense": 1},
        {"series_id": NOBODY},
        {"editions": [{"isbn13": isbn(9)}]},
        {"authors": [{"id": NOBODY}]},
    ]
)


@examples(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=bulks(), faulty=st.lists(st.none() | FAULTY, min_size=11, max_size=11))
def test_alone_each_item_does_what_its_own_request_does(librarian, items, faulty):
    every = [*items["update"], *items["create"]]
    for number, (body, fault) in enumerate(zip(every, faulty, strict=False)):
        body.pop("editions", None)
        body.update(fault or {"editions": [{"isbn13": isbn(20 + number)}]})
    with taken_back():
        book("Taken", isbns=[isbn(9)])
        statuses = [each.status_code for each in one_by_one(librarian, items)]
        expected = state()
    with taken_back():
        book("Taken", isbns=[isbn(9)])
        answer = librarian.post("/api/books/bulk/", {**items, "partial": True}, format="json")
        after = state()
    assert answer.status_code == 200, answer.content
    lists = answer.json()
    assert [
        each["status"] for name in ("delete", "update", "create") for each in lists[name]
    ] == statuses
    del expected["authors"], after["authors"]
    assert sorted(after.values(), key=repr) == sorted(expected.values(), key=repr)


# The page that shows it

PAGE = Path(__file__).parent.parent / "docs" / "bulk.md"
BLOCKS = re.findall(r"```http\n(.*?)\n\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("asked", "answered"), list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True)), ids=lambda _: ""
)
def test_the_examples_of_the_page_do_what_is_below_them(librarian, asked, answered):
    for pk, title in enumerate(["Good Omens", "Mort"], 1):
        book(title, id=pk)
    continue_ids()
    (first, body), (status, expected) = asked, answered
    method, path = first.split()
    response = librarian.generic(method, path, body.encode(), "application/json")
    assert response.status_code == int(status), response.content
    expected = json.loads(expected)
    assert shown(expected, response.json()) == expected
