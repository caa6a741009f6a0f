"""Do the C# models that the contract makes compile, and send and read what they should?

Debian has mono, whose compiler knows C# 7: enough for the models, not for the client around them,
which is parsed (test_parsed.py).
"""

import shutil
from pathlib import Path

import pytest

from tests.clients.generators import csharp, run

SCENARIO = Path(__file__).parent / "csharp" / "Scenario.cs"
NEWTONSOFT = Path("/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll")

pytestmark = [
    pytest.mark.more_languages,
    pytest.mark.skipif(
        shutil.which("mcs") is None, reason="Debian's mono-mcs and mono-runtime are not installed."
    ),
    pytest.mark.skipif(
        not NEWTONSOFT.exists(), reason="Debian's libnewtonsoft-json5.0-cil is not installed."
    ),
]


def test_the_models_compile_and_work(tmp_path, scenario):
    csharp(tmp_path / "client")
    source = tmp_path / "client" / "src" / "Org.OpenAPITools"
    models = set((source / "Model").glob("*.cs"))
    # It serves unions, of which the contract has none, and asks for a newer Newtonsoft.Json.
    models.remove(source / "Model" / "AbstractOpenAPISchema.cs")
    uses = ("FileParameter", "OpenAPIDateConverter")
    system = ("System.ComponentModel.DataAnnotations", "System.Runtime.Serialization")
    run(
        *("mcs", "-langversion:latest", f"-out:{tmp_path / 'scenario.exe'}"),
        *(f"-r:{library}" for library in (*system, NEWTONSOFT)),
        *(*models, *(source / "Client" / f"{name}.cs" for name in uses), SCENARIO),
    )
    shutil.copy(NEWTONSOFT, tmp_path)
    run("mono", tmp_path / "scenario.exe", env=scenario)
