"""Does bad input of the kinds that once broke such servers get the answer that is documented?"""

import base64

import pytest

pytestmark = pytest.mark.django_db


def codes(response):
    return [
        (each.get("pointer", each.get("parameter")), each["code"])
        for each in response.json()["errors"]
    ]


@pytest.mark.parametrize(
    "text",
    [
        "p=abc",
        "p=\0",
        "cD1hYmM=",
        *(base64.b64encode(each).decode() for each in (b"p=abc", b"p=\0", b"\xff")),
    ],
)
def test_a_cursor_that_the_list_did_not_make_is_400(anonymous, text):
    response = anonymous.get("/api/books/", {"cursor": text})
    assert response.status_code == 400
    assert codes(response) == [("cursor", "invalid")]


@pytest.mark.parametrize("parent", ["abc", "0", "01", "-1", "1.0", "9" * 30, "%00", "１"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_parent_that_is_no_id_is_404(librarian, method, parent):
    response = getattr(librarian, method)(f"/api/authors/{parent}/books/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_a_key_that_is_no_finite_number_is_400(librarian):
    body = '{"title": "Dune", "series_id": 1e999}'
    response = librarian.post("/api/books/", body, content_type="application/json")
    assert response.status_code == 400
    assert codes(response) == [("/series_id", "invalid")]


def test_a_unique_value_twice_in_one_body_is_400(librarian):
    edition = {"isbn13": "9780441013593"}
    body = {"title": "Dune", "editions": [edition, edition]}
    response = librarian.post("/api/books/", body, format="json")
    assert response.status_code == 400
    assert codes(response) == [("/editions/1/isbn13", "duplicate")]


def test_a_patch_with_an_incomplete_nested_item_is_400(librarian):
    book = librarian.post("/api/books/", {"title": "Dune"}, format="json").json()
    body = {"contributions": [{"role": "author"}]}
    response = librarian.patch(f"/api/books/{book['id']}/", body, format="json")
    assert response.status_code == 400
    assert codes(response)[0][0].startswith("/contributions/0")


def test_json_nested_30000_deep_is_400(librarian):
    body = '{"title":' + "[" * 30_000 + "]" * 30_000 + "}"
    response = librarian.post("/api/books/", body, content_type="application/json")
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/api/me/", "/api/books/{}/"])
def test_a_patch_without_a_body_is_400(librarian, path):
    book = librarian.post("/api/books/", {"title": "Dune"}, format="json").json()["id"]
    response = librarian.patch(path.format(book))
    assert response.status_code == 400
    assert response.json()["detail"] == "The body is missing."
    assert librarian.patch(path.format(book), {}, format="json").status_code == 200


def test_a_method_that_there_is_not_is_405_whatever_its_parameters(admin):
    for path in ("/api/users/", "/api/sessions/", "/api/books/"):
        response = admin.generic("TRACE", f"{path}?count=true&page_size=50")
        assert response.status_code == 405
