"""Does the Ruby client that the contract makes work as it comes?"""

import shutil
from pathlib import Path

import pytest

from tests.clients.generators import ruby, run

SCENARIO = Path(__file__).parent / "ruby" / "scenario.rb"
TYPHOEUS = Path("/usr/share/rubygems-integration/all/specifications").glob("typhoeus-*")

pytestmark = [
    pytest.mark.more_languages,
    pytest.mark.skipif(shutil.which("ruby") is None, reason="Debian's ruby is not installed."),
    pytest.mark.skipif(not list(TYPHOEUS), reason="Debian's ruby-typhoeus is not installed."),
]


def test_works(tmp_path, scenario, lines, titles):
    ruby(tmp_path / "client")
    (tmp_path / "first.rb").write_text(lines("ruby"))
    command = ("ruby", "-I", tmp_path / "client" / "lib")
    run(*command, SCENARIO, env=scenario)
    assert run(*command, tmp_path / "first.rb") == titles
