"""Do sync clients that others wrote end equal with the server, by docs/sync-clients.md?"""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.clients.generators import NODE_MODULES, ROOT, node, run
from tests.server import Server, development, manage

PAGE = ROOT / "docs" / "sync-clients.md"
PHONES = Path(__file__).parent / "sync"
TIMEOUT = 180  # seconds; it takes a few
MODULE = re.compile(r"```js\n// (\w+\.js)\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """With the modules of the page, and phones that use them."""
    folder = tmp_path / "sync"
    shutil.copytree(PHONES, folder)
    for name, code in MODULE.findall(PAGE.read_text("utf-8")):
        (folder / name).write_text(code)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    return folder


@pytest.mark.parametrize("client", ["rxdb", "watermelondb"])
def test_two_phones_and_the_admin_end_equal(folder, tmp_path, client):
    # A server of its own: in the end all books are compared.
    env = development(f"sqlite:///{tmp_path}/catalogue.sqlite3")
    loaded = manage("load_demo", env=env)
    assert loaded.returncode == 0, loaded.stderr
    bundle = ("--bundle", "--platform=node", "--format=esm", "--outfile=bundle.mjs")
    # What a package asks Node for by `require`
    banner = (
        'import { createRequire } from "module"; const require = createRequire(import.meta.url);'
    )
    options = (*bundle, f"--banner:js={banner}", "--log-level=warning")
    node("esbuild", f"{client}_phone.js", *options, cwd=folder)
    with Server(env) as server:
        env = {**os.environ, "CATALOGUE_URL": server.url}
        run("node", "bundle.mjs", cwd=folder, env=env, timeout=TIMEOUT)
