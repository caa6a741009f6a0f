"""Do the requests of pages without a test of their own get what they are for?

The demo catalogue answers, as whoever reads them and has typed `make run` is answered.
"""

import json
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from auth_api.models import User
from auth_api.tokens import RefreshToken

ROOT = Path(__file__).resolve().parent.parent
# A command goes on within quotes.
COMMAND = re.compile(r"^ *curl ((?:'[^']*'|[^'\n])+)", re.MULTILINE)


def text(page):
    # A backslash joins lines, to a shell.
    return (ROOT / page).read_text("utf-8").replace("\\\n", " ")


@pytest.fixture
def demo(settings, db):
    settings.DEBUG = True
    call_command("load_demo", verbosity=0)


def token_of(name):
    return str(RefreshToken.for_user(User.objects.get(username=name)).access_token)


def send(words):
    """Do what curl does with these arguments."""
    words, url, headers = iter(words), None, {}
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        else:
            url = word.removeprefix("http://127.0.0.1:8000")
    return APIClient().get(url, headers=headers)


def test_exports_are_files(demo):
    bearer = f"Bearer {token_of('member')}"
    table, lines = (
        b"".join(send(shlex.split(command.replace("Bearer …", bearer)))).splitlines()
        for command in COMMAND.findall(text("docs/export.md"))
    )
    assert b"title" in table[0].split(b",")
    assert len(table) > 100
    for line in lines:
        assert json.loads(line)["title"]


def test_an_assistant_gets_its_token(demo):
    [(path, body)] = re.findall(
        r"```http\nPOST (\S+)\n\n(.*?)```", text("docs/agents.md"), re.DOTALL
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of('member')}")
    answer = client.generic("POST", path, body, "application/json")
    assert answer.status_code == 201
    assert answer.json()["token"].startswith("bookcat_")


def test_the_filters_of_lists_are_known(demo):
    queries = re.findall(r"^\| `(\?\S+)` \|", text("docs/lists.md"), re.MULTILINE)
    assert len(queries) > 5
    for query in queries:
        answer = send([f"/api/books/{query}"])
        assert answer.status_code == 200, answer.content
