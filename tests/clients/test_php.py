"""Does the PHP client that the contract makes work as it comes?"""

import shutil
from pathlib import Path

import pytest

from tests.clients.generators import php, run

SCENARIO = Path(__file__).parent / "php"
GUZZLE = Path("/usr/share/php/GuzzleHttp/autoload.php")
# Whatever PHP would rather not have, ends it.
STRICT = (
    *("-d", "display_errors=stderr", "-d", "error_reporting=-1"),
    *("-d", "zend.assertions=1", "-d", "auto_prepend_file=strict.php"),
)

pytestmark = [
    pytest.mark.more_languages,
    pytest.mark.skipif(shutil.which("php") is None, reason="Debian's php-cli is not installed."),
    pytest.mark.skipif(
        not GUZZLE.exists(),
        reason="Debian's php-guzzlehttp-guzzle, php-curl and php-mbstring are not installed.",
    ),
]


def test_works(tmp_path, scenario, lines, titles):
    php(tmp_path / "client")
    (tmp_path / "vendor").mkdir()
    shutil.copy(SCENARIO / "autoload.php", tmp_path / "vendor")
    shutil.copy(SCENARIO / "strict.php", tmp_path)
    shutil.copy(SCENARIO / "scenario.php", tmp_path)
    (tmp_path / "first.php").write_text(lines("php"))
    run("php", *STRICT, "scenario.php", cwd=tmp_path, env=scenario)
    assert run("php", *STRICT, "first.php", cwd=tmp_path) == titles
