"""Does a list answer the question that was asked, and refuse one it does not understand?"""

import json
from datetime import UTC, datetime
from unittest.mock import ANY

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from authors.models import Author
from books.filters import BookFilter
from books.models import Book, Contribution, Edition, Publisher, Series, Subject

LISTS = [
    "/api/authors/",
    "/api/books/",
    "/api/series/",
    "/api/publishers/",
    "/api/subjects/",
    "/api/authors/{author}/books/",
    "/api/books/{book}/contributions/",
    "/api/books/{book}/editions/",
    "/api/series/{series}/books/",
    "/api/publishers/{publisher}/editions/",
    "/api/subjects/{subject}/books/",
]
PAGE = ["page_size", "cursor", "count"]
PROPERTIES = ["fields", "omit", "expand"]
ISBN = "9780441172719"
FIRST = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def catalogue(db):
    """Two books by two authors, in which each thing a filter asks for tells them apart."""
    herbert = Author.objects.create(
        name="Frank Herbert", birth_year=1920, death_year=1986, openlibrary_key="OL79034A"
    )
    homer = Author.objects.create(name="Όμηρος", sort_name="Homer", birth_year=-800)
    chronicles = Series.objects.create(name="Dune Chronicles")
    chilton = Publisher.objects.create(name="Chilton Books")
    desert = Subject.objects.create(name="Deserts")
    dune = Book.objects.create(
        title="Dune",
        language="en",
        first_published_year=1965,
        series=chronicles,
        openlibrary_key="OL893415W",
    )
    dune.subjects.add(desert)
    for role in ("author", "introduction"):
        Contribution.objects.create(book=dune, author=herbert, role=role)
    for isbn, day in ((ISBN, "1965-08-01"), (None, None)):
        Edition.objects.create(
            book=dune,
            isbn13=isbn,
            publisher=chilton,
            published_on=day,
            format="hardcover",
            language="en",
        )
    odyssey = Book.objects.create(title="Ὀδύσσεια", language="grc", first_published_year=-700)
    Contribution.objects.create(book=odyssey, author=homer, role="author")
    Contribution.objects.create(book=odyssey, author=herbert, role="translator")
    Edition.objects.create(book=odyssey)
    for model in (Author, Book, Series, Publisher, Subject):
        model.objects.update(updated_at=FIRST)
    return {
        "author": herbert.pk,
        "homer": homer.pk,
        "book": dune.pk,
        "odyssey": odyssey.pk,
        "series": chronicles.pk,
        "publisher": chilton.pk,
        "subject": desert.pk,
    }


def get(url, query="", **headers):
    return APIClient().get(f"{url}?{query}", **headers)


def names(response):
    assert response.status_code == 200, response.content
    return [
        row.get("title") or row.get("name") or row.get("role") or row.get("isbn13")
        for row in response.json()["results"]
    ]


