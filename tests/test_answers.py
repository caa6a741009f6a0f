"""Are the examples of answers in the contract what the server answers?"""

import json
import os
import re

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from jsonschema import Draft202012Validator
from jwt.algorithms import ECAlgorithm
from rest_framework.test import APIClient

from schema.answers import RECORDED
from tests.contract import CONTRACT
from tests.pictures import plain

# A key that is no secret, and the same in every run
KEY = ECAlgorithm.to_jwk(ec.derive_private_key(2026, ec.SECP256R1()), as_dict=True)
# What differs from run to run, and what stands for it
MASKS = [
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "01890a5d-ac96-774b-bcce-b302099a8057"),
    (r"\b[0-9a-f]{32}\b", "01890a5dac96774bbcceb302099a8057"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "2026-01-31T09:30:00.000000Z"),
    (r"^eyJ[\w-]+\.[\w-]+\.[\w-]+$", "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"),
    (r"^bookcat_[\w-]+$", "bookcat_0123456789"),
    (r"(?<=after=)[^&]+", "MTIz"),
    (r"^http://testserver", "http://127.0.0.1:8000"),
    (r"\d+ seconds", "60 seconds"),
    # The names of statuses in RFC 9110, as newer Pythons have them
    (r"^Request Entity Too Large$", "Content Too Large"),
    (r"^Unprocessable Entity$", "Unprocessable Content"),
]
# The operations whose answers are recorded, and what these are the example of: of the operation, or
# of a component and so of all operations that answer it. They come first, in this order.
EXAMPLE_OF = {
    "getAuthor": "Author",
    "getBook": "Book",
    "getPublisher": "Publisher",
    "getSeries": "Series",
    "getSubject": "Subject",
    "getBookEdition": "Edition",
    "getBookContribution": "Contribution",
    "getEditionIdentifier": "Identifier",
    "getMe": "Me",
    "getUser": "User",
    "getPublicKeys": "KeySet",
    "listSessions": "PaginatedSessionList",
    "listChanges": "ChangePage",
    "createBook": "createBook",
    "createAuthor": "createAuthor",
    "createMachineToken": "MachineTokenCreate",
    "listMachineTokens": "PaginatedMachineTokenList",
    "putEditionCover": "Cover",
    "obtainTokens": "TokenObtainPair",
    "refreshTokens": "TokenRefresh",
    "changePassword": "PasswordChange",
    "partialUpdateSession": "Session",
    "listHistory": "PaginatedHistoryList",
    "restore": "restore",
}
# Lists that have one result where they are asked so
ASKED = {"listChanges": {"page_size": 1}}


@pytest.fixture(scope="module")
def contract():
    return yaml.safe_load(CONTRACT.read_text("utf-8"))


