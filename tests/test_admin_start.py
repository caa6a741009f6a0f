"""Does the admin begin with what there is, and find it?"""

import re

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from authors.models import Author
from books.models import Book, Publisher, Series, Subject
from project.api import admin as bricks
from tests.catalogue import authors, book, isbn
from tests.test_admin import browser, fill

pytestmark = pytest.mark.django_db
NUMBER = re.compile(r"<strong>(.*?)</strong> (\w+)")


@pytest.fixture
def desk(db):
    return browser("librarian")


def numbers(desk):
    return {kind: number for number, kind in NUMBER.findall(desk.get("/admin/").text)}


def matches(desk, term):
    page = desk.get("/admin/", {"q": term})
    assert page.status_code == 200
    return {
        str(match.root.opts.verbose_name_plural): [(str(row), note) for row, note in match.rows]
        for match in page.context["matches"]
    }


def test_the_admin_is_called_what_the_catalogue_and_its_contract_are_called(desk, client):
    assert client.get("/api/schema/?format=json").json()["info"]["title"] == settings.CATALOGUE_NAME
    for page in (desk.get("/admin/"), client.get("/admin/login/")):
        assert f"| {settings.CATALOGUE_NAME}</title>" in page.text
        assert "Django administration" not in page.text


def test_the_start_page_has_the_number_of_each_root(desk):
    assert set(numbers(desk).values()) == {"0"}
    fill(3)
    Author.objects.create(name="Another")
    assert numbers(desk) == {
        "authors": "4",
        "books": "3",
        "publishers": "3",
        "series": "3",
        "subjects": "3",
    }


def test_postgresql_does_not_count_many(desk, monkeypatch):
    fill(7)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    monkeypatch.setattr(bricks, "COUNTED", 5)
    is_exact = connection.vendor == "sqlite"
    assert set(numbers(desk).values()) == {"7" if is_exact else "about 7"}


@pytest.mark.parametrize("rows", [2, 20])
def test_the_start_page_costs_the_same_however_much_there_is(rows, desk):
    fill(rows)
    with CaptureQueriesContext(connection) as counted:
        assert desk.get("/admin/").status_code == 200
    # The session, the user, what they did last; each root is counted, on PostgreSQL expected too.
    assert len(counted) == 3 + 5 * (1 if connection.vendor == "sqlite" else 2)


def test_the_search_finds_books_and_all_they_refer_to_the_best_first(desk):
    [tolkien] = authors("J. R. R. Tolkien")
    book("The Hobbit", [tolkien], [isbn(1)])
    book("Tolkien", authors("Humphrey Carpenter"))
    Series.objects.create(name="The World of Tolkien")
    Publisher.objects.create(name="Allen & Unwin")
    Subject.objects.create(name="Fantasy")
    assert matches(desk, "tolkien") == {
        "authors": [("J. R. R. Tolkien", "")],
        "books": [("Tolkien", "Humphrey Carpenter"), ("The Hobbit", "J. R. R. Tolkien")],
        "series": [("The World of Tolkien", "")],
    }
    assert matches(desk, isbn(1)) == {"books": [("The Hobbit", "J. R. R. Tolkien")]}
    page = desk.get("/admin/", {"q": "hobbit"}).text
    url = reverse("admin:books_book_change", args=[Book.objects.get(title="The Hobbit").pk])
    assert f'<a href="{url}">The Hobbit</a>' in page


def test_the_search_says_what_it_used_instead_of_a_slip_of_the_finger(desk):
    book("The Hobbit", authors("J. R. R. Tolkien"))
    page = desk.get("/admin/", {"q": "tolkein"}).text
    assert "Nothing has “tolkein”. This is what “tolkien” finds." in page


def test_the_search_shows_ten_of_a_kind(desk):
    for number in range(12):
        Subject.objects.create(name=f"Volume {number}")
    assert len(matches(desk, "volume")["subjects"]) == 10


@pytest.mark.parametrize("term", ["x" * 201, "w " * 21, "a\0b"])
def test_a_search_that_no_list_takes_is_explained(term, desk):
    page = desk.get("/admin/", {"q": term})
    assert page.status_code == 200
    assert "At most 200 characters and 20 words, no NUL." in page.text
    assert "matches" not in page.context


@pytest.mark.parametrize(("term", "said"), [("nothing like it", True), ("", False), ("  ", False)])
def test_a_search_without_a_match_says_so(term, said, desk):
    fill(1)
    page = desk.get("/admin/", {"q": term}).text
    assert ("Nothing has all of these words." in page) == said


def test_what_is_searched_for_is_text(desk):
    assert "<script>alert" not in desk.get("/admin/", {"q": "<script>alert(1)</script>"}).text


HELP = re.compile(r'<div class="help[^"]*"[^>]*>(.*?)</div>', re.DOTALL)


def test_no_help_text_shows_markdown(db):
    desk = browser("admin")
    fill(1)
    shown = ""
    for model in admin.site._registry:
        pages = [reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")]
        if row := model._default_manager.first():
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            pages.append(reverse(name, args=[row.pk]))
        for page in pages:
            answer = desk.get(page)
            assert answer.status_code in (200, 403), page
            shown += "".join(HELP.findall(answer.text))
    assert "`" not in shown
    assert "a BCP 47 tag such as <code>en</code> or <code>grc</code>." in shown
    assert "What the role is, in words, if it is <code>other</code>." in shown


def test_a_help_text_is_text_apart_from_its_code():
    assert bricks.as_html("<b> & `a<b`") == "&lt;b&gt; &amp; <code>a&lt;b</code>"


def test_a_help_text_of_what_is_only_shown_is_html_too(desk, monkeypatch):
    version = Book._meta.get_field("version")
    monkeypatch.setattr(version, "help_text", "Sent as `If-Match`.")
    page = desk.get(reverse("admin:books_book_change", args=[book("Mort", authors("A")).pk])).text
    assert "Sent as <code>If-Match</code>." in page


def test_there_are_no_groups_since_the_role_is_all_there_is():
    assert browser("admin").get("/admin/auth/group/").status_code == 404
