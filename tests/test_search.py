"""Does a search find what people type, the best match first, and whoever has changed it?"""

import ast
import json
import re
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import DatabaseError, OperationalError, connection, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from auth_api.models import User
from authors.models import Author
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from project.api.lists.pagination import Cursor, Rows
from project.api.models import normalized, normalized_name
from project.api.search import queries
from project.api.search.entries import (
    SearchIndex,
    entry_models,
    source_of,
    suppress_save_receivers,
    write_entries,
)
from project.api.search.queries import Search
from project.api.search.words import parse
from project.api.writes.signals import rows_written
from tests.search_pairs import pairs
from tests.test_search_words import TEXTS, finds

URLS = {
    Author: "/api/authors/",
    Book: "/api/books/",
    Series: "/api/series/",
    Publisher: "/api/publishers/",
    Subject: "/api/subjects/",
}


def found(url, search, **parameters):
    response = APIClient().get(url, {"search": search, **parameters})
    assert response.status_code == 200, response.content
    return [each.get("title", each.get("name")) for each in response.json()["results"]]


def books(search, **parameters):
    return found("/api/books/", search, **parameters)


def found_ids(search, **parameters):
    response = APIClient().get("/api/books/", {"search": search, **parameters})
    return [each["id"] for each in response.json()["results"]]


def book(title, *authors, **fields):
    made = Book.objects.create(title=title, **fields)
    for position, name in enumerate(authors):
        author, _ = Author.objects.get_or_create(name=name)
        Contribution.objects.create(book=made, author=author, position=position)
    return made


@pytest.fixture
def shelf(db):
    dune = book("Dune", "Frank Herbert", series=Series.objects.create(name="Chronicles of Arrakis"))
    Edition.objects.create(book=dune, isbn13="9780441172719")
    messiah = book("Dune Messiah", "Frank Herbert", series=dune.series)
    Edition.objects.create(book=messiah)
    book("The Road to Dune", "Frank Herbert", "Brian Herbert", "Kevin J. Anderson")
    book("Solaris", "Stanisław Lem")
    book("Snømannen", "Jo Nesbø")
    book("Ὀδύσσεια", "Όμηρος", original_title="The Odyssey")
    book("Die Verwandlung", "Franz Kafka", original_title="Straße")
    book("On/Off, and O'Brien's 2nd", "Dune Smith")


# What is found


@pytest.mark.parametrize(
    ("search", "answer"),
    [
        # The title is the better match, and of those the shorter, whichever of two it is.
        ("dune", ["Dune", "Dune Messiah", "The Road to Dune", "On/Off, and O'Brien's 2nd"]),
        ("herbert", ["Dune", "Dune Messiah", "The Road to Dune"]),
        ("herbert dune messiah", ["Dune Messiah"]),
        ("DUNE arrakis", ["Dune", "Dune Messiah"]),
        # The last word may go on.
        ("solar", ["Solaris"]),
        ("the road to d", ["The Road to Dune"]),
        ("sol lem", []),
        # Case, accents and other signs do not count.
        ("stanislaw", ["Solaris"]),
        ("STANISŁAW", ["Solaris"]),
        ("nesbo snomannen", ["Snømannen"]),
        ("strasse kafka", ["Die Verwandlung"]),
        ("οδυσσεια", ["Ὀδύσσεια"]),
        ("ὈΔΎΣΣΕΙΑ όμηρος", ["Ὀδύσσεια"]),
        ("odyssey", ["Ὀδύσσεια"]),
        ("o'brien", ["On/Off, and O'Brien's 2nd"]),
        ("on/off 2nd", ["On/Off, and O'Brien's 2nd"]),
        ("dune dune", ["Dune", "Dune Messiah", "The Road to Dune", "On/Off, and O'Brien's 2nd"]),
        # An ISBN is looked for nowhere else.
        ("978-0-441-17271-9", ["Dune"]),
        ("978 0 441 17271 9", ["Dune"]),
        ("0441172717", ["Dune"]),
        ("9780441172719 dune", ["Dune"]),
        ("9780441172719 messiah", []),
        ("0441172718", []),
        # Nothing of a query language is one here.
        ("dune OR solaris", []),
        ("dune NOT messiah", []),
        ("title : solaris", []),
        ("dune & solaris | !lem", []),
        (
            "'dune':* <-> \"dune\"",
            ["Dune", "Dune Messiah", "The Road to Dune", "On/Off, and O'Brien's 2nd"],
        ),
        ("%", []),
        ("d_ne", []),
        ("***", []),
        ("\\", []),
        ("(", []),
    ],
)
def test_books_are_found_by_their_words_the_best_match_first(shelf, search, answer):
    assert books(search) == answer
    counted = APIClient().get("/api/books/", {"search": search, "count": "true"})
    assert counted.json()["count"] == len(answer)


