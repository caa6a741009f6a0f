"""What can be done with an account: one's own, and by an admin anybody's?"""

from collections import Counter
from importlib import import_module
from unittest import mock

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from auth_api.models import LastAdmin, LoginRecord, Session, User
from auth_api.tokens import RefreshToken

PASSWORD = "correct horse battery"
# Each letter of its domain is four in the form that is stored.
GROWING = "a@" + 5 * (15 * "\u3300" + ".") + "com"
NEW = {"username": "new", "email": "New@Example.org", "password": PASSWORD}


def errors(answer):
    return [(error.get("pointer"), error["code"]) for error in answer.json()["errors"]]


def log_in(username, password):
    body = {"username": username, "password": password}
    return APIClient().post("/api/token/", body, format="json")


# One's own


def test_me_is_who_asks(member):
    assert member.get("/api/me/").json() == {
        "id": member.user.pk,
        "username": "member",
        "email": "member@example.org",
        "role": "member",
    }


def test_name_and_address_can_be_changed(member):
    body = {"username": "ｆｅｄｅｒ", "email": "Feder@Example.org"}
    body["current_password"] = "test-member"
    answer = member.patch("/api/me/", body, format="json")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "id": member.user.pk,
            "username": "feder",
            "email": "feder@example.org",
            "role": "member",
        },
    )
    assert log_in("FEDER@example.org", "test-member").status_code == 200


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        # As some keyboards send them: a letter and its accent, one by one.
        ({"username": "zoe\u0308"}, {"username": "zo\u00eb"}),
        ({"username": " zoe "}, {"username": "zoe"}),
        ({"email": "ｚｏｅ＠ｅｘａｍｐｌｅ．ｏｒｇ"}, {"email": "zoe@example.org"}),
    ],
)
def test_name_and_address_are_judged_as_they_are_stored(body, stored, member):
    confirmed = {**body, "current_password": "test-member"}
    answer = member.patch("/api/me/", confirmed, format="json")
    assert (answer.status_code, answer.json()) == (200, member.get("/api/me/").json() | stored)
    [identifier] = body.values()
    assert log_in(identifier, "test-member").status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"username": 7}, [("/username", "invalid")]),
        ({"username": None}, [("/username", "null")]),
        ({"username": []}, [("/username", "invalid")]),
        ({"username": ""}, [("/username", "blank")]),
        ({"username": "a b"}, [("/username", "invalid")]),
        ({"username": "a@b"}, [("/username", "invalid")]),
        ({"username": "x" * 151}, [("/username", "max_length")]),
        ({"email": "nowhere"}, [("/email", "invalid")]),
        ({"email": {}}, [("/email", "invalid")]),
        ({"email": f"{'x' * 250}@x.de"}, None),
        ({"username": "x" * 1_000_000}, [("/username", "max_length")]),
        # Fine as they are sent, but not in the form that is stored.
        ({"username": "\u2474"}, [("/username", "invalid")]),  # (1)
        ({"username": "\ufdfa" * 150}, [("/username", "invalid"), ("/username", "max_length")]),
        ({"email": "a@b\uff20c.com"}, [("/email", "invalid")]),  # a@b@c.com
        ({"email": GROWING}, [("/email", "max_length")]),
        ({"username": "a\0"}, None),
        ({"name": "x"}, [("/name", "unknown")]),
        ({"password": PASSWORD}, [("/password", "unknown")]),
        ({"email": "librarian@exam\u200bple.org"}, [("/email", "invalid")]),
        ([], [("", "invalid")]),
        (None, None),  # sent as no body at all
    ],
)
def test_account_that_cannot_be_is_400(body, expected, member):
    answer = member.patch("/api/me/", body, format="json")
    assert answer.status_code == 400
    if expected is not None:
        assert errors(answer) == expected


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"username": "librarian"}, "/username"),
        ({"email": "LIBRARIAN@example.org", "current_password": "test-member"}, "/email"),
        ({"username": "Librarian"}, "/username"),
        ({"username": "ｌｉｂｒａｒｉａｎ"}, "/username"),
    ],
)
def test_what_another_has_is_409_and_names_nobody(body, pointer, member, librarian):
    answer = member.patch("/api/me/", body, format="json")
    assert answer.status_code == 409
    assert errors(answer) == [(pointer, "unique")]
    assert "existing_id" not in answer.json()["errors"][0]
    assert member.get("/api/me/").json()["username"] == "member"


