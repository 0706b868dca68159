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
    assert main(["replay", str(recording), "--url", "http://adm:pass@127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith("couchfake: http://127.0.0.1:1 does not answer: ")
    recording.write_bytes(b"[]")
    assert main(["replay", str(recording)]) == 2
    assert main(["replay", str(recording.parent / "missing.json")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("cannot be read as a recording" in line for line in lines)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"subject": "Printer"}, 'it is not an object with a list "scenarios"'),
        ({"scenarios": [5]}, "scenario 0 is not an object"),
        ({"scenarios": [{"steps": []}]}, 'scenario 0 has no "name"'),
        ({"scenarios": [{"name": "a", "steps": []}, {"name": "b"}]}, 'scenario 1 has no list "steps"'),
        ({"scenarios": [{"name": "a", "steps": [{}]}]}, 'scenario 0 has a step without "request" or "response"'),
    ],
)
def test_what_a_file_lacks_to_be_a_recording_is_named(
    tmp_path: Path, content: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "post.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert main(["replay", str(path)]) == 2
    assert capsys.readouterr().err == f"couchfake: {path} cannot be read as a recording: {reason}\n"


def test_wrong_arguments_have_a_status_of_their_own(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording), "-k", "zzz"]) == 2
    assert "no scenario has 'zzz' in its name" in capsys.readouterr().err
    assert main(["replay", str(recording), "--url", "nonsense"]) == 2
    assert main(["record", "--upstream", "nonsense", "--out", str(recording)]) == 2
    with CouchFake(admins={"adm": "pass"}) as server:
        assert main(["compare", server.url, "--area", "nonsense"]) == 2


@pytest.mark.parametrize("command", [["check"], ["record", "--out", "unwritten.json", "--upstream"], ["compare"]])
def test_a_server_that_does_not_answer_is_named(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "http://adm:pass@127.0.0.1:1/"]) == 1
    assert capsys.readouterr().err.startswith("couchfake: http://127.0.0.1:1 does not answer: ")


def test_what_differs_is_printed_without_an_option(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("What differs:") + 1].startswith('area: /reason: want "other"')
