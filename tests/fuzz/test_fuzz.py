"""A slice of the seeded fuzz (``python -m benchmarks.fuzz`` sends a hundred thousand requests)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fuzz uses an alarm to find requests that hang")


@pytest.mark.parametrize("seed", [1, 2])
def test_malformed_requests_are_answered_and_never_by_a_mistake_of_the_servers_own(seed: int) -> None:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--seed", str(seed), "--count", "2000", "--seconds", "60"]
    fuzzed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert fuzzed.returncode == 0, fuzzed.stdout + fuzzed.stderr
