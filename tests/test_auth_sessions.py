"""How long does a login last, and what ends it?"""

import logging
import time
from datetime import timedelta

import jwt
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from auth_api.models import Session, User
from auth_api.tokens import RefreshToken
from project.api.changes import positions

# Of a refusal REST framework marks the transaction that it finds, which must not be the test's.
pytestmark = pytest.mark.django_db(transaction=True)
DAY = 24 * 60 * 60


@pytest.fixture(autouse=True, params=[False, True], ids=["autocommit", "atomic-requests"])
def atomic_requests(request, monkeypatch):
    """All of this holds whether or not every request is one transaction."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    return request.param


def post(path, body, client=None):
    return (client or APIClient()).post(path, body, format="json")


def log_in(username="member", **headers):
    answer = APIClient(headers=headers).post(
        "/api/token/", {"username": username, "password": f"test-{username}"}, format="json"
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


def refresh(token):
    return post("/api/token/refresh/", {"refresh": token})


def code(answer):
    return answer.status_code, answer.json().get("code")


def me(pair):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client.get("/api/me/")


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def sid_of(client):
    """The session of the client's own token: the first one of its user."""
    return OutstandingToken.objects.filter(user=client.user).earliest("pk").jti


def sent_before(seconds):
    """As if the last refresh had been so many seconds ago."""
    Session.objects.update(last_used_at=timezone.now() - timedelta(seconds=seconds))


# Rotation


def test_refresh_gives_a_new_pair_of_the_same_session(member):
    first = log_in()
    answer = refresh(first["refresh"])
    second = answer.json()
    assert (answer.status_code, second.keys()) == (200, {"access", "refresh"})
    assert answer["Cache-Control"] == "no-store"
    assert claims(first["refresh"])["sid"] == claims(second["refresh"])["sid"]
    assert claims(first["refresh"])["sid"] == claims(second["access"])["sid"]
    assert len({claims(t)["jti"] for t in (*first.values(), *second.values())}) == 4
    assert me(second).status_code == 200


def test_refresh_whose_answer_was_lost_gets_the_very_same_pair(member):
    first = log_in()
    second = refresh(first["refresh"])
    sent_before(5)
    # As if it had been sent five seconds ago, when nobody knew of the pair above.
    moment = Session.objects.values_list("last_used_at", flat=True)[0]
    again = [refresh(first["refresh"]) for _ in range(2)]
    assert [answer.status_code for answer in again] == [200, 200]
    assert again[0].json() == again[1].json()
    for kind in ("access", "refresh"):
        one, other = claims(second.json()[kind]), claims(again[0].json()[kind])
        assert other == {**one, "iat": other["iat"], "exp": other["exp"]}
        assert other["exp"] - other["iat"] == one["exp"] - one["iat"]
        assert other["iat"] == int(moment.timestamp())
    assert again[0]["Cache-Control"] == "no-store"
    assert me(again[0].json()).status_code == 200
    assert refresh(again[0].json()["refresh"]).status_code == 200


def test_lost_answer_of_a_second_ago_is_given_again_to_the_letter(member):
    first = log_in()
    second = refresh(first["refresh"])
    assert [refresh(first["refresh"]).json() for _ in range(3)] == [second.json()] * 3


def test_same_pair_carries_the_role_of_now(librarian):
    first = log_in("librarian")
    second = refresh(first["refresh"]).json()
    User.objects.filter(pk=librarian.user.pk).update(role="member")
    again = refresh(first["refresh"]).json()
    assert again["refresh"] == second["refresh"]
    assert claims(again["access"]) == {**claims(second["access"]), "role": "member"}


def test_pair_of_an_ended_session_is_not_given_again(member):
    first = log_in()
    second = refresh(first["refresh"]).json()
    post("/api/token/blacklist/", {"refresh": second["refresh"]})
    assert code(refresh(first["refresh"])) == (401, "token_not_valid")


def test_replay_after_ten_seconds_ends_the_session(member, caplog):
    first = log_in()
    second = refresh(first["refresh"]).json()
    sent_before(11)
    with caplog.at_level(logging.WARNING, "auth_api"):
        answer = refresh(first["refresh"])
    assert code(answer) == (401, "token_reused")
    [record] = [r for r in caplog.records if r.levelno == logging.WARNING]
    sid = claims(first["refresh"])["sid"]
    assert record.getMessage() == (
        f"A refresh token of user {member.user.pk} was used again; session {sid} is ended."
    )
    assert code(me(first)) == code(me(second)) == (401, "token_not_valid")
    assert code(refresh(second["refresh"])) == (401, "token_not_valid")
    assert code(refresh(first["refresh"])) == (401, "token_not_valid")


