"""Tests made from recordings: they pass on a fake that answers so, and fail on one that does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.cli import main


def recording(path: Path, reason: str) -> Path:
    body = {"error": "not_found", "reason": reason}
    step: dict[str, Any] = {
        "request": {"method": "GET", "path": "/shop/missing"},
        "response": {"status": 404, "headers": {}, "kind": "json", "body": body},
    }
    made = {"request": {"method": "PUT", "path": "/shop"}, "response": {"status": 201, "headers": {}, "kind": "json",
            "body": {"ok": True}}}  # fmt: skip
    scenario = {"name": 'A missing "thing"', "doc": 'It says "why".', "databases": ["shop"], "steps": [made, step]}
    path.write_text(json.dumps({"area": "shop", "scenarios": [scenario]}), encoding="utf-8")
    return path


@pytest.mark.parametrize(("reason", "outcome"), [("missing", "passed"), ("gone", "failed")])
def test_a_made_test_passes_where_the_answers_agree(
    pytester: pytest.Pytester, tmp_path: Path, reason: str, outcome: str
) -> None:
    source = recording(tmp_path / "shop.json", reason)
    assert main(["replay", str(source), "--as-test", str(pytester.path / "test_shop.py")]) == 0
    pytester.runpytest("-p", "no:randomly").assert_outcomes(**{outcome: 1})


def test_a_made_test_names_its_source_and_its_requests(tmp_path: Path) -> None:
    source = recording(tmp_path / "shop.json", "missing")
    made = tmp_path / "test_shop.py"
    main(["replay", str(source), "--as-test", str(made)])
    text = made.read_text(encoding="utf-8")
    assert text.startswith('"""Made by couchfake from shop.json')
    assert "        # GET /shop/missing\n" in text
    assert "def test_a_missing_thing(couch_url):" in text


def test_a_made_test_leaves_no_user_on_a_real_server(
    pytester: pytest.Pytester, tmp_path: Path, served: CouchFake, url: str
) -> None:
    first = {"ok": True, "id": "org.couchdb.user:ann", "rev": {"$any": "rev", "n": 1}}
    user = {"name": "ann", "type": "user", "roles": [], "password": "x"}
    step = {
        "request": {"method": "PUT", "path": "/_users/org.couchdb.user:ann", "json": user},
        "response": {"status": 201, "headers": {}, "kind": "json", "body": first},
    }
    source = tmp_path / "users.json"
    source.write_text(json.dumps({"scenarios": [{"name": "a user", "databases": [], "steps": [step]}]}), "utf-8")
    assert main(["replay", str(source), "--as-test", str(pytester.path / "test_users.py")]) == 0
    for _ in range(2):
        result = pytester.runpytest("-p", "no:randomly", "--couch-url", url)
        result.assert_outcomes(passed=1)
        result.stdout.no_fnmatch_line("*users left on the real server*")
