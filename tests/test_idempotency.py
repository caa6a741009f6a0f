"""Is a write that is repeated with its key done once, and answered as the first time?"""

import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from auth_api.models import LoginAttempt, User
from authors.models import Author
from books.models import Book, Contribution, Publisher
from project.api.models import StoredAnswer
from tests.catalogue import authors, book, everything, isbn, send, statements
from tests.pictures import plain

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent


def ask(client, method, path, body=None, key="k-1", **headers):
    return getattr(client, method)(
        f"/api{path}", body, format="json", headers={"Idempotency-Key": key, **headers}
    )


def assert_replayed(again, first):
    assert again["Idempotency-Replayed"] == "true"
    assert not first.has_header("Idempotency-Replayed")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    # Each has its own, for the log.
    headers, before = ({**each.headers, "X-Request-ID": ""} for each in (again, first))
    del headers["Idempotency-Replayed"]
    assert headers == before


# The same again


def test_repeated_post_makes_one_book_and_gets_the_same_answer(librarian):
    body = {"title": "Dune", "authors": [{"name": "Frank Herbert"}]}
    first = ask(librarian, "post", "/books/", body)
    assert first.status_code == 201
    assert first["Location"]
    assert first["ETag"].startswith('"1.')
    for _ in range(2):
        assert_replayed(ask(librarian, "post", "/books/", body), first)
    assert Book.objects.count() == Author.objects.count() == 1


def test_it_is_the_first_answer_whatever_has_come_since(librarian):
    made = book("Dune")
    first = ask(librarian, "patch", f"/books/{made.pk}/", {"title": "Children of Dune"})
    send(librarian, "patch", f"/books/{made.pk}/", {"title": "Dune Messiah"})
    assert_replayed(
        ask(librarian, "patch", f"/books/{made.pk}/", {"title": "Children of Dune"}), first
    )
    assert Book.objects.get().title == "Dune Messiah"


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_every_write_takes_a_key(method, admin):
    made = book("Dune", isbns=[isbn(1)])
    path = f"/books/{made.pk}/editions/{made.editions.get().pk}/"
    body = None if method == "delete" else {"pages": 600}
    first = ask(admin, method, path, body, **{"If-Match": '"1"'})
    assert first.status_code == (204 if method == "delete" else 200)
    assert_replayed(ask(admin, method, path, body, **{"If-Match": '"1"'}), first)
    assert Book.objects.get().version == 2


def test_accounts_take_one_too(admin):
    body = {"username": "new", "email": "new@example.org", "password": "a long one of 27"}
    first = ask(admin, "post", "/users/", body)
    assert first.status_code == 201
    assert_replayed(ask(admin, "post", "/users/", body), first)
    assert User.objects.filter(username="new").count() == 1


def test_upload_takes_one(librarian):
    edition = book(isbns=[isbn(1)]).editions.get()
    content = plain()

    def upload(boundary, name="cover.jpg"):
        return librarian.generic(
            "PUT",
            f"/api/editions/{edition.pk}/cover/",
            encode_multipart(boundary, {"file": SimpleUploadedFile(name, content)}),
            f'multipart/form-data; boundary="{boundary}"',
            headers={"Idempotency-Key": "k-1"},
        )

    first = upload("e1c0")
    assert first.status_code == 200
    # Each time that they encode a form, clients choose another boundary.
    assert_replayed(upload("e1c0"), first)
    assert_replayed(upload("97f5"), first)
    assert upload("97f5", "other.jpg").status_code == 422
    assert Book.objects.get().version == 2


def test_upload_takes_one_as_large_as_it_may_be(librarian):
    edition = book(isbns=[isbn(1)]).editions.get()

    def upload(key, size, path=f"editions/{edition.pk}/cover"):
        # Who decodes a picture stops at its end.
        file = SimpleUploadedFile("cover.jpg", plain() + bytes(size))
        return librarian.generic(
            "PUT",
            f"/api/{path}/",
            encode_multipart(BOUNDARY, {"file": file}),
            MULTIPART_CONTENT,
            headers={"Idempotency-Key": key},
        )

    first = upload("k-1", 4 * 1024 * 1024)
    assert first.status_code == 200, first.content
    assert_replayed(upload("k-1", 4 * 1024 * 1024), first)
    assert upload("k-1", 3 * 1024 * 1024).status_code == 422
    assert upload("k-2", 6 * 1024 * 1024).status_code == 413
    assert upload("k-2", 3 * 1024 * 1024, "series/1").status_code == 415
    assert Book.objects.get().version == 2


@pytest.mark.parametrize(
    ("body", "status"), [({"title": 3}, 400), ({"title": "New", "series_id": 999}, 409)]
)
def test_refusal_is_an_answer_as_well(body, status, librarian):
    first = ask(librarian, "post", "/books/", body)
    assert first.status_code == status
    assert_replayed(ask(librarian, "post", "/books/", body), first)
    assert Book.objects.count() == 0


