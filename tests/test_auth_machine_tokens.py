"""What is a machine token good for, and what ends it?"""

from datetime import timedelta
from hashlib import sha256

import pytest
import yaml
from django.utils import timezone
from rest_framework.test import APIClient

from auth_api.models import MachineToken, User
from tests.contract import CONTRACT
from tests.test_permissions import MATRIX

pytestmark = pytest.mark.django_db
DOCUMENTED = yaml.safe_load(CONTRACT.read_text("utf-8"))["paths"]
PASSWORD = "correct horse battery"


def create(client, name="sync", **body):
    body = {"name": name, "current_password": f"test-{client.user.username}", **body}
    return client.post("/api/me/tokens/", body, format="json")


def machine(client, **body):
    """A client that sends a machine token of this client's user."""
    answer = create(client, **body)
    assert answer.status_code == 201, answer.content
    other = APIClient()
    other.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['token']}")
    return other


def errors(answer):
    return [(error.get("pointer"), error["code"]) for error in answer.json()["errors"]]


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_token_is_shown_once_and_stored_as_its_digest(member):
    answer = create(member)
    stored = MachineToken.objects.get()
    token = answer.json()["token"]
    body = {
        "id": stored.pk,
        "name": "sync",
        "read_only": True,
        "created_at": stamp(stored.created_at),
        "expires_at": stamp(stored.created_at + timedelta(days=90)),
    }
    assert (answer.status_code, answer.json()) == (201, {**body, "token": token})
    assert answer["Location"] == f"http://testserver/api/me/tokens/{stored.pk}/"
    assert answer["Cache-Control"] == "no-store"
    assert token.startswith("bookcat_")
    assert len(token) == len("bookcat_") + 43
    assert stored.digest == sha256(token.encode()).hexdigest()
    assert member.get("/api/me/tokens/").json()["results"] == [body]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": ""}, [("/name", "blank")]),
        ({"name": "\u200b\u3164\u202e"}, [("/name", "blank")]),
        ({"name": "x" * 101}, [("/name", "max_length")]),
        ({"name": 7}, [("/name", "invalid")]),
        ({"read_only": "no"}, [("/read_only", "invalid")]),
        ({"expires_in": 0}, [("/expires_in", "min_value")]),
        ({"expires_in": 366}, [("/expires_in", "max_value")]),
        ({"expires_in": "90"}, [("/expires_in", "invalid")]),
        ({"expires_in": None}, [("/expires_in", "null")]),
        ({"current_password": "wrong"}, [("/current_password", "wrong_password")]),
        ({"current_password": None}, [("/current_password", "null")]),
        ({"role": "admin"}, [("/role", "unknown")]),
    ],
)
def test_a_token_that_cannot_be_is_400(body, expected, member):
    answer = create(member, **body)
    assert (answer.status_code, errors(answer)) == (400, expected)
    assert not MachineToken.objects.exists()


def test_name_is_there_once_for_each_account(member, librarian):
    stored = create(member).json()["id"]
    answer = create(member)
    assert (answer.status_code, errors(answer)) == (409, [("/name", "unique")])
    assert answer.json()["errors"][0]["existing_id"] == stored
    assert create(librarian).status_code == 201
    assert member.delete(f"/api/me/tokens/{stored}/").status_code == 204
    assert create(member).status_code == 201


def test_name_that_looks_the_same_is_the_same(member):
    assert create(member, "Nightly copy").json()["name"] == "Nightly copy"
    answer = create(member, "\u200eNightly  copy\u00ad")
    assert (answer.status_code, errors(answer)) == (409, [("/name", "unique")])


def test_twenty_are_the_most_and_ended_ones_do_not_count(member):
    answers = [create(member, f"{number}").status_code for number in range(21)]
    assert answers == [201] * 20 + [409]
    assert create(member, "x").json()["code"] == "too_many"
    MachineToken.objects.filter(name="3").update(expires_at=timezone.now())
    assert create(member, "3").status_code == 201
    assert MachineToken.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_of_ten_at_once_with_one_name_one_is_created(member, at_once):
    authorization = member._credentials["HTTP_AUTHORIZATION"]

    def ask(number):
        client = APIClient()
        client.user = member.user
        client.credentials(HTTP_AUTHORIZATION=authorization)
        return create(client).status_code

    # More than five guesses at once would be throttled; these are no guesses.
    assert sorted(at_once(ask, 5)) == [201, 409, 409, 409, 409]


