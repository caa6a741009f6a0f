"""Can each operation give every refusal that the contract has for it?

That it gives no other is what Schemathesis looks for (tests/clients).
"""

import re
from datetime import timedelta

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.utils import timezone
from psycopg.errors import LockNotAvailable
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from auth_api.models import MachineToken
from auth_api.tokens import RefreshToken
from authors.models import Author, AuthorProfile
from books.covers import MAX_BYTES
from books.models import Book, Contribution, Edition, Identifier, Publisher, Series, Subject
from tests.contract import CONTRACT
from tests.test_auth_machine_tokens import machine

MISSING = 999_999_999
TAKEN = "00000000-0000-4000-8000-000000000001"
OPERATIONS = [
    (method, path, operation)
    for path, methods in yaml.safe_load(CONTRACT.read_text("utf-8"))["paths"].items()
    for method, operation in methods.items()
]
NEVER_A_PROBLEM = {"NotModified", "Merged"}
STATUSES = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "NotAcceptable": 406,
    "Conflict": 409,
    "Gone": 410,
    "LengthRequired": 411,
    "PreconditionFailed": 412,
    "ContentTooLarge": 413,
    "UnsupportedMediaType": 415,
    "UnprocessableContent": 422,
    "PreconditionRequired": 428,
    "TooManyRequests": 429,
    "ServiceUnavailable": 503,
}
# A body of each kind that what is stored stands against: a value that is taken, an id that is not.
CONFLICTS = {
    "Me": {"username": "admin"},
    "User": {"username": "admin", "email": "new@example.org", "password": "a long one of 27"},
    "Deletion": {"current_password": "test-admin"},
    "MachineTokenCreate": {"name": "Taken", "current_password": "test-admin"},
    "Author": {"name": "New", "openlibrary_key": "OL1A"},
    "Book": {"title": "New", "series_id": MISSING},
    "Contribution": {"author_id": MISSING},
    "Edition": {"book_id": None, "isbn13": "9780441013593"},
    "Series": {"name": "New", "uid": TAKEN},
    "Publisher": {"name": "Taken"},
    "Subject": {"name": "New", "slug": "taken"},
}
# What takes no token takes these instead.
GARBAGE = {
    "obtainTokens": {"username": "member", "password": "wrong"},
    "refreshTokens": {"refresh": "garbage"},
    "logOut": {"refresh": "garbage"},
    "verifyToken": {"token": "garbage"},
}
FAILURES = {
    "obtainTokens": GARBAGE["obtainTokens"],
    "changePassword": {"current_password": "wrong", "new_password": "a long one of 27"},
    "deleteMe": {"current_password": "wrong"},
    "createMachineToken": {"name": "New", "current_password": "wrong"},
    "partialUpdateMe": {"email": "new@example.org", "current_password": "wrong"},
    "partialUpdateUser": {"email": "new@example.org", "current_password": "wrong"},
    "updateUser": {
        "username": "admin",
        "email": "new@example.org",
        "current_password": "wrong",
    },
}


def be_away(*args):
    raise OperationalError("The server closed the connection.")


def be_locked(execute, sql, *args):
    """As PostgreSQL where another transaction writes this key."""
    if sql.startswith("INSERT") and "storedanswer" in sql:
        raise OperationalError from LockNotAvailable()
    return execute(sql, *args)