@pytest.mark.parametrize(
    ("password", "fault"),
    [(None, "required"), ("wrong", "wrong_password"), ("", "blank")],
)
def test_new_address_asks_for_the_current_password(password, fault, member):
    """Who has stolen a token could have the next password sent to himself."""
    body = {"email": "new@example.org"}
    if password is not None:
        body["current_password"] = password
    answer = member.patch("/api/me/", body, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/current_password", fault)])
    assert member.get("/api/me/").json()["email"] == "member@example.org"


def test_guesses_at_the_current_password_are_limited(member):
    body = {"email": "new@example.org", "current_password": "wrong"}
    answers = [member.patch("/api/me/", body, format="json").status_code for _ in range(6)]
    assert answers == [400] * 5 + [429]
    assert log_in("member", "test-member").status_code == 429


@pytest.mark.parametrize("change", [{"password": PASSWORD}, {"email": "new@example.org"}])
def test_admin_confirms_changes_of_the_own_account(change, admin, member):
    own, other = f"/api/users/{admin.user.pk}/", f"/api/users/{member.user.pk}/"
    answer = admin.patch(own, change, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/current_password", "required")])
    answer = admin.patch(own, {**change, "current_password": "wrong"}, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/current_password", "wrong_password")])
    assert admin.patch(other, change, format="json").status_code == 200
    change = {name: value.replace("new", "newer") for name, value in change.items()}
    confirmed = {**change, "current_password": "test-admin"}
    assert admin.patch(own, confirmed, format="json").status_code == 200
    user = User.objects.get(pk=admin.user.pk)
    assert user.check_password(change.get("password", "test-admin"))
    assert user.email == change.get("email", "admin@example.org")


# Names that look like others


@pytest.mark.parametrize(
    "username",
    [
        "\u0430dmin",  # Cyrillic a
        "adm\u0456n",  # Cyrillic i
        "\u03b1dmin",  # Greek alpha
        "admin\u3164",  # Hangul filler: a letter, and nothing to be seen
        "admin\uffa0",
        "\u115fadmin",
        "ad\u200bmin",
        "ad\u00admin",
        "ad\u2060min",
        "admin\ufe0f",
        "\u0430\u4e2d",  # Cyrillic with Han
        "\ua98fx",  # a script in limited use
    ],
)
def test_name_that_could_be_taken_for_another_is_refused(username, admin):
    answer = admin.post("/api/users/", {**NEW, "username": username}, format="json")
    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/username"}


@pytest.mark.parametrize(
    "username",
    [
        "zoë",
        "Женя_7",
        "αθηνά",
        "田中",
        "田中たろうA",
        "カタカナー",
        "김철수",
        "שרה",
        "محمد",
        "k.o-x+1",
    ],
)
def test_names_of_every_script_are_taken(username, admin):
    answer = admin.post("/api/users/", {**NEW, "username": username}, format="json")
    assert (answer.status_code, answer.json()["username"]) == (201, username)
    assert log_in(username.upper(), PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("zoe", "ZOE"),
        ("straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ﬁn", "FIN"),
        ("ʼn".strip("ʼ"), "N"),
    ],
)
def test_a_name_is_there_once_whatever_its_case(one, other, admin):
    assert admin.post("/api/users/", {**NEW, "username": one}, format="json").status_code == 201
    body = {"username": other, "email": "other@example.org", "password": PASSWORD}
    answer = admin.post("/api/users/", body, format="json")
    assert (answer.status_code, errors(answer)) == (409, [("/username", "unique")])


def test_own_name_can_take_another_case(member):
    answer = member.patch("/api/me/", {"username": "Member"}, format="json")
    assert (answer.status_code, answer.json()["username"]) == (200, "Member")
    assert log_in("mEMBER", "test-member").status_code == 200


@pytest.mark.parametrize(
    "write",
    [
        lambda user: user.save(),
        lambda user: user.save(update_fields=["username"]),
        lambda user: User.objects.filter(pk=user.pk).update(username=user.username),
    ],
    ids=["save", "update_fields", "update"],
)
def test_however_a_name_is_written_its_case_makes_no_difference(write, member):
    user = User.objects.get(pk=member.user.pk)
    user.username = "Another"
    write(user)
    assert User.objects.get_by_natural_key("aNOTHER") == user
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("another", "x@example.org")


def test_own_values_are_not_taken(member):
    assert member.patch("/api/me/", member.get("/api/me/").json(), format="json").status_code == 200


def test_a_role_taken_away_meanwhile_stays_away(librarian, monkeypatch):
    """The request had read the role before it was taken away, and does not write it back."""
    from auth_api import serializers

    def demoted_before(lock):
        def demote(user):
            User.objects.filter(pk=user.pk).update(role="member")
            return lock(user)

        return demote

    for name in ("locked", "still_open"):
        monkeypatch.setattr(serializers, name, demoted_before(getattr(serializers, name)))
    for body, url in [
        ({"email": "new@example.org", "current_password": "test-librarian"}, "/api/me/"),
        ({"current_password": "test-librarian", "new_password": PASSWORD}, "/api/me/password/"),
    ]:
        User.objects.filter(pk=librarian.user.pk).update(role="librarian")
        method = librarian.patch if url == "/api/me/" else librarian.post
        assert method(url, body, format="json").status_code == 200
        assert User.objects.get(pk=librarian.user.pk).role == "member"


# By an admin


def test_admin_creates_an_account(admin):
    answer = admin.post("/api/users/", NEW, format="json")
    body = answer.json()
    assert answer.status_code == 201
    assert answer["Location"] == f"http://testserver/api/users/{body['id']}/"
    joined = User.objects.get(username="new").date_joined
    assert body == {
        "id": body["id"],
        "username": "new",
        "email": "new@example.org",
        "role": "member",
        "is_active": True,
        "date_joined": joined.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "last_login": None,
    }
    assert admin.get(answer["Location"]).json() == body
    assert log_in("new@example.org", PASSWORD).status_code == 200
    last_login = User.objects.get(username="new").last_login
    assert admin.get(answer["Location"]).json()["last_login"] == (
        last_login.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=LIB", ["librarian"]),
        ("search=MEMBER@example", ["member"]),
        ("search=Ö", ["Özil"]),
        ("search=example.org", ["admin", "member", "librarian", "Özil"]),
        ("search=%25", []),
        ("role=member", ["member", "Özil"]),
        ("is_active=false", ["Özil"]),
        ("is_active=TRUE&role=member", ["member"]),
        ("search=e&role=librarian&is_active=1", ["librarian"]),
    ],
)
def test_admin_finds_accounts(query, found, admin, member, librarian):
    User.objects.create_user("Özil", "oe@example.org", is_active=False)
    answer = admin.get(f"/api/users/?{query}")
    assert [each["username"] for each in answer.json()["results"]] == found


@pytest.mark.parametrize("query", ["role=king", "is_active=yes", "search=", "role="])
def test_filter_of_accounts_that_is_no_value_is_400(query, admin):
    answer = admin.get(f"/api/users/?{query}")
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


# The end of an account


def test_own_account_is_deleted_with_all_that_belongs_to_it(member):
    log_in("member", "test-member")
    answer = member.post("/api/me/delete/", {"current_password": "wrong"}, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/current_password", "wrong_password")])
    answer = member.post("/api/me/delete/", {}, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/current_password", "required")])
    body = {"current_password": "test-member"}
    answer = member.post("/api/me/delete/", body, format="json")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not User.objects.exists()
    assert not OutstandingToken.objects.exists()
    assert member.get("/api/me/").json()["code"] == "user_not_found"
    assert log_in("member", "test-member").status_code == 401


def test_last_admin_cannot_delete_the_own_account(admin, member):
    body = {"current_password": "test-admin"}
    answer = admin.post("/api/me/delete/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    User.objects.create_user("other", "other@example.org", PASSWORD, role="admin")
    assert admin.post("/api/me/delete/", body, format="json").status_code == 204


# The log of logins


def test_each_password_that_was_given_is_on_record(member, browser):
    client = APIClient(REMOTE_ADDR="192.0.2.7", headers={"X-Request-ID": "abc"})
    body = {"username": "member", "password": "test-member"}
    given = APIClient().post("/api/token/", body, format="json")
    for username in ("member", "nobody"):
        client.post("/api/token/", {"username": username, "password": "wrong"}, format="json")
    columns = ("user__username", "succeeded", "address", "request_id")
    records = LoginRecord.objects.order_by("pk").values_list(*columns)
    assert list(records) == [
        ("member", True, "127.0.0.1", given.headers["X-Request-ID"]),
        ("member", False, "192.0.2.7", "abc"),
        (None, False, "192.0.2.7", "abc"),
    ]
    page = browser.get("/admin/auth_api/loginrecord/").content.decode()
    assert "192.0.2.7" in page
    assert browser.post("/admin/auth_api/loginrecord/add/").status_code == 403
    User.objects.get(pk=member.user.pk).delete()
    assert LoginRecord.objects.count() == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"password": None}, [("/password", "null")]),
        ({"password": "short1!"}, [("/password", "weak_password")]),
        ({"password": "new@example.org"}, [("/password", "weak_password")]),
        ({"role": "king"}, [("/role", "invalid_choice")]),
        ({"role": None}, [("/role", "null")]),
        ({"role": 7}, [("/role", "invalid_choice")]),
        ({"is_active": "yes"}, [("/is_active", "invalid")]),
        ({"is_superuser": True}, [("/is_superuser", "unknown")]),
    ],
)
def test_admin_is_told_what_is_wrong(change, expected, admin):
    answer = admin.post("/api/users/", {**NEW, **change}, format="json")
    assert (answer.status_code, errors(answer)) == (400, expected)