class Demo:
    """An admin who asks the demo catalogue what the contract shows."""

    def __init__(self):
        call_command("load_demo", verbosity=0)
        self.client = APIClient()
        self.password = "demo-admin"
        self.log_in()

    def pair(self, name="admin"):
        password = self.password if name == "admin" else f"demo-{name}"
        who = {"email": f"{name}@example.org", "password": password}
        answer = APIClient().post("/api/token/", who, format="json")
        assert answer.status_code == 200
        return answer.json()

    def log_in(self, name="admin"):
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.pair(name)['access']}")

    def get(self, path, **query):
        answer = self.client.get(path, query)
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def answer(self, path, method, operation):
        """What the operation answers to the example of its request."""
        name = operation["operationId"]
        body = self.body(name, operation)
        if name == "putEditionCover":
            body = {"file": SimpleUploadedFile("cover.jpg", plain())}
        url = path.format(**self.ids(path))
        if method == "get":
            answer = self.client.get(url, ASKED.get(name, {}))
        else:
            kind = "multipart" if name == "putEditionCover" else "json"
            answer = getattr(self.client, method)(url, body, format=kind)
        assert answer.status_code in (200, 201), (name, answer.content)
        if name == "changePassword":
            self.password = body["new_password"]
            self.log_in()
        return answer.json()

    def body(self, name, operation):
        match name:
            case "refreshTokens" | "logOut":
                return {"refresh": self.pair()["refresh"]}
            case "verifyToken":
                return {"token": self.pair()["access"]}
            case "changePassword":
                return {"current_password": self.password, "new_password": "another, of 5 words"}
        content = operation.get("requestBody", {}).get("content", {})
        examples = content.get("application/json", {}).get("examples", {})
        value = next(iter(examples.values()), {}).get("value")
        if name == "createMachineToken":
            return {**value, "current_password": self.password}
        return value

    def ids(self, path):
        names = re.findall(r"{(\w+)}", path)
        if names == ["kind", "id"]:
            key = self.get("/api/subjects/", page_size=1)["results"][0]["id"]
            if path.endswith("/restore/"):
                assert self.client.delete(f"/api/subjects/{key}/").status_code == 204
            return {"kind": "subjects", "id": key}
        if names == ["sid"]:
            return {"sid": self.get("/api/sessions/")["results"][0]["id"]}
        if path.endswith("/merge/"):
            # Others need the first.
            newest = self.get(path.partition("{")[0], ordering="-id", page_size=1)
            return {"id": newest["results"][0]["id"]}
        if len(names) < 2:
            return dict.fromkeys(names, 1)
        for parent in range(1, 200):
            url = path.removesuffix("{id}/").format(**{names[0]: parent})
            if results := self.get(url)["results"]:
                return {names[0]: parent, "id": results[0]["id"]}
        raise AssertionError(f"The demo catalogue has nothing at {path}")


@pytest.fixture
def demo(transactional_db, settings):
    settings.DEBUG = True
    settings.JWT_KEYS = json.dumps([{**KEY, "kid": "2026-01", "alg": "ES256"}])
    return Demo()


def answers_of(demo, contract):
    """What the server answers to each operation, by its name."""
    order = list(EXAMPLE_OF)
    operations = sorted(
        with_answers(contract),
        key=lambda each: order.index(each[0]) if each[0] in order else len(order),
    )
    assert [name for name, *_ in operations[: len(order)]] == order
    return {name: demo.answer(*rest) for name, *rest in operations}


def with_answers(contract):
    """The operations that answer JSON: name, path, method, operation."""
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            if content_of(operation):
                yield operation["operationId"], path, method, operation


def content_of(operation):
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if status.startswith("2") and "application/json" in content:
            return content["application/json"]
    return None


def example_of(operation, contract):
    [example] = content_of(operation)["examples"].values()
    return contract["components"]["examples"][example["$ref"].rpartition("/")[2]]["value"]


def problems(demo, settings):
    """A problem of each status, by the name of the response, that a request can bring about."""
    send, book = demo.client.generic, "/api/books/1/"

    def ask(method, path, body=None, kind="application/json", **headers):
        answer = send(method, path, json.dumps(body), kind, headers=headers)
        assert answer["Content-Type"] == "application/problem+json", answer.content
        return answer.json()

    flawed = {"title": "", "editions": [{"isbn13": "9780140447690"}]}
    yield "BadRequest", ask("POST", "/api/books/", flawed)
    yield "NotFound", ask("GET", "/api/books/1000000/")
    yield "NotAcceptable", ask("GET", book, Accept="image/png")
    yield "Conflict", ask("DELETE", "/api/authors/1/")
    yield "PreconditionFailed", ask("PATCH", book, {}, **{"If-Match": '"1000"'})
    yield "ContentTooLarge", ask("POST", "/api/books/", {"title": "It", "editions": [{}] * 2001})
    yield "UnsupportedMediaType", ask("POST", "/api/books/", {}, "text/plain")
    key = {"Idempotency-Key": "one"}
    send("POST", "/api/series/", '{"name": "One"}', "application/json", headers=key)
    yield "UnprocessableContent", ask("POST", "/api/series/", {"name": "Other"}, **key)
    send("POST", "/api/subjects/2/merge/", '{"into": 1}', "application/json")
    yield "Gone", ask("PATCH", "/api/subjects/2/", {"name": "Classic books"})
    settings.PRECONDITIONS_REQUIRED = True
    yield "PreconditionRequired", ask("PATCH", book, {})
    demo.log_in("member")
    yield "Forbidden", ask("DELETE", book)
    demo.client.credentials()
    yield "Unauthorized", ask("GET", "/api/me/")
    guess = {"username": "librarian", "password": "a guess"}
    while (refused := ask("POST", "/api/token/", guess))["status"] == 401:
        pass
    yield "TooManyRequests", refused