def test_a_title_of_just_these_words_comes_first_then_the_shorter_and_of_these_the_older(db):
    book("Tides", "Moon Unit")
    book("A Long Way to the Moon")
    book("The Moon Moon Moon")
    book("Der Mond ist aufgegangen", original_title="Moonrise")
    book("Moon, the")
    book("Moon")
    assert books("moon") == [
        "Moon",
        "Der Mond ist aufgegangen",
        "The Moon Moon Moon",
        "Moon, the",
        "A Long Way to the Moon",
        "Tides",
    ]
    assert books("moon the") == [
        "The Moon Moon Moon",
        "Moon, the",
        "A Long Way to the Moon",
    ]
    assert books("moonrise moon") == ["Der Mond ist aufgegangen"]
    assert books("the mo") == ["The Moon Moon Moon", "Moon, the", "A Long Way to the Moon"]


def test_a_book_is_found_once_by_the_shorter_of_two_titles_that_match(db):
    book("The Hunger Games, Book One", original_title="The Hunger Games")
    book("Games", original_title="Hunger: The Games People Play")
    book("Games People Play", original_title="People Play Games")
    assert books("games") == [
        "Games",
        "The Hunger Games, Book One",
        "Games People Play",
    ]
    assert books("the hunger games") == ["The Hunger Games, Book One", "Games"]
    url, pages = "/api/books/?search=games&page_size=1&count=true", []
    while url:
        page = APIClient().get(url).json()
        pages += [(page["count"], each["title"]) for each in page["results"]]
        url = page["next"]
    assert pages == [(3, "Games"), (3, "The Hunger Games, Book One"), (3, "Games People Play")]


def test_a_digit_is_the_beginning_of_words_alone_and_not_of_how_many_a_title_has(db):
    book("1984")
    book("Dune")
    book("Henry IV, Part 2")
    book("Catch 22")
    book("Dune Messiah")
    assert books("1") == ["1984"]
    assert books("2") == ["Catch 22", "Henry IV, Part 2"]
    assert books("2", ordering="title") == ["Catch 22", "Henry IV, Part 2"]
    assert books("dune 1") == []


@pytest.mark.parametrize(
    ("model", "search", "answer"),
    [
        (Author, "herbert, frank", ["Frank Herbert"]),
        (Author, "herbert", ["Frank Herbert", "Brian Herbert"]),
        (Author, "ομηρο", ["Όμηρος"]),
        (Series, "arrakis", ["Chronicles of Arrakis"]),
        (Publisher, "allen unwin", ["Allen & Unwin"]),
        (Subject, "science-fiction", ["Science fiction"]),
    ],
)
def test_every_root_is_found_by_its_name(shelf, model, search, answer):
    Publisher.objects.create(name="Allen & Unwin")
    Subject.objects.create(name="Science fiction")
    assert found(URLS[model], search) == answer


@pytest.mark.parametrize(
    ("search", "used", "answer"),
    [
        # Two letters swapped, one too many, one too few, another one.
        ("tolkein", "tolkien", ["The Hobbit"]),
        ("hobbbit", "hobbit", ["The Hobbit"]),
        ("tokien hobit", "tolkien hobbit", ["The Hobbit"]),
        ("the Habbit, by tolkien", None, []),
        ("The Habbit, Tolkien", "The hobbit Tolkien", ["The Hobbit"]),
        ("χόμπιτ", None, ["Χόμπιτ"]),
        ("Χόμβιτ", "χομπιτ", ["Χόμπιτ"]),
        # Swapped letters are all there, while Tolkin lacks one.
        ("tolikn", "tolkin", ["Tolkin"]),
        # Of two that are as near, the commoner, and else the first.
        ("tolkinn", "tolkien", ["The Hobbit"]),
        ("novelz", "novels", ["Novels of the Moon", "Novels"]),
        # Two words that were written as one, if something has both.
        ("spiderman", "spider man", ["Spider Man"]),
        ("spiderhobbit", None, []),
        ("spidre-man", "spider man", ["Spider Man"]),
        # Another first letter, more than a slip, less than five letters; or a number.
        ("dolkien", None, []),
        ("hobbitses", None, []),
        ("duen", None, []),
        ("19485", None, []),
        # What is there is never mended, nor is one word while another stays unknown.
        ("tolkin", None, ["Tolkin"]),
        ("dun", None, ["Dune"]),
        ("une", None, []),
        ("tolkein xyzzyx", None, []),
        ("978-0-441-17271-9 duneq", "978-0-441-17271-9 dune", ["Dune"]),
    ],
)
def test_a_word_that_nobody_has_gives_way_to_one_a_slip_away_and_the_answer_says_so(
    db, search, used, answer
):
    book("The Hobbit", "J. R. R. Tolkien")
    Edition.objects.create(book=book("Dune"), isbn13="9780441172719")
    for title in ("Tolkin", "Χόμπιτ", "Spider Man", "Novels of the Moon", "Novels", "Novell"):
        book(title)
    book("1945")
    page = APIClient().get("/api/books/", {"search": search}).json()
    assert {each["title"] for each in page["results"]} == {*answer}
    assert page.get("search") == (used and {"asked": search, "used": used})
    ordered = APIClient().get("/api/books/", {"search": search, "ordering": "id"}).json()
    assert {each["title"] for each in ordered["results"]} == {*answer}
    assert ordered.get("search") == page.get("search")
    exact = APIClient().get("/api/books/", {"search": search, "exact": "true"}).json()
    assert "search" not in exact
    assert exact["results"] == ([] if used else page["results"])


