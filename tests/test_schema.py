"""Does the contract say what the server does, and does it stay what it was?"""

import difflib
import json
import re
from collections import Counter
from contextlib import closing
from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from auth_api.models import User
from authors.filters import AuthorFilter
from authors.models import Author
from books.filters import BookFilter
from books.models import Book, Contribution, Edition, Publisher, Subject
from tests.catalogue import send
from tests.contract import AMBIGUOUS, CONTRACT


def test_the_committed_contract_is_the_one_that_the_code_makes():
    made = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=made)
    changes = difflib.unified_diff(
        CONTRACT.read_text("utf-8").splitlines(), made.getvalue().splitlines(), lineterm="", n=1
    )
    assert not (first := list(changes)[:40]), "\n".join(
        [*first, "", "The contract has changed. Write it with: make schema"]
    )


@pytest.fixture(scope="module")
def contract():
    return yaml.safe_load(CONTRACT.read_text("utf-8"))


def operations(contract):
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_server_hands_out_the_contract(anonymous, contract):
    response = anonymous.get("/api/schema/?format=json")
    assert response.status_code == 200
    assert json.loads(response.content) == contract


def test_the_server_hands_out_the_contract_in_openapi_3_0_too(anonymous, contract):
    assert contract["openapi"] == "3.1.0"
    assert anonymous.get("/api/schema/?version=3.1&format=json").json() == contract
    older = anonymous.get("/api/schema/?version=3.0&format=json").json()
    assert older["openapi"] == "3.0.3"
    validate_schema(older)
    differences = [each for each in differing(contract, older) if each != ("3.1.0", "3.0.3")]
    assert len(differences) > 100
    for new, old in differences:
        assert old.pop("nullable")
        match new:
            case {"oneOf": [one, {"type": "null"}], **rest}:
                assert old == {"allOf": [one], **rest}
            case {"type": [one, "null"]}:
                assert old == {**new, "type": one}
            case _:
                raise AssertionError(new)


def differing(new, old):
    """What differs, in pairs of objects that have not the same properties, or of values."""
    if isinstance(new, dict) and isinstance(old, dict) and new.keys() == old.keys():
        for name, each in new.items():
            yield from differing(each, old[name])
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for pair in zip(new, old, strict=True):
            yield from differing(*pair)
    elif new != old:
        yield new, old


@pytest.mark.parametrize(
    ("url", "parameter", "code"),
    [
        ("/api/schema/?version=2.0", "version", "invalid"),
        ("/api/schema/?version=3.0&version=3.1", "version", "invalid"),
        ("/api/schema/?version=", "version", "blank"),
        ("/api/schema/?verison=3.0", "verison", "unknown"),
        ("/api/?page=2", "page", "unknown"),
    ],
)
def test_what_the_contract_and_the_root_cannot_be_asked_is_400(anonymous, url, parameter, code):
    response = anonymous.get(url)
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert (error["parameter"], error["code"]) == (parameter, code)


