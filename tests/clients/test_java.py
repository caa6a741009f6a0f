"""Does the Java client that the contract makes work as it comes?"""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.clients.generators import java, run

OWN = Path(__file__).parent / "java"
JARS = Path("/usr/share/java")
# Jackson is a part of the generator, and its newest parts are in no package of Debian.
GENERATOR = Path(find_spec("openapi_generator_cli").origin).parent / "openapi-generator.jar"
LIBRARIES = [GENERATOR, JARS / "httpmime.jar", JARS / "geronimo-annotation-1.3-spec.jar"]

pytestmark = [
    pytest.mark.more_languages,
    pytest.mark.skipif(shutil.which("javac") is None, reason="There is no compiler of Java here."),
    pytest.mark.skipif(
        not all(jar.exists() for jar in LIBRARIES),
        reason="Debian's libhttpmime-java or libgeronimo-annotation-1.3-spec-java is missing.",
    ),
]


def test_compiles_and_works(tmp_path, scenario, lines, titles):
    java(tmp_path / "client")
    (tmp_path / "First.java").write_text(lines("java"))
    classpath = ":".join(map(str, LIBRARIES))
    run(
        *("javac", "-nowarn", "-cp", classpath, "-d", tmp_path / "classes"),
        *(tmp_path / "client" / "src" / "main").rglob("*.java"),
        *(*OWN.rglob("*.java"), tmp_path / "First.java"),
    )
    compiled = ("java", "-cp", f"{classpath}:{tmp_path / 'classes'}")
    run(*compiled, "Scenario", env=scenario)
    assert run(*compiled, "First") == titles
