"""``couchfake replay`` against a server leaves nothing behind, and can be repeated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from couchfake.cli import main

USER = "/_users/org.couchdb.user:ann"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A scenario that makes a database and a user."""
    made: dict[str, Any] = {"status": 201, "headers": {}, "kind": "json", "body": {"$any": "anything"}}
    user = {"name": "ann", "type": "user", "roles": [], "password": "x"}
    steps = [
        {"request": {"method": "PUT", "path": "/shop"}, "response": made},
        {"request": {"method": "PUT", "path": USER, "json": user}, "response": made},
    ]
    path = tmp_path / "shop.json"
    scenario = {"name": "shop", "doc": "", "databases": ["shop"], "steps": steps}
    path.write_text(json.dumps({"area": "shop", "recorded_from": "", "scenarios": [scenario]}), encoding="utf-8")
    return path


def test_it_can_be_played_twice(url: str, recording: Path) -> None:
    for _ in range(2):
        assert main(["replay", str(recording), "--url", url]) == 0
        assert requests.get(url + "shop", timeout=10).status_code == 404
        assert requests.get(url + USER[1:], timeout=10).status_code == 404


def test_a_user_who_exists_is_not_touched(url: str, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user = {"name": "ann", "type": "user", "roles": ["kept"], "password": "y"}
    requests.put(url + USER[1:], json=user, timeout=10).raise_for_status()
    assert main(["replay", str(recording), "--url", url]) == 1
    assert USER[1:] in capsys.readouterr().err
    assert requests.get(url + USER[1:], timeout=10).json()["roles"] == ["kept"]
    main(["replay", str(recording), "--url", url, "--force"])
    assert requests.get(url + USER[1:], timeout=10).json()["roles"] == ["kept"]
