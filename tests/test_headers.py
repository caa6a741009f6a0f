"""What do answers say of who may keep them, and what a page may load?"""

from functools import partial

import pytest
from corsheaders.middleware import CorsMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpResponse
from django.test import Client
from rest_framework.test import APIClient

from books.models import Book
from project.api.http.middleware import ContentSecurityPolicy
from tests.test_permissions import MATRIX

pytestmark = pytest.mark.django_db
READ = [
    route
    for route, methods in MATRIX.items()
    if "GET" in methods and route.startswith(("api/", "livez", "readyz")) and "<" not in route
]


@pytest.mark.parametrize("route", READ)
def test_answer_to_somebody_who_was_identified_is_for_nobody_else(route, admin):
    answer = admin.get(f"/{route}")
    assert answer.status_code == 200
    kept = {
        "livez": "no-store",
        "readyz": "no-store",
        "api/me/tokens/": "no-store",
        "api/.well-known/jwks.json/": "public, max-age=300",
    }
    assert kept.get(route, "private, no-cache") in answer["Cache-Control"]


@pytest.mark.parametrize("path", ["/api/books/", "/api/me/", "/api/books/{}/", "/api/books/999/"])
def test_so_it_is_for_a_cookie_and_a_machine_token_and_where_the_answer_is_an_error(path, member):
    path = path.format(Book.objects.create(title="Book").pk)
    browser = Client()
    browser.force_login(member.user)
    assert browser.get(path)["Cache-Control"] == "private, no-cache"
    body = {"name": "x", "current_password": "test-member"}
    token = member.post("/api/me/tokens/", body, format="json").json()["token"]
    machine = APIClient(headers={"Authorization": f"Bearer {token}"})
    assert machine.get(path)["Cache-Control"] == "private, no-cache"
    assert member.post(path)["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/api/books/", "/api/me/", "/nowhere"])
def test_answer_to_a_stranger_says_nothing_of_it(path, anonymous):
    assert not anonymous.get(path).has_header("Cache-Control")


POLICY = {
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/guides/auth/", "/session/login/", "/api/"),
        *("/admin/", "/admin/login/", "/api/books/", "/api/me/", "/livez", "/nowhere"),
    ],
)
def test_every_page_says_what_it_may_load(path, admin):
    browser = Client(headers={"Accept": "text/html"})
    for logged_in in (False, True):
        if logged_in:
            browser.force_login(admin.user)
        policy = browser.get(path)["Content-Security-Policy"]
        assert set(policy.split("; ")) == POLICY


def test_what_a_view_says_of_a_page_stays(rf):
    def view(request):
        return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

    answer = ContentSecurityPolicy(view)(rf.get("/"))
    assert answer["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize(("status", "stays"), [(404, True), (500, False)])
def test_the_page_on_which_django_explains_a_bug_may_run_its_scripts(status, stays, rf, settings):
    answer = partial(ContentSecurityPolicy(lambda _: HttpResponse(status=status)), rf.get("/"))
    assert answer().has_header("Content-Security-Policy")
    settings.DEBUG = True
    assert answer().has_header("Content-Security-Policy") is stays


def test_the_page_on_which_django_explains_that_nothing_is_there_runs_nothing(client, settings):
    settings.DEBUG = True
    answer = client.get("/nowhere", headers={"Accept": "text/html"})
    assert "Using the URLconf" in answer.content.decode()
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert "<script" not in answer.content.decode()


def test_messages_are_kept_for_the_page_that_shows_them_and_made_for_no_other(admin, monkeypatch):
    made = []
    monkeypatch.setattr(
        "project.api.http.middleware.default_storage",
        lambda request: made.append(request.path) or default_storage(request),
    )
    browser = Client()
    browser.force_login(admin.user)
    browser.get("/api/books/")
    admin.get("/api/books/")
    assert made == []
    add = "/admin/books/series/add/"
    assert browser.post(add, {"name": "Hainish Cycle"}).url == "/admin/books/series/"
    assert made == [add]
    shown = ["was added successfully" in browser.get("/admin/").content.decode() for _ in range(2)]
    assert shown == [True, False]


@pytest.mark.parametrize(
    "path",
    [
        *("/admin/", "/admin/login/", "/admin/books/book/", "/admin/books/book/add/"),
        *("/admin/auth_api/user/", "/admin/auth_api/user/add/", "/api/books/", "/api/me/"),
        *("/", "/guides/auth/", "/session/login/", "/api/"),
    ],
)
def test_no_page_has_a_script_of_its_own(path, admin):
    browser = Client(headers={"Accept": "text/html"})
    browser.force_login(admin.user)
    page = browser.get(path).content.decode()
    scripts = [tag.partition(">")[0] for tag in page.split("<script")[1:]]
    assert all("src=" in tag or "application/json" in tag for tag in scripts), scripts
    assert " onclick=" not in page
    assert "javascript:" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/books/", "/api/books/1/", "/api/nothing/", "/admin/login/"])
def test_who_sends_no_origin_gets_the_headers_that_the_library_gives(path, settings, monkeypatch):
    both = ["corsheaders.middleware.CorsMiddleware", "project.api.http.middleware.CrossOrigin"]
    answers = []
    for middleware in both:
        settings.MIDDLEWARE = [middleware if m in both else m for m in settings.MIDDLEWARE]
        answer = APIClient().get(path, headers={"X-Request-ID": "same"})
        answers.append((answer.status_code, sorted(answer.headers.items())))
        monkeypatch.setattr(CorsMiddleware, "add_response_headers", None)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", ["/api/books/", "/api/books/1/", "/api/me/", "/api/nothing/"])
def test_a_program_gets_the_headers_of_pages_without_their_middlewares(
    path, member, settings, monkeypatch
):
    pages = {
        "project.api.http.middleware.PageSession": SessionMiddleware,
        "project.api.http.middleware.PageAuthentication": AuthenticationMiddleware,
        "project.api.http.middleware.LazyMessages": MessageMiddleware,
    }
    ours, answers = settings.MIDDLEWARE, []
    theirs = [f"{pages[m].__module__}.{pages[m].__name__}" if m in pages else m for m in ours]
    for settings.MIDDLEWARE in (theirs, ours):
        answer = APIClient().get(
            path,
            headers={
                "Authorization": member._credentials["HTTP_AUTHORIZATION"],
                "X-Request-ID": "same",
            },
        )
        answers.append((answer.status_code, sorted(answer.headers.items())))
        for middleware in pages.values():
            monkeypatch.delattr(middleware, "process_request", raising=False)
            monkeypatch.delattr(middleware, "process_response", raising=False)
    assert answers[0] == answers[1]
