"""Are answers small where the client can take that, and still themselves?"""

import gzip
import sys

import pytest
from django.http import StreamingHttpResponse
from django.test import Client, RequestFactory

from books.models import Book
from project.api.http.compression import MIN_LENGTH, Compression, coding_of
from tests.catalogue import book

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.django_db
OPEN = {"gzip": gzip.decompress, "zstd": zstd.decompress}


@pytest.fixture
def books():
    Book.objects.bulk_create(Book(title=f"Book {n}", sort_title=f"Book {n}") for n in range(20))


def vary(answer):
    return {name.strip() for name in answer["Vary"].split(",")}


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_list_is_compressed_and_its_tag_says_how(coding, member, books):
    whole = member.get("/api/books/")
    answer = member.get("/api/books/", headers={"Accept-Encoding": coding})
    assert answer["Content-Encoding"] == coding
    assert OPEN[coding](answer.content) == whole.content
    assert len(answer.content) < len(whole.content) / 4
    assert answer["Content-Length"] == str(len(answer.content))
    assert answer["ETag"] == f'{whole["ETag"][:-1]}-{coding}"'
    assert vary(answer) == vary(whole) == {"Accept", "Accept-Encoding", "origin"}
    for value in (answer["ETag"], whole["ETag"]):
        again = member.get(
            "/api/books/", headers={"Accept-Encoding": coding, "If-None-Match": value}
        )
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", value)
        assert "Accept-Encoding" in vary(again)
        assert not again.has_header("Content-Encoding")


def test_tag_of_a_compressed_document_is_met_and_refused_as_the_plain_one(librarian):
    made = book("Long", description="Long. " * 500)
    path = f"/api/books/{made.pk}/"
    tag = librarian.get(path, headers={"Accept-Encoding": "zstd"})["ETag"]
    assert tag.endswith('-zstd"')
    for status in (200, 412):
        answer = librarian.patch(path, {"title": "New"}, format="json", headers={"If-Match": tag})
        assert answer.status_code == status


def test_what_is_written_is_compressed_as_well(librarian):
    answer = librarian.post(
        "/api/books/",
        {"title": "Long", "description": "Long. " * 500},
        format="json",
        headers={"Accept-Encoding": "gzip", "Idempotency-Key": "k"},
    )
    assert answer["Content-Encoding"] == "gzip"
    assert answer["ETag"].endswith('-gzip"')
    again = librarian.post(
        "/api/books/",
        {"title": "Long", "description": "Long. " * 500},
        format="json",
        headers={"Idempotency-Key": "k"},
    )
    assert again.content == gzip.decompress(answer.content)


def test_short_answer_is_left_as_it_is(anonymous):
    for length in (MIN_LENGTH, MIN_LENGTH - 1):
        made = book("Short")
        made.description = "x" * (length - len(anonymous.get(f"/api/books/{made.pk}/").content))
        made.save()
        answer = anonymous.get(f"/api/books/{made.pk}/", headers={"Accept-Encoding": "gzip"})
        plain = anonymous.get(f"/api/books/{made.pk}/")
        assert len(plain.content) == length
        assert answer.has_header("Content-Encoding") == (length >= MIN_LENGTH)
        assert "Accept-Encoding" in vary(answer)


def test_secrets_are_not_compressed(member, books):
    headers = {"Accept-Encoding": "gzip"}
    browser = Client(headers=headers)
    browser.force_login(member.user)
    for path in ("/api/books/", "/admin/login/", "/admin/"):
        assert not browser.get(path).has_header("Content-Encoding")
    assert not Client(headers=headers).get("/admin/login/").has_header("Content-Encoding")
    body = {"username": "x" * 2000, "password": "y"}
    answer = member.post("/api/token/", body, format="json", headers=headers)
    assert not answer.has_header("Content-Encoding")
    for number in range(20):
        body = {"name": f"Key {number}", "current_password": "test-member"}
        assert member.post("/api/me/tokens/", body, format="json").status_code == 201
    answer = member.get("/api/me/tokens/", headers=headers)
    assert len(answer.content) > MIN_LENGTH
    assert not answer.has_header("Content-Encoding")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("zstd;q=0, *;q=0.1", "gzip"),
        ("zstd; q=0.5, gzip ;q=0.8", "gzip"),
        ("zstd;q=0.5, gzip;q=0.5", "zstd"),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.2", "gzip"),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("identity", None),
        ("br, deflate", None),
        ("gzip;q=high", None),
        ("gzip;q=nan", None),
        (",,", None),
    ],
)
def test_client_says_which_it_would_rather_have(accepted, coding):
    assert coding_of(accepted) == coding


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_is_streamed_is_compressed_as_it_comes(coding):
    made = []

    def chunks():
        for number in range(1000):
            made.append(number)
            yield f"{number:-<1000}\n".encode()

    request = RequestFactory().get("/api/books/", headers={"Accept-Encoding": coding})
    answer = Compression(lambda request: StreamingHttpResponse(chunks()))(request)
    assert made == []
    assert OPEN[coding](b"".join(answer.streaming_content)) == b"".join(chunks())
    assert answer["Content-Encoding"] == coding


def test_it_can_be_left_to_a_proxy(settings, anonymous, books):
    settings.COMPRESS_ANSWERS = False
    answer = Client().get("/api/books/", headers={"Accept-Encoding": "gzip"})
    assert not answer.has_header("Content-Encoding")
    assert answer["ETag"].endswith('"')
    assert "-" not in answer["ETag"]
