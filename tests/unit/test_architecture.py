"""What import-linter's lists cannot say: that they are whole, and that the core is pure."""

import ast
import sys
from pathlib import Path

import pytest

from limbo.entrypoints.wiring.senders import KIND_PATHS

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
    """Yield the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


@pytest.mark.parametrize("path", CORE, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_core_knows_the_standard_library_and_email_validator_alone(path):
    allowed = (sys.stdlib_module_names - IMPURE) | {"limbo", "email_validator"}
    assert {module.partition(".")[0] for module in imported(path)} <= allowed


HOMES = [path.partition(":")[0].removesuffix(".sender") for path in KIND_PATHS]


def home(module):
    """Return the sender's file or folder that the module belongs to, or None."""
    return next((home for home in HOMES if f"{module}.".startswith(f"{home}.")), None)


@pytest.mark.parametrize(
    "path",
    [*(ROOT / "limbo/adapters/providers").rglob("*.py")],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_no_sender_knows_another_whether_it_is_a_file_or_a_folder(path):
    own = home(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert {home(module) for module in imported(path)} <= {own, None}


def test_a_role_is_no_place_for_an_adapter():
    for path in (ROOT / "limbo/entrypoints").rglob("*.py"):
        if "wiring" not in path.parts:
            assert "limbo.adapters" not in path.read_text()