def kind_of(operation):
    """What its body is called in CONFLICTS, or nothing."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        kind = content["schema"].get("$ref", "").rpartition("/")[2]
        return kind.removeprefix("Patched").removesuffix("Request")
    return ""


def tokens_of(client):
    token = str(RefreshToken.for_user(client.user))
    return {"refreshTokens": {"refresh": token}, "logOut": {"refresh": token}} | {
        "verifyToken": {"token": token}
    }


def documented(problem):
    return [
        (method, path, operation)
        for method, path, operation in OPERATIONS
        if {"$ref": f"#/components/responses/{problem}"} in operation["responses"].values()
    ]


def test_every_documented_refusal_is_tried_below():
    known = {
        response["$ref"].removeprefix("#/components/responses/")
        for _, _, operation in OPERATIONS
        for response in operation["responses"].values()
        if "$ref" in response
    }
    assert known - NEVER_A_PROBLEM == STATUSES.keys()


@pytest.fixture
def stored(admin, member):
    """The ids in the paths, of one object of each kind; another holds what is taken."""
    author = Author.objects.create(name="Frank Herbert")
    series = Series.objects.create(name="Dune", uid=TAKEN)
    subject = Subject.objects.create(name="Deserts")
    publisher = Publisher.objects.create(name="Ace")
    book = Book.objects.create(title="Dune", series=series)
    book.subjects.add(subject)
    contribution = Contribution.objects.create(book=book, author=author)
    edition = Edition.objects.create(book=book, publisher=publisher)
    identifier = Identifier.objects.create(edition=edition, scheme="oclc", value="1")
    AuthorProfile.objects.create(author=author)
    Author.objects.create(name="Another", openlibrary_key="OL1A")
    Publisher.objects.create(name="Taken")
    Subject.objects.create(name="Taken", slug="taken")
    Edition.objects.create(book=book, isbn13="9780441013593")
    token = MachineToken.objects.create(
        user=admin.user, name="Taken", digest="x", expires_at=timezone.now() + timedelta(days=1)
    )
    rows = (author, series, subject, publisher, book, contribution, edition, identifier)
    return {row._meta.model_name: row.pk for row in rows} | {
        "user": member.user.pk,
        "token": token.pk,
        "sid": OutstandingToken.objects.get(user=admin.user).jti,
    }


SINGULAR = {"series": "series"}
MERGEABLE = {"authors": Author, "series": Series, "publishers": Publisher, "subjects": Subject}


def url(path, stored, last=None):
    """The path with the ids of what is stored, or with another one as its last."""

    def key(match):
        name = match[1]
        if last is not None and match.start() == path.rindex("{"):
            return str(last)
        collection = path[: match.start()].rstrip("/").rpartition("/")[2]
        if name == "kind":
            return "books"
        if collection == "{kind}":
            collection = "books"
        kind = SINGULAR.get(collection, collection.removesuffix("s"))
        return str(stored.get(name.removesuffix("_id"), stored.get(kind, 1)))

    return re.sub(r"{(\w+)}", key, path)


def ask(client, method, path, body=None, **headers):
    if body is not None:
        return getattr(client, method)(path, body, format="json", **headers)
    return client.generic(method.upper(), path, **headers)


def body_of(operation, body):
    return body if "requestBody" in operation else None


def provoke(problem, method, path, operation, clients, stored, settings):
    admin, name = clients["admin"], operation["operationId"]
    here = url(path, stored)
    match problem:
        case "BadRequest":
            return ask(admin, method, f"{here}?nonsense=1", body_of(operation, {"x": 1}))
        case "Unauthorized" if name in GARBAGE:
            return ask(clients["anonymous"], method, here, GARBAGE[name])
        case "Unauthorized":
            return ask(clients["anonymous"], method, here, HTTP_AUTHORIZATION="Bearer garbage")
        case "Forbidden":
            # What everybody may who is logged in, a session may write with its CSRF token only, and
            # a program may not read.
            everybody_may = "Requires a login." in operation["description"]
            alone = "machine" if method == "get" else "session"
            client = clients[alone if everybody_may else "member"]
            return ask(client, method, here, body_of(operation, {"x": 1}))
        case "NotFound" if path.endswith("/bulk/"):
            return ask(admin, method, here, {"update": [{"id": MISSING}]})
        case "PreconditionFailed" if path.endswith("/bulk/"):
            kind = path.split("/")[2]
            pk = stored[SINGULAR.get(kind, kind.removesuffix("s"))]
            return ask(admin, method, here, {"update": [{"id": pk, "version": 999}]})
        case "NotFound" if name == "removeBookSubject":
            # To take away what is not there is a success.
            return ask(admin, method, url(path, {**stored, "book": MISSING}))
        case "NotFound":
            return ask(admin, method, url(path, stored, MISSING), body_of(operation, {"x": 1}))
        case "NotAcceptable":
            return ask(admin, method, here, HTTP_ACCEPT="image/png")
        case "Conflict" if name == "restore":
            return ask(admin, method, here)
        case "Conflict" if method == "delete" and "in_use" in operation["description"]:
            return ask(admin, method, here)
        case "Conflict" if (kind := kind_of(operation)).removesuffix("Bulk") not in CONFLICTS or (
            kind == "Series" and method != "post"
        ):
            # What any write with a key can meet.
            with connection.execute_wrapper(be_locked):
                return ask(
                    admin, method, here, body_of(operation, {"x": 1}), HTTP_IDEMPOTENCY_KEY="k"
                )
        case "Conflict":
            body = CONFLICTS[kind.removesuffix("Bulk")]
            if kind.endswith("Bulk"):
                return ask(admin, method, here, {"create": [body]})
            if "book_id" in body:
                body = {**body, "book_id": stored["book"]}
            who = "member" if name == "partialUpdateMe" else "admin"
            return ask(clients[who], method, here, body)
        case "Gone" if name != "listChanges":
            kind = path.split("/")[2]
            model, pk = MERGEABLE[kind], stored[SINGULAR.get(kind, kind.removesuffix("s"))]
            survivor = model.objects.create(name=name)
            ask(admin, "post", f"/api/{kind}/{pk}/merge/", {"into": survivor.pk})
            bulk = {"delete": [{"id": pk}]}
            return ask(admin, method, here, bulk if path.endswith("/bulk/") else {"x": 1})
        case "Gone":
            cursor = clients["member"].get(here).json()["next_cursor"]
            return admin.get(here, {"after": cursor})
        case "LengthRequired":
            return ask(admin, method, here, HTTP_TRANSFER_ENCODING="chunked")
        case "PreconditionFailed":
            return ask(admin, method, here, body_of(operation, {"x": 1}), HTTP_IF_MATCH='"0"')
        case "PreconditionRequired" if path.endswith("/bulk/"):
            settings.PRECONDITIONS_REQUIRED = True
            kind = path.split("/")[2]
            pk = stored[SINGULAR.get(kind, kind.removesuffix("s"))]
            return ask(admin, method, here, {"delete": [{"id": pk}]})
        case "PreconditionRequired":
            settings.PRECONDITIONS_REQUIRED = True
            return ask(admin, method, here, body_of(operation, {"x": 1}))
        case "UnprocessableContent":
            ask(admin, "post", "/api/series/?x=1", {}, HTTP_IDEMPOTENCY_KEY=name)
            body = body_of(operation, {"x": 1})
            return ask(admin, method, here, body, HTTP_IDEMPOTENCY_KEY=name)
        case "ContentTooLarge" if name == "putEditionCover":
            body = {"file": SimpleUploadedFile("cover.jpg", bytes(MAX_BYTES + 1))}
            return admin.put(here, body, format="multipart")
        case "ContentTooLarge":
            return ask(admin, method, here, {"x": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
        case "UnsupportedMediaType":
            return admin.generic(method.upper(), here, "x", content_type="text/plain")
        case "TooManyRequests":
            here = url(path, {**stored, "user": admin.user.pk})
            for _ in range(5):
                ask(admin, method, here, FAILURES[name])
            return ask(admin, method, here, FAILURES[name])
        case "ServiceUnavailable":
            body = {**GARBAGE, **tokens_of(admin)}.get(name, {"x": 1})
            who = clients["anonymous"] if name in GARBAGE else admin
            with connection.execute_wrapper(be_away):
                return ask(who, method, here, body_of(operation, body))
    raise AssertionError(problem)


@pytest.mark.parametrize("problem", STATUSES)
def test_every_documented_refusal_can_be_had(problem, anonymous, member, admin, stored, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
    session = APIClient(enforce_csrf_checks=True)
    session.force_login(admin.user)
    clients = {"anonymous": anonymous, "member": member, "admin": admin, "session": session}
    clients["machine"] = machine(admin)
    asked = documented(problem)
    answers = {
        operation["operationId"]: provoke(
            problem, method, path, operation, clients, stored, settings
        )
        for method, path, operation in asked
    }
    assert {
        name: (answer.status_code, answer["Content-Type"]) for name, answer in answers.items()
    } == dict.fromkeys(answers, (STATUSES[problem], "application/problem+json"))


def test_whatever_is_read_of_what_was_merged_is_led_on(admin, stored):
    asked = documented("Merged")
    assert {path.split("/")[2] for _, path, _ in asked} == MERGEABLE.keys()
    assert len(asked) == 12
    for _, path, _ in asked:
        kind = path.split("/")[2]
        pk = stored[SINGULAR.get(kind, kind.removesuffix("s"))]
        survivor = MERGEABLE[kind].objects.create(name=path)
        ask(admin, "post", f"/api/{kind}/{pk}/merge/", {"into": survivor.pk})
        answer = admin.get(url(path, stored))
        assert answer.status_code == 308, path


def test_whatever_may_be_asked_for_conditionally_has_a_tag_and_need_not_be_sent_again(
    admin, stored
):
    asked = documented("NotModified")
    assert len(asked) > 20
    for _, path, _ in asked:
        whole = admin.get(url(path, stored))
        assert whole.status_code == 200, path
        again = admin.get(url(path, stored), headers={"If-None-Match": whole["ETag"]})
        assert (again.status_code, again["ETag"]) == (304, whole["ETag"]), path
