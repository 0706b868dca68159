"""The recipes for other languages in ``examples/`` run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT

RECIPES = ROOT / "examples" / "other-languages"


MODULES = ROOT / "tests" / "foreign" / "javascript" / "node_modules"


def run(folder: Path, *command: str, cwd: Path = RECIPES) -> subprocess.CompletedProcess[str]:
    """Run a recipe with the command ``couchfake`` on the path."""
    program = folder / "couchfake"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m couchfake "$@"\n', "utf-8")
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NODE_PATH": str(MODULES),
        "GOFLAGS": "-count=1",
    }
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


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


@pytest.mark.skipif(not _has_test_runner(), reason="needs Node.js 18 or newer")
@pytest.mark.skipif(not MODULES.is_dir(), reason="needs npm ci in tests/foreign/javascript")
def test_the_recipe_for_pouchdb_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "node", "--test", "pouchdb.test.cjs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 2" in done.stdout or "ℹ pass 2" in done.stdout


def _major_of_java() -> int:
    java = shutil.which("java")
    if java is None or os.name == "nt":
        return 0
    version = subprocess.run([java, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"\S+ (\d+)", version)
    return int(found[1]) if found else 0


@pytest.mark.skipif(_major_of_java() < 17, reason="needs a JDK of version 17 or newer")
def test_the_recipe_for_java_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "java", "-ea", "ShopTest.java")
    assert (done.returncode, done.stdout) == (0, "passed\n"), done.stderr


@pytest.mark.skipif(os.name == "nt" or not shutil.which("go"), reason="needs Go")
def test_the_recipe_for_go_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "go", "test", "./...", cwd=RECIPES / "go")
    assert done.returncode == 0, done.stdout + done.stderr