def test_token_reads_and_writes_what_its_owner_may(librarian):
    reading, writing = machine(librarian), machine(librarian, name="w", read_only=False)
    assert reading.get("/api/books/").status_code == 200
    answer = reading.post("/api/subjects/", {"name": "New"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "machine_token")
    assert writing.post("/api/subjects/", {"name": "New"}, format="json").status_code == 201


def test_role_is_the_owners_of_now(librarian):
    token = machine(librarian, read_only=False)
    User.objects.filter(pk=librarian.user.pk).update(role="member")
    answer = token.post("/api/subjects/", {"name": "New"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_token_asks_one_query(member, settings, django_assert_num_queries):
    token = machine(member)
    settings.CATALOGUE_REQUIRES_LOGIN = True
    # That, the list, and the feed's state before and behind it
    with django_assert_num_queries(1 + 3):
        assert token.get("/api/subjects/").status_code == 200


OF_THE_ACCOUNT = [
    route
    for route in MATRIX
    if route.startswith(("api/me/", "api/sessions/", "api/users/", "api/token/blacklist/"))
    # Its body says who asks.
    and route != "api/token/blacklist/"
]


@pytest.mark.parametrize("route", OF_THE_ACCOUNT)
@pytest.mark.parametrize("read_only", [True, False])
def test_token_is_not_good_for_accounts_sessions_and_tokens(route, read_only, admin):
    token = machine(admin, read_only=read_only)
    path = "/" + route.replace("<id:pk>", "1").replace("<slug:sid>", "x")
    operations = DOCUMENTED["/" + route.replace("<id:pk>", "{id}").replace("<slug:sid>", "{sid}")]
    for method in MATRIX[route]:
        answer = token.generic(method, path)
        assert answer.status_code == 403, method
        if method != "HEAD":
            assert answer.json()["code"] == "machine_token"
    assert all("403" in each["responses"] for each in operations.values())


def test_token_is_not_good_for_the_admin_site_or_as_another(admin, anonymous):
    token = machine(admin, read_only=False)
    assert token.get("/admin/").status_code == 302
    text = token._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    for path, name in [("verify", "token"), ("refresh", "refresh"), ("blacklist", "refresh")]:
        answer = anonymous.post(f"/api/token/{path}/", {name: text}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.parametrize(
    "end",
    [
        lambda member, admin: MachineToken.objects.update(expires_at=timezone.now()),
        lambda member, admin: member.delete(f"/api/me/tokens/{MachineToken.objects.get().pk}/"),
        lambda member, admin: admin.delete(f"/api/users/{member.user.pk}/"),
        lambda member, admin: admin.patch(
            f"/api/users/{member.user.pk}/", {"is_active": False}, format="json"
        ),
        lambda member, admin: admin.patch(
            f"/api/users/{member.user.pk}/", {"password": PASSWORD}, format="json"
        ),
        lambda member, admin: member.post(
            "/api/me/password/",
            {"current_password": "test-member", "new_password": PASSWORD},
            format="json",
        ),
        lambda member, admin: member.post(
            "/api/me/delete/", {"current_password": "test-member"}, format="json"
        ),
    ],
    ids=["expired", "deleted", "owner deleted", "off", "password set", "password", "own deletion"],
)
def test_token_ends_with_its_time_its_owner_and_the_password(end, member, admin):
    token = machine(member)
    assert token.get("/api/books/").status_code == 200
    end(member, admin)
    answer = token.get("/api/books/")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    admin.patch(f"/api/users/{member.user.pk}/", {"is_active": True}, format="json")
    assert token.get("/api/books/").status_code == 401


def test_token_outlives_a_logout(member):
    token = machine(member)
    assert member.post("/api/token/blacklist/all/").status_code == 204
    assert token.get("/api/books/").status_code == 200


@pytest.mark.parametrize("text", ["bookcat_", "bookcat_x", "bookcat_" + "a" * 43, "bookcat_\u00e9"])
def test_what_is_no_token_is_401(text):
    answer = APIClient().get("/api/books/", HTTP_AUTHORIZATION=f"Bearer {text}")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


def test_token_of_another_is_not_there(member, librarian):
    stored = create(librarian).json()["id"]
    assert member.get("/api/me/tokens/").json()["results"] == []
    assert member.delete(f"/api/me/tokens/{stored}/").status_code == 404
    assert MachineToken.objects.exists()