DUNE, ODYSSEY, HERBERT, HOMER = "Dune", "Ὀδύσσεια", "Frank Herbert", "Όμηρος"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("/api/books/?title=Dune", [DUNE]),
        ("/api/books/?title=Dun", []),
        ("/api/books/?author={author}", [DUNE, ODYSSEY]),
        ("/api/books/?author={homer}", [ODYSSEY]),
        ("/api/books/?author=999999", []),
        ("/api/books/?author={author}&role=author", [DUNE]),
        ("/api/books/?author={author}&role=translator", [ODYSSEY]),
        ("/api/books/?author={homer}&role=translator", []),
        ("/api/books/?role=translator", [ODYSSEY]),
        ("/api/books/?role=author", [DUNE, ODYSSEY]),
        ("/api/books/?subject={subject}", [DUNE]),
        ("/api/books/?subject=0", []),
        ("/api/books/?series={series}", [DUNE]),
        ("/api/books/?publisher={publisher}", [DUNE]),
        ("/api/books/?publisher=9223372036854775807", []),
        ("/api/books/?language=grc", [ODYSSEY]),
        ("/api/books/?first_published_year=-700", [ODYSSEY]),
        ("/api/books/?first_published_year_min=-700", [DUNE, ODYSSEY]),
        ("/api/books/?first_published_year_min=-699", [DUNE]),
        ("/api/books/?first_published_year_max=1965", [DUNE, ODYSSEY]),
        ("/api/books/?first_published_year_max=1964", [ODYSSEY]),
        ("/api/books/?first_published_year_min=1900&first_published_year_max=1800", []),
        ("/api/books/?isbn=9780441172719", [DUNE]),
        ("/api/books/?isbn=978-0-441-17271-9", [DUNE]),
        ("/api/books/?isbn=0-441-17271-7", [DUNE]),
        ("/api/books/?isbn=9780306406157", []),
        ("/api/books/?openlibrary_key=OL893415W", [DUNE]),
        ("/api/books/?updated_since=2026-01-31T12:00:00Z", [DUNE, ODYSSEY]),
        ("/api/books/?updated_since=2026-01-31T13:00:00%2B01:00", [DUNE, ODYSSEY]),
        ("/api/books/?updated_since=2026-01-31T12:00:00.000001Z", []),
        ("/api/books/?author={author}&language=en&isbn=0441172717&series={series}", [DUNE]),
        ("/api/authors/?name=Frank Herbert", [HERBERT]),
        ("/api/authors/?name=frank herbert", []),
        ("/api/authors/?birth_year=-800", [HOMER]),
        ("/api/authors/?birth_year_min=1920", [HERBERT]),
        ("/api/authors/?birth_year_max=0", [HOMER]),
        ("/api/authors/?death_year=1986", [HERBERT]),
        ("/api/authors/?death_year_min=1987", []),
        ("/api/authors/?death_year_max=1986", [HERBERT]),
        ("/api/authors/?openlibrary_key=OL79034A", [HERBERT]),
        ("/api/authors/?updated_since=2026-02-01T00:00:00Z", []),
        ("/api/series/?name=Dune Chronicles", ["Dune Chronicles"]),
        ("/api/publishers/?name=CHILTON BOOKS", ["Chilton Books"]),
        ("/api/subjects/?name=Deserts", ["Deserts"]),
        ("/api/subjects/?slug=deserts", ["Deserts"]),
        ("/api/authors/{author}/books/?language=en", [DUNE]),
        ("/api/series/{series}/books/?role=translator", []),
        ("/api/subjects/{subject}/books/?author={author}", [DUNE]),
        ("/api/books/{book}/contributions/?role=introduction", ["introduction"]),
        ("/api/books/{odyssey}/contributions/?author={author}", ["translator"]),
        ("/api/books/{book}/editions/?isbn=0441172717", [ISBN]),
        ("/api/books/{book}/editions/?publisher={publisher}&language=en", [ISBN, None]),
        ("/api/books/{book}/editions/?edition_format=paperback", []),
        ("/api/books/{book}/editions/?published_on_min=1965-08-01", [ISBN]),
        ("/api/books/{book}/editions/?published_on_max=1965-07-31", []),
        ("/api/publishers/{publisher}/editions/?edition_format=hardcover", [ISBN, None]),
    ],
)
def test_a_filter_gives_what_it_was_asked_for(catalogue, question, answer):
    assert names(APIClient().get(question.format(**catalogue))) == answer


