"""Can a person with a browser try the API?"""

import json
import re
from html import unescape

import pytest
from django.test import Client

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
    shown = re.findall(r"<h2>(.*?)</h2>\s*<pre>(\w+) (.*?)</pre>", unescape(page.text), re.DOTALL)
    assert [(summary, verb, json.loads(body)) for summary, verb, body in shown] == [
        (each.summary, method, each.value) for each in EXAMPLES[operation]
    ]


def test_without_a_right_to_write_there_is_neither_form_nor_example(client, member):
    for user in (None, member.user):
        if user:
            client.force_login(user)
        assert bodies(client, "/api/books/") == []
        page = client.get("/api/books/", headers={"Accept": "text/html"})
        assert "Examples" not in page.text


@pytest.mark.parametrize("path", ["/api/", "/api/books/", "/api/books/{}/", "/api/me/"])
def test_what_is_asked_for_stands_above_what_can_be_sent(path, browser):
    path = path.format(book("Mort", authors("A"), [isbn(1)]).pk)
    page = browser.get(path, headers={"Accept": "text/html"}).text
    # Folded, until it is opened.
    shown = re.sub("<details.*?</details>", "", page, flags=re.DOTALL)
    assert "HTTP 200 OK" in shown.partition("<form action")[0].partition("<textarea")[0]


def test_the_root_leads_to_all_lists(browser):
    lists = browser.get("/api/").json()
    assert set(lists) == {
        *("authors", "books", "changes", "publishers", "series", "sessions", "subjects", "users"),
    }
    assert {name: browser.get(url).status_code for name, url in lists.items()} == {
        name: 403 if name == "users" else 200 for name in lists
    }


# Logging in


def login_link(client, path):
    page = client.get(path, headers={"Accept": "text/html"})
    [link] = re.findall(r'<a href="(/session/login/[^"]*)">Log in</a>', page.text)
    return unescape(link)


def hidden(client, url):
    """What the form at this URL sends by itself."""
    page = client.get(url).text
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


@pytest.mark.parametrize("path", ["/api/books/?search=mort&page_size=2", "/api/me/", "/api/"])
def test_whoever_logs_in_comes_back_to_the_page(path, member):
    client = Client(enforce_csrf_checks=True)
    link = login_link(client, path)
    form = {name: unescape(value) for name, value in hidden(client, link).items()}
    wrong = client.post(link, {**form, "username": "member", "password": "wrong"})
    assert "Please enter a correct username and password." in wrong.text
    answer = client.post(link, {**form, "username": "member", "password": "test-member"})
    assert (answer.status_code, answer["Location"]) == (302, path)
    page = client.get(path, headers={"Accept": "text/html"})
    assert "Log in</a>" not in page.text
    token = re.search('name="csrfmiddlewaretoken" value="(.*?)"', page.text)[1]
    answer = client.post(
        "/session/logout/", {"csrfmiddlewaretoken": token, "next": path.partition("?")[0]}
    )
    assert (answer.status_code, answer["Location"]) == (302, path.partition("?")[0])
    assert client.get("/api/me/").status_code == 401


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_a_login_leads_to_no_other_site(where, client, member):
    form = {"username": "member", "password": "test-member", "next": where}
    assert client.post("/session/login/", form)["Location"] == "/"
    assert client.post("/session/logout/", {"next": where})["Location"] == "/"


def test_guesses_at_the_login_are_limited(client, member):
    form = {"username": "member", "password": "wrong"}
    assert [client.post("/session/login/", form).status_code for _ in range(6)] == [200] * 5 + [429]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/me/", 200), ("/api/sessions/", 200), ("/api/token/", 405), ("/api/users/", 403)],
)
def test_a_page_without_examples_is_a_page_too(path, status, browser):
    page = browser.get(path, headers={"Accept": "text/html"})
    assert page.status_code == status
    assert "Examples" not in page.text


@pytest.mark.parametrize("path", ["/api/changes/", "/api/me/tokens/"])
def test_a_page_shows_names_as_code_and_not_in_markdown(path, browser):
    page = browser.get(path, headers={"Accept": "text/html"}).text
    shown = "".join(re.findall("<p>(.*?)</p>", page, re.DOTALL))
    assert "<code>" in shown
    assert "`" not in shown
