"""All that a list finds, as one file."""

import csv
import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from authors.models import Author
from books.importing import import_file
from books.models import Book, Edition, Publisher, Series
from project.api.http.csv import harmless, original
from project.api.lists import streaming
from tests.catalogue import book, everything, isbn, send

pytestmark = pytest.mark.django_db

LINES, TABLE = "application/x-ndjson", "text/csv"
LISTS = [
    "/authors/",
    "/authors/1/books/",
    "/books/",
    "/books/1/contributions/",
    "/books/1/editions/",
    "/series/",
    "/series/1/books/",
    "/publishers/",
    "/publishers/1/editions/",
    "/subjects/",
    "/subjects/1/books/",
]


@pytest.fixture
def catalogue(db):
    author = Author.objects.create(id=1, name="Ursula K. Le Guin")
    series = Series.objects.create(id=1, name="Earthsea")
    publisher = Publisher.objects.create(id=1, name="Parnassus; Sons")
    for i in range(1, 8):
        one = book(f"Book {i}", [author], [isbn(i)], id=i, series=series)
        one.editions.create(publisher=publisher, pages=i)
        one.subjects.create(id=i, name=f"Subject {i}", slug=f"s{i}")


@pytest.fixture
def small_blocks(monkeypatch):
    """Of two rows, so that a list of seven has four."""
    monkeypatch.setattr(streaming.blocks, "__defaults__", (2,))


def exported(client, path, accept, status=200):
    response = client.get(f"/api{path}", headers={"accept": accept})
    assert response.status_code == status, response.content
    return b"".join(response.streaming_content)


def close(response):
    """As a server does when the client has gone, but for the signal that ends the connection."""
    for closer in response._resource_closers:
        closer()


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_exported_as_lines_that_are_its_documents(
    member, catalogue, small_blocks, path
):
    page = member.get(f"/api{path}").content
    lines = exported(member, path, LINES)
    assert lines.endswith(b"\n")
    assert b",\n".join(lines.splitlines()) in page
    assert [json.loads(line) for line in lines.splitlines()] == json.loads(page)["results"]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_exported_as_a_table(member, catalogue, small_blocks, path):
    results = send(member, "GET", path)["results"]
    found = rows(exported(member, path, TABLE))
    assert len(found) == len(results)
    for row, document in zip(found, results, strict=True):
        assert row
        if "books" in path.rstrip("/").rpartition("/")[2]:
            assert (row["uid"], row["title"]) == (document["uid"], document["title"])
        else:
            assert row == {
                name: "" if document[name] is None else str(document[name]) for name in row
            }


def test_the_format_can_be_a_parameter(member, catalogue):
    for form, accept in [("csv", TABLE), ("ndjson", LINES)]:
        response = member.get(f"/api/books/?format={form}")
        assert b"".join(response.streaming_content) == exported(member, "/books/", accept)
        assert response["Content-Disposition"] == f'attachment; filename="books.{form}"'


def test_it_has_what_the_list_finds_in_its_order(member, catalogue, small_blocks):
    path = "/books/?ordering=-title&series=1&search=book&fields=title"
    lines = exported(member, path, LINES).decode().splitlines()
    assert lines == [f'{{"title":"Book {i}"}}' for i in range(7, 0, -1)]


def test_a_search_goes_on_by_rank(member, small_blocks):
    for title in ["Dune", "Dune Messiah", "Children of Dune", "Sand and Dune", "Dune", "Dune Now"]:
        book(title)
    page = send(member, "GET", "/books/?search=dune&fields=id")["results"]
    lines = exported(member, "/books/?search=dune&fields=id", LINES).splitlines()
    assert [json.loads(line) for line in lines] == page


def test_a_table_of_books_has_a_row_for_each(member):
    one = book(
        "The Iliad",
        [Author.objects.create(name="Homer"), (Author.objects.create(name="E; W"), "translator")],
        first_published_year=-750,
        language="en",
        series=Series.objects.create(name="Epic"),
    )
    one.editions.create(
        isbn13=isbn(1), publisher=Publisher.objects.create(name="Norton; Co"), pages=3
    )
    one.editions.create(isbn13=isbn(2))
    [row] = rows(exported(member, "/books/", TABLE))
    assert {name: value for name, value in row.items() if value} == {
        "uid": str(one.uid),
        "title": "The Iliad",
        "sort_title": "Iliad, The",
        "language": "en",
        "first_published_year": "-750",
        "series": "Epic",
        "authors": "Homer; E;; W (translator)",
        "isbn13": isbn(1),
        "publisher": "Norton; Co",
        "format": "other",
        "pages": "3",
    }


def test_fields_and_omit_choose_the_columns(member, catalogue):
    content = exported(member, "/books/?fields=title,authors,subjects", TABLE)
    assert content.splitlines()[:2] == [
        b"title,subjects,authors",
        b"Book 1,Subject 1,Ursula K. Le Guin",
    ]
    header = exported(member, "/books/?omit=editions,description", TABLE).splitlines()[0]
    assert b"title" in header
    assert not {b"isbn13", b"description"} & set(header.split(b","))
    assert exported(member, "/series/?fields=name", TABLE) == b"name\r\nEarthsea\r\n"
    response = member.get("/api/authors/?fields=book_ids&format=csv")
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "fields"


def test_an_empty_list_is_an_empty_file(member):
    assert exported(member, "/series/", LINES) == b""
    assert exported(member, "/series/", TABLE) == b"id,uid,name,version,created_at,updated_at\r\n"


# What an import reads


