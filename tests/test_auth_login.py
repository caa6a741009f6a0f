"""Who can log in, how, and how often may they fail?"""

import base64
import time
from collections import Counter
from unittest.mock import ANY

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher, make_password
from django.db.utils import IntegrityError
from django.test import RequestFactory
from django.urls import include, path
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import Throttled
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from auth_api.models import LoginAttempt, User

pytestmark = pytest.mark.django_db

NO_ACCOUNT = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "No active account found with the given credentials",
    "code": "no_active_account",
    "instance": "/api/token/",
    "request_id": ANY,
}


class BasicView(APIView):
    """As any view may do: a password with each request."""

    authentication_classes = [BasicAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"username": request.user.username})


urlpatterns = [path("basic/", BasicView.as_view()), path("", include("project.urls"))]


def log_in(username, password, path="/api/token/", **headers):
    body = {"username": username, "password": password}
    return APIClient(headers=headers).post(path, body, format="json")


def basic(username, password):
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    return APIClient().get("/basic/", HTTP_AUTHORIZATION=f"Basic {credentials}")


# Identifiers


@pytest.mark.parametrize(
    "body",
    [
        {"username": "member"},
        {"username": " member\t"},
        {"username": "ｍｅｍｂｅｒ"},
        {"username": "member@example.org"},
        {"username": "MEMBER@Example.ORG"},
        {"username": " member@example.org "},
        {"username": "ｍｅｍｂｅｒ＠ｅｘａｍｐｌｅ．ｏｒｇ"},
        {"email": "member@example.org"},
        {"email": "Member@example.org"},
    ],
)
def test_username_or_email_logs_in(body, member):
    answer = APIClient().post("/api/token/", {**body, "password": "test-member"}, format="json")
    assert (answer.status_code, answer.json().keys()) == (200, {"access", "refresh"})
    assert answer["Cache-Control"] == "no-store"


def test_email_is_found_and_unique_in_any_case_and_script():
    User.objects.create_user("one", "Müller@Bücher.Example", "x")
    assert User.objects.get(email="MÜLLER@BÜCHER.EXAMPLE").email == "müller@bücher.example"
    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(username="two", email="müller@bücheR.example")])


def test_username_with_an_at_sign_is_refused(admin, member):
    body = {"username": "member@example.org", "email": "a@example.org", "password": "long enough 1"}
    answer = admin.post("/api/users/", body, format="json")
    assert answer.status_code == 400
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/username", "invalid")
    ]
    with pytest.raises(IntegrityError):
        User.objects.create_user("member@example.org", "b@example.org", "x")


def test_spaces_around_a_password_are_part_of_it(db):
    User.objects.create_user("space", "space@example.org", " secret ")
    assert log_in("space", " secret ").status_code == 200
    assert log_in("space", "secret").status_code == 401


