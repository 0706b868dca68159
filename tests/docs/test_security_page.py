"""The tests that docs/security.md names."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_promise_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    promises = [
        line for line in page.partition("## What it does not guarantee")[0].splitlines() if line.startswith("| ")
    ]
    rows = [line for line in promises if not line.startswith(("| guarantee", "| ---"))]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", row)
        assert named, row
        for path, name in named:
            assert f"def {name}(" in (ROOT / path).read_text("utf-8"), f"{path}::{name}"