def test_an_exported_table_is_imported_as_it_was(member, tmp_path):
    authors = [Author.objects.create(name=name) for name in ["=1+1", "A;", ";B", "C (editor)"]]
    one = book("=HYPERLINK(1)", [*authors, (authors[0], "editor")], [isbn(1)], description="-x\n@y")
    one.subjects.create(name="+1; 2", slug="one")
    book("'=quoted", description="'plain")
    file = tmp_path / "books.csv"
    file.write_bytes(exported(member, "/books/", TABLE))
    before = rows(file.read_bytes())
    Book.objects.all().delete()
    Author.objects.all().delete()
    report = import_file(file)
    assert report.reasons == []
    assert report.counts["books"].created == 2
    assert rows(exported(member, "/books/", TABLE)) == before
    assert sorted(Book.objects.values_list("title", flat=True)) == ["'=quoted", "=HYPERLINK(1)"]
    [again] = Book.objects.filter(title="=HYPERLINK(1)")
    names = [each.author.name for each in again.contributions.all()]
    assert names == ["=1+1", "A;", ";B", "C (editor)", "=1+1"]


def test_exported_lines_are_imported_as_they_were(member, catalogue, tmp_path):
    file = tmp_path / "books.ndjson"
    file.write_bytes(exported(member, "/books/", LINES))
    before = everything()
    report = import_file(file)
    assert report.has_changed_nothing
    assert report.reasons == []
    assert everything() == before


@given(st.text(alphabet="'=+-@＝＋－＠\t\r\n;aä,\" ", max_size=6))
def test_a_cell_is_harmless_and_can_be_undone(text):
    cell = harmless(text)
    assert not cell.startswith(tuple("=+-@＝＋－＠\t\r\n"))
    assert original(cell) == text


# Who may, and what is refused


@pytest.mark.parametrize("accept", [LINES, TABLE])
def test_a_stranger_gets_pages_alone(anonymous, catalogue, accept):
    for path in LISTS:
        response = anonymous.get(f"/api{path}", headers={"accept": accept})
        assert response.status_code == 401
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/books/1/", "/me/", "/users/", "/sessions/"])
def test_what_is_no_list_of_the_catalogue_is_not_exported(admin, catalogue, path):
    assert admin.get(f"/api{path}", headers={"accept": TABLE}).status_code == 406


@pytest.mark.parametrize("query", ["page_size=3", "cursor=x", "count=true", "nonsense=1"])
def test_an_export_has_no_pages(member, catalogue, query):
    response = member.get(f"/api/books/?format=csv&{query}")
    assert response.status_code == 400
    [fault] = response.json()["errors"]
    assert (fault["parameter"], fault["code"]) == (query.partition("=")[0], "unknown")


def test_a_page_is_what_everybody_gets_who_names_no_form(member, catalogue):
    for accept in ["*/*", "application/*", "application/json, text/csv", "text/csv;q=0.5, */*"]:
        response = member.get("/api/books/", headers={"accept": accept})
        expected = (
            "text/csv; charset=utf-8" if accept.startswith("text/csv") else "application/json"
        )
        assert response["Content-Type"] == expected
        close(response)


@pytest.mark.parametrize("accept", [TABLE, LINES])
def test_head_has_the_headers_of_get_and_reads_nothing(member, catalogue, accept):
    headers = {"accept": accept, "accept-encoding": "gzip"}
    read = member.get("/api/books/", headers=headers)
    close(read)
    response = member.head("/api/books/", headers=headers)
    # Not Content-Length either, which would be that of nothing.
    own = {"X-Request-ID": response["X-Request-ID"]}
    assert (response.status_code, dict(response.headers)) == (200, {**read.headers, **own})
    assert b"".join(response) == b""
    assert member.head("/api/books/?format=csv&page_size=1").status_code == 400


def test_one_export_at_once_and_the_next_when_it_is_closed(member, catalogue, settings):
    first = member.get("/api/books/?format=ndjson")
    second = member.get("/api/books/?format=ndjson")
    assert second.status_code == 503
    assert (second["Retry-After"], second.json()["code"]) == ("5", "busy")
    # Whether or not anything of it was sent.
    close(first)
    third = member.get("/api/books/?format=ndjson")
    assert third.status_code == 200
    next(iter(third.streaming_content))
    close(third)
    settings.EXPORTS_AT_ONCE = 2
    both = [member.get("/api/books/?format=csv") for _ in range(2)]
    assert [each.status_code for each in both] == [200, 200]
    for each in both:
        close(each)
    assert not streaming.Export._under_way


def test_one_that_a_condition_refuses_is_not_under_way(member, catalogue):
    for _ in range(2):
        response = member.get("/api/books/?format=csv", headers={"If-Match": '"x"'})
        assert response.status_code == 400
    response = member.get("/api/books/?format=csv")
    assert response.status_code == 200
    close(response)


def test_nothing_is_read_before_it_is_sent_and_a_block_at_a_time(member, catalogue, small_blocks):
    with CaptureQueriesContext(connection) as queries:
        response = member.get("/api/books/?format=ndjson")
        before = len(queries)
        content = iter(response.streaming_content)
        counts = [len(queries) - before for _ in content]
    # Two a block: where it begins, and its documents.
    assert counts == [2, 4, 6, 8]


def test_what_goes_while_it_is_sent_is_left_out(member, catalogue, small_blocks):
    response = member.get("/api/books/?format=ndjson&fields=id")
    content = iter(response.streaming_content)
    first = next(content)
    Edition.objects.all().delete()
    Book.objects.filter(pk__in=[3, 4]).delete()
    rest = b"".join(content)
    assert first + rest == b"".join(b'{"id":%d}\n' % i for i in (1, 2, 5, 6, 7))
