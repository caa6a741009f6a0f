"""Can a person with a browser try the API?"""

import json
import re
from html import unescape

import pytest

from tests.catalogue import authors, book, everything, isbn

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client, librarian):
    client.force_login(librarian.user)
    return client


def bodies(browser, path):
    """What the forms of this page hold, ready to be sent."""
    page = browser.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page["Content-Type"] == "text/html; charset=utf-8"
    forms = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page.content.decode(), re.DOTALL)
    return [json.loads(unescape(form)) for form in forms]


@pytest.mark.parametrize("part", ["", "contributions/{}/"])
def test_the_form_of_an_object_holds_what_is_stored_to_edit_and_send_back(browser, part):
    stored = book("Mort & Co. <1>", authors("A"), [isbn(1)])
    path = f"/api/books/{stored.pk}/" + part.format(stored.contributions.get().pk)
    before = everything()
    [body] = bodies(browser, path)
    assert body == browser.get(path).json()
    answer = browser.put(path, json.dumps(body), "application/json")
    assert answer.status_code == 200
    assert everything() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/books/", {"title": ""}),
        ("/api/authors/", {"name": ""}),
        ("/api/series/", {"name": ""}),
    ],
)
def test_the_form_of_a_list_holds_what_must_be_given(browser, path, body):
    assert bodies(browser, path) == [body]


def test_without_a_right_to_write_there_is_no_form(client):
    assert bodies(client, "/api/books/") == []
