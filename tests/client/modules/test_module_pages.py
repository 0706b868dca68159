"""The code in the pages of the guide on mapping, design documents, tools and the change from couchdb-python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from couchfake import CouchFake

DOCS = Path(__file__).parents[3] / "docs" / "client"
PAGES = ("coming-from-couchdb-python.md", "design-documents-and-mapping.md", "tools.md")
COMMANDS = {
    "couchdb-dump": "couchdb_client.tools.dump",
    "couchdb-load": "couchdb_client.tools.load",
    "couchdb-replicate": "couchdb_client.tools.replicate",
}


def blocks(language: str) -> list[Any]:
    found = []
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, match.start()) + 1
            found.append(pytest.param(match[1], id=f"{page}:{line}"))
    return found


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which ``Server()`` is a fake and the commands are those of this source tree."""
    for name, module in COMMANDS.items():
        command = tmp_path / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        command.chmod(0o755)
    with CouchFake() as fake:
        path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
        yield {**os.environ, "COUCHDB_URL": fake.url, "PATH": path}


def check(command: list[str], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", blocks("python"))
def test_a_block_of_python_runs(code: str, environment: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")
    check([sys.executable, "-W", "error", str(program)], environment, tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="the commands are given for a Unix shell")
@pytest.mark.parametrize("code", blocks("sh"))
def test_a_block_of_commands_runs(code: str, environment: dict[str, str], tmp_path: Path) -> None:
    prepare = "import couchdb_client as c; s = c.Server(); s.create('blog')['post'] = {}; s.create('blog-copy')"
    check([sys.executable, "-c", prepare], environment, tmp_path)
    with CouchFake() as backup:
        code = code.replace("http://localhost:5984/", environment["COUCHDB_URL"])
        code = code.replace("http://backup:5984/", backup.url)
        check(["sh", "-e", "-c", f"set -x\n{code}"], environment, tmp_path)
