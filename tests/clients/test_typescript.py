"""Do the TypeScript clients that the contract makes work as they come?"""

import shutil
from pathlib import Path

import pytest

from tests.clients.generators import (
    CONTRACT,
    NODE_MODULES,
    node,
    openapi_generator,
    run,
)

# One worker of pytest-xdist runs them all, so that the clients are made once.
pytestmark = pytest.mark.xdist_group(__name__)
SCENARIOS = Path(__file__).parent / "typescript"


def openapi_typescript(target):
    node("openapi-typescript", CONTRACT, "-o", target.with_suffix(".ts"))


def hey_api(target):
    node("openapi-ts", "-i", CONTRACT, "-o", target)


def orval(target):
    output = target.with_suffix(".ts")
    node("orval", "--input", CONTRACT, "--output", output, "--client", "fetch", cwd=target.parent)


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


@pytest.mark.parametrize("client", ["openapi_fetch", "hey_api", "orval", "typescript_fetch"])
def test_works_as_it_comes(checked, scenario, client):
    node(
        *("esbuild", f"{client}.ts", "--bundle", "--platform=node", "--format=esm"),
        *(f"--outfile={client}.mjs", "--log-level=warning"),
        cwd=checked,
    )
    run("node", f"{client}.mjs", cwd=checked, env=scenario)