def test_replay_is_noticed_however_recently_the_thief_has_refreshed(member):
    stolen = log_in()
    thief = refresh(stolen["refresh"]).json()
    thief = refresh(thief["refresh"]).json()
    assert code(refresh(stolen["refresh"])) == (401, "token_reused")
    assert code(me(thief)) == (401, "token_not_valid")
    assert code(refresh(thief["refresh"])) == (401, "token_not_valid")


def test_replay_does_not_touch_the_other_devices(member):
    stolen, other = log_in(), log_in()
    refresh(stolen["refresh"])
    sent_before(11)
    assert code(refresh(stolen["refresh"])) == (401, "token_reused")
    assert me(other).status_code == 200
    assert refresh(other["refresh"]).status_code == 200


def test_eight_refreshes_at_once_get_one_pair_every_time(member, at_once):
    token = log_in()["refresh"]
    for _ in range(15):
        answers = at_once(lambda number, sent=token: refresh(sent), 8)
        assert {answer.status_code for answer in answers} == {200}
        [(access, token)] = {tuple(answer.json().values()) for answer in answers}
    assert me({"access": access}).status_code == 200


def test_a_hundred_refreshes_add_no_row(member):
    pair = log_in()
    before = OutstandingToken.objects.count(), Session.objects.count()
    for _ in range(100):
        pair = refresh(pair["refresh"]).json()
    assert (OutstandingToken.objects.count(), Session.objects.count()) == before
    assert not BlacklistedToken.objects.exists()


def test_refresh_takes_two_statements(member, django_assert_num_queries):
    token = log_in()["refresh"]
    # The user with the session, and its update: on SQLite that of two tables in a transaction.
    with django_assert_num_queries(1 + (1 if connection.vendor == "postgresql" else 4)):
        assert refresh(token).status_code == 200
    # On both engines, the user with the session, the update of no row, and that there was one.
    with django_assert_num_queries(1 + (1 if connection.vendor == "postgresql" else 3) + 1):
        assert refresh(token).status_code == 200


def test_login_takes_eight_statements(member, django_assert_num_queries):
    # The account, twice how often has failed who asks, and the record; the account's last login,
    # the session in two tables, whether there are too many, and the transaction around these.
    with django_assert_num_queries(4 + 4 + 2):
        log_in()


def test_rows_redeem_nothing(member):
    pair = log_in()
    [row] = OutstandingToken.objects.filter(jti=claims(pair["refresh"])["sid"])
    assert (row.token, row.user) == (claims(pair["refresh"])["jti"], member.user)
    for text in (row.token, row.jti):
        assert code(refresh(text)) == (401, "token_not_valid")
        assert code(me({"access": text})) == (401, "token_not_valid")


def test_authenticated_request_costs_one_query(member, django_assert_num_queries):
    pair = log_in()
    with django_assert_num_queries(1):
        assert me(pair).status_code == 200


# No such statement can be carried out.
BROKEN = {
    "postgresql": "SELECT 1 / count(*) FROM changes_pending",
    "sqlite": "SELECT json(count(*) || '{') FROM changes_pending",
}


@pytest.mark.parametrize("ended_by", ["logout", "deactivation"])
def test_nothing_is_asked_for_whom_the_session_has_ended(member, monkeypatch, ended_by):
    pair = log_in()
    client = APIClient(headers={"Authorization": f"Bearer {pair['access']}"})
    assert client.get("/api/books/").status_code == 200
    monkeypatch.setattr(positions, "STATE", BROKEN[connection.vendor])
    with pytest.raises(DatabaseError):
        client.get("/api/books/")
    if ended_by == "logout":
        post("/api/token/blacklist/", {"refresh": pair["refresh"]})
    else:
        User.objects.filter(username="member").update(is_active=False)
    assert client.get("/api/books/").status_code == 401


# The end of a session