# What is no login at all


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("/password", "required")]),
        ({"username": "member"}, [("/password", "required")]),
        ({"password": "x"}, [("/username", "required")]),
        ({"username": "a", "email": "b", "password": "x"}, [("/username", "required")]),
        ({"username": 7, "password": "x"}, [("/username", "invalid")]),
        ({"username": "a", "password": 7}, [("/password", "invalid")]),
        ({"username": None, "password": None}, [("/username", "null"), ("/password", "null")]),
        ({"username": ["a"], "password": {}}, [("/username", "invalid"), ("/password", "invalid")]),
        ({"username": True, "password": "x"}, [("/username", "invalid")]),
        ({"username": "", "password": ""}, [("/username", "blank"), ("/password", "blank")]),
        ({"username": "a\0", "password": "x"}, None),
        ({"username": "a", "password": "\0"}, None),
        ({"username": "a", "password": "x" * 1001}, [("/password", "max_length")]),
        ({"username": "a", "password": "x", "role": "admin"}, [("/role", "unknown")]),
        ({"usernme": "a"}, [("/password", "required"), ("/usernme", "unknown")]),
        ([], [("", "invalid")]),
        ("text", [("", "invalid")]),
        (7, [("", "invalid")]),
    ],
)
def test_body_that_is_no_login_is_400(body, errors):
    answer = APIClient().post("/api/token/", body, format="json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    if errors is not None:
        assert sorted((e["pointer"], e["code"]) for e in answer.json()["errors"]) == sorted(errors)
    assert not LoginAttempt.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        '{"username": "\\ud800", "password": "x"}',
        '{"username": "a", "password": "\\udfff"}',
        "null",
    ],
)
@pytest.mark.parametrize("path", ["", "refresh/", "verify/", "blacklist/"])
def test_lone_surrogates_and_null_are_400(body, path):
    answer = APIClient().post(f"/api/token/{path}", body, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("path", "name"), [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")]
)
@pytest.mark.parametrize(
    ("value", "code"),
    [(7, "invalid"), (None, "null"), ([], "invalid"), ({}, "invalid"), ("", "blank")],
)
def test_token_that_is_no_text_is_400(path, name, value, code):
    answer = APIClient().post(f"/api/token/{path}/", {name: value}, format="json")
    assert answer.status_code == 400
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{name}", code)]


# What a stranger learns: nothing

work = Counter()


class Argon2(Argon2PasswordHasher):
    memory_cost, parallelism = 16 * 1024, 1

    def encode(self, password, salt):
        work["argon2"] += 1
        return super().encode(password, salt)

    def verify(self, password, encoded):
        work["argon2"] += 1
        return super().verify(password, encoded)


class PBKDF2(PBKDF2PasswordHasher):
    """So strong that it takes about as long as the other."""

    iterations = 60_000

    def encode(self, password, salt, iterations=None):
        work["pbkdf2"] += 1
        return super().encode(password, salt, iterations)


@pytest.fixture
def strangers(settings):
    """A login that fails, for each reason there can be."""
    settings.PASSWORD_HASHERS = [f"{__name__}.Argon2", f"{__name__}.PBKDF2"]
    current, legacy = make_password("right"), make_password("right", hasher="pbkdf2_sha256")
    for name, values in {
        "wrong": {"password": current},
        "legacy": {"password": legacy},
        "inactive": {"password": current, "is_active": False},
        "inactive-legacy": {"password": legacy, "is_active": False},
        "unusable": {"password": make_password(None)},
    }.items():
        User.objects.create(username=name, email=f"{name}@example.org", **values)
    return [
        ("wrong", "wrong"),
        ("unknown", "wrong"),
        ("unknown@example.org", "wrong"),
        ("legacy", "wrong"),
        ("inactive", "wrong"),
        ("inactive", "right"),
        ("inactive-legacy", "wrong"),
        ("inactive-legacy", "right"),
        ("unusable", "wrong"),
    ]


def test_every_failed_login_has_the_same_answer_and_the_same_hashing_work(strangers):
    for username, password in strangers:
        work.clear()
        answer = log_in(username, password)
        assert (answer.status_code, answer.json()) == (401, NO_ACCOUNT), username
        assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
        assert work == {"argon2": 1, "pbkdf2": 1}, username


def test_failed_login_costs_one_hash_while_nobody_has_another(strangers):
    User.objects.filter(username__contains="legacy").delete()
    for username, password in strangers:
        work.clear()
        answer = log_in(username, password)
        assert (answer.status_code, answer.json()) == (401, NO_ACCOUNT), username
        assert work == {"argon2": 1}, username


def test_every_failed_login_takes_the_same_time(strangers):
    seconds = {stranger: [] for stranger in strangers}
    # One after the other, so that what else the machine does hits all alike.
    for number in range(7):
        for stranger, measured in seconds.items():
            client = APIClient(REMOTE_ADDR=f"10.0.0.{number}")
            body = dict(zip(("username", "password"), stranger, strict=True))
            start = time.process_time()
            assert client.post("/api/token/", body, format="json").status_code == 401
            measured.append(time.process_time() - start)
    # What else the machine does makes it longer, and never shorter.
    shortest = [min(measured) for measured in seconds.values()]
    # One hash more or less would be a third of it, or more.
    assert max(shortest) < 1.4 * min(shortest), shortest


def test_old_hash_is_made_anew_at_login(strangers):
    assert log_in("legacy", "right").status_code == 200
    assert User.objects.get(username="legacy").password.startswith("argon2$")


def test_passwords_are_hashed_with_argon2_in_production():
    from project.settings import base

    assert base.PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.Argon2PasswordHasher"


# How often


def fail(times, username="member", **headers):
    return [log_in(username, "wrong", **headers).status_code for _ in range(times)]


def test_sixth_failure_in_a_minute_is_429(member):
    assert fail(5) == [401] * 5
    answer = log_in("member", "wrong")
    wait = int(answer["Retry-After"])
    assert 30 < wait <= 60
    assert answer["RateLimit-Policy"] == '"failures";q=5;w=60'
    assert answer["RateLimit"] == f'"failures";r=0;t={wait}'
    assert (answer.status_code, answer.json()) == (
        429,
        {
            "type": "about:blank",
            "title": "Too Many Requests",
            "status": 429,
            "detail": f"Request was throttled. Expected available in {wait} seconds.",
            "code": "throttled",
            "instance": "/api/token/",
            "request_id": ANY,
        },
    )
    assert log_in("member", "test-member").status_code == 429


def test_limit_is_the_same_for_an_account_that_is_not_there():
    assert fail(6, "nobody") == [401] * 5 + [429]


def test_successes_do_not_count(member):
    for _ in range(7):
        assert log_in("member", "test-member").status_code == 200
    assert fail(4) == [401] * 4
    for _ in range(7):
        assert log_in("member", "test-member").status_code == 200
    assert fail(2) == [401, 429]


def test_minute_over_the_login_works_again(member):
    assert fail(6) == [401] * 5 + [429]
    LoginAttempt.objects.update(resets_at=time.time() - 1)
    assert log_in("member", "test-member").status_code == 200
    assert fail(6) == [401] * 5 + [429]


def test_case_space_and_script_of_the_name_make_no_difference(member):
    for name in ("member", "MEMBER", " member ", "ｍｅｍｂｅｒ", "Member"):
        assert fail(1, name) == [401]
    assert fail(1, "mEMBER") == [429]


def test_forged_forwarded_for_makes_no_difference(member):
    answers = [fail(1, **{"X-Forwarded-For": f"10.1.1.{n}"}) for n in range(6)]
    assert answers == [[401]] * 5 + [[429]]


def test_username_and_email_of_one_account_count_as_one(member):
    for name in ("member", "member@example.org", "MEMBER@example.org", " member ", "Member"):
        assert fail(1, name) == [401]
    assert fail(1, "member") == fail(1, "member@example.org") == [429]
    assert log_in("member@example.org", "test-member").status_code == 429


def test_names_that_nobody_has_are_not_mixed_up_with_accounts(member):
    assert fail(6) == [401] * 5 + [429]
    for name in (f"{member.user.pk}", f"account\0{member.user.pk}", "account"):
        assert basic_or_json(name) == 401


def basic_or_json(name):
    """NUL does not come through JSON."""
    if "\0" not in name:
        return log_in(name, "wrong").status_code
    user = authenticate(RequestFactory().post("/"), username=name, password="wrong")
    return 401 if user is None else 200


@pytest.mark.parametrize(
    "addresses",
    [
        ("192.0.2.1:1000", "192.0.2.1:2000", "192.0.2.1", "::ffff:192.0.2.1"),
        ("[2001:db8::1]:1000", "[2001:db8::2]:2000", "[2001:db8::3]", "2001:db8::4"),
    ],
)
def test_ports_in_forwarded_for_make_no_difference(addresses, member, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for address in (*addresses, addresses[0]):
        assert fail(1, **{"X-Forwarded-For": address}) == [401]
    for address in addresses:
        assert fail(1, **{"X-Forwarded-For": address}) == [429]


def test_forwarded_for_is_believed_as_far_as_there_are_proxies(member, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for n in range(5):
        assert fail(1, **{"X-Forwarded-For": f"10.1.1.{n}, 192.0.2.1"}) == [401]
    assert fail(1, **{"X-Forwarded-For": "10.1.1.9, 192.0.2.1"}) == [429]
    assert fail(1, **{"X-Forwarded-For": "10.1.1.9, 192.0.2.2"}) == [401]


def test_another_address_is_not_locked_out(member):
    assert fail(6) == [401] * 5 + [429]
    body = {"username": "member", "password": "test-member"}
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.post("/api/token/", body, format="json").status_code == 200


def fail_at(address):
    body = {"username": "member", "password": "wrong"}
    return APIClient(REMOTE_ADDR=address).post("/api/token/", body, format="json").status_code


def test_addresses_of_one_ipv6_network_make_no_difference(member):
    for n in range(5):
        assert fail_at(f"2001:db8:1:2:{n}::{n}") == 401
    assert fail_at("2001:db8:1:2:ffff::1") == 429
    assert fail_at("2001:db8:1:3::1") == 401


def test_an_ipv4_address_in_the_form_of_ipv6_is_that_address(member):
    assert [fail_at("192.0.2.7") for _ in range(5)] == [401] * 5
    assert fail_at("::ffff:192.0.2.7") == 429
    assert fail_at("::ffff:192.0.2.8") == 401


def test_sixty_failures_of_one_address_are_the_limit(member):
    for number in range(60):
        assert fail(1, f"somebody{number}") == [401]
    answer = log_in("member", "test-member")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer["RateLimit-Policy"] == '"failures";q=60;w=60'


@pytest.mark.django_db(transaction=True)
def test_of_forty_at_once_five_hear_that_the_password_was_wrong(member, at_once):
    answers = at_once(lambda number: log_in("member", "wrong").status_code, 40)
    assert Counter(answers) == {401: 5, 429: 35}


@pytest.mark.django_db(transaction=True)
def test_right_logins_at_once_lock_nobody_out(member, at_once):
    answers = at_once(lambda number: log_in("member", "test-member").status_code, 16)
    assert answers == [200] * 16
    assert not LoginAttempt.objects.exists()


def test_who_knows_the_password_hears_nothing_when_others_failed_meanwhile(member, monkeypatch):
    """Or many guesses at once would be as good as many one after the other."""
    check = User.check_password

    def check_slowly(user, password):
        if password == "test-member":
            assert fail(6) == [401] * 5 + [429]
        return check(user, password)

    monkeypatch.setattr(User, "check_password", check_slowly)
    answer = log_in("member", "test-member")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")


def test_a_clock_that_is_put_back_locks_nobody_out_for_longer(member, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    assert fail(6) == [401] * 5 + [429]
    now -= 3600
    assert log_in("member", "test-member").status_code == 200
    assert fail(1) == [429]
    assert log_in("member", "test-member").status_code == 429
    now += 61
    assert log_in("member", "test-member").status_code == 200


def test_old_windows_are_forgotten(member):
    fail(1)
    LoginAttempt.objects.update(resets_at=time.time() - 61)
    fail(1, "nobody")
    # The address's window is the new one; only the member's was left.
    assert LoginAttempt.objects.count() == 2


def test_table_shows_no_name_and_no_address(member):
    fail(1)
    keys = LoginAttempt.objects.values_list("key", flat=True)
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)


def test_long_name_costs_no_more_than_another(db):
    """Each letter of it is eighteen in the form that names are compared in."""

    def cost(name):
        start = time.process_time()
        assert log_in(name, "x").status_code == 401
        return time.process_time() - start

    # The first request of a process does what is done once.
    cost("short")
    assert min(cost("\ufdfa" * 600_000) for _ in range(3)) < 0.5


# Other doors


def test_asynchronous_code_is_no_way_around(member, rf):
    request = rf.post("/")
    for _ in range(5):
        wrong = async_to_sync(aauthenticate)(request, username="member", password="wrong")
        assert wrong is None
    with pytest.raises(Throttled):
        async_to_sync(aauthenticate)(request, username="member", password="test-member")


def test_admin_is_no_way_around(librarian):
    for _ in range(5):
        assert admin_login("librarian", "wrong").status_code == 200
    answer = admin_login("librarian", "test-librarian")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer["Content-Type"] == "application/problem+json"
    assert 30 < int(answer["Retry-After"]) <= 60
    assert answer["RateLimit-Policy"] == '"failures";q=5;w=60'
    assert answer["RateLimit"] == f'"failures";r=0;t={answer["Retry-After"]}'
    assert log_in("librarian", "test-librarian").status_code == 429


def test_changing_the_password_in_the_admin_site_is_no_way_around(librarian):
    browser = APIClient()
    browser.force_login(librarian.user)
    new = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}

    def change(password):
        body = {"old_password": password, **new}
        return browser.post("/admin/password_change/", body, format="multipart")

    for _ in range(5):
        assert "entered incorrectly" in change("wrong").content.decode()
    answer = change("test-librarian")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert log_in("librarian", "test-librarian").status_code == 429
    LoginAttempt.objects.all().delete()
    answer = change("test-librarian")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/password_change/done/")
    assert browser.get("/admin/password_change/done/").status_code == 200
    assert log_in("librarian", "correct horse battery").status_code == 200


def admin_login(username, password):
    body = {"username": username, "password": password}
    return APIClient().post("/admin/login/?next=/admin/", body, format="multipart")


def test_admin_takes_an_email_address_too(librarian):
    answer = admin_login("Librarian@example.org", "test-librarian")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_admin_is_closed_to_members(member):
    answer = admin_login("member", "test-member")
    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies


@pytest.mark.urls(__name__)
def test_basic_is_for_the_views_that_choose_it(member):
    assert basic("member", "test-member").json() == {"username": "member"}
    answer = basic("member", "wrong")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Basic realm="api"')
    credentials = base64.b64encode(b"member:test-member").decode()
    elsewhere = APIClient().get("/api/me/", HTTP_AUTHORIZATION=f"Basic {credentials}")
    assert elsewhere.status_code == 401


@pytest.mark.urls(__name__)
def test_basic_is_no_way_around(member):
    assert [basic("member", "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    answer = basic("member", "test-member")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert log_in("member", "test-member").status_code == 429


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("username", ["a\0b", "\ud7ff", "x" * 5000])
def test_odd_names_at_basic_are_401(username):
    assert basic(username, "x").status_code == 401


def test_changing_the_password_is_no_way_around(member):
    body = {"current_password": "wrong", "new_password": "correct horse battery"}
    answers = [member.post("/api/me/password/", body, format="json") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert log_in("member", "test-member").status_code == 429
