"""Does the C# client that the contract makes compile, and send and read what it should?

Debian has mono, whose compiler knows C# 7 and whose libraries are .NET Standard 2.0's. For newer
ones the client is parsed (test_parsed.py).
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.clients.generators import csharp, run

OWN = Path(__file__).parent / "csharp"
NEWTONSOFT = Path("/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll")
SYSTEM = [
    "System.ComponentModel.DataAnnotations",
    "System.Net.Http",
    "System.Runtime.Serialization",
    "System.Web",
]
# A newer Newtonsoft.Json names what has no name of its own, which every property has.
NAMING = re.compile(r"NamingStrategy = new CamelCaseNamingStrategy\s*{[^}]*}")

pytestmark = [
    pytest.mark.more_languages,
    pytest.mark.skipif(
        shutil.which("mcs") is None, reason="Debian's mono-mcs and mono-runtime are not installed."
    ),
    pytest.mark.skipif(
        not NEWTONSOFT.exists(), reason="Debian's libnewtonsoft-json5.0-cil is not installed."
    ),
]


def test_compiles_and_works(tmp_path, scenario, lines, titles):
    csharp(tmp_path / "client", "targetFramework=netstandard2.0")
    files = [*(tmp_path / "client" / "src" / "Org.OpenAPITools").rglob("*.cs"), *OWN.glob("*.cs")]
    for file in files:
        if NAMING.search(text := file.read_text("utf-8")):
            file.write_text(NAMING.sub("", text), "utf-8")
    # Statements stand alone since C# 9.
    uses, _, statements = lines("csharp").partition("\n\n")
    first = tmp_path / "First.cs"
    program = f"class First {{ static void Main() {{\n{statements}Runtime.End(); }} }}"
    first.write_text(f"{uses}\n{program}\n")
    shutil.copy(NEWTONSOFT, tmp_path)
    for name in ("Scenario", "First"):
        program = tmp_path / f"{name}.exe"
        run(
            *("mcs", "-langversion:latest", f"-main:{name}", f"-out:{program}"),
            *(f"-r:{library}" for library in (*SYSTEM, NEWTONSOFT)),
            *(*files, first),
        )
    run("mono", tmp_path / "Scenario.exe", env=scenario)
    assert run("mono", tmp_path / "First.exe") == titles
