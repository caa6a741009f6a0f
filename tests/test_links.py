"""Is one subject added to a book, or removed, without a word about the others?"""

import pytest
from django.urls import path

from books.models import Book, Subject
from books.views import BookViewSet, PublisherViewSet
from project.api.checks import check_declarations
from project.api.links import links
from project.api.relations import MAX_ITEMS
from tests.catalogue import book, send, statements

pytestmark = pytest.mark.django_db


@pytest.fixture
def omens():
    """A book with two subjects."""
    made = book()
    made.subjects.set(subjects("Angels", "Demons"))
    return made


def subjects(*names):
    return [Subject.objects.create(name=name) for name in names]


def named(made):
    return sorted(made.subjects.values_list("name", flat=True))


def ask(client, method, made, subject, **headers):
    path = f"/api/books/{made.pk}/subjects/{getattr(subject, 'pk', subject)}/"
    return getattr(client, method)(path, headers=headers)


def version(made):
    return Book.objects.get(pk=made.pk).version


def test_one_is_added_and_removed_and_the_others_stay(librarian, omens):
    [apocalypse] = subjects("Apocalypse")
    for method, expected in (
        ("put", ["Angels", "Apocalypse", "Demons"]),
        ("put", ["Angels", "Apocalypse", "Demons"]),
        ("delete", ["Angels", "Demons"]),
        ("delete", ["Angels", "Demons"]),
    ):
        answer = ask(librarian, method, omens, apocalypse)
        assert (answer.status_code, answer.content) == (204, b"")
        assert named(omens) == expected
    assert Subject.objects.count() == 3


def test_the_version_rises_where_something_changes_and_the_tag_has_it(librarian, omens):
    [apocalypse] = subjects("Apocalypse")
    versions = [
        (version(omens), ask(librarian, method, omens, apocalypse)["ETag"].split(".")[0])
        for method in ("put", "put", "delete", "delete")
    ]
    assert versions == [(1, '"2'), (2, '"2'), (2, '"3'), (3, '"3')]


def test_a_client_goes_on_from_tag_to_tag(librarian, omens):
    tag = librarian.get(f"/api/books/{omens.pk}/")["ETag"]
    for subject in subjects("Apocalypse", "Tadfield"):
        answer = ask(librarian, "put", omens, subject, **{"If-Match": tag})
        assert answer.status_code == 204
        tag = answer["ETag"]
    assert librarian.patch(
        f"/api/books/{omens.pk}/", {"title": "x"}, format="json", headers={"If-Match": tag}
    ).status_code == 200  # fmt: skip


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_book_that_has_changed_is_left_alone(librarian, omens, method, settings):
    subject = omens.subjects.first() if method == "delete" else subjects("Apocalypse")[0]
    for headers in ({"If-Match": '"7.abc"'}, {"If-Match": '"0"'}):
        answer = ask(librarian, method, omens, subject, **headers)
        assert (answer.status_code, answer["ETag"]) == (412, '"1"')
    assert ask(librarian, method, omens, subject, **{"If-Match": "1"}).status_code == 400
    settings.PRECONDITIONS_REQUIRED = True
    assert ask(librarian, method, omens, subject).status_code == 428
    assert (named(omens), version(omens)) == (["Angels", "Demons"], 1)
    assert ask(librarian, method, omens, subject, **{"If-Match": "*"}).status_code == 204


def test_only_who_may_change_the_book_may(anonymous, member, omens):
    [apocalypse] = subjects("Apocalypse")
    for client, status in ((anonymous, 401), (member, 403)):
        for method in ("put", "delete"):
            assert ask(client, method, omens, apocalypse).status_code == status
    assert (named(omens), version(omens)) == (["Angels", "Demons"], 1)


def test_what_is_not_there_is_404_and_cannot_have_been_linked(librarian, omens):
    missing = Book(pk=omens.pk + 1)
    angels = Subject.objects.get(name="Angels")
    statuses = {
        "no such subject": ask(librarian, "put", omens, 999_999).status_code,
        "no such book": ask(librarian, "put", missing, angels).status_code,
        "no such book to remove from": ask(librarian, "delete", missing, angels).status_code,
        "no such subject to remove": ask(librarian, "delete", omens, 999_999).status_code,
        "no number": ask(librarian, "put", omens, "angels").status_code,
        "no list": librarian.get(f"/api/books/{omens.pk}/subjects/").status_code,
        "nothing to read": ask(librarian, "get", omens, angels).status_code,
        "nothing to create": ask(librarian, "post", omens, angels).status_code,
    }
    assert statuses == {
        "no such subject": 404,
        "no such book": 404,
        "no such book to remove from": 404,
        "no such subject to remove": 204,
        "no number": 404,
        "no list": 404,
        "nothing to read": 405,
        "nothing to create": 405,
    }
    assert (named(omens), version(omens)) == (["Angels", "Demons"], 1)