def test_pages_of_a_mended_search_are_all_mended(db):
    for title in ("Hobbit 1", "Hobbit 2", "The Hobbit 3"):
        book(title)
    url, pages = "/api/books/?search=hobit&page_size=1&count=true", []
    while url:
        page = APIClient().get(url).json()
        assert (page["count"], page["search"]) == (3, {"asked": "hobit", "used": "hobbit"})
        pages += [each["title"] for each in page["results"]]
        url = page["next"]
    assert pages == ["Hobbit 1", "Hobbit 2", "The Hobbit 3"]


def test_a_word_is_mended_only_to_one_that_this_list_has(db):
    book("The Hobbit")
    assert found("/api/series/", "hobit") == []
    assert APIClient().get("/api/series/?search=hobit").json().get("search") is None
    response = APIClient().get("/api/books/?search=hobit&exact=yes")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (400, "exact")


def test_a_mended_word_that_finds_nothing_is_not_said_to_be_used(db):
    book("The Hobbit", "J. R. R. Tolkien")
    dune = book("Dune", "Frank Herbert")
    author = dune.contributions.get().author_id
    for url in (
        f"/api/authors/{author}/books/?search=hobit",
        f"/api/books/?author={author}&search=hobit",
        f"/api/books/?author={author}&search=hobit&ordering=title",
        "/api/books/?search=hobit+dune",
    ):
        page = APIClient().get(url).json()
        assert (page["results"], "search" in page) == ([], False)


@pytest.mark.parametrize(
    ("search", "answer"),
    [
        ("jrr tolkien", ["The Hobbit"]),
        ("J. R. R. Tolkien", ["The Hobbit"]),
        ("j r tolkien", ["The Hobbit"]),
        ("j.tolkien", ["The Hobbit"]),
        ("tolkien, jrr", ["The Hobbit"]),
        ("rr tolkien", []),
        ("jp sartre", ["La Nausée"]),
        ("the abc murders", ["The A.B.C. Murders"]),
        ("The A.B.C. Murders", ["The A.B.C. Murders"]),
        ("et extra", ["E.T. the Extra-Terrestrial"]),
        ("kj", []),
    ],
)
def test_initials_are_found_written_together_too(db, search, answer):
    book("The Hobbit", "J. R. R. Tolkien")
    book("La Nausée", "J.-P. Sartre")
    book("The A.B.C. Murders", "Agatha Christie")
    book("E.T. the Extra-Terrestrial", "William K. J Kotzwinkle")
    assert books(search) == answer


def test_a_search_takes_its_place_among_filters_and_nested_urls(shelf):
    lem = Author.objects.get(name="Stanisław Lem")
    assert found(f"/api/authors/{lem.pk}/books/", "s") == ["Solaris"]
    assert found(f"/api/authors/{lem.pk}/books/", "dune") == []
    assert books("dune", author=lem.pk) == []


def test_an_order_that_is_asked_for_is_kept(shelf):
    assert books("herbert", ordering="-title") == ["The Road to Dune", "Dune Messiah", "Dune"]


@pytest.mark.parametrize("ordering", ["first_published_year", "-first_published_year", "-title"])
def test_what_is_found_of_many_books_comes_in_the_order_that_is_asked_for(db, ordering):
    # Of fewer than 100 words PostgreSQL does not say how common the beginning of one is.
    made = [
        book(f"{number * 13 % 101} {'Even' if number % 4 else 'Fourth'}", first_published_year=year)
        for number, year in enumerate([1900, None, *range(1990, 1890, -1), None] * 3)
    ]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    descending, field = ordering.startswith("-"), ordering.removeprefix("-")

    def position(each):
        value = getattr(each, field)
        return (value is None, value or "", each.pk)

    right = sorted((each for each in made if "Fourth" in each.title), key=position)
    pages, url = [], f"/api/books/?search=fourth&ordering={ordering}&page_size=20"
    with CaptureQueriesContext(connection) as statements:
        while url:
            page = APIClient().get(url).json()
            pages += [each["id"] for each in page["results"]]
            url = page["next"]
    assert pages == [each.pk for each in (right[::-1] if descending else right)]
    if connection.vendor == "postgresql":
        assert any("WHERE CASE WHEN" in each["sql"] for each in statements.captured_queries)


@pytest.mark.parametrize("filters", [{}, {"language": "en"}])
@pytest.mark.parametrize("limits", [[700], [0], [0, 700]])
def test_pages_of_a_search_lead_through_better_and_lesser_matches_and_back(
    db, monkeypatch, limits, filters
):
    # On PostgreSQL: all ranked by one statement, each rank by one of its own, and what was few for
    # one page is many for the next.
    limits = cycle(limits)

    def asked(url):
        monkeypatch.setattr(queries, "TOGETHER_MAX", next(limits))
        return APIClient().get(url).json()

    better = [book("Moon " + "x" * length, language="en").title for length in range(7)]
    lesser = [book("B" * (length + 1), "Moon Unit", language="en").title for length in range(7)]
    whole = books("moon", page_size=50)
    assert whole == better + lesser
    pages = []
    url = f"/api/books/?{urlencode({'search': 'moon', 'page_size': 3, **filters})}"
    while url:
        page = asked(url)
        pages.append([each["title"] for each in page["results"]])
        last, url = page, page["next"]
    assert [title for page in pages for title in page] == whole
    back = [pages[-1]]
    while last["previous"]:
        last = asked(last["previous"])
        back.insert(0, [each["title"] for each in last["results"]])
    assert [title for page in back for title in page] == whole