def test_new_account_needs_all_three(admin):
    answer = admin.post("/api/users/", {}, format="json")
    assert answer.status_code == 400
    assert errors(answer) == [("/username", "required"), ("/email", "required")]
    body = {name: NEW[name] for name in ("username", "email")}
    answer = admin.post("/api/users/", body, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/password", "required")])


def test_admin_is_told_who_has_the_name(admin, member):
    body = {**NEW, "username": "member", "email": "member@EXAMPLE.org"}
    answer = admin.post("/api/users/", body, format="json")
    assert answer.status_code == 409
    assert [(e["pointer"], e["code"], e["existing_id"]) for e in answer.json()["errors"]] == [
        ("/username", "unique", member.user.pk),
        ("/email", "unique", member.user.pk),
    ]


def test_migration_names_the_accounts_that_differ_in_case_alone(db):
    fold = import_module("auth_api.migrations.0005_username_key").fold
    for number, username in enumerate(["zoe", "Zoe", "ann"]):
        User.objects.bulk_create([User(username=f"u{number}", email=f"{number}@x.org")])
        User.objects.filter(username=f"u{number}").update(username_key=f"k{number}")
        models.QuerySet(User).filter(username=f"u{number}").update(username=username)
    with pytest.raises(ValueError, match=r"alone\. Rename all but one of each: zoe, Zoe$"):
        fold(apps, connection.schema_editor())
    models.QuerySet(User).filter(username="Zoe").update(username="Bob")
    fold(apps, connection.schema_editor())
    keys = User.objects.order_by("pk").values_list("username_key", flat=True)
    assert list(keys) == ["zoe", "bob", "ann"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "body"),
    [("PATCH", {"role": "member"}), ("PATCH", {"is_active": False}), ("DELETE", None)],
)
@pytest.mark.parametrize("loses", ["role", "account"])
def test_of_two_admins_who_depose_each_other_one_stays(admin, meanwhile, method, body, loses):
    other = User.objects.create_user("other", "other@example.org", PASSWORD, role="admin")

    def depose():
        if loses == "role":
            User.objects.filter(pk=admin.user.pk).update(role="librarian")
        else:
            User.objects.get(pk=admin.user.pk).delete()

    def strike_back():
        return getattr(admin, method.lower())(f"/api/users/{other.pk}/", body, format="json")

    answer = meanwhile(depose, strike_back)
    # 401 where the request waits for the deletion before it looks who asks.
    assert answer.status_code in ({409} if loses == "role" else {401, 409})
    assert answer.status_code == 401 or answer.json()["code"] == "last_admin"
    other.refresh_from_db()
    assert (other.role, other.is_active) == ("admin", True)


