"""Do the Python clients that the contract makes work as they come?"""

import re
import shutil
import sys
from pathlib import Path

from tests.clients.generators import openapi_generator, python, run

SCENARIOS = Path(__file__).parent / "python"
# The generator's own, whatever the contract: it hands a tuple on to httpx's __exit__.
NOT_OURS = re.compile(r"catalogue/client\.py:\d+: error: Argument 1 to \"__a?exit__\"")


def test_openapi_python_client_is_typed_strictly_and_works(tmp_path, scenario):
    python(tmp_path / "catalogue")
    shutil.copy(SCENARIOS / "openapi_python_client.py", tmp_path)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary")
    report = run(
        *("sh", "-c", '"$@" || true', "sh", *mypy, "openapi_python_client.py", "catalogue"),
        cwd=tmp_path,
    )
    assert not [line for line in report.splitlines() if not NOT_OURS.match(line)]
    run(sys.executable, "-W", "error", "openapi_python_client.py", cwd=tmp_path, env=scenario)


def test_openapi_generator_works(tmp_path, scenario):
    openapi_generator("python", tmp_path)
    shutil.copy(SCENARIOS / "openapi_generator.py", tmp_path / "scenario.py")
    run(sys.executable, "-W", "error", "scenario.py", cwd=tmp_path, env=scenario)
