"""Does docs/agents.md tell the truth? Its server and its client run as they stand there."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.clients.conftest import SHOWN
from tests.clients.generators import ROOT

PAGE = (ROOT / "docs" / "agents.md").read_text("utf-8")

# What each tool takes, as a client is told.
TOOLS = """
import asyncio, json
from catalogue_mcp import TOOLS, make_server
from fastmcp import Client

async def main():
    async with Client(make_server()) as client:
        tools = [tool.model_dump(mode="json", by_alias=True) for tool in await client.list_tools()]
    print(json.dumps([tools, {name: sorted(shown) for name, (_, _, shown, _) in TOOLS.items()}]))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def api(catalogue):
    """The catalogue, asked by a member of the demo."""
    login = {"username": "member", "password": "demo-member"}
    access = catalogue.client.post("/api/token/", json=login).json()["access"]
    headers = {"Authorization": f"Bearer {access}"}
    return lambda method, path, body=None: catalogue.client.request(
        method, path, json=body, headers=headers
    )


@pytest.fixture(scope="module")
def token(api):
    """Made by the request of the page."""
    [(method, path, body)] = re.findall(r"```http\n(\w+) (\S+)\n\n(.*?)```", PAGE, re.DOTALL)
    answer = api(method, path, json.loads(body))
    assert answer.status_code == 201, answer.text
    yield answer.json()["token"]
    assert api("DELETE", f"/api/me/tokens/{answer.json()['id']}/").status_code == 204


@pytest.fixture(scope="module")
def run(catalogue, token, tmp_path_factory):
    """Run this file of the page, or this code beside its files, and get what it prints."""
    folder = tmp_path_factory.mktemp("agents")
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        (folder / code.partition("\n")[0].removeprefix("# ")).write_text(code)

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, "CATALOGUE_URL": catalogue.url, "CATALOGUE_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_client_of_the_page_prints_what_stands_there(run):
    [shown] = re.findall(r"```console\n\$ .*?\n(.*?)```", PAGE, re.DOTALL)
    assert SHOWN in PAGE
    assert run("ask.py") == shown


def test_a_model_is_told_of_what_the_page_chooses_and_no_more(run):
    tools, chosen = json.loads(run("-c", TOOLS))
    taken = {tool["name"]: sorted(tool["inputSchema"]["properties"]) for tool in tools}
    assert taken == chosen
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/books/"), ("GET", "/api/me/"), ("GET", "/api/sessions/")],
)
def test_its_token_reads_the_catalogue_and_no_more(method, path, token, catalogue):
    headers = {"Authorization": f"Bearer {token}"}
    assert catalogue.client.get("/api/books/", headers=headers).status_code == 200
    answer = catalogue.client.request(method, path, json={"title": "New"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "machine_token")