def saved(**changes):
    def save(user):
        for name, value in changes.items():
            setattr(user, name, value)
        user.save()

    return save


def bulk_updated(user):
    user.role = "member"
    User.objects.bulk_update([user], ["role"])


@pytest.mark.parametrize(
    "write",
    [
        saved(role="member"),
        saved(is_active=False),
        lambda user: User.objects.filter(pk=user.pk).update(role="librarian"),
        lambda user: User.objects.update(is_active=False),
        bulk_updated,
        lambda user: user.delete(),
        lambda user: User.objects.all().delete(),
    ],
    ids=["save", "switch off", "update", "update all", "bulk_update", "delete", "delete all"],
)
def test_no_way_to_write_takes_the_last_admin_away(write, admin, member):
    with pytest.raises(LastAdmin), transaction.atomic():
        write(User.objects.get(pk=admin.user.pk))
    assert list(User.objects.filter(role="admin", is_active=True)) == [admin.user]
    assert User.objects.filter(pk=member.user.pk, is_active=True).exists()
    User.objects.create_user("other", "other@example.org", PASSWORD, role="admin")
    saved(role="member")(User.objects.get(pk=admin.user.pk))
    assert User.objects.get(role="admin").username == "other"


def test_what_does_not_depose_takes_no_lock(admin, django_assert_num_queries):
    user = User.objects.get(pk=admin.user.pk)
    with django_assert_num_queries(3):
        user.save(update_fields=["last_login"])


