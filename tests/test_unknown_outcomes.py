"""Is nothing stored twice, nor lost, when nobody knows whether it was stored?"""

import uuid
from unittest.mock import ANY

import pytest

from tests.cuts import AFTER_COMMIT, BEFORE_ANYTHING, BEFORE_BEGIN, BEFORE_COMMIT, Network
from tests.server import PASSWORD, Server, with_admins

pytestmark = [pytest.mark.reliability, pytest.mark.xdist_group(__name__)]

WRITES = 10  # at each moment


@pytest.fixture(scope="module")
def network(database_url):
    if database_url.startswith("sqlite"):
        pytest.skip("cuts a network, which SQLite has not; run with --engine postgresql")
    env = with_admins(database_url, "admin")
    with Network(database_url) as network:
        network.env = env | {"DATABASE_URL": network.url}
        yield network


@pytest.fixture(scope="module")
def client(network):
    with Server(network.env) as server:
        login = {"username": "admin", "password": PASSWORD}
        access = server.client.post("/api/token/", json=login).json()["access"]
        server.client.headers["Authorization"] = f"Bearer {access}"
        yield server.client


def unknown(path):
    return {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": (
            "The database does not answer any more, and what you sent may be stored. Repeat it with"
            " the same Idempotency-Key, or look first."
        ),
        "code": "outcome_unknown",
        "instance": path,
        "request_id": ANY,
    }


@pytest.mark.parametrize("moment", [BEFORE_COMMIT, AFTER_COMMIT], ids=["before", "after"])
def test_what_may_be_stored_is_repeated_with_its_key_and_is_there_once(network, client, moment):
    for number in range(WRITES):
        body = {"name": f"Author {moment[0]} {number}"}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        network.cut_at(moment)
        first = client.post("/api/authors/", json=body, headers=headers)
        assert (first.status_code, first.json()) == (503, unknown("/api/authors/"))
        assert first.headers["Retry-After"] == "1"
        assert network.has_been_cut.is_set()
        second = client.post("/api/authors/", json=body, headers=headers)
        assert (second.status_code, second.json()["name"]) == (201, body["name"])
        assert ("Idempotency-Replayed" in second.headers) == (moment == AFTER_COMMIT)
        found = client.get("/api/authors/", params={"name": body["name"]}).json()["results"]
        assert [author["id"] for author in found] == [second.json()["id"]]


@pytest.mark.parametrize("moment", [BEFORE_COMMIT, AFTER_COMMIT], ids=["before", "after"])
def test_what_may_be_stored_says_so_without_a_key_too(network, client, moment):
    body = {"name": f"Author {moment[0]} without a key"}
    network.cut_at(moment)
    answer = client.post("/api/authors/", json=body)
    assert (answer.status_code, answer.json()) == (503, unknown("/api/authors/"))
    found = client.get("/api/authors/", params={"name": body["name"]}).json()["results"]
    assert len(found) == (moment == AFTER_COMMIT)


def test_what_is_stored_says_so_when_its_document_cannot_be_read(network, client):
    network.cut_at(AFTER_COMMIT, BEFORE_ANYTHING)
    answer = client.post("/api/authors/", json={"name": "Author who is not shown"})
    assert network.has_been_cut.is_set()
    assert (answer.status_code, answer.json()) == (503, unknown("/api/authors/"))
    found = client.get("/api/authors/", params={"name": "Author who is not shown"}).json()
    assert len(found["results"]) == 1


def test_what_is_not_stored_is_repeated_by_the_server(network, client):
    network.cut_at(BEFORE_BEGIN)
    answer = client.post("/api/authors/", json={"name": "Author by the second connection"})
    assert network.has_been_cut.is_set()
    assert answer.status_code == 201
    found = client.get("/api/authors/", params={"name": "Author by the second connection"}).json()
    assert len(found["results"]) == 1