def test_the_url_says_it_all(librarian, omens):
    [apocalypse] = subjects("Apocalypse")
    url = f"/api/books/{omens.pk}/subjects/{apocalypse.pk}/"
    assert librarian.put(url, {"name": "x"}, format="json").status_code == 400
    assert librarian.put(f"{url}?fields=id").status_code == 400
    assert librarian.put(url, headers={"If-None-Match": "*"}).status_code == 400
    assert named(omens) == ["Angels", "Demons"]


def test_a_list_does_not_outgrow_what_a_body_may_hold(librarian, omens):
    more = Subject.objects.bulk_create(
        Subject(name=f"S{i}", name_folded=f"s{i}", slug=f"s{i}") for i in range(MAX_ITEMS - 1)
    )
    omens.subjects.add(*more[:-1])
    answer = ask(librarian, "put", omens, more[-1])
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "max_length")
    assert ask(librarian, "put", omens, more[0]).status_code == 204
    assert omens.subjects.count() == MAX_ITEMS


def test_a_repeated_request_with_its_key_is_done_once(librarian, omens):
    [apocalypse] = subjects("Apocalypse")
    key = {"Idempotency-Key": "k-1"}
    first = ask(librarian, "put", omens, apocalypse, **key)
    ask(librarian, "delete", omens, apocalypse)
    again = ask(librarian, "put", omens, apocalypse, **key)
    assert (again.status_code, again["Idempotency-Replayed"]) == (204, "true")
    assert again["ETag"] == first["ETag"]
    assert named(omens) == ["Angels", "Demons"]


def test_it_costs_the_same_however_many_there_are(librarian, omens):
    [apocalypse] = subjects("Apocalypse")
    few = len(statements(lambda: ask(librarian, "put", omens, apocalypse)))
    ask(librarian, "delete", omens, apocalypse)
    omens.subjects.add(*subjects(*(f"S{i}" for i in range(20))))
    many = statements(lambda: ask(librarian, "put", omens, apocalypse))
    assert len(many) == few
    reads = [sql for sql in many if sql.startswith('SELECT "books_book_subjects"')]
    assert reads
    assert all('"subject_id" = ' in sql for sql in reads)


@pytest.mark.django_db(transaction=True)
def test_the_feed_and_the_history_tell_of_it(admin, omens):
    [apocalypse] = subjects("Apocalypse")
    after = send(admin, "GET", "/changes/")["next_cursor"]
    ask(admin, "put", omens, apocalypse)
    ask(admin, "delete", omens, omens.subjects.get(name="Angels"))
    changes = send(admin, "GET", f"/changes/?after={after}")["results"]
    assert [(each["kind"], each["id"], each["version"]) for each in changes] == [
        ("books", omens.pk, 3)
    ]
    removed, added = send(admin, "GET", f"/books/{omens.pk}/history/")["results"][:2]
    assert [len(each["changes"]) for each in (removed, added)] == [1, 1]


def test_requests_for_the_same_link_do_not_meet(at_once, librarian, transactional_db):
    made, [apocalypse] = book(), subjects("Apocalypse")
    answers = at_once(lambda number: ask(librarian, "put", made, apocalypse).status_code, 4)
    assert set(answers) == {204}
    assert named(made) == ["Apocalypse"]
    assert version(made) == 2


class Misspelt:
    urlpatterns = [
        path(f"{name}/<id:pk>/", links(view_class, name).as_view({"put": "update"}))
        for view_class, name in (
            (BookViewSet, "subject"),
            (BookViewSet, "series"),
            (BookViewSet, "subjects"),
            (PublisherViewSet, "editions"),
        )
    ]


def test_a_relation_that_is_not_declared_is_named_at_start_up(settings):
    settings.ROOT_URLCONF = Misspelt
    assert sorted((each.id, each.msg, each.hint) for each in check_declarations()) == [
        (
            "api.E026",
            f"links: {serializer} has no Shared('{name}') that is many-to-many.",
            hint,
        )
        for serializer, name, hint in [
            ("BookSerializer", "series", "There are: subjects."),
            ("BookSerializer", "subject", "Did you mean “subjects”? There are: subjects."),
            ("PublisherSerializer", "editions", "There are: none."),
        ]
    ]
