"""When several write at once, or a write fails half-way, is what is stored whole?"""

import json
from collections import Counter

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection
from psycopg.errors import DeadlockDetected
from rest_framework.test import APIClient

from auth_api.models import User
from authors.models import Author, AuthorProfile
from books.models import Book, Edition, Publisher, Series, Subject
from tests.catalogue import authors, book, credits_of, everything, faults, isbn
from tests.test_admin import add_page, browser, filled_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(transactional_db, at_once):
    """`sent(8, request)` sends request(0) … request(7), each a method, a path and a body, at the
    same moment, and gives the statuses and bodies of the answers in order."""
    user = User.objects.create_user(username="root", email="root@example.org", role="admin")

    def call(request):
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(user)
        method, path, body = request
        response = client.generic(method, f"/api{path}", json.dumps(body), "application/json")
        return response.status_code, json.loads(response.content) if response.content else None

    def sent(times, request):
        return at_once(lambda number: call(request(number)), times)

    return sent


def statuses(answers):
    return Counter(status for status, _ in answers)


# For one slug


def test_of_ten_at_once_each_gets_a_slug(sent):
    names = ["C", "C++", "C#", "C!", "C?", "C.", "C&", "C*", "C-", "C ="]
    answers = sent(10, lambda number: ("POST", "/subjects/", {"name": names[number]}))
    assert statuses(answers) == {201: 10}
    slugs = {"c", *(f"c-{number}" for number in range(2, 11))}
    assert {body["slug"] for _, body in answers} == slugs


@pytest.fixture
def posted(transactional_db, at_once):
    """`posted(Subject, names)` sends a form with each name at the same moment; the statuses."""

    def posted(model, names):
        desks = [browser("librarian", f"mary{number}") for number in range(len(names))]
        forms = [filled_in(desk.get(add_page(model))) for desk in desks]

        def post(number):
            return desks[number].post(add_page(model), forms[number] | {"name": names[number]})

        return Counter(response.status_code for response in at_once(post, len(names)))

    return posted


def test_of_ten_forms_at_once_each_gets_a_slug(posted):
    assert posted(Subject, [f"C{'+' * number}" for number in range(10)]) == {302: 10}
    slugs = {"c", *(f"c-{number}" for number in range(2, 11))}
    assert set(Subject.objects.values_list("slug", flat=True)) == slugs


def test_of_ten_forms_at_once_one_gets_a_name(posted):
    assert posted(Publisher, ["Ace"] * 10) == {302: 1, 200: 9}
    assert Publisher.objects.count() == 1


# For one unique value


@pytest.mark.parametrize(
    ("path", "body", "at", "left"),
    [
        ("/books/", {"title": "X", "editions": [{"isbn13": isbn(1)}]}, "/editions/0/isbn13", Book),
        ("/books/", {"title": "X", "openlibrary_key": "OL1W"}, "/openlibrary_key", Book),
        ("/publishers/", {"name": "P"}, "/name", Publisher),
        (
            "/authors/",
            {"name": "A", "profile": {}, "openlibrary_key": "OL1A"},
            "/openlibrary_key",
            Author,
        ),
    ],
)
def test_of_ten_at_once_one_gets_a_unique_value(sent, path, body, at, left):
    answers = sent(10, lambda _: ("POST", path, body))
    assert statuses(answers) == {201: 1, 409: 9}
    for status, problem in answers:
        assert status == 201 or faults(problem) == [(at, "unique")]
    assert left.objects.count() == 1
    assert Book.objects.count() == (path == "/books/")
    assert AuthorProfile.objects.count() == (path == "/authors/")


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"subjects": [{"name": "S"}, {"name": "s"}]}, Subject),
        ({"editions": [{"publisher": {"name": "P"}}]}, Publisher),
        ({"authors": [{"name": "A", "openlibrary_key": "OL1A"}]}, Author),
    ],
)
def test_ten_who_name_a_new_object_at_once_all_link_the_same(sent, body, left):
    answers = sent(10, lambda _: ("POST", "/books/", {"title": "X", **body}))
    assert statuses(answers) == {201: 10}
    [made] = left.objects.all()
    assert (made.version, Book.objects.count()) == (1, 10)