@pytest.mark.parametrize(
    "queryset",
    [
        lambda: Book.objects.annotate(editions_held=Count("editions")),
        lambda: Book.objects.annotate(held=Count("editions")).filter(held__gte=0).order_by("held"),
        lambda: Book.objects.filter(contributions__position__gte=0).distinct(),
        lambda: Book.objects.select_related("series").defer("title"),
    ],
    ids=["computed", "computed and filtered", "distinct", "deferred"],
)
def test_whatever_else_a_queryset_asks_its_ranks_lead_on_and_back(shelf, queryset):
    found = Search.of("dune", {}).find(queryset(), ranked=True).queryset
    rows = Rows.of(found.values_list("pk", flat=True))
    whole = rows.first(None, 10)
    titles = [Book.objects.get(pk=key).title for _, (_, key) in whole]
    assert titles == ["Dune", "Dune Messiah", "The Road to Dune", "On/Off, and O'Brien's 2nd"]
    number, position = whole[1]
    assert rows.first(Cursor(False, number, *position), 10) == whole[2:]
    assert rows.first(Cursor(True, number, *position), 10) == whole[:1]


@pytest.mark.parametrize("filters", [{}, {"language": "fr"}])
@pytest.mark.parametrize("search", ["moon", "moo"])
def test_what_many_have_comes_in_the_same_order_where_the_first_are_asked_for_first(
    db, monkeypatch, search, filters
):
    for number in range(120):
        title = ["Moon", "Moons", "The Moon", "Moon of the Moon", "B"][number * 7 % 5]
        book(title, "The Moon" if number % 3 else "Nobody", language="fr" if number % 2 else None)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    whole = found_ids(search, page_size=200, **filters)
    assert len(whole) > 20
    for name, value in {
        "TOGETHER_MAX": 0,
        "NEAR_FROM": 1,
        "NEAR_MIN": 0,
        "NEAR": 4,
        "PAGE": 0,
    }.items():
        monkeypatch.setattr(queries, name, value)
    monkeypatch.setattr(queries, "RARER", 1000)
    with CaptureQueriesContext(connection) as statements:
        assert found_ids(search, page_size=200, **filters) == whole
    if connection.vendor == "postgresql":
        assert any(" + 0) <= " in each["sql"] for each in statements.captured_queries)
    pages, page = [], None
    url = f"/api/books/?{urlencode({'search': search, 'page_size': 7, **filters})}"
    while url:
        page = APIClient().get(url).json()
        pages.append([each["id"] for each in page["results"]])
        url = page["next"]
    assert [each for page in pages for each in page] == whole
    back = [pages[-1]]
    while page["previous"]:
        page = APIClient().get(page["previous"]).json()
        back.insert(0, [each["id"] for each in page["results"]])
    assert back == pages


def test_a_cursor_of_a_search_fits_no_other_one(db):
    for title in ("B", "BB"):
        book(title, "Moon Unit")
    page = APIClient().get("/api/books/?search=moon&page_size=1").json()
    other = APIClient().get(page["next"].replace("search=moon", "search=***"))
    assert (other.status_code, other.json()["errors"][0]["parameter"]) == (400, "cursor")


@pytest.fixture
def in_parts(monkeypatch):
    """As where PostgreSQL knows of too many objects to rank them all by one statement."""
    monkeypatch.setattr(queries, "TOGETHER_MAX", 0)


def test_a_search_costs_one_statement_a_part_and_one_to_read_it(
    shelf, in_parts, django_assert_num_queries
):
    # First, whether the words are known; on PostgreSQL also, how common they are.
    more = 1 + (connection.vendor == "postgresql")
    # The title itself, those of one word to five, what has it elsewhere, and the documents.
    with django_assert_num_queries(8 + more):
        assert len(books("dune")) == 4
    # A page of one looks for the next one, too.
    with django_assert_num_queries(4 + more):
        assert len(books("dune", page_size=1)) == 1
    with django_assert_num_queries(2 + more):
        assert books("dune", ordering="id", page_size=1) == ["Dune"]


@pytest.mark.parametrize("filters", [{}, {"language": "null"}])
def test_what_few_have_costs_one_statement_on_postgresql(shelf, filters, django_assert_num_queries):
    with django_assert_num_queries(9 if connection.vendor == "sqlite" else 4):
        books("dune", **filters)


@pytest.mark.parametrize("search", ["zebra com", "common zebra of", "of the zebra comm"])
def test_of_common_words_beside_a_rare_one_the_index_is_not_asked(db, search):
    for number in range(300):
        book(f"Common of the {number}")
    book("Of the Zebra, Common")
    book("Commons", "Common Zebra of the")
    book("Of the Zebra")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as statements:
        assert books(search) == ["Of the Zebra, Common", "Commons"]
    if connection.vendor == "postgresql":
        # A condition is for the index, unless it IS TRUE.
        sent = " ".join(
            each["sql"]
            for each in statements.captured_queries
            if not each["sql"].startswith("EXPLAIN")
        )
        conditions = re.findall(r"@@ '(.*?)'::tsquery(\) IS TRUE)?", sent)
        asked = {words.strip("()'0123456789 ") for words, is_true in conditions if not is_true}
        assert asked == {"zebra"}


