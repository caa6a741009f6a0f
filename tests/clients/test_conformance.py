"""Does the server do what the contract says, whatever it is asked?

Schemathesis asks: examples, boundaries, random and stateful requests, valid and invalid.
"""

import os
from pathlib import Path

import pytest

from tests.clients.generators import program, run
from tests.postgres import PostgreSQL
from tests.server import Server, development, manage

WHO = {"username": "admin", "password": "demo-admin"}


@pytest.fixture
def served():
    with PostgreSQL() as postgresql:
        env = development(postgresql.url)
        loaded = manage("load_demo", env=env)
        assert loaded.returncode == 0, loaded.stderr
        with Server(env) as server:
            yield server


# `make test-all` asks by another one each time, which the name of the test shows.
SEEDS = [1, *os.environ.get("SEED", "").split()]


@pytest.mark.parametrize("seed", SEEDS)
def test_schemathesis_finds_nothing(served, seed, tmp_path):
    tokens = served.client.post("/api/token/", json=WHO).json()
    run(
        *(program("st"), "--config-file", Path(__file__).parent / "schemathesis.toml"),
        *("run", f"{served.url}/api/schema/", "--seed", seed),
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "CATALOGUE_URL": served.url,
            "REFRESH_TOKEN": tokens["refresh"],
        },
    )
    assert "Traceback" not in served.log