def test_of_ten_who_say_different_things_of_a_new_object_one_wins(sent):
    def request(number):
        author = {"name": f"A{number}", "openlibrary_key": "OL1A"}
        return "POST", "/books/", {"title": "X", "authors": [author]}

    answers = sent(10, request)
    assert statuses(answers) == {201: 1, 409: 9}
    for status, problem in answers:
        assert status == 201 or faults(problem) == [("/authors/0/openlibrary_key", "unique")]
    assert (Author.objects.count(), Book.objects.count()) == (1, 1)


def test_ten_editions_of_one_book_at_once_get_one_isbn_once(sent):
    stored = book()
    path = f"/books/{stored.pk}/editions/"
    answers = sent(10, lambda _: ("POST", path, {"isbn13": isbn(1)}))
    assert statuses(answers) == {201: 1, 409: 9}
    stored.refresh_from_db()
    assert (stored.version, Edition.objects.count()) == (2, 1)


def test_values_taken_in_opposite_orders_end_in_one_winner_and_no_deadlock(sent):
    numbers = [isbn(i) for i in range(40)]

    def request(number):
        order = numbers if number % 2 else numbers[::-1]
        return "POST", "/books/", {"title": "X", "editions": [{"isbn13": n} for n in order]}

    answers = sent(8, request)
    assert statuses(answers) == {201: 1, 409: 7}
    for status, problem in answers:
        if status == 409:
            assert faults(problem) == [(f"/editions/{i}/isbn13", "unique") for i in range(40)]
    assert (Book.objects.count(), Edition.objects.count()) == (1, 40)


def test_two_books_that_want_each_others_isbn_never_both_get_it(sent):
    one, two = book(isbns=[isbn(1)]), book(isbns=[isbn(2)])
    pairs = [(one, isbn(2)), (two, isbn(1))]

    def request(number):
        stored, wanted = pairs[number]
        edition = stored.editions.get()
        return "PATCH", f"/books/{stored.pk}/editions/{edition.pk}/", {"isbn13": wanted}

    assert statuses(sent(2, request)) == {409: 2}
    assert set(Edition.objects.values_list("isbn13", flat=True)) == {isbn(1), isbn(2)}


# For one book


def test_two_writers_of_one_list_take_turns(sent):
    people = authors(*"ABCDEFGH")
    stored = book()

    def request(number):
        ids = [each.pk for each in people[number:] + people[:number]]
        return "PATCH", f"/books/{stored.pk}/", {"author_ids": ids}

    answers = sent(8, request)
    assert statuses(answers) == {200: 8}
    stored.refresh_from_db()
    assert stored.version == 9
    ids = [each.pk for each in people]
    assert [pk for pk, _ in credits_of(stored)] in [ids[n:] + ids[:n] for n in range(8)]


def test_items_that_are_added_at_once_all_stay_in_order_without_holes(sent):
    people = authors(*"ABCDEFGH")
    stored = book()
    path = f"/books/{stored.pk}/contributions/"
    answers = sent(8, lambda number: ("POST", path, {"author_id": people[number].pk}))
    assert statuses(answers) == {201: 8}
    assert sorted(pk for pk, _ in credits_of(stored)) == [each.pk for each in people]
    stored.refresh_from_db()
    assert stored.version == 9


def test_a_book_that_is_deleted_while_it_is_written_is_written_or_404(sent):
    stored = book(contributors=authors("A"))
    path = f"/books/{stored.pk}/"
    answers = sent(
        8,
        lambda number: (
            ("DELETE", path, None)
            if number == 4
            else ("PATCH", path, {"authors": [{"name": f"{number}"}]})
        ),
    )
    assert set(statuses(answers)) <= {200, 204, 404}
    assert statuses(answers)[204] == 1
    assert not Book.objects.exists()


# For what is linked


@pytest.mark.parametrize("attempt", range(3))
def test_an_author_that_is_deleted_while_it_is_linked_is_one_or_the_other(sent, attempt):
    [author] = authors("A")

    def request(number):
        if number % 2:
            return "DELETE", f"/authors/{author.pk}/", None
        return "POST", "/books/", {"title": "X", "author_ids": [author.pk]}

    answers = sent(6, request)
    links, deletions = answers[::2], answers[1::2]
    if Author.objects.exists():
        assert statuses(links) == {201: 3}
        assert statuses(deletions) == {409: 3}
        assert {problem["errors"][0]["code"] for _, problem in deletions} == {"in_use"}
    else:
        assert statuses(links) == {409: 3}
        assert [faults(problem) for _, problem in links] == [
            [("/author_ids/0", "does_not_exist")]
        ] * 3
        assert statuses(deletions) == {204: 1, 404: 2}


