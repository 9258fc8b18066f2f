"""What import-linter's lists cannot say: that they are whole, and that the core is pure."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = [*(ROOT / "limbo/domain").rglob("*.py"), *(ROOT / "limbo/ports").rglob("*.py")]
# Those that read, write, ask the time or start something.
IMPURE = {"datetime", "http", "io", "logging", "pathlib", "shutil", "socket", "sqlite3", "ssl"} | {
    "asyncio",
    "subprocess",
    "tempfile",
    "time",
    "urllib",
}


def imported(path):
    """Yield the top-level packages that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", CORE, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_core_knows_the_standard_library_and_email_validator_alone(path):
    allowed = (sys.stdlib_module_names - IMPURE) | {"limbo", "email_validator"}
    assert set(imported(path)) <= allowed


def test_a_role_is_no_place_for_an_adapter():
    for path in (ROOT / "limbo/entrypoints").rglob("*.py"):
        if "wiring" not in path.parts:
            assert "limbo.adapters" not in path.read_text()