def test_a_filter_costs_no_query_of_its_own(catalogue, django_assert_num_queries):
    with django_assert_num_queries(1):
        get("/api/books/", "author=999999&role=author&publisher=999999&isbn=0441172717")


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("/api/books/?author=dune", "invalid"),
        ("/api/books/?author=1.0", "invalid"),
        ("/api/books/?author=1_000", "invalid"),
        ("/api/books/?author=%D9%A3", "invalid"),  # an Arabic 3
        ("/api/books/?author= 1", "invalid"),
        ("/api/books/?author=%00", "invalid"),
        ("/api/books/?author=" + "9" * 30, "invalid"),
        ("/api/books/?author=" + "9" * 5_000, "invalid"),
        ("/api/books/?author=9223372036854775808", "max_value"),
        ("/api/books/?author=-9223372036854775809", "min_value"),
        ("/api/books/?author=1,x", "invalid"),
        ("/api/books/?author=1,", "invalid"),
        ("/api/books/?author=,1", "invalid"),
        ("/api/books/?author=1,,2", "invalid"),
        ("/api/books/?author=1, 2", "invalid"),
        ("/api/books/?author=NULL", "invalid"),
        ("/api/books/?author=null,null1", "invalid"),
        ("/api/books/?author=" + ",".join(["1"] * 201), "max_length"),
        ("/api/books/?series=1,9223372036854775808", "max_value"),
        ("/api/books/?first_published_year_min=1,2", "invalid"),
        ("/api/books/?first_published_year_min=null", "invalid"),
        ("/api/books/?updated_since=null", "invalid"),
        ("/api/books/?id=null", "invalid"),
        ("/api/books/?uid=null", "invalid"),
        ("/api/books/?uid=1", "invalid"),
        ("/api/books/?role=author,Editor", "invalid_choice"),
        ("/api/books/{book}/contributions/?author=null", "invalid"),
        ("/api/books/{book}/contributions/?role=null", "invalid_choice"),
        ("/api/books/{book}/editions/?edition_format=null", "invalid_choice"),
        ("/api/books/?language=en,klingonese", "language"),
        ("/api/books/?language=*", "language"),
        ("/api/books/?language.exact=EN", "language"),
        ("/api/books/?isbn=9780441172719,9780441172718", "isbn_checksum"),
        ("/api/books/?openlibrary_key=OL1W,OL2W,", "invalid"),
        ("/api/books/?author[]=1", "unknown"),
        ("/api/books/?author__name=x", "unknown"),
        ("/api/books/?author=", "blank"),
        ("/api/books/?title=Dune&title=Emma", "repeated"),
        ("/api/books/?updated_since=2026-01-31T09:30:00Z&updated_since=x", "repeated"),
        ("/api/books/?ordering=title&ordering=id", "repeated"),
        ("/api/books/?author=1&author=", "blank"),
        ("/api/books/?author=1&author=x", "invalid"),
        ("/api/books/?" + "&".join(["id=1"] * 201), "max_length"),
        ("/api/books/?role=Author", "invalid_choice"),
        ("/api/books/?role=null", "invalid_choice"),
        ("/api/books/?language=EN", "language"),
        ("/api/books/?language=klingonese", "language"),
        ("/api/books/?isbn=9780441172718", "isbn_checksum"),
        ("/api/books/?isbn=dune", "isbn"),
        ("/api/books/?isbn=%00", "isbn"),
        ("/api/books/?openlibrary_key=OL79034A", "invalid"),
        ("/api/books/?title=%00", "null_characters_not_allowed"),
        ("/api/books/?title=%E2%80%8B", "blank"),
        ("/api/subjects/?name=+", "blank"),
        ("/api/books/?title=" + "x" * 2001, "max_length"),
        ("/api/books/?updated_since=2026-01-31T12:00:00", "invalid"),
        ("/api/books/?updated_since=2026-01-31T12:00:00+01:00", "invalid"),  # + is a blank
        ("/api/books/?updated_since=2026-01-31", "invalid"),
        ("/api/books/?updated_since=2026-02-31T12:00:00Z", "invalid"),
        ("/api/books/?updated_since=0001-01-01T00:00:00%2B14:00", "invalid"),
        ("/api/books/?updated_since=now", "invalid"),
        ("/api/books/?first_published_year_min=MCMLXV", "invalid"),
        ("/api/books/{book}/editions/?published_on_min=08/01/1965", "invalid"),
        ("/api/books/{book}/editions/?published_on_min=1965-8-1", "invalid"),
        ("/api/books/{book}/editions/?published_on_min=1965-13", "invalid"),
        ("/api/books/?id=1,", "invalid"),
        ("/api/books/?id=x", "invalid"),
        ("/api/books/?id=-1", "invalid"),
        ("/api/books/?id=1, 2", "invalid"),
        ("/api/books/?id=%D9%A1", "invalid"),
        ("/api/books/?id=9999999999999999999", "max_value"),
        ("/api/books/?id=" + ",".join(["1"] * 201), "max_length"),
        ("/api/books/{book}/editions/?published_on_min=1965-02-29", "invalid"),
        ("/api/books/{book}/editions/?published_on_max=1965-08-0%D9%A1", "invalid"),
        ("/api/books/{book}/editions/?published_on_max=%00", "invalid"),
        # A representation's format; an edition's is `edition_format`.
        ("/api/books/{book}/editions/?format=paperback", "invalid_choice"),
        ("/api/books/?format=%00", "invalid_choice"),
        ("/api/books/?ordering=author", "invalid_choice"),
        ("/api/books/?ordering=title,id", "invalid_choice"),
        ("/api/books/?ordering=--title", "invalid_choice"),
        ("/api/books/?ordering=%00", "invalid_choice"),
        ("/api/books/?ordering=password", "invalid_choice"),
        ("/api/books/?ordering=", "blank"),
        ("/api/books/?search=%00", "invalid"),
        ("/api/books/?search=" + "x" * 201, "invalid"),
        ("/api/books/?search=" + "+".join("abcdefghijklmnopqrstu"), "invalid"),
        ("/api/books/?search=", "blank"),
        ("/api/books/?page=2", "unknown"),
        ("/api/books/?Title=Dune", "unknown"),
        ("/api/books/?title%00=Dune", "unknown"),
        ("/api/books/?=Dune", "unknown"),
    ],
)
def test_a_question_that_is_not_understood_is_400_and_names_the_parameter(
    catalogue, question, code
):
    response = APIClient().get(question.format(**catalogue))
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    [error] = response.json()["errors"]
    parameter = question.split("?")[1].split("=")[0].replace("%00", "\0")
    assert (error["parameter"], error["code"]) == (parameter, code)
    assert error["detail"]