def test_every_schema_is_one_of_json_schema_2020_12(contract):
    for schema in contract["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_a_relation_that_is_null_is_what_the_contract_says(librarian, contract):
    author = {"name": "Anonymous", "kind": None}
    book = {"title": "Beowulf", "series": None, "authors": [author]}
    made = send(librarian, "POST", "/books/", book, 201)
    [by] = made["author_ids"]
    for name, answer in [
        ("Book", made),
        ("Author", send(librarian, "GET", f"/authors/{by}/")),
        ("BookRequest", book),
    ]:
        assert None in answer.values()
        validator = Draft202012Validator({**contract, "$ref": f"#/components/schemas/{name}"})
        assert list(validator.iter_errors(answer)) == []
        assert list(validator.iter_errors({**answer, "title": None, "name": None})) != []


@pytest.mark.django_db  # the end of a response looks after the connections
@pytest.mark.parametrize("page", ["/api/docs/", "/api/redoc/"])
def test_the_pages_load_nothing_from_elsewhere_and_say_so(anonymous, page):
    response = anonymous.get(page)
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'" in policy
    assert "http" not in policy
    loaded = re.findall(r'(?:src|href)="([^"]*)"', response.content.decode())
    assert all(url.startswith("/") and not url.startswith("//") for url in loaded)
    for url in loaded:
        with closing(anonymous.get(url)) as file:
            assert file.status_code == 200


def test_names_of_operations_read_well(contract):
    names = [operation["operationId"] for _, _, operation in operations(contract)]
    assert len(set(names)) == len(names)
    assert {
        *("listBooks", "createBook", "getBook", "updateBook", "partialUpdateBook", "deleteBook"),
        *("listAuthorBooks", "createAuthorBook", "getAuthorBook", "listBookContributions"),
        *("obtainTokens", "refreshTokens", "getMe"),
    } <= set(names)


def test_no_component_is_called_what_go_calls_the_constructor_of_another(contract):
    names = set(contract["components"]["schemas"])
    assert not names & {f"New{name}" for name in names}


def test_every_operation_has_a_summary_a_description_and_a_described_tag(contract):
    tags = [tag["name"] for tag in contract["tags"] if tag["description"]]
    for path, method, operation in operations(contract):
        assert operation["summary"][0].isupper(), (path, method)
        assert operation["description"], (path, method)
        assert operation["tags"][0] in tags, (path, method)
        for response in operation["responses"].values():
            assert response.get("$ref") or response["description"], (path, method)


def test_no_two_operations_say_the_same(contract):
    for words in ("summary", "description"):
        said = [operation[words].split("\n\n")[0] for _, _, operation in operations(contract)]
        assert [each for each, times in Counter(said).items() if times > 1] == []


def test_every_component_says_what_it_is(contract):
    for components in ("schemas", "parameters", "headers", "responses", "securitySchemes"):
        without = [
            n
            for n, each in contract["components"][components].items()
            if not each.get("description")
        ]
        assert without == []


def test_an_operation_that_asks_the_database_says_that_it_may_be_away(contract):
    without = {
        operation["operationId"]
        for _, _, operation in operations(contract)
        if "503" not in operation["responses"]
    }
    assert without == {"getPublicKeys"}


def test_a_body_does_not_repeat_the_parent_that_the_path_names(contract, librarian):
    schemas = contract["components"]["schemas"]
    for path, parent in [
        ("/api/books/{book_id}/editions/", "book_id"),
        ("/api/publishers/{publisher_id}/editions/{id}/", "publisher_id"),
        ("/api/editions/{edition_id}/identifiers/", "edition_id"),
        ("/api/series/{series_id}/books/", "series_id"),
    ]:
        for method, operation in contract["paths"][path].items():
            if method in ("post", "put", "patch"):
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                body = schemas[schema["$ref"].rpartition("/")[2]]
                assert {parent, parent.removesuffix("_id")}.isdisjoint(body["properties"])
    # What was read is taken back, all the same.
    book = send(librarian, "POST", "/books/", {"title": "Emma", "editions": [{}]}, 201)
    path = f"/books/{book['id']}/editions/{book['editions'][0]['id']}/"
    edition = send(librarian, "GET", path)
    assert edition["book_id"] == book["id"]
    assert send(librarian, "PUT", path, edition) == edition


def test_every_error_is_the_same_component(contract):
    for path, method, operation in operations(contract):
        for status, response in operation["responses"].items():
            if status >= "400":
                name = response["$ref"].removeprefix("#/components/responses/")
                content = contract["components"]["responses"][name]["content"]
                assert list(content) == ["application/problem+json"], (path, method, status)
                schema = content["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (path, method, status)


def test_answers_say_which_of_their_properties_are_always_there(contract):
    book = contract["components"]["schemas"]["Book"]
    assert book["required"] == list(book["properties"])
    author = contract["components"]["schemas"]["Author"]
    assert set(author["properties"]) - set(author["required"]) == {"books"}


def objects(node):
    """All objects of a JSON document."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from objects(each)


def test_ids_have_64_bits_everywhere(contract):
    ids = [
        schema
        for each in objects(contract)
        for name, schema in [
            *each.get("properties", {}).items(),
            *([(each["name"], each["schema"])] if "in" in each and "schema" in each else []),
        ]
        if (name == "id" or name.endswith("_id")) and schema["type"] == "integer"
    ]
    assert len(ids) > 50
    assert all(schema["format"] == "int64" for schema in ids)


def test_an_integer_says_whether_it_fits_into_32_bits(contract):
    integers = [each for each in objects(contract) if each.get("type") == "integer"]
    assert len(integers) > 100
    for each in integers:
        is_short = each.get("minimum", -(2**63)) >= -(2**31) and each.get("maximum", 2**63) < 2**31
        assert each["format"] == ("int32" if is_short else "int64"), each


def test_a_pattern_matches_the_same_whatever_language_the_client_is_in(contract):
    patterns = {each["pattern"] for each in objects(contract) if "pattern" in each}
    assert "^OL[1-9][0-9]*W$" in patterns
    assert [pattern for pattern in patterns if AMBIGUOUS.search(pattern)] == []


@pytest.mark.parametrize("model", [Author, Book, Contribution, Edition, Publisher, Subject, User])
def test_what_a_model_says_of_its_fields_stands_in_the_contract(model, contract):
    properties = contract["components"]["schemas"][model.__name__]["properties"]
    said = {
        field.name: field.help_text
        for field in model._meta.fields
        if field.help_text and field.name in properties
    }
    assert said
    # What the values of an enumeration mean comes behind.
    described = {name: properties[name]["description"].partition("\n\n")[0] for name in said}
    assert described == said


def test_the_filters_of_a_list_come_behind_all_else_so_that_one_more_moves_nothing(contract):
    for path, filters in [("/api/books/", BookFilter), ("/api/authors/", AuthorFilter)]:
        parameters = contract["paths"][path]["get"]["parameters"]
        names = [each.get("name", each.get("$ref")) for each in parameters]
        assert names[-len(filters.base_filters) :] == list(filters.base_filters)


def test_a_list_comes_in_the_order_that_the_contract_says(librarian, contract):
    for path in ("authors", "books", "publishers", "series", "subjects"):
        called = "title" if path == "books" else "name"
        for text in ("Zeta", "Älfa", "beta", "Alpha"):
            librarian.post(f"/api/{path}/", {called: text}, format="json")
        [ordering] = [
            each
            for each in contract["paths"][f"/api/{path}/"]["get"]["parameters"]
            if each.get("name") == "ordering"
        ]
        default = re.match("By default `(.+?)`, with `search` ", ordering["description"])[1]
        listed = librarian.get(f"/api/{path}/").json()["results"]
        assert [each[called] for each in listed] == ["Alpha", "Zeta", "beta", "Älfa"]
        assert listed == librarian.get(f"/api/{path}/?ordering={default}").json()["results"]


def test_a_body_of_the_catalogue_has_an_example(contract):
    without = {
        operation["operationId"]
        for _, _, operation in operations(contract)
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
        if media == "application/json" and not content.get("examples")
    }
    # They hold tokens and passwords that nobody has yet.
    assert without == {"refreshTokens", "verifyToken", "logOut", "changePassword", "deleteMe"}


def test_a_request_has_no_defaults(contract):
    schemas = contract["components"]["schemas"]
    requests = [schema for name, schema in schemas.items() if name.endswith("Request")]
    assert requests
    assert not [each for each in objects(requests) if "default" in each]


def test_a_client_that_accepts_only_problems_can_delete(admin):
    pk = admin.post("/api/series/", {"name": "Discworld"}, format="json").json()["id"]
    accept = "application/problem+json"
    assert admin.delete(f"/api/series/{pk}/", HTTP_ACCEPT=accept).status_code == 204
    assert admin.delete(f"/api/series/{pk}/", HTTP_ACCEPT=accept).status_code == 404
    assert admin.get("/api/series/", HTTP_ACCEPT="image/png").status_code == 406
