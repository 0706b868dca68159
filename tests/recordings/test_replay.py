"""``couchfake replay`` against a server leaves nothing behind, and can be repeated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main

USER = "/_users/org.couchdb.user:ann"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A scenario that makes a database and a user."""
    made: dict[str, Any] = {"status": 201, "headers": {}, "kind": "json", "body": {"$any": "anything"}}
    first = {**made, "body": {"ok": True, "id": USER.split("/")[-1], "rev": {"$any": "rev", "n": 1}}}
    user = {"name": "ann", "type": "user", "roles": [], "password": "x"}
    steps = [
        {"request": {"method": "PUT", "path": "/shop"}, "response": made},
        {"request": {"method": "PUT", "path": USER, "json": user}, "response": first},
    ]
    path = tmp_path / "shop.json"
    scenario = {"name": "shop", "doc": "", "databases": ["shop"], "steps": steps}
    path.write_text(json.dumps({"area": "shop", "recorded_from": "", "scenarios": [scenario]}), encoding="utf-8")
    return path


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_it_can_be_played_twice(url: str, recording: Path, options: list[str]) -> None:
    for _ in range(2):
        assert main(["replay", str(recording), "--url", url, *options]) == 0
        assert requests.get(url + "shop", timeout=10).status_code == 404
        assert requests.get(url + USER[1:], timeout=10).status_code == 404


def test_a_user_who_exists_is_not_touched(url: str, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user = {"name": "ann", "type": "user", "roles": ["kept"], "password": "y"}
    requests.put(url + USER[1:], json=user, timeout=10).raise_for_status()
    assert main(["replay", str(recording), "--url", url]) == 1
    assert USER[1:] in capsys.readouterr().err
    assert requests.get(url + USER[1:], timeout=10).json()["roles"] == ["kept"]
    assert main(["replay", str(recording), "--url", url, "--force"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith('shop: status: want 201, got 409 b\'{"error":"conflict"') for line in lines)
    assert requests.get(url + USER[1:], timeout=10).json()["roles"] == ["kept"]


def test_a_message_that_a_user_exists_offers_no_option_that_would_not_help(
    url: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = {"name": "ann", "type": "user", "roles": [], "password": "y"}
    requests.put(url + USER[1:], json=user, timeout=10).raise_for_status()
    main(["replay", str(recording), "--url", url])
    err = capsys.readouterr().err
    assert "has the user ann (_users/org.couchdb.user:ann), which" in err and "--force" not in err
    requests.put(url + "shop", timeout=10).raise_for_status()
    main(["replay", str(recording), "--url", url])
    err = capsys.readouterr().err
    assert "has the database shop, the user ann (" in err and "; --force deletes the databases first" in err


def test_a_server_that_refuses_to_purge_a_user_is_named(
    served: CouchFake, url: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served.faults.refuse(403, method="POST", path="/_users/_purge"):
        assert main(["replay", str(recording), "--url", url]) == 0
    assert requests.get(url + USER[1:], timeout=10).json()["reason"] == "deleted"
    err = capsys.readouterr().err
    assert "does not let this login purge the user ann (status 403)" in err and len(err.splitlines()) == 1


def test_a_user_who_was_deleted_before_stays_a_deleted_one(
    url: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = {"name": "ann", "type": "user", "roles": [], "password": "y"}
    revision = requests.put(url + USER[1:], json=user, timeout=10).json()["rev"]
    requests.delete(url + USER[1:], params={"rev": revision}, timeout=10).raise_for_status()
    assert main(["replay", str(recording), "--url", url]) == 1
    assert requests.get(url + USER[1:], timeout=10).json()["reason"] == "deleted"
    assert "had a deleted user ann before; revisions of a new one count on from it" in capsys.readouterr().err


def test_a_replication_that_a_scenario_makes_is_deleted(url: str, tmp_path: Path) -> None:
    made: dict[str, Any] = {"status": 201, "headers": {}, "kind": "json", "body": {"$any": "anything"}}
    document = {"source": "http://127.0.0.1:1/a", "target": "http://127.0.0.1:1/b"}
    step = {"request": {"method": "PUT", "path": "/_replicator/copy", "json": document}, "response": made}
    path = tmp_path / "copy.json"
    path.write_text(json.dumps({"scenarios": [{"name": "copy", "databases": [], "steps": [step]}]}), encoding="utf-8")
    assert main(["replay", str(path), "--url", url]) == 0
    assert requests.get(url + "_replicator/copy", timeout=10).status_code == 404