def test_titles_that_begin_alike_at_length_are_told_apart(db):
    for end in ("", " I", " II"):
        Book.objects.create(title="Of " + "x" * 200 + end)
        Book.objects.create(title="𝔘" * 1500 + end)
    for title in ("Of " + "x" * 200 + " I", "𝔘" * 1500):
        [found] = APIClient().get("/api/books/", {"title": title}).json()["results"]
        assert found["title"] == title


def test_books_of_one_title_come_from_an_index_in_the_order_of_the_list(db):
    with CaptureQueriesContext(connection) as statements:
        get("/api/books/", "title=Dune")
    [asked] = [each["sql"] for each in statements if "title" in each["sql"]]
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"{explain} {asked}")
        plan = str(cursor.fetchall())
    assert "book_by_whole_title" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_all_that_is_wrong_with_a_question_is_said_at_once(db):
    problem = get("/api/books/", "colour=red&search=a&search=b&title=").json()
    assert problem == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The request is invalid.",
        "code": "invalid",
        "instance": "/api/books/?colour=red&search=a&search=b&title=",
        "request_id": ANY,
        "errors": [
            {
                "parameter": "colour",
                "code": "unknown",
                "detail": "There is no such parameter here.",
            },
            {"parameter": "search", "code": "repeated", "detail": "Give this parameter once."},
            {"parameter": "title", "code": "blank", "detail": "Leave it out, or give it a value."},
        ],
    }


