"""The Pythons that the distribution names, those that CI runs, and those of nox are the same."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def versions(path: str, line: str) -> list[str]:
    """The versions of Python in the lines that begin like ``line``."""
    text = (ROOT / path).read_text("utf-8")
    found = [each for each in text.splitlines() if each.strip().startswith(line)]
    return [version for each in found for version in re.findall(r"\b3\.\d+\b", each)]


def test_ci_and_nox_run_the_versions_that_are_supported() -> None:
    supported = versions("pyproject.toml", '"Programming Language :: Python :: 3.')
    assert supported
    assert versions(".github/workflows/tests.yml", "python: [") == supported
    assert versions("noxfile.py", "PYTHONS =") == supported
