"""Docstrings, comments and pages are in plain technical English: words that have to be decoded do not come back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

AVOIDED = re.compile(
    r"\b(told|anew|lest|nought|elder|for ever|(?<!there )is none|(?<!there )are none"
    r"|is no (?:JSON|number|list|text|string))\b"
)
"""Words of the design's table that have a plain equivalent."""

AVOIDED_IN_NAMES = re.compile(r"(?<![a-z])(told|anew|lest|nought|elder|for_ever)(?![a-z])")
"""Those that a name can have. ``none`` is not among them: in a name it is usually Python's None."""


def _texts() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return [ROOT / name for name in listed if name and not name.startswith("tests/architecture/")]


def test_words_that_have_to_be_decoded_do_not_come_back() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in _texts()
        if path.exists()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if AVOIDED.search(line) or AVOIDED_IN_NAMES.search(line)
    ]
    assert found == []