def test_of_several_values_each_that_is_wrong_is_named(db):
    problem = get("/api/books/", f"author=1,x,{'9' * 50},null&language=en,EN,klingonese").json()
    assert problem["errors"] == [
        {"parameter": "author", "code": "invalid", "detail": "“x”: Enter a whole number."},
        {
            "parameter": "author",
            "code": "invalid",
            "detail": f"“{'9' * 39}…”: Enter a whole number.",
        },
        {"parameter": "language", "code": "language", "detail": "“EN”: Write “en” for “EN”."},
        {
            "parameter": "language",
            "code": "language",
            "detail": "“klingonese”: “klingonese” is no BCP 47 language tag.",
        },
    ]


@pytest.mark.parametrize("url", LISTS)
def test_no_list_takes_a_parameter_that_it_does_not_know(catalogue, url):
    response = get(url.format(**catalogue), "colour=red")
    assert response.status_code == 400
    assert [error["parameter"] for error in response.json()["errors"]] == ["colour"]


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("get", "/api/books/{book}/"),
        ("put", "/api/books/{book}/"),
        ("patch", "/api/books/{book}/"),
        ("delete", "/api/books/{book}/"),
        ("post", "/api/books/"),
        ("get", "/api/authors/{author}/books/{book}/"),
        ("delete", "/api/series/{series}/books/{book}/"),
        ("post", "/api/books/{book}/contributions/"),
    ],
)
@pytest.mark.parametrize("query", ["colour=red", "title=Dune", "page_size=1", "ordering=title"])
def test_what_is_no_list_takes_no_parameter_of_a_list(admin, catalogue, method, url, query):
    response = getattr(admin, method)(f"{url.format(**catalogue)}?{query}", {}, format="json")
    assert response.status_code == 400
    assert [error["code"] for error in response.json()["errors"]] == ["unknown"]
    assert Book.objects.filter(pk=catalogue["book"]).exists()


def test_who_may_not_ask_learns_no_more_than_that(catalogue):
    assert APIClient().post("/api/books/?colour=red", {}, format="json").status_code == 401


def test_head_is_asked_as_get_is_and_options_anything(catalogue):
    assert APIClient().head("/api/books/?language=en").status_code == 200
    assert APIClient().head("/api/books/?colour=red").status_code == 400
    assert APIClient().options("/api/books/?colour=red").status_code == 200


def test_a_browser_may_send_the_empty_fields_of_its_form(catalogue):
    page = get("/api/books/", "title=Dune&author=&role=&search=", HTTP_ACCEPT="text/html")
    assert page.status_code == 200
    assert "Dune" in page.content.decode()
    assert "Ὀδύσσεια" not in page.content.decode()


# Ordering


@pytest.mark.parametrize(
    ("ordering", "answer"),
    [
        ("title", [DUNE, ODYSSEY]),
        ("-title", [ODYSSEY, DUNE]),
        ("first_published_year", [ODYSSEY, DUNE]),
        ("-first_published_year", [DUNE, ODYSSEY]),
        ("-id", [ODYSSEY, DUNE]),
    ],
)
def test_ordering_goes_by_one_field_either_way(catalogue, ordering, answer):
    assert names(get("/api/books/", f"ordering={ordering}")) == answer


@pytest.mark.parametrize("url", LISTS)
def test_every_ordering_on_offer_works(catalogue, url):
    url = url.format(**catalogue)
    refusal = get(url, "ordering=nothing").json()["errors"][0]["detail"]
    offered = refusal.removeprefix("Choose one of ").removesuffix(".").split(", ")
    assert offered
    for ordering in offered:
        assert get(url, f"ordering={ordering}&page_size=1").status_code == 200


# Anything at all


@given(
    parameter=st.sampled_from([*BookFilter.base_filters, "search", "ordering", *PAGE, *PROPERTIES]),
    value=st.text(max_size=20) | st.integers().map(str) | st.datetimes().map(str),
)
@pytest.mark.django_db
def test_no_value_of_a_parameter_is_a_500(parameter, value):
    response = APIClient().get("/api/books/", {parameter: value})
    assert response.status_code in (200, 400)


