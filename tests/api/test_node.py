"""Configuration, statistics and versions of the node."""

from __future__ import annotations

from typing import Any

import pytest

CONFIG = "/_node/_local/_config"


def test_the_node_answers_to_its_own_name_too(admin: Any) -> None:
    name = admin.json("GET", "/_node/_local")["name"]
    assert admin.json("PUT", f"/_node/{name}/_config/s/k", "one") == ""
    assert admin.json("GET", f"{CONFIG}/s") == {"k": "one"}
    assert admin.refusal("GET", "/_node/other@host/_stats").startswith("404 not_found")
    assert admin.refusal("GET", "/_node") == "400 bad_request: Incomplete path to _node request"


def test_a_value_is_put_read_and_deleted(admin: Any) -> None:
    assert admin.json("PUT", f"{CONFIG}/s/k", "one") == ""
    assert admin.json("PUT", f"{CONFIG}/s/k", " two ") == "one"
    assert admin.json("GET", CONFIG)["s"] == {"k": "two"}
    assert admin.json("DELETE", f"{CONFIG}/s/k") == "two"
    assert admin.refusal("DELETE", f"{CONFIG}/s/k") == "404 not_found: unknown_config_value"


def test_a_setting_takes_effect_at_once(admin: Any) -> None:
    admin.json("PUT", f"{CONFIG}/uuids/max_count", "2")
    assert admin("GET", "/_uuids?count=3").status_code == 400
    admin.json("DELETE", f"{CONFIG}/uuids/max_count")
    assert admin("GET", "/_uuids?count=3").status_code == 200


@pytest.mark.parametrize("value", [1, True, None, {}, ["x"]])
def test_only_strings_are_values(admin: Any, value: Any) -> None:
    body = "null" if value is None else None
    answer = admin("PUT", f"{CONFIG}/s/k", json=value, data=body)
    assert answer.json()["reason"] == "a JSON string expected"


def test_locked_sections_are_refused_before_the_body_is_read(admin: Any) -> None:
    answer = admin("PUT", f"{CONFIG}/daemons/x", data="{")
    assert answer.json()["reason"] == "Config section blacklisted for modification over HTTP API."


def test_a_value_for_this_run_only_is_forgotten_by_a_reload(admin: Any) -> None:
    admin("PUT", f"{CONFIG}/s/k", json="volatile", headers={"X-Couch-Persist": "false"})
    assert admin.json("POST", f"{CONFIG}/_reload", {}) == {"ok": True}
    assert admin("GET", f"{CONFIG}/s/k").status_code == 404


def test_a_new_admin_logs_in_and_the_password_is_never_shown(admin: Any, anonymous: Any) -> None:
    assert admin.json("PUT", f"{CONFIG}/admins/boss", "s3cret") == ""
    assert "s3cret" not in admin("GET", CONFIG).text
    assert admin.json("GET", f"{CONFIG}/admins/boss").startswith("-pbkdf2:sha256-")
    assert anonymous("GET", "/_all_dbs", auth=("boss", "s3cret")).status_code == 200
    admin.json("DELETE", f"{CONFIG}/admins/boss")
    assert anonymous("GET", "/_all_dbs", auth=("boss", "s3cret")).status_code == 401


def test_the_first_admin_ends_the_party(party: Any) -> None:
    assert party.json("GET", "/_session")["userCtx"] == {"name": None, "roles": ["_admin"]}
    party.json("PUT", f"{CONFIG}/admins/boss", "pw")
    assert party("GET", "/_all_dbs").status_code == 401
    assert party("GET", "/_all_dbs", auth=("boss", "pw")).status_code == 200


def test_statistics_count_requests(admin: Any) -> None:
    path = "/_node/_local/_stats/couchdb/httpd/requests"
    before = admin.json("GET", path)["value"]
    admin("GET", "/_up")
    after = admin.json("GET", path)
    assert after == {"value": before + 2, "type": "counter", "desc": "number of HTTP requests"}
    stats = admin.json("GET", "/_node/_local/_stats")["couchdb"]
    assert stats["open_databases"]["value"] == 2
    assert stats["httpd_request_methods"]["GET"]["value"] == before + 3
    assert stats["request_time"]["value"]["n"] == before + 3
    assert admin.json("GET", "/_node/_local/_stats/nosuch/deeper") is None


def test_prometheus_reads_the_same(admin: Any) -> None:
    answer = admin("GET", "/_node/_local/_prometheus")
    assert answer.headers["Content-Type"] == "text/plain; version=2.0"
    lines = answer.text.splitlines()
    assert "couchdb_httpd_requests_total 0" in lines
    assert 'couchdb_httpd_request_methods_total{method="GET"} 0' in lines
    assert lines.count("# TYPE couchdb_httpd_status_codes_total counter") == 1


def test_system_and_versions(admin: Any) -> None:
    assert admin.json("GET", "/_node/_local/_system")["uptime"] >= 0
    assert admin.json("GET", "/_node/_local/_versions")["collation_driver"]["name"]


def test_metrics_are_for_admins_and_holders_of_a_role(anonymous: Any, add_user: Any) -> None:
    metrics = add_user("m", roles=("_metrics",))
    assert metrics("GET", "/_node/_local/_stats").status_code == 200
    assert metrics("GET", CONFIG).status_code == 401
    assert anonymous("GET", "/_node/_local/_prometheus").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", CONFIG, "GET"),
        ("PUT", f"{CONFIG}/couchdb", "GET"),
        ("POST", f"{CONFIG}/couchdb/x", "GET,PUT,DELETE"),
        ("GET", f"{CONFIG}/_reload", "POST"),
        ("GET", "/_node/_local/_restart", "POST"),
        ("PUT", "/_node/_local/_stats", "GET"),
    ],
)
def test_methods_that_are_not_allowed(admin: Any, method: str, path: str, allow: str) -> None:
    answer = admin(method, path, json={})
    assert (answer.status_code, answer.headers["Allow"]) == (405, allow)


def test_a_cluster_tool_reads_where_databases_are(admin: Any) -> None:
    admin("PUT", "/a?q=2")
    assert admin.json("GET", "/_node/_local/_dbs", status=200)["doc_count"] == len(admin.json("GET", "/_all_dbs"))
    found = admin.json("GET", "/_node/_local/_dbs/a", status=200)
    node = admin.json("GET", "/_node/_local")["name"]
    assert found["by_node"] == {node: ["00000000-7fffffff", "80000000-ffffffff"]}
    assert found["by_range"]["00000000-7fffffff"] == [node]
    assert [row["id"] for row in admin.json("GET", "/_node/_local/_nodes/_all_docs")["rows"]] == [node]
    files = admin.json("GET", "/_node/_local/_all_dbs")
    assert {"_dbs", "_nodes"} < set(files)
    shards = [name.partition("/a.")[0] for name in files if "/a." in name]
    assert shards == ["shards/00000000-7fffffff", "shards/80000000-ffffffff"]
    assert admin.refusal("GET", "/_node/_local/_dbs/b") == "404 not_found: missing"
