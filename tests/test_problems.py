"""Is every error a problem (RFC 9457) with all its members, whoever raised it?"""

from functools import partial
from http import HTTPStatus
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from project.urls import handler400, handler403, handler404, handler500  # noqa: F401

pytestmark = pytest.mark.django_db


class Exhausted(BaseThrottle):
    def allow_request(self, request, view):
        return False

    def wait(self):
        return 12.2


class Throttled(APIView):
    permission_classes = ()
    throttle_classes = [Exhausted]

    def get(self, request):
        return Response({})


def broken(request):
    raise RuntimeError("a secret")


def forbidden(request):
    raise PermissionDenied


def suspicious(request):
    raise SuspiciousOperation


def reading(request):
    return HttpResponse(request.body)


urlpatterns = [
    path("api/throttled/", Throttled.as_view()),
    path("broken/", broken),
    path("forbidden/", forbidden),
    path("suspicious/", suspicious),
    path("reading/", reading),
]
own_urls = pytest.mark.urls(__name__)


def assert_problem(response, status, code, instance, detail=None):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    told = problem.pop("detail")
    assert told == detail if detail is not None else told
    assert problem == {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "instance": instance,
        "request_id": response["X-Request-ID"],
    }


# 404


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("url", ["/api/nothing/", "/api/nothing", "/api/books/x/y/"])
def test_an_unknown_url_of_the_api_is_404_with_debug_too(settings, debug, method, url):
    settings.DEBUG = debug
    response = getattr(Client(enforce_csrf_checks=True), method)(url)
    assert_problem(response, 404, "not_found", url.rstrip("/") + "/")


def test_an_unknown_url_outside_of_the_api_is_404():
    assert_problem(Client().get("/nothing/?a=%C3%A9"), 404, "not_found", "/nothing/?a=%C3%A9")
    assert_problem(Client().get("/nothing"), 404, "not_found", "/nothing")
    assert_problem(Client().get("/%00%C3%A9/"), 404, "not_found", "/%00%C3%A9/")


@pytest.mark.parametrize(
    "number", ["0", "007", "-1", "1.0", "abc", "%00", "٣", "9223372036854775808", "9" * 30]
)
@pytest.mark.parametrize(
    "url", ["/api/books/{}/", "/api/authors/{}/books/", "/api/authors/1/books/{}/"]
)
def test_what_can_be_no_id_is_404(url, number):
    response = APIClient().get(url.format(number))
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("number", ["1", str(2**63 - 1)])
@pytest.mark.parametrize("url", ["/api/books/{}/", "/api/authors/{}/books/"])
def test_an_id_that_nothing_has_is_404(url, number):
    url = url.format(number)
    assert_problem(APIClient().get(url), 404, "not_found", url, "Not found.")


# What the view refuses before it looks


def test_a_method_that_a_url_does_not_have_is_405_and_says_which_it_has(librarian):
    response = librarian.delete("/api/books/")
    assert_problem(
        response, 405, "method_not_allowed", "/api/books/", 'Method "DELETE" not allowed.'
    )
    assert response["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_a_representation_that_is_not_to_be_had_is_406():
    response = APIClient().get("/api/books/", HTTP_ACCEPT="image/png")
    assert_problem(response, 406, "not_acceptable", "/api/books/")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"x"),
        ("application/x-www-form-urlencoded", b"title=Dune"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("application/xml", b"<a/>"),
        ("", b"{}"),
        ("json", b"{}"),
        ("\xff", b"{}"),
    ],
)
def test_a_body_of_another_type_is_415(librarian, content_type, body):
    response = librarian.generic("POST", "/api/books/", body, content_type=content_type)
    assert_problem(response, 415, "unsupported_media_type", "/api/books/")


def test_a_write_without_a_token_is_401_and_says_how_to_ask():
    response = APIClient().post("/api/books/", {"title": "Dune"}, format="json")
    assert_problem(response, 401, "not_authenticated", "/api/books/")
    assert response["WWW-Authenticate"].startswith("Bearer ")


def test_a_write_with_a_bad_token_is_401():
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    response = client.get("/api/books/")
    assert_problem(response, 401, "token_not_valid", "/api/books/")
    assert response["WWW-Authenticate"].startswith("Bearer ")


