"""Can a person with a browser try the API?"""

import json
import re
from html import unescape

import pytest

from books.models import Subject
from schema.examples import EXAMPLES
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


def test_the_form_of_a_list_holds_an_example_that_can_be_sent(browser):
    stored = book("Mort", authors("A", "B"), [isbn(1)])
    subjects = [Subject.objects.create(name=name).pk for name in "CD"]
    [body] = bodies(browser, "/api/books/")
    body["subject_ids"] = subjects
    body["contributions"][0]["author_id"] = stored.contributions.first().author_id
    del body["editions"][0]["publisher_id"]
    answer = browser.post("/api/books/", json.dumps(body), "application/json")
    assert answer.status_code == 201, answer.content


@pytest.mark.parametrize(
    ("part", "operation", "method"),
    [("", "createBook", "POST"), ("{}/", "partialUpdateBook", "PATCH")],
)
def test_a_page_shows_an_example_of_each_kind_of_write(part, operation, method, browser):
    stored = book("Mort", authors("A"), [isbn(1)])
    page = browser.get("/api/books/" + part.format(stored.pk), headers={"Accept": "text/html"})
    shown = re.findall(r"<h4>(.*?)</h4><pre>(.*?) (.*?)</pre>", unescape(page.text), re.DOTALL)
    assert [(summary, verb, json.loads(body)) for summary, verb, body in shown] == [
        (each.summary, method, each.value) for each in EXAMPLES[operation]
    ]


def test_without_a_right_to_write_there_is_no_form(client):
    assert bodies(client, "/api/books/") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/me/", 200), ("/api/sessions/", 200), ("/api/token/", 405), ("/api/users/", 403)],
)
def test_a_page_without_examples_is_a_page_too(path, status, browser):
    page = browser.get(path, headers={"Accept": "text/html"})
    assert page.status_code == status
    assert "<h4>" not in page.text