def test_session_ends_thirty_days_after_the_login(member):
    token = RefreshToken.for_user(member.user)
    token["auth_time"] -= 30 * DAY - 3600
    answer = refresh(str(token)).json()
    assert claims(answer["refresh"])["exp"] == token["auth_time"] + 30 * DAY
    last = RefreshToken(answer["refresh"])
    last["auth_time"] -= 3600 - 120
    answer = refresh(str(last)).json()
    assert claims(answer["refresh"])["exp"] == claims(answer["access"])["exp"]
    last = RefreshToken(answer["refresh"])
    last["auth_time"] -= 180
    answer = refresh(str(last)).json()
    assert claims(answer["refresh"])["exp"] < time.time()
    assert code(refresh(answer["refresh"])) == (401, "token_not_valid")
    assert code(me(answer)) == (401, "token_not_valid")


def test_refresh_token_without_the_time_of_login_is_401(member):
    token = RefreshToken.for_user(member.user)
    del token["auth_time"]
    assert code(refresh(str(token))) == (401, "token_not_valid")


def test_logout_ends_this_device_only(member):
    here, there = log_in(), log_in()
    answer = post("/api/token/blacklist/", {"refresh": here["refresh"]})
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer["Cache-Control"] == "no-store"
    assert code(me(here)) == code(refresh(here["refresh"])) == (401, "token_not_valid")
    assert me(there).status_code == refresh(there["refresh"]).status_code == 200
    again = post("/api/token/blacklist/", {"refresh": here["refresh"]})
    assert code(again) == (401, "token_not_valid")


def test_logout_everywhere_ends_all_sessions_of_this_account(member, librarian):
    pairs = [log_in(), log_in()]
    answer = member.post("/api/token/blacklist/all/")
    assert (answer.status_code, answer.content) == (204, b"")
    for pair in pairs:
        assert code(me(pair)) == code(refresh(pair["refresh"])) == (401, "token_not_valid")
    assert code(member.post("/api/token/blacklist/all/")) == (401, "token_not_valid")
    assert librarian.get("/api/me/").status_code == 200


def browser_of(user):
    """A browser that is logged in to the admin site and the browsable API."""
    browser = APIClient()
    browser.force_login(user)
    assert browser.get("/api/me/").status_code == 200
    return browser


def test_logout_everywhere_ends_the_sessions_of_browsers_too(member, librarian):
    browser, other = browser_of(member.user), browser_of(librarian.user)
    member.post("/api/token/blacklist/all/")
    assert code(browser.get("/api/me/")) == (401, "not_authenticated")
    assert other.get("/api/me/").status_code == 200


def test_browser_can_log_out_everywhere(member):
    pair, browser = log_in(), browser_of(member.user)
    assert browser.post("/api/token/blacklist/all/").status_code == 204
    assert code(browser.get("/api/me/")) == (401, "not_authenticated")
    assert code(me(pair)) == (401, "token_not_valid")


def test_browser_of_an_account_that_was_switched_off_stays_outside(member, admin):
    browser, url = browser_of(member.user), f"/api/users/{member.user.pk}/"
    admin.patch(url, {"is_active": False}, format="json")
    assert code(browser.get("/api/me/")) == (401, "not_authenticated")
    admin.patch(url, {"is_active": True}, format="json")
    assert code(browser.get("/api/me/")) == (401, "not_authenticated")


def test_changed_password_ends_the_sessions_of_browsers_too(member):
    browser = browser_of(member.user)
    body = {"current_password": "test-member", "new_password": "correct horse battery"}
    assert member.post("/api/me/password/", body, format="json").status_code == 200
    assert code(browser.get("/api/me/")) == (401, "not_authenticated")


def test_browser_that_changes_the_password_stays_logged_in(admin):
    browser, other = browser_of(admin.user), browser_of(admin.user)
    new = {"new_password1": "correct horse", "new_password2": "correct horse"}
    body = {"old_password": "test-admin", **new}
    assert browser.post("/admin/password_change/", body, format="multipart").status_code == 302
    assert browser.get("/api/me/").status_code == 200
    assert code(other.get("/api/me/")) == (401, "not_authenticated")
    assert code(admin.get("/api/me/")) == (401, "token_not_valid")


def test_logout_everywhere_without_a_token_is_401(anonymous, db):
    assert code(anonymous.post("/api/token/blacklist/all/")) == (401, "not_authenticated")


# Verify


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_verify_accepts_what_would_be_accepted(kind, member):
    answer = post("/api/token/verify/", {"token": log_in()[kind]})
    assert (answer.status_code, answer.json(), answer["Cache-Control"]) == (200, {}, "no-store")