@given(title=st.text(min_size=1, max_size=40), search=st.text(min_size=1, max_size=30))
@pytest.mark.django_db
def test_any_title_is_found_by_itself_and_no_search_is_a_500(title, search):
    title = title.replace("\0", " ").encode("utf-8", "ignore").decode()
    with transaction.atomic():
        made = Book.objects.create(title=normalized_name(title) or "x", sort_title="x")
        if parse(title).groups and len(title.split()) <= 20:
            assert made.title in books(title)
        assert APIClient().get("/api/books/", {"search": search}).status_code in (200, 400)
        transaction.set_rollback(True)


@pytest.mark.parametrize("letter", ["한", "ﷺ", "𝔘", "a"])
def test_a_title_of_one_endless_word_can_be_stored_and_found(db, letter):
    made = Book.objects.create(title=letter * 500, sort_title="x")
    assert books(letter * 100) == [made.title]


# Who keeps it


def test_every_change_of_a_book_changes_what_finds_it(librarian):
    made = librarian.post(
        "/api/books/",
        {"title": "Emma", "authors": [{"name": "Jane Austen"}], "series": {"name": "Novels"}},
        format="json",
    ).json()
    for search in ("emma", "austen", "novels", "jane emma"):
        assert books(search) == ["Emma"], search
    url = f"/api/books/{made['id']}/"
    author, series = made["author_ids"][0], made["series_id"]
    librarian.patch(url, {"title": "Persuasion", "sort_title": ""}, format="json")
    assert (books("emma"), books("persuasion")) == ([], ["Persuasion"])
    librarian.patch(
        f"/api/authors/{author}/", {"name": "Ann Radcliffe", "sort_name": ""}, format="json"
    )
    assert (books("austen"), books("radcliffe")) == ([], ["Persuasion"])
    librarian.patch(f"/api/series/{series}/", {"name": "Tales"}, format="json")
    assert (books("novels"), books("tales")) == ([], ["Persuasion"])
    contribution = {"contributions": [{"author_id": author, "credited_as": "A Lady"}]}
    librarian.patch(url, contribution, format="json")
    assert books("lady") == ["Persuasion"]
    librarian.patch(url, {"author_ids": [], "series": None}, format="json")
    assert (books("radcliffe"), books("tales")) == ([], [])
    librarian.delete(url)
    assert books("persuasion") == []


def test_a_series_that_is_deleted_is_no_way_to_its_books_any_more(admin):
    series = Series.objects.create(name="Novels")
    for title in ("Emma", "Persuasion"):
        book(title, "Jane Austen", series=series)
    assert books("novels") == ["Emma", "Persuasion"]
    assert admin.delete(f"/api/series/{series.pk}/").status_code == 204
    assert books("novels") == found("/api/series/", "novels") == []
    assert books("austen") == ["Emma", "Persuasion"]
    call_command("reindex", "--check")


