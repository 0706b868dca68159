"""``couchfake replay``: recordings against a fake or a URL."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main


def step(method: str, path: str, status: int, body: Any) -> dict[str, Any]:
    return {
        "request": {"method": method, "path": path},
        "response": {"status": status, "headers": {}, "kind": "json", "body": body},
    }


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    right = step("PUT", "/db", 201, {"ok": True})
    wrong = step("GET", "/db", 404, {"error": "not_found", "reason": "other"})
    scenarios = [
        {"name": "right", "databases": ["db"], "steps": [right]},
        {"name": "wrong", "databases": [], "steps": [wrong]},
    ]
    path = tmp_path / "area.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"area": "area", "scenarios": scenarios}).encode()))
    return path


def test_agreement_is_counted_and_differences_are_printed(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "-v", str(recording)]) == 1
    output = capsys.readouterr()
    assert output.out.splitlines()[1].split() == ["area", "1/2", "2", "100.0%", "50.0%", "50.0%"]
    assert output.out.splitlines()[2].split()[0] == "TOTAL"
    assert output.err.startswith("wrong step 0: GET /db [status]\n")
    assert "Database does not exist." in output.err


def test_a_scenario_can_be_chosen(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording), "-k", "right"]) == 0
    assert "1/1" in capsys.readouterr().out


def test_a_server_is_reached_by_its_url_and_login(recording: Path) -> None:
    with CouchFake(admins={"bo ss": "p@ss"}) as server:
        assert main(["replay", str(recording), "-k", "right", "--url", server.url]) == 1
        with_login = server.url.replace("//", "//bo%20ss:p%40ss@")
        assert main(["replay", str(recording), "-k", "right", "--url", with_login]) == 0
        assert "db" not in server.node.databases


def test_an_existing_database_is_deleted_only_by_force(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CouchFake(admins={"adm": "pass"}) as server:
        url = server.url.replace("//", "//adm:pass@")
        requests.put(url + "db", timeout=10).raise_for_status()
        assert main(["replay", str(recording), "-k", "right", "--url", url]) == 1
        assert "has the database db" in capsys.readouterr().err
        assert "db" in server.node.databases
        assert main(["replay", str(recording), "-k", "right", "--url", url, "--force"]) == 0
        assert "db" not in server.node.databases


def test_what_cannot_be_played_is_one_line(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording), "--url", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith("couchfake: the server does not answer: ")
    recording.write_bytes(b"[]")
    assert main(["replay", str(recording)]) == 1
    assert main(["replay", str(recording.parent / "missing.json")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("cannot be read as a recording" in line for line in lines)
