"""``couchfake check``: what it finds, what it writes, and that it harms nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main
from couchfake.recordings import load_area
from couchfake.recordings.check import Check
from couchfake.recordings.target import Target


def test_a_served_fake_agrees_with_what_was_recorded(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", url, "--area", "bulk", "--area", "reduce"]) == 0
    out = capsys.readouterr().out
    assert "against recordings of Apache CouchDB 3.5.0" in out.splitlines()[0]
    rows = {line.split()[0]: line.split() for line in out.splitlines() if "%" in line}
    assert rows["bulk"][3:] == rows["reduce"][3:] == rows["TOTAL"][3:] == ["100.0%", "100.0%", "100.0%"]
    assert "What differs" not in out


def test_a_fault_is_named_by_the_area_where_it_shows(
    served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with served.faults.refuse(503, method="POST", path="/*/_revs_diff"):
        assert main(["check", url, "--area", "bulk", "--area", "revisions", "-k", "revs_diff"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^revisions: status: want 200, got 503", out, re.MULTILINE)
    assert "What differs:" in out


def test_a_server_hashes_passwords_as_the_recorded_one_did_while_it_is_checked(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = url + "_node/_local/_config/chttpd_auth/iterations"
    requests.put(setting, json="20", timeout=10).raise_for_status()
    assert main(["check", url, "--area", "auth", "-k", "hashed_elsewhere"]) == 0
    assert "iterations" not in capsys.readouterr().out
    assert requests.get(setting, timeout=10).json() == "20"


def test_a_setting_that_the_server_refuses_is_named(
    served: CouchFake, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    with served.faults.refuse(403, method="PUT", path="/_node/*/_config/**"):
        arguments = ["--area", "auth", "-k", "login_refused", "--html", str(page)]
        assert main(["check", url, *arguments]) == 1
    line = "[chttpd_auth] iterations cannot be set to 600000, as it was recorded with: status 403"
    out = capsys.readouterr().out
    assert line in out.splitlines()
    assert "auth: /iterations: want 600000, got 10" in out
    assert f"<p>{line}</p>" in page.read_text(encoding="utf-8")


def test_every_difference_is_written_when_it_is_verbose(
    served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with served.faults.refuse(503, method="POST", path="/*/_bulk_get"):
        main(["check", url, "--area", "bulk", "-v"])
    err = capsys.readouterr().err
    assert re.search(r"^\w+ step \d+: POST /t-bulk-\S+/_bulk_get\S* \[none\]$", err, re.MULTILINE)


def test_a_connection_that_the_server_drops_is_a_difference_and_not_the_end(
    served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with served.faults.drop(method="POST", path="/*/_bulk_get"):
        assert main(["check", url, "--area", "bulk"]) == 1
    assert "status: want 200, got 0 b'no answer: " in capsys.readouterr().out


@pytest.mark.parametrize("area", ["bulk", "auth", "peruser", "server"])
def test_the_server_is_left_as_it_was(served: CouchFake, url: str, area: str) -> None:
    setting, security = "_node/_local/_config/chttpd/require_valid_user", "_users/_security"
    chosen = {"auth": "users_read_their_own", "peruser": "another_prefix", "server": "config", "bulk": ""}[area]
    requests.put(url + setting, json="false", timeout=10).raise_for_status()
    requests.put(url + "_node/_local/_config/couchdb/users_db_security_editable", json="true", timeout=10)
    requests.put(url + "keep", timeout=10).raise_for_status()
    requests.put(url + security, json={"members": {"roles": ["kept"]}}, timeout=10).raise_for_status()
    before = requests.get(url + "_node/_local/_config", timeout=10).json()
    databases = requests.get(url + "_all_dbs", timeout=10).json()
    users = [row["id"] for row in requests.get(url + "_users/_changes", timeout=10).json()["results"]]
    main(["check", url, "--area", area, "-k", chosen])
    assert requests.get(url + "_all_dbs", timeout=10).json() == databases
    assert requests.get(url + "_node/_local/_config", timeout=10).json() == before
    assert [row["id"] for row in requests.get(url + "_users/_changes", timeout=10).json()["results"]] == users
    assert requests.get(url + security, timeout=10).json() == {"members": {"roles": ["kept"]}}


def test_it_refuses_to_start_where_it_would_delete_a_database(
    served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = load_area("bulk")["scenarios"][3]["databases"][0]
    requests.put(url + name, timeout=10).raise_for_status()
    requests.put(url + name + "/precious", json={}, timeout=10).raise_for_status()
    total = served.requests.total
    assert main(["check", url, "--area", "bulk"]) == 1
    assert f"the database {name}" in capsys.readouterr().err
    assert {each.method for each in served.requests[total - served.requests.total :]} == {"GET"}
    assert requests.get(url + name + "/precious", timeout=10).status_code == 200


def test_it_refuses_to_start_where_it_would_delete_a_user(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    user = {"name": "t-auth-cookie", "type": "user", "roles": [], "password": "x"}
    requests.put(url + "_users/org.couchdb.user:t-auth-cookie", json=user, timeout=10).raise_for_status()
    assert main(["check", url, "--area", "auth"]) == 1
    assert "_users/org.couchdb.user:t-auth-cookie" in capsys.readouterr().err


def test_a_scenario_that_would_delete_the_servers_own_database_is_not_played(
    served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    requests.put(url + "_global_changes", timeout=10).raise_for_status()
    assert main(["check", url, "--area", "server", "-k", "db_updates_with_its_database"]) == 0
    assert "not played: " in capsys.readouterr().out
    assert "_global_changes" in served.node.databases


def test_the_report_is_one_page_that_needs_no_other_file(
    served: CouchFake, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    with served.faults.refuse(503, reason="<script>alert(1)</script>", method="POST", path="/*/_bulk_get"):
        main(["check", url, "--area", "bulk", "--html", str(page)])
    html = page.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in html
    assert not re.search(r"\b(src|href)=[\"'](?!#)", html), "a link to another file"
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert '<section id="bulk">' in html and "Apache CouchDB 3.5.0" in html
    assert "pass@" not in html
    assert f"The report is {page}." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--area", "nonsense"], "there is no area nonsense; there are attachments, "),
        (["-k", "nonsense"], "no scenario has 'nonsense' in its name"),
    ],
)
def test_what_does_not_exist_is_one_line(
    url: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", url, *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["nonsense", "ftp://x/", "http://x:port/", "http://127.0.0.1:5984/db"])
def test_a_wrong_url_is_one_line(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", wrong]) == 2
    err = capsys.readouterr().err
    assert err.startswith("couchfake: ") and len(err.splitlines()) == 1


def test_a_login_that_is_not_an_admins_is_one_line(served: CouchFake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", served.url.replace("//", "//adm:wrong@")]) == 1
    assert "needs an admin's name and password" in capsys.readouterr().err


def pausing(reason: str) -> dict[str, Any]:
    path = "/t-pause/_changes?feed=longpoll&since=now&timeout=300"
    anything: dict[str, Any] = {"status": 200, "headers": {}, "kind": "json", "body": {"$any": "anything"}}
    created = {"status": 201, "headers": {}, "kind": "json", "body": {"ok": True}}
    missing = {"status": 404, "headers": {}, "kind": "json", "body": {"error": "not_found", "reason": reason}}
    steps = [
        {"request": {"method": "PUT", "path": "/t-pause"}, "response": created},
        {"request": {"method": "GET", "path": path}, "response": anything},
        {"request": {"method": "GET", "path": "/t-pause/x"}, "response": missing},
    ]
    return {"name": "pause", "databases": ["t-pause"], "steps": steps}


@pytest.mark.parametrize(("reason", "timeouts"), [("missing", ["20"]), ("gone", ["20", "300"])])
def test_pauses_are_kept_only_where_an_answer_differs_without_them(
    served: CouchFake, url: str, reason: str, timeouts: list[str]
) -> None:
    slept: list[float] = []
    check = Check(Target(url), ["bulk"], sleep=slept.append)
    check.areas = {"pauses": [pausing(reason)]}
    result = next(check.run())
    assert not any(slept)
    assert result.agrees == (reason == "missing")
    assert [each.query["timeout"] for each in served.requests.to("GET", "/t-pause/_changes")] == timeouts


def test_a_server_settles_after_its_configuration_was_changed_without_pauses(url: str) -> None:
    scenario = pausing("missing")
    path = "/_node/_local/_config/couch_peruser/q"
    changed: dict[str, Any] = {"status": 404, "headers": {}, "kind": "json", "body": {"$any": "anything"}}
    scenario["steps"].append({"request": {"method": "DELETE", "path": path}, "response": changed})
    slept: list[float] = []
    check = Check(Target(url), ["bulk"], sleep=slept.append)
    check.areas = {"pauses": [scenario]}
    list(check.run())
    assert slept == [0.3]
