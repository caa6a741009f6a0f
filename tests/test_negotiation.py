"""In which type is an answer written, and is that found out once for what clients send alike?"""

import pytest
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.test import APIClient

from project.api.http import negotiation
from tests.catalogue import book

pytestmark = pytest.mark.django_db
HTML, JSON = "text/html; charset=utf-8", "application/json"
TYPES = {
    "*/*": JSON,
    "application/json": JSON,
    "application/*": JSON,
    "application/problem+json": JSON,
    "application/json; indent=2": JSON,
    "text/html": HTML,
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": HTML,
    "text/csv, application/json": JSON,
}


@pytest.fixture
def negotiations(monkeypatch):
    """The headers that REST framework has read."""
    monkeypatch.setattr(negotiation.ContentNegotiation, "_choices", {})
    read, select_renderer = [], DefaultContentNegotiation.select_renderer

    def recording(self, request, *args):
        read.append(request.META.get("HTTP_ACCEPT"))
        return select_renderer(self, request, *args)

    monkeypatch.setattr(DefaultContentNegotiation, "select_renderer", recording)
    return read


@pytest.mark.parametrize(("accept", "content_type"), TYPES.items())
def test_a_header_is_read_once_and_means_the_same_afterwards(accept, content_type, negotiations):
    path = f"/api/books/{book('Dune').pk}/"
    answers = {client_get(path, accept) for _ in range(3)}
    assert negotiations == [accept]
    [(status, kind, _)] = answers
    assert (status, kind) == (200, content_type)


def client_get(path, accept):
    answer = APIClient().get(path, HTTP_ACCEPT=accept)
    return answer.status_code, answer["Content-Type"], len(answer.content)


def test_a_format_in_the_url_and_a_type_that_there_is_not_are_read_each_time(negotiations):
    assert client_get("/api/books/?format=api", "*/*")[:2] == (200, HTML)
    assert client_get("/api/books/", "*/*")[:2] == (200, JSON)
    assert client_get("/api/books/?format=xml", "*/*")[0] == 400
    for _ in range(2):
        assert client_get("/api/books/", "image/png")[0] == 406
    assert negotiations == ["*/*", "*/*", "*/*", "image/png", "image/png"]


def test_no_more_headers_are_kept_than_there_is_room_for(monkeypatch, negotiations):
    monkeypatch.setattr(negotiation, "KEPT_CHOICES", 2)
    headers = [f"application/json; indent={i}" for i in range(3)]
    for header in [*headers, headers[2], headers[0]]:
        assert client_get("/api/books/", header)[0] == 200
    assert negotiations == [*headers, headers[0]]
