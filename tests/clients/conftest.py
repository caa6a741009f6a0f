"""A server with the demo catalogue for the clients, and a name for each of them."""

import os
import re
from itertools import count

import pytest

from tests.clients.generators import ROOT
from tests.server import Server, development, manage

NUMBERS = count(1)
SHOWN = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory):
    """A server with the demo catalogue; `.url` is where."""
    folder = tmp_path_factory.mktemp("catalogue")
    env = development(f"sqlite:///{folder}/catalogue.sqlite3")
    loaded = manage("load_demo", env=env)
    assert loaded.returncode == 0, loaded.stderr
    with Server(env) as server:
        yield server


def isbn(number):
    """A valid ISBN that the demo catalogue does not have."""
    digits = f"978100{number:06}"
    weighted = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


def ids_for(path, client):
    """Values for the ids in this path, so that there is something at it."""
    names = re.findall(r"{(\w+)}", path)
    if names == ["kind", "id"]:
        return {"kind": "authors", "id": 1}
    if path.endswith("/merge/"):
        # Others need the first.
        newest = {"ordering": "-id", "page_size": 1}
        [gone] = client.get(path.partition("{")[0], params=newest).json()["results"]
        return {"id": gone["id"]}
    if len(names) < 2:
        return dict.fromkeys(names, 1)
    children = path.removesuffix("{id}/")
    for parent in range(1, 200):
        page = client.get(children.format(**{names[0]: parent})).json()
        if page.get("results"):
            return {names[0]: parent, "id": page["results"][0]["id"]}
    raise AssertionError(f"The demo catalogue has nothing at {path}")


@pytest.fixture
def scenario(catalogue):
    """The environment of a scenario: where the server is, and values that nobody else uses."""
    number = next(NUMBERS)
    return {
        **os.environ,
        "CATALOGUE_URL": catalogue.url,
        "ISBN_1": isbn(2 * number),
        "ISBN_2": isbn(2 * number + 1),
        "MARK": f"client {number}",
    }


@pytest.fixture
def lines(catalogue):
    """The example in this language of docs/clients.md, at the address of the tests' server."""
    text = (ROOT / "docs" / "clients.md").read_text("utf-8")

    def lines(language):
        [code] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        assert SHOWN in code
        return code.replace(SHOWN, catalogue.url)

    return lines


@pytest.fixture
def titles(catalogue):
    """What those examples print: the titles of a century, line by line, from more than one page."""
    query = {"first_published_year_min": 1901, "first_published_year_max": 2000, "page_size": 200}
    page = catalogue.client.get("/api/books/", params=query).json()
    assert len(page["results"]) > 50
    assert page["next"] is None
    return "".join(f"{book['title']}\n" for book in page["results"])
