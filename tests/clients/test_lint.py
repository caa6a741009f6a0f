"""Is the contract in good style?"""

from pathlib import Path

import pytest

from tests.clients.generators import CONTRACT, node

RULES = Path(__file__).parent
SPECTRAL = ("spectral", "lint", "--fail-severity=hint", "--ruleset", RULES / "lint.spectral.yaml")
REDOCLY = ("redocly", "lint", "--config", RULES / "lint.redocly.yaml")


@pytest.mark.parametrize(
    ("linter", "nothing"),
    [(SPECTRAL, "No results with a severity of 'hint' or higher found!"), (REDOCLY, "is valid")],
    ids=["spectral", "redocly"],
)
def test_linters_find_nothing(linter, nothing, tmp_path):
    assert nothing in node(*linter, CONTRACT, cwd=tmp_path)


@pytest.mark.parametrize("linter", [SPECTRAL, REDOCLY], ids=["spectral", "redocly"])
def test_linters_would_find_something(linter, tmp_path):
    worse = CONTRACT.read_text("utf-8").replace("operationId: listBooks", "operationId: getBook")
    (tmp_path / "openapi.yaml").write_text(worse, "utf-8")
    with pytest.raises(AssertionError, match="unique"):
        node(*linter, tmp_path / "openapi.yaml", cwd=tmp_path)