def test_of_ten_at_once_with_one_name_one_is_created(admin, at_once):
    authorization = admin._credentials["HTTP_AUTHORIZATION"]

    def create(number):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=authorization)
        body = {**NEW, "email": f"{number}@example.org"}
        return client.post("/api/users/", body, format="json").status_code

    assert Counter(at_once(create, 10)) == {201: 1, 409: 9}


def test_account_is_switched_off_for_good(admin, member):
    pair = log_in("member", "test-member").json()
    url = f"/api/users/{member.user.pk}/"
    answer = admin.patch(url, {"is_active": False}, format="json")
    assert (answer.status_code, answer.json()["is_active"]) == (200, False)
    assert member.get("/api/me/").json()["code"] == "user_inactive"
    admin.patch(url, {"is_active": True}, format="json")
    assert member.get("/api/me/").json()["code"] == "token_not_valid"
    answer = APIClient().post("/api/token/refresh/", {"refresh": pair["refresh"]}, format="json")
    assert answer.json()["code"] == "token_not_valid"
    assert log_in("member", "test-member").status_code == 200


def test_password_is_kept_when_it_is_not_sent(admin, member):
    url = f"/api/users/{member.user.pk}/"
    account = admin.get(url).json()
    assert admin.put(url, {**account, "role": "librarian"}, format="json").status_code == 200
    assert not BlacklistedToken.objects.exists()
    assert log_in("member", "test-member").status_code == 200