def test_what_the_admin_writes_is_found_at_once(db, client):
    client.force_login(User.objects.create_user("admin", "a@example.org", role=User.Role.ADMIN))
    response = client.post("/admin/books/series/add/", {"name": "Discworld"})
    assert response.status_code == 302, response.content
    assert found("/api/series/", "discworld") == ["Discworld"]
    series = Series.objects.get()
    made = book("Sourcery", series=series)
    client.post(f"/admin/books/series/{series.pk}/change/", {"name": "Scheibenwelt"})
    assert (books("scheibenwelt"), books("discworld")) == (["Sourcery"], [])
    chosen = {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"}
    assert client.post("/admin/books/book/", chosen).status_code == 302
    assert books("sourcery") == []
    call_command("reindex", "--check")


@pytest.mark.parametrize(("script", "title", "query", "is_found"), [*pairs()])
def test_a_title_is_found_whatever_its_script(db, script, title, query, is_found):
    book(title)
    book("Beside")
    assert books(query, exact="true") == ([title] if is_found else [])


@settings(max_examples=30)
@given(
    texts=st.lists(TEXTS.filter(normalized_name), min_size=1, max_size=8),
    searches=st.lists(TEXTS, max_size=8),
)
@pytest.mark.django_db
def test_both_engines_find_what_the_definition_says(texts, searches):
    with transaction.atomic():
        titles = [Book.objects.create(title=text, sort_title=text).title for text in texts]
        for search in filter(str.strip, (*texts, *searches)):
            parameters = {"search": search, "exact": "true", "page_size": 200}
            response = APIClient().get("/api/books/", parameters)
            right = [title for title in titles if finds(search, title)]
            assert sorted(each["title"] for each in response.json()["results"]) == sorted(right)
        transaction.set_rollback(True)


def test_what_is_written_by_sql_is_found_once_all_is_indexed_anew(db):
    made = [book(f"Book {i}", "Somebody") for i in range(3)]
    call_command("reindex", "--check")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE books_book SET title = 'Novel ' || id")
        cursor.execute("UPDATE authors_author SET name = 'Anybody'")
        cursor.execute("DELETE FROM books_contribution WHERE book_id = %s", [made[0].pk])
        cursor.execute("DELETE FROM books_book WHERE id = %s", [made[0].pk])
    Book.objects.bulk_create(Book(title=f"Story {i}", sort_title="x") for i in range(3))
    assert books("novel anybody") == books("story") == []
    with pytest.raises(CommandError, match="7 entries differ: author "):
        call_command("reindex", "--check")
    call_command("reindex")
    call_command("reindex", "--check")
    assert (len(books("novel anybody")), len(books("story"))) == (2, 3)


def search_statements(client, method, url, body):
    """How many statements of this write are for searching: those that it sends more with it."""
    numbers = []
    for has_search in (False, True):
        if not has_search:
            rows_written.disconnect(write_entries)
        try:
            with transaction.atomic(), CaptureQueriesContext(connection) as sent:
                response = client.generic(method, url, json.dumps(body), "application/json")
                assert response.status_code < 300, response.content
                transaction.set_rollback(True)
        finally:
            rows_written.connect(write_entries)
        numbers.append(len(sent))
    return numbers[1] - numbers[0]


@pytest.mark.parametrize("number", [1, 50, 200])
def test_what_a_search_keeps_costs_the_same_for_any_number(librarian, number):
    authors = [Author.objects.create(name=f"Person{i}") for i in range(number)]
    written = book(
        "Written", *(each.name for each in authors), series=Series.objects.create(name="S")
    )
    new = [{"author": {"name": f"New {i}"}} for i in range(number)]
    old = [{"author_id": author.pk} for author in authors]
    url = f"/api/books/{written.pk}/"
    # SQLite takes a statement for the entries and one for their words, PostgreSQL one for both.
    write = 2 if connection.vendor == "sqlite" else 1
    for method, path, body, right in (
        # What is new is cut from memory; of what is stored, contributions, the authors, their
        # other names and the series are read.
        ("POST", "/api/books/", {"title": "New", "contributions": new}, 2 * write),
        ("POST", "/api/books/", {"title": "New", "contributions": old}, 2 + write),
        ("PATCH", url, {"title": "Changed"}, 3 + write),
        ("PATCH", url, {"contributions": new}, 2 + 2 * write),
        ("PATCH", url, {"description": "Not searched"}, 0),
        # Which books there are, and then whether something else in them has the former words.
        ("PATCH", f"/api/series/{written.series_id}/", {"name": "T"}, 1 + 5 + 2 * write),
        ("PATCH", f"/api/authors/{authors[0].pk}/", {"name": "T"}, 1 + 6 + 2 * write),
        ("PATCH", f"/api/authors/{authors[0].pk}/", {"name": "Person0 T"}, 2 + 2 * write),
        ("DELETE", url, {}, 0),
    ):
        assert search_statements(librarian, method, path, body) == right, (method, path, body)


# Words that titles, series and several people of a book have in common, written in many ways.
WORDS = """
Smith SMITH Smith, O'Smith O’Neil Oneil Jo Jo. J. R. JRR Анна анна Müller Muller 20,000 20000
Catch22 22 .NET C++ AT&T & and 小説 小説家 小 The ı I İ ﬁn fin a-b ab
"""
NAMES = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=3).map(" ".join)


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(NAMES, st.lists(NAMES, max_size=3, unique_by=normalized), NAMES),
        min_size=1,
        max_size=4,
    ),
    renamed=st.lists(st.tuples(st.booleans(), st.integers(0, 3), NAMES), min_size=1, max_size=3),
)
@pytest.mark.django_db
def test_whatever_a_name_becomes_the_entries_are_as_if_made_anew(rows, renamed):
    client = APIClient()
    with transaction.atomic():
        client.force_authenticate(
            User.objects.create_user("l", "l@example.org", role=User.Role.LIBRARIAN)
        )
        for title, people, series in rows:
            named, _ = Series.objects.get_or_create(name=series)
            book(title, *people, series=named)
        for is_author, place, name in renamed:
            model = Author if is_author else Series
            if keys := [*model.objects.order_by("id").values_list("pk", flat=True)]:
                url = f"{URLS[model]}{keys[place % len(keys)]}/"
                response = client.patch(url, {"name": name}, format="json")
                assert response.status_code == 200, response.content
        call_command("reindex", "--check")
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_people_of_one_book_who_are_renamed_at_once_leave_none_of_their_words(at_once):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time.")
    librarian = User.objects.create_user("librarian", "l@example.org", role=User.Role.LIBRARIAN)
    sisters = [Author.objects.create(name=f"Sister{i} Brontë") for i in range(4)]
    for number in range(5):
        made = Book.objects.create(title=f"Poems {number}")
        for position, author in enumerate(sisters):
            Contribution.objects.create(book=made, author=author, position=position)

    def rename(number):
        client = APIClient()
        client.force_authenticate(librarian)
        name = {"name": f"Sister{number} Bell", "sort_name": ""}
        return client.patch(f"/api/authors/{sisters[number].pk}/", name, "json").status_code

    assert at_once(rename, 4) == [200] * 4
    assert books("bronte") == []
    call_command("reindex", "--check")


def test_a_write_that_is_rolled_back_is_not_found(db):
    with transaction.atomic():
        book("Atonement")
        transaction.set_rollback(True)
    assert books("atonement") == []