DATES = [
    "1986-12-31",
    "1987",
    "1987-01",
    "1987-01-01",
    "1987-06",
    "1987-06-01",
    "1987-06-15",
    "1988",
]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("published_on_min=1987", DATES[1:]),
        ("published_on_min=1987-01", DATES[1:]),
        ("published_on_min=1987-01-01", DATES[1:]),
        ("published_on_min=1987-01-02", DATES[4:]),
        ("published_on_min=1987-06", DATES[4:]),
        ("published_on_min=1987-06-01", DATES[4:]),
        ("published_on_min=1987-06-02", DATES[6:]),
        ("published_on_max=1986", DATES[:1]),
        ("published_on_max=1987", DATES[:7]),
        ("published_on_max=1987-01", DATES[:4]),
        ("published_on_max=1987-01-01", DATES[:4]),
        ("published_on_max=1987-06-01", DATES[:6]),
        ("published_on_max=1987-06", DATES[:7]),
        ("published_on_max=1987-05", DATES[:4]),
        ("published_on_min=1987&published_on_max=1987-05", DATES[1:4]),
    ],
)
@pytest.mark.django_db
def test_dates_are_asked_for_by_their_first_day(anonymous, asked, found):
    stored = Book.objects.create(title="Dune")
    for date in reversed(DATES):
        Edition.objects.create(book=stored, published_on=date)
    path = f"/api/books/{stored.pk}/editions/"
    for ordering, expected in (("published_on", found), ("-published_on", found[::-1])):
        url, dates = f"{path}?ordering={ordering}&page_size=3&{asked}", []
        while url:
            page = anonymous.get(url).json()
            dates += [each["published_on"] for each in page["results"]]
            url = page["next"]
        assert dates == expected


# Several values, none, and languages


@pytest.fixture
def shelf(db):
    """Books named by what they have; `ids` by what they are called."""
    pratchett, gaiman = (
        Author.objects.create(name=name, birth_year=year)
        for name, year in (("Pratchett", 1948), ("Gaiman", None))
    )
    discworld, sandman = (Series.objects.create(name=name) for name in ("Discworld", "Sandman"))
    angels, demons = (Subject.objects.create(name=name) for name in ("Angels", "Demons, minor"))
    ace, corgi = (Publisher.objects.create(name=name) for name in ("Ace", "Corgi"))
    languages = ["pt", "pt-BR", "pt-PT-1990", "en", "zh-Hant", "zh-Hant-TW", "zh", "pti", None]
    books = {
        tag or "no language": Book.objects.create(title=tag or "no language", language=tag)
        for tag in languages
    }
    mort = Book.objects.create(
        title="Mort", series=discworld, first_published_year=1987, openlibrary_key="OL1W"
    )
    omens = Book.objects.create(title="Omens", first_published_year=1990)
    death = Book.objects.create(title="Death", series=sandman, openlibrary_key="OL2W")
    omens.subjects.set([angels, demons])
    death.subjects.set([demons])
    for made, author, role in (
        (mort, pratchett, "author"),
        (omens, pratchett, "author"),
        (omens, gaiman, "author"),
        (omens, gaiman, "editor"),
        (death, gaiman, "introduction"),
    ):
        Contribution.objects.create(book=made, author=author, role=role)
    for made, number, publisher, language in (
        (mort, ISBN, corgi, "en"),
        (mort, None, None, None),
        (omens, "9780306406157", ace, "en-GB"),
        (omens, None, corgi, "pt-BR"),
        (death, None, None, "pt"),
    ):
        Edition.objects.create(book=made, isbn13=number, publisher=publisher, language=language)
    made = {each.title.lower(): each for each in (mort, omens, death, *books.values())}
    shared = (pratchett, gaiman, discworld, sandman, angels, demons, ace, corgi)
    return {
        **{name: each.pk for name, each in made.items()},
        **{each.name.lower().replace(", ", "_"): each.pk for each in shared},
        "uid": mort.uid,
    }