def test_verify_refuses_a_used_refresh_token_and_an_ended_session(member):
    first = log_in()
    second = refresh(first["refresh"]).json()
    assert code(post("/api/token/verify/", {"token": first["refresh"]})) == (401, "token_not_valid")
    post("/api/token/blacklist/", {"refresh": second["refresh"]})
    for token in (*first.values(), *second.values()):
        assert code(post("/api/token/verify/", {"token": token})) == (401, "token_not_valid")


# Users come, change and go


@pytest.mark.parametrize(
    ("change", "bearer", "refreshing"),
    [
        (lambda user: user.delete(), "user_not_found", "no_active_account"),
        (
            lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
            "user_inactive",
            "no_active_account",
        ),
    ],
    ids=["deleted", "deactivated"],
)
def test_deleted_and_deactivated_users_are_401_everywhere(change, bearer, refreshing, member):
    pair = log_in()
    change(member.user)
    for answer in (
        me(pair),
        member.get("/api/books/"),
        member.get("/api/sessions/"),
        post("/api/token/verify/", {"token": pair["access"]}),
        post("/api/token/verify/", {"token": pair["refresh"]}),
        post("/api/token/blacklist/", {"refresh": pair["refresh"]}),
    ):
        assert code(answer) == (401, bearer)
    assert code(refresh(pair["refresh"])) == (401, refreshing)
    login = post("/api/token/", {"username": "member", "password": "test-member"})
    assert code(login) == (401, "no_active_account")


def test_demotion_acts_on_the_next_request_and_is_in_the_next_token(librarian):
    pair = log_in("librarian")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert client.post("/api/subjects/", {"name": "Poetry"}, format="json").status_code == 201
    User.objects.filter(pk=librarian.user.pk).update(role="member")
    answer = client.post("/api/subjects/", {"name": "Drama"}, format="json")
    assert code(answer) == (403, "permission_denied")
    assert claims(refresh(pair["refresh"]).json()["access"])["role"] == "member"


# Passwords


def test_changed_password_ends_all_sessions_but_the_new_one(member):
    old = log_in()
    answer = member.post(
        "/api/me/password/",
        {"current_password": "test-member", "new_password": "correct horse battery"},
        format="json",
    )
    assert (answer.status_code, answer.json().keys()) == (200, {"access", "refresh"})
    assert answer["Cache-Control"] == "no-store"
    assert code(me(old)) == code(refresh(old["refresh"])) == (401, "token_not_valid")
    assert code(member.get("/api/me/")) == (401, "token_not_valid")
    assert me(answer.json()).status_code == refresh(answer.json()["refresh"]).status_code == 200
    login = post("/api/token/", {"username": "member", "password": "correct horse battery"})
    assert login.status_code == 200


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (
            {"current_password": "wrong", "new_password": "correct horse battery"},
            [("/current_password", "wrong_password")],
        ),
        (
            {"current_password": "test-member", "new_password": "12345"},
            [("/new_password", "weak_password")] * 3,
        ),
        (
            {"current_password": "test-member", "new_password": "member@example.org"},
            [("/new_password", "weak_password")],
        ),
        ({}, [("/current_password", "required"), ("/new_password", "required")]),
        ({"current_password": None, "new_password": 5}, None),
        ({"current_password": "test-member", "new_password": "long enough", "role": "admin"}, None),
    ],
)
def test_password_that_cannot_be_changed_is_400_and_ends_nothing(body, errors, member):
    answer = member.post("/api/me/password/", body, format="json")
    assert answer.status_code == 400
    if errors is not None:
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == errors
    assert member.get("/api/me/").status_code == 200


def sessions_going_on():
    return OutstandingToken.objects.exclude(blacklistedtoken__isnull=False).count()


def change_password_of(user):
    user.set_password("the admin's choice")
    user.save()


def switch_off(user):
    user.is_active = False
    user.save()


@pytest.mark.parametrize("end_sessions_of", [change_password_of, switch_off])
def test_login_starts_no_session_that_outlives_what_ends_them(end_sessions_of, meanwhile):
    user = User.objects.create_user("reader", "reader@example.org", "old-password")

    def enter():
        return post("/api/token/", {"username": "reader", "password": "old-password"})

    assert code(meanwhile(lambda: end_sessions_of(user), enter)) == (401, "no_active_account")
    assert sessions_going_on() == 0


