"""The recipes for other languages in ``examples/`` run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT

RECIPES = ROOT / "examples" / "other-languages"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a recipe with the command ``couchfake`` on the path."""
    program = folder / "couchfake"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m couchfake "$@"\n', "utf-8")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, env=environment, cwd=RECIPES, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(os.name == "nt" or not shutil.which("curl"), reason="needs a shell and curl")
def test_the_shell_script_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "sh", "shop.sh")
    assert (done.returncode, done.stdout) == (0, "passed\n"), done.stderr


def _has_test_runner() -> bool:
    node = shutil.which("node")
    if node is None or os.name == "nt":
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.lstrip("v").partition(".")[0]) >= 18


@pytest.mark.skipif(not _has_test_runner(), reason="needs Node.js 18 or newer")
def test_the_recipe_for_node_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "node", "--test", "shop.test.mjs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout or "ℹ fail 0" in done.stdout