MORT, OMENS, DEATH = "Mort", "Omens", "Death"
TAGS = ["pt", "pt-BR", "pt-PT-1990", "en", "zh-Hant", "zh-Hant-TW", "zh", "pti"]
MORE = sorted([*TAGS, "no language"])
SHELF = {
    "/api/books/?id={mort},{death}": [DEATH, MORT],
    "/api/books/?uid={uid},00000000-0000-4000-8000-000000000000": [MORT],
    "/api/books/?series={discworld},{sandman}": [DEATH, MORT],
    "/api/books/?series={discworld},{discworld},9223372036854775807": [MORT],
    "/api/books/?series=null": [OMENS, *MORE],
    "/api/books/?series=null,{sandman}": [DEATH, OMENS, *MORE],
    "/api/books/?author={pratchett},{gaiman}": [DEATH, MORT, OMENS],
    "/api/books/?author={pratchett},{gaiman}&role=author": [MORT, OMENS],
    "/api/books/?author={gaiman}&role=author,introduction": [DEATH, OMENS],
    "/api/books/?role=editor,introduction": [DEATH, OMENS],
    "/api/books/?author=null": MORE,
    "/api/books/?author=null&role=author": [DEATH, *MORE],
    "/api/books/?author=null,{pratchett}&role=author": [DEATH, MORT, OMENS, *MORE],
    "/api/books/?author=null&role=editor,author": [DEATH, *MORE],
    "/api/books/?subject={angels},{demons_minor}": [DEATH, OMENS],
    "/api/books/?subject=null": [MORT, *MORE],
    "/api/books/?subject={angels},null": [MORT, OMENS, *MORE],
    "/api/books/?publisher={ace},{corgi}": [MORT, OMENS],
    "/api/books/?publisher=null": [DEATH, *MORE],
    "/api/books/?publisher={ace},null": [DEATH, OMENS, *MORE],
    "/api/books/?isbn=0-441-17271-7,9780306406157": [MORT, OMENS],
    "/api/books/?isbn=null": [DEATH, *MORE],
    "/api/books/?openlibrary_key=OL1W,OL2W": [DEATH, MORT],
    "/api/books/?openlibrary_key=null,OL1W": [MORT, OMENS, *MORE],
    "/api/books/?first_published_year=1987,1990,99999999999": [MORT, OMENS],
    "/api/books/?first_published_year=null": [DEATH, *MORE],
    "/api/books/?first_published_year=1990,null": [DEATH, OMENS, *MORE],
    "/api/books/?title=Omens,Mort": [],
    "/api/books/?series=null&author={pratchett},{gaiman}&first_published_year=1990": [OMENS],
    "/api/series/{discworld}/books/?first_published_year=1987,null": [MORT],
    "/api/subjects/{demons_minor}/books/?series=null,{sandman}": [DEATH, OMENS],
    "/api/subjects/?name=Demons, minor": ["Demons, minor"],
    "/api/authors/?birth_year=null": ["Gaiman"],
    "/api/authors/?birth_year=1948,null": ["Gaiman", "Pratchett"],
    "/api/authors/?openlibrary_key=null": ["Gaiman", "Pratchett"],
    # A language range finds what begins with it (RFC 4647, section 3.3.1).
    "/api/books/?language=pt": ["pt", "pt-BR", "pt-PT-1990"],
    "/api/books/?language=pt-BR": ["pt-BR"],
    "/api/books/?language=pt-PT": ["pt-PT-1990"],
    "/api/books/?language=zh": ["zh", "zh-Hant", "zh-Hant-TW"],
    "/api/books/?language=zh-Hant": ["zh-Hant", "zh-Hant-TW"],
    "/api/books/?language=zh-Hans": [],
    "/api/books/?language=en,zh-Hant,pti": ["en", "pti", "zh-Hant", "zh-Hant-TW"],
    "/api/books/?language=null": [DEATH, MORT, OMENS, "no language"],
    "/api/books/?language=null,pt-BR": [DEATH, MORT, OMENS, "no language", "pt-BR"],
    "/api/books/?language.exact=pt": ["pt"],
    "/api/books/?language.exact=zh-Hant": ["zh-Hant"],
    "/api/books/?language.exact=pt,zh": ["pt", "zh"],
    "/api/books/?language.exact=null": [DEATH, MORT, OMENS, "no language"],
    "/api/books/?language.exact=null,en": [DEATH, MORT, OMENS, "en", "no language"],
    "/api/books/?language=pt&language.exact=pt-BR": ["pt-BR"],
    "/api/books/?language=pt&language.exact=en": [],
    "/api/books/?language=pt-BR,en&language.exact=pt,en": ["en"],
    "/api/books/{omens}/editions/?language=en,pt": ["9780306406157", None],
    "/api/books/{omens}/editions/?language.exact=en": [],
    "/api/books/{mort}/editions/?publisher=null": [None],
    "/api/books/{mort}/editions/?publisher=null,{corgi}": [ISBN, None],
    "/api/books/{mort}/editions/?isbn=null,0441172717": [ISBN, None],
    "/api/books/{mort}/editions/?edition_format=other,paperback": [ISBN, None],
    "/api/publishers/{corgi}/editions/?language=pt": [None],
    "/api/books/{omens}/contributions/?role=editor,author&author={gaiman}": ["author", "editor"],
}