@pytest.mark.parametrize(
    ("model", "url", "link"),
    [
        (Series, "series", lambda pk: {"series_id": pk}),
        (Subject, "subjects", lambda pk: {"subject_ids": [pk]}),
        (Publisher, "publishers", lambda pk: {"editions": [{"publisher_id": pk}]}),
    ],
)
def test_what_is_deleted_while_it_is_linked_leaves_whole_books(sent, model, url, link):
    shared = model.objects.create(name="S")

    def request(number):
        if number == 3:
            return "DELETE", f"/{url}/{shared.pk}/", None
        return "POST", "/books/", {"title": "X", **link(shared.pk)}

    answers = sent(6, request)
    assert answers[3][0] == 204
    assert set(statuses(answers)) <= {201, 204, 409}
    assert Book.objects.count() == statuses(answers)[201]
    assert not model.objects.exists()


# Failing at every statement in turn


class Failure:
    """Lets this many statements that write pass, and fails the next one."""

    def __init__(self, after, error):
        self.left = after
        self.error = error

    @property
    def came(self):
        return self.left < 0

    def __call__(self, execute, sql, params, many, context):
        if sql.split()[0] in ("INSERT", "UPDATE", "DELETE", "WITH"):
            self.left -= 1
            if self.left == -1:
                raise self.error
        return execute(sql, params, many, context)


@pytest.fixture
def rewrite(transactional_db):
    """A write that touches all there is: its request, and the book that it is to."""
    user = User.objects.create_user(username="root", email="root@example.org", role="admin")
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user)
    a, b = authors("A", "B")
    stored = book("Mort", [a, (b, "editor")], [isbn(1), isbn(2)])
    stored.subjects.add(Subject.objects.create(name="Old"))
    first, second = stored.editions.all()
    body = {
        "title": "Changed",
        "series": {"name": "New"},
        "subjects": [{"name": "New"}],
        "contributions": [{"author": {"name": "New"}}, {"author_id": a.pk, "role": "editor"}],
        "editions": [
            {"id": first.pk, "isbn13": isbn(2)},
            {"id": second.pk, "isbn13": isbn(1), "publisher": {"name": "New"}},
            {"isbn13": isbn(3)},
        ],
    }
    path = f"/api/books/{stored.pk}/"
    return lambda: client.put(path, body, format="json"), stored


# With those of the searches' entries, and of who writes, which are more on SQLite.
STATEMENTS = {"sqlite": 24, "postgresql": 14}[connection.vendor]


@pytest.mark.parametrize("number", range(STATEMENTS))
def test_a_write_that_fails_at_any_of_its_statements_leaves_no_trace(rewrite, number):
    send, _ = rewrite
    before = everything()
    failure = Failure(number, DatabaseError("The disk is full."))
    with connection.execute_wrapper(failure):
        assert send().status_code >= 500
    assert failure.came
    assert everything() == before
    assert send().status_code == 200


@pytest.mark.parametrize("number", range(STATEMENTS))
@pytest.mark.parametrize("raced", ["unique", "deadlock"])
def test_a_write_that_another_came_before_is_made_again_as_a_whole(rewrite, number, raced):
    send, stored = rewrite
    error = IntegrityError("Raced.")
    if raced == "deadlock":
        error = OperationalError("Deadlock.")
        error.__cause__ = DeadlockDetected()
    failure = Failure(number, error)
    with connection.execute_wrapper(failure):
        response = send()
    assert failure.came
    assert response.status_code == 200
    stored.refresh_from_db()
    assert (stored.version, stored.series.name) == (2, "New")
    assert list(stored.editions.values_list("isbn13", flat=True)) == [isbn(2), isbn(1), isbn(3)]
    for model in (Series, Publisher):
        assert model.objects.count() == 1


def test_the_statements_above_are_all_there_are(rewrite):
    send, _ = rewrite
    failure = Failure(STATEMENTS, DatabaseError("The disk is full."))
    with connection.execute_wrapper(failure):
        assert send().status_code == 200
    assert not failure.came
    assert failure.left == 0
