"""What the README says of settings and metrics is what the code has."""

from pathlib import Path

import pytest

from limbo.entrypoints.settings.variables import VARIABLES
from limbo.entrypoints.telemetry.metrics import Metrics

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_the_readme_has_every_setting_with_its_names_and_default(variable):
    original = f"`{variable.original}`" if variable.original else ""
    default = f"`{variable.default}`" if variable.default else "–"
    assert f"| `{variable.name}` | {original} | {variable.meaning} | {default} |" in README


def test_the_readme_has_every_metric():
    own = {m.name for m in Metrics().registry.collect() if m.name.startswith("limbo_")}
    assert len(own) >= 8
    for name in own:
        assert name in README
