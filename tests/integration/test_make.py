"""What `make` leaves behind on a machine that lacks something."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """A checkout that installs nothing: what is asked is whether there is a Python to do so."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    return tmp_path


def make(folder, target, **environ):
    """Run a target with this Python, whatever make runs this test."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", target, f"PYTHON={sys.executable}"],
        cwd=folder,
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_pip_to_install_nothing_is_left_that_fails_once_it_is_there(folder, tmp_path):
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "ensurepip.py").write_text("raise ImportError('as Debian has it')\n")
    ran = make(folder, "setup", PYTHONPATH=str(hiding))
    assert ran.returncode != 0
    assert "apt-get install python3-venv" in ran.stderr
    assert not (folder / ".venv").exists()


def test_half_a_venv_is_made_whole(folder):
    binaries = folder / ".venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    (folder / ".venv/.run").touch()
    ran = make(folder, ".venv/bin/pip")
    assert ran.returncode == 0, ran.stderr
    pip = subprocess.run([binaries / "pip", "--version"], capture_output=True, check=True)
    assert str(folder).encode() in pip.stdout
    assert not (folder / ".venv/.run").exists()