@pytest.mark.django_db(transaction=True)
def test_a_migration_of_a_searched_table_leaves_it_searched():
    book("Before", "Somebody")
    longer = models.CharField(max_length=600)
    longer.set_attributes_from_name("title")
    longer.model = Book
    title = Book._meta.get_field("title")
    for old, new in ((title, longer), (longer, title)):
        emit_pre_migrate_signal(0, False, connection.alias)
        with connection.schema_editor() as editor:
            editor.alter_field(Book, old, new, strict=True)
        emit_post_migrate_signal(0, False, connection.alias)
        assert books("before somebody") == ["Before"]
    book("After", "Somebody")
    assert books("after somebody") == ["After"]


@pytest.mark.django_db(transaction=True)
def test_another_definition_is_made_and_filled_by_the_next_migration(monkeypatch):
    from books.models import SeriesSearch

    book("Sourcery", series=Series.objects.create(name="Discworld"))
    other = SearchIndex(titles=("name",), more=("books__title",))
    with monkeypatch.context() as patch:
        patch.setattr(SeriesSearch, "index", other)
        emit_post_migrate_signal(0, False, connection.alias)
        assert found("/api/series/", "discworld sourcery") == ["Discworld"]
    emit_post_migrate_signal(0, False, connection.alias)
    assert found("/api/series/", "sourcery") == []
    assert found("/api/series/", "discworld") == ["Discworld"]


@pytest.mark.django_db(transaction=True)
def test_a_book_written_while_its_author_is_renamed_is_found_by_the_new_name(at_once):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time.")
    librarian = User.objects.create_user("librarian", "l@example.org", role=User.Role.LIBRARIAN)
    author = Author.objects.create(name="Currer Bell")
    series = Series.objects.create(name="Tales")
    made = [Book.objects.create(title=f"Jane Eyre {i}") for i in range(8)]

    def write(number):
        client = APIClient()
        client.force_authenticate(librarian)
        if number == 0:
            url, body = f"/api/authors/{author.pk}/", {"name": "Charlotte Brontë", "sort_name": ""}
        elif number == 1:
            url, body = f"/api/series/{series.pk}/", {"name": "Novels"}
        else:
            url = f"/api/books/{made[number].pk}/"
            body = {"author_ids": [author.pk], "series_id": series.pk}
        return client.patch(url, body, format="json").status_code

    assert at_once(write, 8) == [200] * 8
    assert len(books("bronte")) == len(books("novels")) == 6
    assert books("currer") == books("tales") == []
    call_command("reindex", "--check")


# docs/search.md


DOCS = (Path(__file__).parent.parent / "docs" / "search.md").read_text("utf-8")
QUERIES = re.compile("`(.+?)`")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in DOCS.splitlines()
    if line.count("|") == 7 and " of " in line
]


def test_each_engine_answers_the_documented_queries_as_its_column_says(db):
    scripts = {script for script, *_ in ROWS}
    assert len(scripts) >= 20
    for _, title, *_ in ROWS:
        Book.objects.get_or_create(title=title)
    column = ["sqlite", "postgresql"].index(connection.vendor)
    for _, title, found, left, *engines in ROWS:
        stored = Book.objects.values_list("title", flat=True).get(title=normalized(title))
        right = [
            stored in books(each, exact="true", page_size=200) for each in QUERIES.findall(found)
        ]
        right += [stored not in books(each, exact="true") for each in QUERIES.findall(left)]
        assert f"{sum(right)} of {len(right)}" == engines[column], title
        assert engines[0] == engines[1]


def test_the_documented_answer_is_the_answer(db):
    book("The Hobbit", "J. R. R. Tolkien", id=1)
    request, answer = re.search("```http\nGET (.+?)\n\n(.+?)```", DOCS, re.DOTALL).groups()
    page = APIClient().get(f"{request}&fields=id,title")
    assert page.json() == json.loads(answer)


# What is made, and when


def messages():
    found = run_checks(tags=["database"], databases=["default"])
    return [(each.id, each.msg) for each in found]


@pytest.mark.django_db(transaction=True)
def test_what_is_due_is_told_by_check_and_readyz_and_made_by_the_next_migrate(monkeypatch, client):
    due = "What a search finds of series is due: run `manage.py migrate`."
    book("Sourcery", series=Series.objects.create(name="Discworld"))
    assert messages() == []
    with monkeypatch.context() as patch:
        patch.setattr("project.api.search.tables.VERSION", 0)
        # A migrate that does not come to its end leaves what was there.
        patch.setattr(f"project.api.search.{connection.vendor}.finish", no_disk)
        with pytest.raises(OperationalError):
            emit_post_migrate_signal(0, False, connection.alias)
        assert [name for name, _ in messages()] == ["api.W001"]
        assert client.get("/readyz").status_code == 503
        assert found("/api/series/", "discworld") == ["Discworld"]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM search_definition WHERE entries = 'books_seriessearch'")
    assert messages() == [("api.W001", due)]
    assert client.get("/readyz").status_code == 503
    with pytest.raises(CommandError, match=re.escape(due)):
        call_command("reindex")
    emit_post_migrate_signal(0, False, connection.alias)
    assert messages() == []
    assert client.get("/readyz").status_code == 200
    Series.objects.bulk_create([Series(name="Narnia")])
    assert messages() == [
        ("api.W001", "A search does not find all series: run `manage.py reindex`.")
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["books_booksearch", "search_word", "search_definition"])
def test_a_table_of_entries_that_is_gone_is_due(table, client):
    book("Sourcery", "Terry Pratchett")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {table}")
    assert [name for name, _ in messages()] == ["api.W001"]
    assert client.get("/readyz").status_code == 503
    emit_pre_migrate_signal(0, False, connection.alias)
    emit_post_migrate_signal(0, False, connection.alias)
    assert messages() == []
    assert client.get("/readyz").status_code == 200
    assert books("sorucery pratchett") == ["Sourcery"]