@pytest.mark.parametrize("end_sessions_of", [change_password_of, switch_off])
def test_own_password_change_does_not_undo_what_an_admin_does_meanwhile(
    end_sessions_of, member, meanwhile
):
    user = User.objects.get(pk=member.user.pk)

    def change_password():
        body = {"current_password": "test-member", "new_password": "correct horse battery"}
        return post("/api/me/password/", body, member)

    # On SQLite the account is looked up before the change, and its password after it.
    answer = meanwhile(lambda: end_sessions_of(user), change_password)
    assert code(answer) == (400, "invalid")
    assert sessions_going_on() == 0
    stored = User.objects.get(pk=user.pk)
    assert stored.password == user.password


def test_logging_out_everywhere_while_the_account_is_deleted_is_no_error(member, meanwhile):
    def log_out():
        return post("/api/token/blacklist/all/", {}, member)

    answer = meanwhile(User.objects.get(pk=member.user.pk).delete, log_out)
    # 401 where the request waits for the deletion before it looks who asks.
    assert answer.status_code in {204, 401}
    assert code(member.get("/api/me/")) == (401, "user_not_found")


def test_admin_sets_a_password_and_the_sessions_end(member, admin):
    pair = log_in()
    url = f"/api/users/{member.user.pk}/"
    answer = admin.patch(url, {"password": "correct horse battery"}, format="json")
    assert answer.status_code == 200
    assert code(me(pair)) == (401, "token_not_valid")


def test_password_change_in_the_admin_ends_the_sessions(member, admin):
    pair = log_in()
    browser = APIClient()
    browser.force_login(admin.user)
    new = {"usable_password": "true", "password1": "correct horse", "password2": "correct horse"}
    url = f"/admin/auth_api/user/{member.user.pk}/password/"
    assert browser.post(url, new, format="multipart").status_code == 302
    assert code(me(pair)) == (401, "token_not_valid")


def test_password_taken_away_in_the_admin_ends_the_sessions(member, admin):
    pair = log_in()
    browser = APIClient()
    browser.force_login(admin.user)
    url = f"/admin/auth_api/user/{member.user.pk}/password/"
    new = {"usable_password": "false", "unset-password": "1"}
    assert browser.post(url, new, format="multipart").status_code == 302
    assert code(me(pair)) == (401, "token_not_valid")


def test_changepassword_command_ends_the_sessions(member, monkeypatch):
    pair = log_in()
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse battery")
    call_command("changepassword", "member", verbosity=0)
    assert code(me(pair)) == (401, "token_not_valid")


def test_better_hash_of_the_same_password_ends_nothing(member, settings):
    pair = log_in()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    log_in()
    assert User.objects.get(pk=member.user.pk).password.startswith("scrypt$")
    assert me(pair).status_code == refresh(pair["refresh"]).status_code == 200


# The list of sessions


def test_sessions_are_listed_with_their_devices(member, librarian):
    pair = log_in(**{"User-Agent": "Phone/1.0"})
    refresh(pair["refresh"])
    answer = member.get("/api/sessions/").json()
    [own, phone] = answer["results"]
    assert own["id"] == sid_of(member)
    row = Session.objects.get(token__jti=claims(pair["refresh"])["sid"])
    assert phone == {
        "id": row.token.jti,
        "created_at": row.token.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "last_used_at": row.last_used_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "user_agent": "Phone/1.0",
        "device_name": "",
        "current": False,
    }
    assert own["current"] is True
    assert phone["created_at"] < phone["last_used_at"]


def test_device_has_a_name_that_its_user_gives(member, librarian):
    body = {"username": "member", "password": "test-member", "device_name": "Ann's phone"}
    pair = post("/api/token/", body).json()
    url = f"/api/sessions/{claims(pair['access'])['sid']}/"
    [_, phone] = member.get("/api/sessions/").json()["results"]
    assert phone["device_name"] == "Ann's phone"
    answer = member.patch(url, {"device_name": "Old phone"}, format="json")
    assert (answer.status_code, answer.json()) == (200, {**phone, "device_name": "Old phone"})
    # Who copies a name copies what nobody sees.
    for name, stored in [("\u200eAnn's  phone ", "Ann's phone"), ("\u200b\u3164\u202e", "")]:
        answer = member.patch(url, {"device_name": name}, format="json")
        assert (answer.status_code, answer.json()["device_name"]) == (200, stored)
        sid = claims(post("/api/token/", {**body, "device_name": name}).json()["access"])["sid"]
        assert Session.objects.get(token__jti=sid).device_name == stored
    assert code(member.patch(url, {"device_name": "x" * 101}, format="json")) == (400, "invalid")
    assert code(member.patch(url, {"name": "x"}, format="json")) == (400, "invalid")
    assert code(librarian.patch(url, {"device_name": "x"}, format="json")) == (404, "not_found")
    assert refresh(pair["refresh"]).status_code == 200


