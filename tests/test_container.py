"""Are the container's files what their specifications say, with variables that there are?"""

import json
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from tests.server import ROOT
from tests.test_operations_docs import REQUIRED, ROWS

pytestmark = pytest.mark.engineless
FILE = (ROOT / "Containerfile").read_text("utf-8")
TEXT = (ROOT / "compose.yaml").read_text("utf-8")
COMPOSE = yaml.safe_load(TEXT)
OURS = ("migrate", "server", "housekeeping")
# What the image sets by itself.
OF_IMAGE = set(
    re.findall(r"([A-Z_]+)=", re.search(r"^ENV (.*?)\nEXPOSE", FILE, re.DOTALL | re.MULTILINE)[1])
)


def test_the_containerfile_is_linted():
    hadolint = Path(sysconfig.get_path("scripts"), "hadolint")
    done = subprocess.run(
        [hadolint, ROOT / "Containerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_is_what_the_specification_says():
    PyCompose.from_json(json.dumps(COMPOSE)).validate()


def test_containers_get_the_variables_of_the_table():
    assert set(ROWS) >= OF_IMAGE
    for name in OURS:
        given = set(COMPOSE["services"][name]["environment"]) | OF_IMAGE
        assert given <= set(ROWS)
        assert set(REQUIRED) <= given


def test_what_compose_asks_for_is_a_variable_of_the_table_or_the_databases_password():
    asked = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert asked - set(ROWS) == {"DATABASE_PASSWORD"}


def test_the_proxy_asks_where_the_server_listens():
    assert "EXPOSE 8000" in FILE
    assert "reverse_proxy server:8000" in COMPOSE["configs"]["proxy"]["content"]
