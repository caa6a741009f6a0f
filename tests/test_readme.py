"""Are the first five requests of the README answered as it says?"""

import json
import re
import shutil
import subprocess

import pytest
from django.core.management import call_command

from tests.server import ROOT
from tests.test_relations_docs import shown

TEXT = (ROOT / "README.md").read_text("utf-8").partition("## The first five requests\n")[2]
SERVER = "http://127.0.0.1:8000"


def block(language):
    return re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[1]


def answers(script):
    """The documents that these commands of a shell print."""
    command = ["bash", "-euc", f'curl() {{ command curl --silent --show-error "$@"; }}\n{script}']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, decoder, found = done.stdout, json.JSONDecoder(), []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="There is no curl here.")
@pytest.mark.django_db(reset_sequences=True, transaction=True)
def test_the_first_five_requests_do_what_the_readme_says(live_server, settings):
    settings.DEBUG = True
    call_command("load_demo", verbosity=0)
    first, token, rest = re.split(
        r"^(TOKEN=)….*\n", block("sh").replace(SERVER, live_server.url), flags=re.MULTILINE
    )
    found, tokens = answers(first)
    titles = [book["title"] for book in found["results"]]
    assert titles[0] == "A Wizard of Earthsea"
    assert {tuple(book) for book in found["results"]} == {("id", "title", "authors")}
    made, changed, walked = answers(f"API={live_server.url}/api\n{token}{tokens['access']}\n{rest}")
    assert [each["role"] for each in made["contributions"]] == ["author", "introduction"]
    assert (made["series"]["name"], made["subject_ids"]) == ("Tales of the House", [2, 1])
    assert changed == {
        **made,
        "series": None,
        "series_id": None,
        "version": 2,
        "updated_at": changed["updated_at"],
    }
    assert walked["count"] == len(walked["results"]) > 0
    # What comes back where something is wrong
    problem = json.loads(block("json"))
    people = [{"author_id": 1}, {"author": {"birth_year": 1959}}]
    flawed = {"title": "Piranesi", "contributions": people}
    [refused] = answers(
        f"curl {live_server.url}{problem['instance']} -H 'Content-Type: application/json'"
        f" -H 'Authorization: Bearer {tokens['access']}' -d '{json.dumps(flawed)}'"
    )
    assert shown(problem, refused) == problem