def test_who_may_not_yet_is_asked_anew(member):
    assert ask(member, "post", "/books/", {"title": "Dune"}).status_code == 403
    User.objects.filter(pk=member.user.pk).update(role="librarian")
    assert ask(member, "post", "/books/", {"title": "Dune"}).status_code == 201


def test_failed_guesses_of_a_password_count_with_a_key_as_without(member):
    body = {"email": "new@example.org", "current_password": "wrong"}
    for number in range(5):
        answer = ask(member, "patch", "/me/", body, key=f"k-{number}")
        assert answer.status_code in (400, 403), answer.content
    assert LoginAttempt.objects.exists()
    answer = ask(member, "patch", "/me/", body, key="k-5")
    assert answer.status_code == 429
    LoginAttempt.objects.all().delete()
    assert ask(member, "patch", "/me/", body, key="k-5").status_code != 429


def test_server_error_leaves_neither_the_row_nor_the_key(librarian):
    librarian.raise_request_exception = False
    with mock.patch("project.api.viewsets.ResourceViewSet.get_document", side_effect=KeyError):
        assert ask(librarian, "post", "/books/", {"title": "Dune"}).status_code == 500
    assert Book.objects.count() == StoredAnswer.objects.count() == 0
    assert ask(librarian, "post", "/books/", {"title": "Dune"}).status_code == 201


# Keys


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", '"8e03978e-40d5-43dd-bc93-6894a57f9324"'),
        ('"with \\"quotes\\" and \\\\"', '"with \\"quotes\\" and \\\\"'),
        (" spaced ", "spaced"),
        ("x" * 255, f'"{"x" * 255}"'),
        ("two words, and more", '"two words, and more"'),
    ],
)
def test_key_is_the_same_quoted_and_bare(first, again, librarian):
    body = {"title": "Dune"}
    answer = ask(librarian, "post", "/books/", body, key=first)
    assert answer.status_code == 201
    assert_replayed(ask(librarian, "post", "/books/", body, key=again), answer)


@pytest.mark.parametrize(
    "key", ["", " ", '""', '"', '"a', '"a"b', "x" * 256, "é", "a\x7f", '"\\n"']
)
def test_what_is_no_key_is_refused(key, librarian):
    answer = ask(librarian, "post", "/books/", {"title": "Dune"}, key=key)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "header": "Idempotency-Key",
            "code": "malformed",
            "detail": "Give 1 to 255 printable characters of ASCII.",
        }
    ]
    assert Book.objects.count() == 0


def test_another_request_with_the_same_key_is_refused(librarian):
    made = book("Dune")
    ask(librarian, "post", "/books/", {"title": "Emma"})
    before = everything()
    for method, path, body in [
        ("post", "/books/", {"title": "Persuasion"}),
        ("post", "/series/", {"title": "Emma"}),
        ("post", "/books/?format=json", {"title": "Emma"}),
        ("put", f"/books/{made.pk}/", {"title": "Emma"}),
    ]:
        answer = ask(librarian, method, path, body)
        assert answer.status_code == 422
        assert answer.json() == {
            "type": "about:blank",
            "title": answer.json()["title"],
            "status": 422,
            "detail": "This key was sent with another request. Make a new one for each write.",
            "code": "idempotency_mismatch",
            "instance": f"/api{path}",
            "request_id": mock.ANY,
        }
    assert everything() == before


def test_keys_of_others_are_others(librarian, admin):
    for client in (librarian, admin):
        assert ask(client, "post", "/books/", {"title": "Dune"}).status_code == 201
    assert Book.objects.count() == 2


def test_it_says_nothing_of_reads_nor_to_strangers(librarian, anonymous):
    assert ask(librarian, "get", "/books/", key="").status_code == 200
    assert ask(anonymous, "post", "/books/", {"title": "Dune"}).status_code == 401
    assert StoredAnswer.objects.count() == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/token/", {"username": "member", "password": "test-member"}),
        ("/me/password/", {"current_password": "test-member", "new_password": "a long one of 27"}),
        ("/me/tokens/", {"name": "x", "current_password": "test-member"}),
    ],
)
def test_what_must_not_be_kept_takes_none(path, body, member):
    answer = ask(member, "post", path, body)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "header": "Idempotency-Key",
            "code": "not_supported",
            "detail": "This URL does not take the header here.",
        }
    ]
    assert StoredAnswer.objects.count() == 0


def test_after_a_day_it_is_forgotten(librarian):
    body = {"title": "Dune"}
    ask(librarian, "post", "/books/", body, key="old")
    ask(librarian, "post", "/books/", body, key="new")
    StoredAnswer.objects.filter(key="old").update(
        created_at=timezone.now() - timedelta(hours=24, seconds=1)
    )
    assert "Idempotency-Replayed" not in ask(librarian, "post", "/books/", body, key="old")
    assert Book.objects.count() == 3
    StoredAnswer.objects.filter(key="old").update(
        created_at=timezone.now() - timedelta(hours=24, seconds=1)
    )
    call_command("housekeeping", stdout=StringIO())
    assert [each.key for each in StoredAnswer.objects.all()] == ["new"]


