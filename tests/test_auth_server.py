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


def test_of_eight_refreshes_over_two_processes_one_wins(client):
    token = log_in(client).json()["refresh"]
    answers = at_once(lambda: client.post("/api/token/refresh/", json={"refresh": token}), 8)
    outcomes = Counter(answer.json().get("code", answer.status_code) for answer in answers)
    assert outcomes == {200: 1, "token_rotated": 7}


def test_of_forty_guesses_over_two_processes_five_reach_the_password(client):
    answers = at_once(lambda: log_in(client, "guessed", "wrong").status_code, 40)
    assert Counter(answers) == {401: 5, 429: 35}
    assert log_in(client).status_code == 200
