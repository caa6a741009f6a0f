"""Do the TypeScript clients that the contract makes work as they come?"""

import json
import os
import shutil
from pathlib import Path

import pytest

from project.api.http.renderers import PARTIAL_MEDIA_TYPE
from tests.clients.generators import (
    CONTRACT,
    NODE_MODULES,
    ROOT,
    node,
    openapi_generator,
    run,
)
from tests.copies import Copy
from tests.server import Server, development, manage

# One worker of pytest-xdist runs them all, so that the clients are made once.
pytestmark = pytest.mark.xdist_group(__name__)
SCENARIOS = Path(__file__).parent / "typescript"
OWN_APP = Path(__file__).parent / "typescript_reviews"


def openapi_typescript(target, contract=CONTRACT):
    node("openapi-typescript", contract, "-o", target.with_suffix(".ts"))


def hey_api(target):
    node("openapi-ts", "-i", CONTRACT, "-o", target)


def orval(target):
    # It would have each read give either type, whatever was asked.
    contents = {"exclude": [PARTIAL_MEDIA_TYPE]}
    output = {"target": f"{target.with_suffix('.ts')}", "client": "fetch"}
    output["override"] = {"contentType": contents}
    catalogue = {"input": {"target": f"{CONTRACT}"}, "output": output}
    config = target.with_suffix(".config.cjs")
    config.write_text(f"module.exports = {json.dumps({'catalogue': catalogue})};")
    node("orval", "--config", config, cwd=target.parent)


def typescript_fetch(target):
    # So that names and dates are those of the contract.
    openapi_generator(
        *("typescript-fetch", target, "--additional-properties=modelPropertyNaming=original"),
        "--type-mappings=DateTime=string,Date=string",
    )


GENERATORS = [openapi_typescript, hey_api, orval, typescript_fetch]


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A folder with every client and its scenario, which the compiler has nothing against."""
    folder = tmp_path_factory.mktemp("typescript")
    shutil.copytree(SCENARIOS, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "generated").mkdir()
    for generate in GENERATORS:
        generate(folder / "generated" / generate.__name__)
    assert node("tsc", "--project", folder) == ""
    return folder


def run_scenario(folder, name, env):
    bundle = ("--bundle", "--platform=node", "--format=esm", f"--outfile={name}.mjs")
    node("esbuild", f"{name}.ts", *bundle, "--log-level=warning", cwd=folder)
    run("node", f"{name}.mjs", cwd=folder, env=env)


@pytest.mark.parametrize("client", ["openapi_fetch", "hey_api", "orval", "typescript_fetch"])
def test_works_as_it_comes(checked, scenario, client):
    run_scenario(checked, client, scenario)


def test_openapi_3_0_makes_the_same_client(tmp_path, catalogue):
    older = catalogue.client.get("/api/schema/?version=3.0").text
    (tmp_path / "openapi_3_0.yaml").write_text(older, "utf-8")
    openapi_typescript(tmp_path / "older", tmp_path / "openapi_3_0.yaml")
    openapi_typescript(tmp_path / "newer")
    assert (tmp_path / "older.ts").read_text() == (tmp_path / "newer.ts").read_text()


def test_knows_an_app_of_ones_own(tmp_path):
    copy = Copy(tmp_path / "copy")
    copy.follow((ROOT / "docs" / "reviews.md").read_text("utf-8"))
    copy.generate()
    folder = tmp_path / "typescript"
    shutil.copytree(OWN_APP, folder)
    shutil.copy(SCENARIOS / "tsconfig.json", folder)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    openapi_typescript(folder / "catalogue", copy.folder / "schema" / "openapi.yaml")
    assert node("tsc", "--project", folder) == ""
    env = development(f"sqlite:///{tmp_path}/catalogue.sqlite3")
    loaded = manage("load_demo", env=env, folder=copy.folder)
    assert loaded.returncode == 0, loaded.stderr
    with Server(env, copy.folder) as server:
        run_scenario(folder, "reviews", {**os.environ, "CATALOGUE_URL": server.url})
