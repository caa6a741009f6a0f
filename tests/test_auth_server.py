"""Do the limits and the sessions hold across processes, as `make run` starts them?"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server import Server, development, manage

# One worker of pytest-xdist runs them all, so that the server is started once.
pytestmark = pytest.mark.xdist_group(__name__)

PASSWORD = "a-password-for-the-tests"


@pytest.fixture(scope="module")
def client(database_url):
    env = development(database_url) | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    assert manage("migrate", env=env).returncode == 0
    user = ("--username", "root", "--email", "root@example.org")
    assert manage("createsuperuser", "--no-input", *user, env=env).returncode == 0
    with Server(env) as server:
        yield server.client


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


def test_of_forty_guesses_over_two_processes_five_reach_the_password(client):
    answers = at_once(lambda: log_in(client, "guessed", "wrong").status_code, 40)
    assert Counter(answers) == {401: 5, 429: 35}
    assert log_in(client).status_code == 200
