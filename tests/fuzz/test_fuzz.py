"""A slice of the seeded fuzzes; ``python -m benchmarks.fuzz`` and ``python -m benchmarks.fuzz_wire`` send far more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    fuzzed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert fuzzed.returncode == 0, fuzzed.stdout + fuzzed.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the fuzz uses an alarm to find requests that hang")
@pytest.mark.parametrize("seed", [1, 2])
def test_malformed_requests_are_answered_and_never_with_an_error_of_couchfake_itself(seed: int) -> None:
    run("fuzz", "--seed", str(seed), "--count", "2000", "--seconds", "60")


@pytest.mark.parametrize("seed", [1, 2])
def test_malformed_bytes_get_http_or_the_end_of_the_connection(seed: int) -> None:
    run("fuzz_wire", "--seed", str(seed), "--count", "400")