def test_a_filter_takes_several_values_and_none(shelf):
    questions = {question: question.format(**shelf) for question in SHELF}
    assert {question: names(APIClient().get(url)) for question, url in questions.items()} == SHELF


def test_values_may_also_stand_in_a_parameter_each(shelf, member):
    """As the clients of openapi-python-client and openapi-fetch write every list."""
    questions = [question.format(**shelf) for question in SHELF if "," in question]
    # Of which a comma is a part.
    questions = [each for each in questions if "name=" not in each and "title=" not in each]
    assert len(questions) > 20
    for together in questions:
        path, _, query = together.partition("?")
        pairs = [pair.split("=") for pair in query.split("&")]
        apart = "&".join(f"{name}={each}" for name, v in pairs for each in v.split(","))
        page, other = (member.get(f"{path}?{each}&page_size=1").json() for each in (query, apart))
        while page["next"]:
            assert page["results"] == other["results"] != [], together
            page, other = (member.get(each["next"]).json() for each in (page, other))
        assert (page["results"], other["next"]) == (other["results"], None)


def test_a_filter_finds_the_same_in_pages_counts_and_exports(shelf, member):
    for question, answer in SHELF.items():
        url = question.format(**shelf)
        page = member.get(f"{url}&count=true&page_size=2").json()
        rows, count = page["results"], page["count"]
        while page["next"]:
            page = member.get(page["next"]).json()
            rows += page["results"]
        lines = b"".join(member.get(f"{url}&format=ndjson").streaming_content).splitlines()
        assert rows == [json.loads(line) for line in lines], question
        assert (len(rows), count) == (len(answer), len(answer)), question


def test_several_values_and_none_cost_no_query_more(shelf, django_assert_num_queries):
    with django_assert_num_queries(2):
        query = (
            "subject={angels},null&author=null,{gaiman}&role=author&language=pt,null&series=null"
        )
        get("/api/books/", query.format(**shelf))


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Book, Series, Publisher, Subject, Author])
def test_some_are_had_by_their_ids_in_one_request(anonymous, model):
    name = "title" if model is Book else "name"
    rows = [model.objects.create(**{name: f"N{number}"}) for number in range(4)]
    path = f"/api/{model._meta.verbose_name_plural}/"
    wanted = [rows[3].pk, rows[1].pk, 10**12]
    page = anonymous.get(path, {"id": ",".join(map(str, wanted))}).json()
    assert [each["id"] for each in page["results"]] == [rows[1].pk, rows[3].pk]
    page = anonymous.get(path, {"id": f"{rows[0].pk}", name: "N1"}).json()
    assert page["results"] == []