def masked(value):
    if isinstance(value, dict):
        # A cursor is opaque.
        return {
            name: "MTIz" if name == "next_cursor" and each else masked(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, str):
        for pattern, replacement in MASKS:
            value = re.sub(pattern, replacement, value)
    return value


def other_keys(example, answer, place=""):
    """Where the two have not the same keys; of lists, the first items count."""
    if isinstance(example, dict) and isinstance(answer, dict):
        if example.keys() != answer.keys():
            yield place, sorted(example.keys() ^ answer.keys())
        for name in example.keys() & answer.keys():
            yield from other_keys(example[name], answer[name], f"{place}/{name}")
    elif isinstance(example, list) and isinstance(answer, list) and example and answer:
        yield from other_keys(example[0], answer[0], f"{place}/0")


def record(name, value):
    known = json.loads(RECORDED.read_text("utf-8"))
    text = json.dumps(dict(sorted({**known, name: value}.items())), indent=1, ensure_ascii=False)
    RECORDED.write_text(text + "\n", "utf-8")


@pytest.mark.django_db(reset_sequences=True, transaction=True)
def test_the_examples_are_what_the_server_answers(demo, contract):
    answers = answers_of(demo, contract)
    operations = {name: operation for name, _, _, operation in with_answers(contract)}
    assert len(operations) > 60
    for name, example in EXAMPLE_OF.items():
        if "RECORD" in os.environ:
            record(example, masked(answers[name]))
        else:
            expected = example_of(operations[name], contract)
            assert masked(answers[name]) == expected, f"{name}: record it by make answers"
    if "RECORD" in os.environ:
        pytest.skip("The answers are recorded now; make schema puts them into the contract.")
    for name, operation in operations.items():
        example, answer = example_of(operation, contract), answers[name]
        validator = Draft202012Validator({**contract, **content_of(operation)["schema"]})
        assert list(validator.iter_errors(example)) == [], name
        assert list(validator.iter_errors(answer)) == [], name
        assert list(other_keys(example, answer)) == [], name


@pytest.mark.django_db(reset_sequences=True, transaction=True)
def test_the_examples_of_problems_are_what_the_server_answers(demo, contract, settings):
    responses = dict(contract["components"]["responses"])
    for name, problem in problems(demo, settings):
        if "RECORD" in os.environ:
            record(name, masked(problem))
            continue
        [content] = responses.pop(name)["content"].values()
        [example] = content["examples"].values()
        key = example["$ref"].rpartition("/")[2]
        expected = contract["components"]["examples"][key]["value"]
        assert masked(problem) == expected, f"{name}: record it by make answers"
        validator = Draft202012Validator({**contract, **content["schema"]})
        assert list(validator.iter_errors(expected)) == []
    if "RECORD" not in os.environ:
        # The front refuses a body without a length; a database is away, and comes back.
        assert {*responses} == {"LengthRequired", "ServiceUnavailable", "NotModified", "Merged"}


def test_every_answer_in_json_has_an_example(contract):
    without = [
        name for name, _, _, each in with_answers(contract) if "examples" not in content_of(each)
    ]
    assert without == []
