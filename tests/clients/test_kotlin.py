"""Does the Kotlin client that the contract makes work as it comes?"""

import shutil
from pathlib import Path

import pytest

from tests.clients.generators import NODE_MODULES, kotlin, run

GSON = Path("/usr/share/java/gson.jar")
COMPILER = NODE_MODULES / "kotlin-compiler"
OKHTTP = NODE_MODULES / "allure-commandline" / "dist" / "plugins" / "jira-plugin" / "lib"

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="There is no Java here."),
    pytest.mark.skipif(not GSON.exists(), reason="Debian's libgoogle-gson-java is not installed."),
]


def test_compiles_without_a_warning_and_works(tmp_path, scenario, lines, titles):
    kotlin(tmp_path / "client")
    (tmp_path / "First.kt").write_text(lines("kotlin"))
    libraries = [GSON, *OKHTTP.glob("okhttp-jvm-*.jar"), *OKHTTP.glob("okio-jvm-*.jar")]
    classpath = ":".join(map(str, libraries))
    said = run(
        *("java", "-XX:TieredStopAtLevel=1", "-cp", COMPILER / "lib" / "*"),
        "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
        *("-no-reflect", "-kotlin-home", COMPILER, "-cp", classpath, "-d", tmp_path / "classes"),
        tmp_path / "client" / "src" / "main",
        Path(__file__).parent / "kotlin" / "Scenario.kt",
        tmp_path / "First.kt",
    )
    # What the generator writes whatever the contract is not of our making.
    warnings = [line for line in said.splitlines() if ": warning: " in line]
    assert not [line for line in warnings if "/client/infrastructure/" not in line]
    stdlib = COMPILER / "lib" / "kotlin-stdlib.jar"
    compiled = ("java", "-cp", f"{classpath}:{tmp_path / 'classes'}:{stdlib}")
    run(*compiled, "ScenarioKt", env=scenario)
    assert run(*compiled, "FirstKt") == titles
