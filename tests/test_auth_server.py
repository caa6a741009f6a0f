"""Do the limits and the sessions hold across processes, as `make run` starts them?"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.server import PASSWORD, Server, with_admins

# One worker of pytest-xdist runs them all, so that the server is started once.
pytestmark = [pytest.mark.reliability, pytest.mark.xdist_group(__name__)]

ADMINS = ("root", "second")


@pytest.fixture(scope="module")
def client(database_url):
    env = with_admins(database_url, *ADMINS)
    with Server(env) as server:
        yield server.client


@pytest.fixture
def two_admins(client):
    """By their ids, a client of the API and one of the admin site for each of all the admins."""
    admins = {}
    for name in ADMINS:
        pair = log_in(client, name).json()
        bearer = {"Authorization": f"Bearer {pair['access']}"}
        api = httpx.Client(base_url=client.base_url, headers=bearer, timeout=30)
        browser = httpx.Client(base_url=client.base_url, timeout=30)
        browser.get("/admin/login/")
        form = {"username": name, "password": PASSWORD, "next": "/admin/"}
        assert post(browser, "/admin/login/", form).status_code == 302
        admins[api.get("/api/me/").json()["id"]] = api, browser
    yield admins
    for api, browser in admins.values():
        api.close()
        browser.close()


def post(browser, path, form):
    token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    return browser.post(path, data={**form, **token})


def depose_in_the_admin_site(admin, account):
    form = {"username": account["username"], "email": account["email"], "role": "member"}
    path = f"/admin/auth_api/user/{account['id']}/change/"
    return post(admin[1], path, {**form, "is_active": "on"})


def switch_off_by_the_api(admin, account):
    return admin[0].patch(f"/api/users/{account['id']}/", json={"is_active": False})


def at_once(call, times):
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(lambda number: call(), range(times)))


def log_in(client, username="root", password=PASSWORD):
    return client.post("/api/token/", json={"username": username, "password": password})


@pytest.mark.parametrize("times", [8, 20, 50])
def test_refreshes_at_once_over_two_processes_get_one_pair(times, client):
    token = log_in(client).json()["refresh"]
    answers = at_once(lambda: client.post("/api/token/refresh/", json={"refresh": token}), times)
    assert Counter(answer.status_code for answer in answers) == {200: times}
    [(access, successor)] = {tuple(answer.json().values()) for answer in answers}
    bearer = {"Authorization": f"Bearer {access}"}
    assert client.get("/api/me/", headers=bearer).status_code == 200
    # The one live token: it is used, and from then on the first is a replay.
    assert client.post("/api/token/refresh/", json={"refresh": successor}).status_code == 200
    replay = client.post("/api/token/refresh/", json={"refresh": token})
    assert (replay.status_code, replay.json()["code"]) == (401, "token_reused")
    assert client.get("/api/me/", headers=bearer).status_code == 401


@pytest.mark.parametrize("depose", [depose_in_the_admin_site, switch_off_by_the_api])
def test_of_two_admins_who_depose_each_other_over_two_processes_one_stays(two_admins, depose):
    for _ in range(8):
        accounts = {pk: api.get("/api/me/").json() for pk, (api, _) in two_admins.items()}
        (one, first), (two, second) = two_admins.items()
        with ThreadPoolExecutor(2) as threads:
            answers = [
                threads.submit(depose, first, accounts[two]),
                threads.submit(depose, second, accounts[one]),
            ]
        assert all(answer.result().status_code < 500 for answer in answers)
        [stayed] = [
            pk for pk, (api, _) in two_admins.items() if api.get("/api/users/").status_code == 200
        ]
        [deposed] = two_admins.keys() - {stayed}
        again = {"role": "admin", "is_active": True}
        api, _ = two_admins[stayed]
        assert api.patch(f"/api/users/{deposed}/", json=again).status_code == 200
        if depose is switch_off_by_the_api:
            # That has ended the session.
            pair = log_in(api, accounts[deposed]["username"]).json()
            two_admins[deposed][0].headers["Authorization"] = f"Bearer {pair['access']}"


def test_of_forty_guesses_over_two_processes_five_reach_the_password(client):
    answers = at_once(lambda: log_in(client, "guessed", "wrong").status_code, 40)
    assert Counter(answers) == {401: 5, 429: 35}
    assert log_in(client).status_code == 200