def test_other_devices_are_logged_out_and_this_one_stays(member, librarian):
    pairs, browser = [log_in(), log_in()], browser_of(member.user)
    assert member.post("/api/token/blacklist/others/").status_code == 204
    for pair in pairs:
        assert code(me(pair)) == code(refresh(pair["refresh"])) == (401, "token_not_valid")
    assert code(browser.get("/api/me/")) == (401, "not_authenticated")
    assert member.get("/api/me/").status_code == librarian.get("/api/me/").status_code == 200
    [session] = member.get("/api/sessions/").json()["results"]
    assert session["current"] is True


def test_browser_logs_out_all_others_and_stays(member):
    pair, browser, other = log_in(), browser_of(member.user), browser_of(member.user)
    assert browser.post("/api/token/blacklist/others/").status_code == 204
    assert browser.get("/api/me/").status_code == 200
    assert code(other.get("/api/me/")) == (401, "not_authenticated")
    assert code(me(pair)) == (401, "token_not_valid")


def test_login_beyond_the_most_sessions_ends_the_oldest(member, librarian, settings):
    settings.MAX_SESSIONS = 3
    other = log_in("librarian")
    first, second = log_in(), log_in()
    third = log_in()
    # The member's own client was the oldest.
    assert code(member.get("/api/me/")) == (401, "token_not_valid")
    refresh(first["refresh"])
    post("/api/token/blacklist/", {"refresh": second["refresh"]})
    fourth = log_in()
    assert [me(pair).status_code for pair in (first, third, fourth, other)] == [200] * 4
    log_in()
    assert [me(pair).status_code for pair in (first, third, fourth, other)] == [401, 200, 200, 200]


def test_ended_and_expired_sessions_are_not_listed(member):
    ended, expired = log_in(), log_in()
    post("/api/token/blacklist/", {"refresh": ended["refresh"]})
    row = OutstandingToken.objects.filter(jti=claims(expired["refresh"])["sid"])
    row.update(expires_at=timezone.now())
    assert len(member.get("/api/sessions/").json()["results"]) == 1


@pytest.mark.parametrize("sessions", [1, 30])
def test_listing_sessions_costs_two_queries(
    sessions, member, atomic_requests, django_assert_num_queries
):
    for _ in range(sessions):
        log_in()
    with django_assert_num_queries(2 + 2 * atomic_requests):
        assert len(member.get("/api/sessions/").json()["results"]) == sessions + 1


def test_session_is_ended_from_another_device(member):
    lost = log_in()
    answer = member.delete(f"/api/sessions/{claims(lost['access'])['sid']}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert code(me(lost)) == (401, "token_not_valid")
    assert member.get("/api/me/").status_code == 200


def test_session_of_another_is_not_there(member, librarian):
    answer = member.delete(f"/api/sessions/{sid_of(librarian)}/")
    assert code(answer) == (404, "not_found")
    assert librarian.get("/api/me/").status_code == 200


@pytest.mark.parametrize("sid", ["0" * 32, "%00", "x", "1" * 300])
def test_session_that_never_was_is_404(sid, member):
    assert member.delete(f"/api/sessions/{sid}/").status_code == 404


# Refusals


def test_a_refusal_leaves_what_it_counted(member, librarian):
    first = log_in()
    second = refresh(first["refresh"]).json()
    sent_before(11)
    assert code(refresh(first["refresh"])) == (401, "token_reused")
    assert code(me(second)) == (401, "token_not_valid")
    for _ in range(5):
        wrong = post("/api/token/", {"username": "member", "password": "wrong"})
        assert code(wrong) == (401, "no_active_account")
    limited = post("/api/token/", {"username": "member", "password": "wrong"})
    assert code(limited) == (429, "throttled")
    body = {"current_password": "wrong", "new_password": "correct horse battery"}
    answers = [code(post("/api/me/password/", body, librarian)) for _ in range(6)]
    assert answers == [(400, "invalid")] * 5 + [(429, "throttled")]
