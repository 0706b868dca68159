"""No function, class or attribute is left that nothing uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_nothing_is_left_that_nothing_uses() -> None:
    pytest.importorskip("vulture")
    command = [sys.executable, "-m", "vulture"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    packages = ("couchfake/", "conftest_plugin/", "couchdb_client/")
    found = [line for line in done.stdout.splitlines() if line.startswith(packages)]
    assert found == [], done.stderr