def test_what_it_costs_does_not_depend_on_the_body(librarian):
    def post(titles):
        body = {"name": "Author", "books": [{"title": f"Book {n}"} for n in range(titles)]}
        return statements(
            lambda: ask(librarian, "post", "/authors/", body, key=f"{titles}-{len(titles * 'x')}")
        )

    few, many = post(2), post(50)
    assert len(few) == len(many)
    plain_post = statements(
        lambda: send(
            librarian,
            "post",
            "/authors/",
            {"name": "Author", "books": [{"title": "A"}, {"title": "B"}]},
            201,
        )
    )
    # Who asks; the key with a savepoint of its own, the view's, two for what is deferred, and the
    # answer.
    more = {"sqlite": 1 + 2 + 3 + 2 + 1, "postgresql": 1 + 2 + 3 + 2 + 2 + 2 + 1}
    assert len(few) - len(plain_post) == more[connection.vendor], few


# Many at once


def test_ten_keys_six_times_at_once_are_ten_rows_and_fifty_replays(librarian, at_once, monkeypatch):
    # However busy the machine is.
    monkeypatch.setattr("project.api.http.idempotency.PATIENCE", "60s")

    def post(number):
        body = {"title": f"Book {number % 10}", "authors": [{"name": "A"}]}
        return ask(librarian, "post", "/books/", body, key=f"key-{number % 10}")

    answers = at_once(post, 60)
    assert {each.status_code for each in answers} == {201}
    assert Book.objects.count() == Author.objects.count() == 10
    replays = [each for each in answers if each.has_header("Idempotency-Replayed")]
    assert len(replays) == 50
    for key in range(10):
        same = answers[key::10]
        assert len({each.content for each in same}) == 1
        assert len({each["ETag"] for each in same}) == 1


def test_who_asks_while_the_first_is_under_way_waits_for_its_answer(librarian, meanwhile):
    path = "/books/"
    answers = []
    again = meanwhile(
        lambda: answers.append(ask(librarian, "post", path, {"title": "Dune"})),
        lambda: ask(librarian, "post", path, {"title": "Dune"}),
    )
    assert_replayed(again, answers[0])


def test_and_is_told_to_come_back_where_that_takes_too_long(librarian, meanwhile, monkeypatch):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's writers wait for each other, whatever they write, and get 503.")
    monkeypatch.setattr("project.api.http.idempotency.PATIENCE", "100ms")
    answer = meanwhile(
        lambda: ask(librarian, "post", "/books/", {"title": "Dune"}),
        lambda: ask(librarian, "post", "/books/", {"title": "Dune"}),
    )
    assert (answer.status_code, answer["Retry-After"]) == (409, "1")
    assert answer.json()["code"] == "idempotency_in_flight"
    again = ask(librarian, "post", "/books/", {"title": "Dune"})
    assert again["Idempotency-Replayed"] == "true"
    assert Book.objects.count() == 1


@pytest.mark.parametrize("header", ["Idempotency-Key", "If-Match"])
def test_author_who_goes_meanwhile_is_a_conflict_not_a_failure(header, librarian, meanwhile):
    [author] = authors("Going")
    key = author.pk
    made = book()
    answer = meanwhile(
        author.delete,
        lambda: librarian.patch(
            f"/api/books/{made.pk}/",
            {"author_ids": [key]},
            format="json",
            headers={header: '"1"'},
        ),
    )
    assert answer.status_code == 409
    assert [each["code"] for each in answer.json()["errors"]] == ["does_not_exist"]
    assert Contribution.objects.count() == 0


# Killed

KILLED = """
import io, os, signal, sys
import django
django.setup()
from django.core.wsgi import get_wsgi_application
from project.api.writes.signals import rows_written

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

where, token, body = sys.argv[1:]
if where == "before the commit":
    rows_written.connect(die)
get_wsgi_application()(
    {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/api/publishers/", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": token, "HTTP_IDEMPOTENCY_KEY": "k-1",
        "wsgi.input": io.BytesIO(body.encode()), "wsgi.errors": sys.stderr,
    },
    die,
)
"""


@pytest.mark.parametrize("where", ["before the commit", "before the answer"])
def test_killed_between_write_and_answer_and_repeated_it_is_one_row(
    where, transactional_db, librarian
):
    name = connection.settings_dict["NAME"]
    url = os.environ["TEST_DATABASE_URL"]
    url = (
        f"sqlite:///{name}"
        if url.startswith("sqlite")
        else urlsplit(url)._replace(path=f"/{name}").geturl()
    )
    body = '{"name":"Ace"}'
    token = librarian._credentials["HTTP_AUTHORIZATION"]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, where, token, body],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": url},
        check=False,
        timeout=120,
    )
    assert ended.returncode == -9
    stored = 1 if where == "before the answer" else 0
    assert Publisher.objects.count() == StoredAnswer.objects.count() == stored
    answer = librarian.post(
        "/api/publishers/",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": "k-1"},
    )
    assert answer.status_code == 201
    assert answer.has_header("Idempotency-Replayed") == bool(stored)
    assert Publisher.objects.count() == 1
