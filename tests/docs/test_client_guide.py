"""The guide to the client: each of its Python blocks runs as it is written, against an empty server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser

from couchfake import CouchFake

GUIDE = Path(__file__).parents[2] / "docs" / "client"

#: Pages with commands beside their Python code: the tests of the modules that they are about run them.
ELSEWHERE = {"coming-from-couchdb-python.md", "design-documents-and-mapping.md", "tools.md"}


def run(example: Example) -> None:
    """Run the block in a program of its own. Raise `AssertionError` with what it says if it fails."""
    with CouchFake() as fake:
        environment = {**os.environ, "COUCHDB_URL": fake.url, "PYTHONWARNINGS": "error"}
        command = [sys.executable, "-c", example.parsed]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def blocks() -> Iterator[object]:
    for path in sorted(GUIDE.glob("*.md")):
        if path.name in ELSEWHERE:
            continue
        for example in Document.parse(str(path), CodeBlockParser("python", run)).examples():
            yield pytest.param(example, id=f"{path.name}:{example.line}")


@pytest.mark.parametrize("block", list(blocks()))
def test_the_code_of_the_guide_runs(block: Example) -> None:
    block.evaluate()


def test_pages_of_the_guide_link_to_each_other_by_names_that_exist() -> None:
    index = (GUIDE / "index.md").read_text("utf-8")
    missing = [path.name for path in GUIDE.glob("*.md") if path.name != "index.md" and f"({path.name})" not in index]
    assert missing == []