@pytest.mark.django_db(transaction=True)
def test_a_server_of_the_version_before_serves_on_what_a_later_migrate_has_made(
    monkeypatch, client
):
    later = "project.api.search.tables.VERSION"
    emit_post_migrate_signal(0, False, connection.alias)
    book("Sourcery")
    with monkeypatch.context() as patch:
        patch.setattr(later, 0)
        emit_post_migrate_signal(0, False, connection.alias)
    assert messages() == []
    assert client.get("/readyz").status_code == 200
    assert found("/api/books/", "sourcery") == ["Sourcery"]
    # To write all anew by older rules is no remedy.
    with pytest.raises(CommandError, match="is due"):
        call_command("reindex")
    # In a table of another form it would find nothing.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE search_definition SET definition = '2-' || definition")
    assert client.get("/readyz").status_code == 503
    # And it is not every other definition that is a later one.
    with monkeypatch.context() as patch:
        patch.setattr(later, -1)
        assert [name for name, _ in messages()] == ["api.W001"]
    emit_post_migrate_signal(0, False, connection.alias)


def no_disk(*args):
    raise OperationalError("No space left on device")


FORMER = {
    "sqlite": [
        "CREATE TRIGGER books_booksearch_books_book_update AFTER UPDATE OF title ON books_book"
        " BEGIN DELETE FROM books_booksearch WHERE rowid = no_such_function(NEW.id); END",
    ],
    "postgresql": [
        "CREATE FUNCTION search_words(given text) RETURNS text[] LANGUAGE sql AS"
        " $$ SELECT ARRAY[given] $$",
        "CREATE FUNCTION books_booksearch_books_book() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'no'; END $$",
        "CREATE TRIGGER books_booksearch_update AFTER UPDATE ON books_book"
        " EXECUTE FUNCTION books_booksearch_books_book()",
    ],
}


@pytest.mark.django_db(transaction=True)
def test_what_kept_the_entries_before_is_dropped_by_migrate():
    made = book("Dune", "Frank Herbert")
    with connection.cursor() as cursor:
        for statement in ("DROP TABLE search_definition", *FORMER[connection.vendor]):
            cursor.execute(statement)
    with pytest.raises(DatabaseError):
        made.save()
    emit_pre_migrate_signal(0, False, connection.alias)
    made.title = "Dune Messiah"
    with suppress_save_receivers():
        made.save()
    emit_post_migrate_signal(0, False, connection.alias)
    assert books("messiah herbert") == ["Dune Messiah"]
    call_command("reindex", "--check")


@pytest.mark.django_db(transaction=True)
def test_what_a_migration_writes_is_found():
    made = book("Dune")
    migrations = MigrationLoader(connection).disk_migrations.values()
    [plan] = [
        [(migration, False)]
        for migration in migrations
        if (migration.app_label, migration.name) == ("books", "0007_texts")
    ]
    emit_pre_migrate_signal(0, False, connection.alias, plan=plan)
    Book.objects.filter(pk=made.pk).update(title="Arrakis")
    emit_post_migrate_signal(0, False, connection.alias, plan=plan)
    assert books("arrakis") == ["Arrakis"]


WRITERS = {
    # These send `rows_written`, and after a migration with that all is made anew.
    *("project/api/writes/unit_of_work.py", "project/api/writes/deletions.py"),
    *("project/api/writes/merging.py", "project/api/rewriting.py"),
    # These are `insert`, which those call, and an import's.
    *("project/api/databases/bound.py", "books/importing/batches.py"),
    # And this inserts what no search looks at.
    "project/api/http/idempotency.py",
}


def test_nobody_writes_searched_columns_past_the_signal():
    searched = {
        name
        for entries in entry_models()
        for source, foreign_key in source_of(entries).walk()
        for name in (*source.attributes, foreign_key)
    }
    root = Path(__file__).parent.parent
    found = set()
    for path in (p for app in ("project", "authors", "books") for p in (root / app).rglob("*.py")):
        name = str(path.relative_to(root))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name):
                writes = node.func.id == "insert"
            elif isinstance(node.func, ast.Attribute):
                names = {keyword.arg for keyword in node.keywords}
                writes = node.func.attr in ("bulk_create", "bulk_update") or (
                    node.func.attr in ("update", "update_or_create") and names & {*searched, None}
                )
            else:
                writes = False
            if writes and "migrations" not in path.parts and name not in WRITERS:
                found.add((name, node.lineno))
    assert found == set()
