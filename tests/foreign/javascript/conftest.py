"""Runs JavaScript programs against a fake on a socket, where Node.js and the packages they use are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import pytest
import requests

from couchfake import CouchFake

HERE = Path(__file__).parent


class Program:
    """A running program of ``programs/``, which gives up by itself where it takes too long."""

    def __init__(self, node: str, name: str, arguments: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [node, str(HERE / "programs" / name), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def hear(self) -> Any:
        """The next message of the program."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            pytest.fail(f"the program ended with status {self._process.returncode}:\n{errors}")
        return json.loads(line)

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Wait until it has ended well."""
        _, errors = self._process.communicate()
        assert self._process.returncode == 0, errors


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node.js is not installed")
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        pytest.skip("the JavaScript clients are not installed: run npm ci in tests/foreign/javascript")
    return found


@pytest.fixture
def start(node: str) -> Iterator[Callable[..., Program]]:
    """Starts a program that messages are exchanged with."""
    programs: list[Program] = []

    def start(name: str, *arguments: str) -> Program:
        programs.append(Program(node, name, arguments))
        return programs[-1]

    yield start
    for program in programs:
        with program:
            pass


@pytest.fixture
def run(start: Callable[..., Program]) -> Callable[..., Any]:
    """Runs a program to its end and gives its only message."""

    def run(name: str, *arguments: str) -> Any:
        program = start(name, *arguments)
        message = program.hear()
        program.end()
        return message

    return run


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as made:
        yield made


@pytest.fixture
def leaves() -> Callable[[str], dict[str, Any]]:
    """Each document's winner and leaves in a database of a server, in the form that the programs tell them."""

    def plain(document: dict[str, Any]) -> dict[str, Any]:
        attachments = {
            name: {"content_type": attachment["content_type"], "data": attachment["data"]}
            for name, attachment in document.get("_attachments", {}).items()
        }
        return {**document, "_attachments": attachments}

    def of(url: str) -> dict[str, Any]:
        session = requests.Session()
        session.trust_env = False
        session.headers["Accept"] = "application/json"
        found = {}
        with session:
            changes = session.get(f"{url}/_changes?style=all_docs&include_docs=true").json()["results"]
            for change in changes:
                document = f"{url}/{quote(change['id'], safe='')}"
                answers = session.get(f"{document}?open_revs=all&revs=true&attachments=true").json()
                found[change["id"]] = {
                    "winner": change["doc"]["_rev"],
                    "leaves": {answer["ok"]["_rev"]: plain(answer["ok"]) for answer in answers},
                }
        return found

    return of