def test_a_write_by_somebody_who_may_not_is_403(member):
    response = member.post("/api/books/", {"title": "Dune"}, format="json")
    assert_problem(response, 403, "permission_denied", "/api/books/")


def test_a_write_in_a_session_without_a_csrf_token_is_403(librarian):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(librarian.user)
    response = client.post("/api/books/", {"title": "Dune"}, format="json")
    assert_problem(response, 403, "permission_denied", "/api/books/")


@own_urls
def test_too_many_requests_are_429_and_say_when_to_come_back():
    response = APIClient().get("/api/throttled/")
    assert_problem(response, 429, "throttled", "/api/throttled/")
    assert response["Retry-After"] == "13"


# What Django refuses


def test_a_host_that_is_not_ours_is_400():
    response = Client().get("/api/books/", HTTP_HOST="evil.example.com")
    assert_problem(response, 400, "parse_error", "/api/books/", "The request is malformed.")


def test_a_form_without_a_csrf_token_is_403():
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x"})
    assert_problem(response, 403, "csrf_failed", "/admin/login/")


@own_urls
@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("/broken/", 500, "error"),
        ("/forbidden/", 403, "permission_denied"),
        ("/suspicious/", 400, "parse_error"),
    ],
)
def test_what_a_view_outside_of_the_api_raises_is_a_problem(url, status, code):
    response = Client(raise_request_exception=False).get(url)
    assert_problem(response, status, code, url)
    assert "a secret" not in response.content.decode()


@own_urls
def test_a_body_over_the_limit_outside_of_the_api_is_413(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    response = Client().post("/reading/", b"x" * 11, content_type="text/plain")
    assert_problem(response, 413, "too_large", "/reading/")


# In other forms


def test_an_error_without_a_body_is_an_error():
    response = APIClient().head("/api/nothing/")
    assert response.status_code == 404
    assert response.content == b""


def test_options_are_answered():
    response = APIClient().options("/api/books/")
    assert response.status_code == 200
    assert response["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("url", "status"), [("/api/books/1/", 404), ("/api/books/?colour=red", 400)]
)
def test_a_browser_gets_a_page_with_the_status_of_the_error(url, status):
    response = APIClient().get(url, HTTP_ACCEPT="text/html")
    assert response.status_code == status
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert f"&quot;status&quot;: {status}" in response.content.decode()


@pytest.mark.parametrize("url", ["/api/schema/", "/api/docs/", "/api/redoc/"])
def test_an_error_is_json_where_the_answer_would_be_something_else(url):
    assert_problem(APIClient().post(url), 405, "method_not_allowed", url)
    assert_problem(
        APIClient().get(url, HTTP_AUTHORIZATION="Bearer nonsense"), 401, "token_not_valid", url
    )


# With or without the slash at the end


def test_a_body_is_kept_when_the_slash_is_missing(librarian):
    response = librarian.post("/api/books", {"title": "Dune"}, format="json")
    assert response.status_code == 201
    book = response.json()["id"]
    response = librarian.post(f"/api/books/{book}/editions", {"pages": 412}, format="json")
    assert response.status_code == 201
    response = librarian.patch(f"/api/books/{book}", {"title": "Dune!"}, format="json")
    assert response.json()["title"] == "Dune!"
    assert librarian.delete(f"/api/books/{book}").status_code == 204


@pytest.mark.parametrize(
    "url", ["/api/books", "/api/authors/1", "/api/books/1/editions", "/api/books?language=en"]
)
@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_a_url_without_its_slash_is_served_the_same(url, method):
    address, _, query = url.partition("?")
    ask = partial(getattr(APIClient(), method), headers={"X-Request-ID": str(uuid4())})
    with_slash, without = ask(f"{address}/?{query}"), ask(url)
    assert without.status_code == with_slash.status_code
    assert without.content.replace(b"/?", b"?") == with_slash.content.replace(b"/?", b"?")
    assert "Location" not in without


@pytest.mark.parametrize("url", ["/api/schema", "/api/docs", "/api/redoc"])
def test_the_documents_are_served_without_the_slash_too(url):
    assert APIClient().get(url).status_code == 200


def test_a_url_outside_of_the_api_gets_its_slash_by_djangos_redirect():
    response = Client().get("/admin")
    assert response.status_code == 301
    assert response["Location"] == "/admin/"