def test_password_is_held_against_the_name_that_comes_with_it(admin, member):
    url = f"/api/users/{member.user.pk}/"
    body = {"username": "wintermute", "password": "wintermute1"}
    answer = admin.patch(url, body, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/password", "weak_password")])
    answer = admin.patch(url, {"password": "member@example"}, format="json")
    assert (answer.status_code, errors(answer)) == (400, [("/password", "weak_password")])
    assert log_in("member", "test-member").status_code == 200


def test_deleted_account_is_gone(admin, member):
    url = f"/api/users/{member.user.pk}/"
    assert admin.delete(url).status_code == 204
    assert admin.get(url).status_code == 404
    assert admin.patch(url, {"role": "admin"}, format="json").status_code == 404


@pytest.mark.parametrize("users", [1, 40])
def test_listing_accounts_costs_two_queries(users, admin, django_assert_num_queries):
    User.objects.bulk_create(
        User(username=f"user{number}", email=f"{number}@example.org") for number in range(users)
    )
    with django_assert_num_queries(2):
        assert len(admin.get("/api/users/").json()["results"]) == users + 1


@pytest.mark.parametrize("url", ["/api/users/?name=x", "/api/sessions/?x=1"])
def test_parameter_that_is_not_known_is_400(url, admin):
    assert admin.get(url).status_code == 400


# Without the API


def test_createsuperuser_makes_an_admin(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", username="root", email="root@x.de", interactive=False)
    assert User.objects.get(username="root").role == "admin"
    assert log_in("root", PASSWORD).status_code == 200


@pytest.fixture
def browser(admin):
    browser = Client()
    browser.force_login(admin.user)
    return browser


def test_admin_site_creates_an_account(browser):
    body = {"username": "new", "email": "New@Example.org", "role": "librarian"}
    passwords = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    url = "/admin/auth_api/user/add/"
    answer = browser.post(url, {**body, **passwords})
    assert answer.status_code == 302
    user = User.objects.get(email="new@example.org")
    assert (user.username, user.role, user.check_password(PASSWORD)) == ("new", "librarian", True)


def test_admin_site_lets_nobody_shut_the_door(browser, admin):
    url = f"/admin/auth_api/user/{admin.user.pk}/"
    body = {"username": "admin", "email": "admin@example.org", "role": "member"}
    answer = browser.post(f"{url}change/", body)
    assert answer.status_code == 302
    user = User.objects.get(pk=admin.user.pk)
    assert (user.role, user.is_active) == ("admin", True)
    assert browser.get(f"{url}delete/").status_code == 403
    body = {"action": "delete_selected", "_selected_action": admin.user.pk, "post": "yes"}
    browser.post("/admin/auth_api/user/", body)
    assert User.objects.filter(pk=admin.user.pk).exists()


def test_admin_site_keeps_the_last_admin_whoever_asks(browser, admin):
    """As when the other has been deposed since the page was loaded."""
    other = User.objects.create_user("other", "other@example.org", PASSWORD, role="admin")
    request = {"username": "other", "email": "other@example.org", "role": "member"}
    url = f"/admin/auth_api/user/{other.pk}/change/"
    selected = {"action": "delete_selected", "_selected_action": other.pk, "post": "yes"}
    with mock.patch.object(User, "has_perm", return_value=True):
        User.objects.filter(pk=admin.user.pk).update(role="librarian")
        for path, body in [
            (url, request),
            (f"/admin/auth_api/user/{other.pk}/delete/", {"post": "yes"}),
            ("/admin/auth_api/user/", selected),
        ]:
            answer = browser.post(path, body)
            assert (answer.status_code, answer["Location"]) == (302, path)
    assert "This is the last active admin." in browser.get("/admin/").content.decode()
    assert User.objects.get(role="admin") == other
    assert not LogEntry.objects.exists()


# Sessions in the admin site


def test_admin_site_does_not_show_the_tables_of_simplejwt(browser):
    page = browser.get("/admin/").content.decode()
    assert "/admin/auth_api/session/" in page
    assert "token_blacklist" not in page
    assert browser.get("/admin/token_blacklist/outstandingtoken/").status_code == 404
    assert browser.get("/admin/token_blacklist/blacklistedtoken/").status_code == 404


def test_admin_site_shows_sessions_and_changes_none(browser, member):
    pair = log_in("member", "test-member").json()
    session = Session.objects.latest("pk")
    url = "/admin/auth_api/session/"
    assert "member" in browser.get(url).content.decode()
    page = browser.get(f"{url}{session.pk}/change/").content.decode()
    assert 'name="_save"' not in page
    for path in ("add/", f"{session.pk}/delete/"):
        assert browser.post(f"{url}{path}", {"post": "yes"}).status_code == 403
    assert browser.post(f"{url}{session.pk}/change/", {}).status_code == 403
    body = {"action": "delete_selected", "_selected_action": session.pk, "post": "yes"}
    browser.post(url, body)
    assert Session.objects.filter(pk=session.pk).exists()
    refresh = APIClient().post("/api/token/refresh/", {"refresh": pair["refresh"]}, format="json")
    assert refresh.status_code == 200


def test_admin_site_ends_the_chosen_sessions_for_good(browser, admin, member):
    kept, ended = (log_in("member", "test-member").json() for _ in range(2))
    session = Session.objects.latest("pk")
    url = "/admin/auth_api/session/"
    body = {"action": "end", "_selected_action": session.pk}
    assert browser.post(url, body).status_code == 302

    def refreshed(pair):
        body = {"refresh": pair["refresh"]}
        return APIClient().post("/api/token/refresh/", body, format="json").status_code

    assert (refreshed(ended), refreshed(kept)) == (401, 200)
    assert "Ended." in LogEntry.objects.get().change_message


def test_admin_site_is_closed_to_librarians_who_look_for_sessions(librarian):
    browser = APIClient()
    browser.force_login(librarian.user)
    assert browser.get("/admin/auth_api/session/").status_code == 403


@pytest.mark.parametrize("sessions", [1, 30])
def test_the_page_of_sessions_costs_the_same_however_many(
    sessions, browser, member, django_assert_max_num_queries
):
    for _ in range(sessions):
        RefreshToken.for_user(member.user)
    with django_assert_max_num_queries(5):
        assert browser.get("/admin/auth_api/session/").status_code == 200


def test_admin_site_deletes_an_account_that_is_logged_in(browser, member):
    url = f"/admin/auth_api/user/{member.user.pk}/delete/"
    assert browser.post(url, {"post": "yes"}).status_code == 302
    assert member.get("/api/me/").json()["code"] == "user_not_found"
    assert browser.get("/admin/auth_api/session/").status_code == 200


def test_admin_site_checks_an_address_in_the_form_that_is_stored(browser, admin):
    body = {"username": "admin", "email": GROWING, "current_password": "test-admin"}
    url = f"/admin/auth_api/user/{admin.user.pk}/change/"
    answer = browser.post(url, body)
    assert answer.status_code == 200
    assert "at most 254 characters" in answer.content.decode()


def test_admin_site_takes_a_name_once_whatever_its_case(browser, member):
    body = {"username": "MEMBER", "email": "new@example.org", "role": "member"}
    passwords = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    answer = browser.post("/admin/auth_api/user/add/", {**body, **passwords})
    assert answer.status_code == 200
    assert "already exists" in answer.content.decode() or "has this username" in (
        answer.content.decode()
    )
    url = f"/admin/auth_api/user/{member.user.pk}/change/"
    body = {"username": "ADMIN", "email": "member@example.org", "role": "member"}
    answer = browser.post(url, body)
    assert "Another user has this username." in answer.content.decode()


def test_admin_site_confirms_changes_of_the_own_account(browser, admin, member):
    url = f"/admin/auth_api/user/{admin.user.pk}/"
    body = {"username": "admin", "email": "new@example.org"}
    for password in ("", "wrong"):
        answer = browser.post(f"{url}change/", {**body, "current_password": password})
        assert "This is not the current password." in answer.content.decode()
    assert (
        browser.post(f"{url}change/", {**body, "current_password": "test-admin"}).status_code == 302
    )
    assert User.objects.get(pk=admin.user.pk).email == "new@example.org"
    assert browser.post(f"{url}change/", body).status_code == 302
    assert browser.get(f"{url}password/")["Location"] == "/admin/password_change/"
    new = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert browser.post(f"{url}password/", new)["Location"] == "/admin/password_change/"
    assert User.objects.get(pk=admin.user.pk).check_password("test-admin")
    # Somebody else's asks for nothing.
    url = f"/admin/auth_api/user/{member.user.pk}/change/"
    assert "current_password" not in browser.get(url).content.decode()
    other = {"username": "member", "email": "m@example.org", "role": "member", "is_active": "on"}
    assert browser.post(url, other).status_code == 302


def test_admin_site_takes_an_address_once(browser, member):
    body = {"username": "new", "email": "MEMBER@example.org", "role": "member"}
    passwords = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    url = "/admin/auth_api/user/add/"
    answer = browser.post(url, {**body, **passwords})
    assert answer.status_code == 200
    assert "Another user has this e-mail address." in answer.content.decode()
