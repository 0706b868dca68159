"""What the server says of itself and of all its databases."""

from __future__ import annotations

from typing import Any

import pytest


def test_the_welcome_needs_no_credentials_but_refuses_wrong_ones(anonymous: Any, admin: Any) -> None:
    welcome = anonymous.json("GET", "/", status=200)
    assert (welcome["couchdb"], welcome["version"]) == ("Welcome", "3.5.0")
    assert "partitioned" in welcome["features"]
    assert anonymous("GET", "/", auth=("nobody", "x")).status_code == 401


def test_the_vendor_comes_from_the_configuration(admin: Any) -> None:
    admin.set("vendor", "version", "7.7")
    assert admin.json("GET", "/")["vendor"] == {"name": "The Apache Software Foundation", "version": "7.7"}
    admin.fake.node.config.delete("vendor", "version")
    admin.fake.node.config.delete("vendor", "name")
    assert "vendor" not in admin.json("GET", "/")


def test_maintenance_takes_the_server_out_of_service(anonymous: Any) -> None:
    assert anonymous.json("GET", "/_up", status=200) == {"status": "ok", "seeds": {}}
    anonymous.set("couchdb", "maintenance_mode", "true")
    assert anonymous.json("GET", "/_up", status=404) == {"status": "maintenance_mode"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["_replicator", "_users", "a", "b", "b/c"]),
        ("?startkey=%22a%22&endkey=%22b%22", ["a", "b"]),
        ("?startkey=%22a%22&endkey=%22b%22&inclusive_end=false", ["a"]),
        ("?descending=true&limit=2", ["b/c", "b"]),
        ("?descending=true&startkey=%22b%22&endkey=%22a%22", ["b", "a"]),
        ("?startkey=%22a%22&skip=1&limit=1", ["b"]),
        ("?key=%22b%22", ["b"]),
    ],
)
def test_databases_are_listed_by_range(admin: Any, query: str, names: list[str]) -> None:
    for name in ("b", "a", "b%2Fc"):
        admin("PUT", f"/{name}")
    assert admin.json("GET", f"/_all_dbs{query}") == names


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=99999999999999999999", "Limit is too large, must not exceed 576460752303423487"),
        ("reduce=true", "Reduce is invalid for map-only views."),
        ("group=true", "Invalid use of grouping on a map view."),
    ],
)
def test_parameters_that_no_view_without_reduce_takes_are_refused(admin: Any, query: str, reason: str) -> None:
    for path in ("/_all_dbs", "/_dbs_info"):
        assert admin.refusal("GET", f"{path}?{query}") == f"400 query_parse_error: {reason}"


def test_a_key_that_is_not_a_database_is_listed_as_an_error(admin: Any) -> None:
    admin.json("PUT", "/one", status=201)
    assert admin.json("GET", '/_all_dbs?keys=["nope","one"]') == ["error", "one"]


def test_an_unchanged_list_of_databases_need_not_be_sent_again(admin: Any) -> None:
    etag = admin("GET", "/_all_dbs").headers["ETag"]
    assert admin("GET", "/_all_dbs", headers={"If-None-Match": etag}).status_code == 304
    admin("PUT", "/a")
    assert admin("GET", "/_all_dbs", headers={"If-None-Match": etag}).status_code == 200


def test_information_of_several_databases(admin: Any) -> None:
    admin("PUT", "/a")
    found = admin.json("POST", "/_dbs_info", {"keys": ["a", "none", 7]}, 200)
    assert found[0]["info"]["db_name"] == "a"
    assert found[1:] == [{"key": "none", "error": "not_found"}, {"key": 7, "error": "not_found"}]
    assert [each["key"] for each in admin.json("GET", "/_dbs_info?startkey=%22a%22")] == ["a"]
    admin.set("chttpd", "max_db_number_for_dbs_info_req", "1")
    assert admin.refusal("POST", "/_dbs_info", {"keys": ["a", "b"]}) == "400 bad_request: too_many_keys"


@pytest.mark.parametrize("algorithm", ["random", "sequential", "utc_random", "utc_id"])
def test_identifiers_of_every_algorithm(admin: Any, algorithm: str) -> None:
    admin.set("uuids", "algorithm", algorithm)
    admin.set("uuids", "utc_id_suffix", "-here")
    made = admin.json("GET", "/_uuids?count=3")["uuids"]
    assert len(set(made)) == 3
    if algorithm == "utc_id":
        assert all(each.endswith("-here") for each in made)
    else:
        assert all(len(each) == 32 for each in made)
    if algorithm == "sequential":
        assert made == sorted(made)


@pytest.mark.parametrize("count", ["-1", "x", "1.5", "", "%201", "%2B%2B1"])
def test_a_count_that_is_not_a_natural_number_is_refused(anonymous: Any, count: str) -> None:
    expected = "400 bad_request: count must be a positive integer"
    assert anonymous.refusal("GET", f"/_uuids?count={count}") == expected


@pytest.mark.parametrize(("count", "number"), [("%2B2", 2), ("-0", 0), ("007", 7)])
def test_a_count_may_be_any_spelling_of_a_natural_number(anonymous: Any, count: str, number: int) -> None:
    assert len(anonymous.json("GET", f"/_uuids?count={count}")["uuids"]) == number


@pytest.mark.parametrize("count", ["1001", "9" * 5000])
def test_a_count_above_the_limit_is_refused(anonymous: Any, count: str) -> None:
    assert anonymous.refusal("GET", f"/_uuids?count={count}") == "400 bad_request: count parameter too large"


def test_a_single_node_is_its_own_cluster(admin: Any) -> None:
    members = admin.json("GET", "/_membership")
    assert members["all_nodes"] == members["cluster_nodes"] == [admin.json("GET", "/_node/_local")["name"]]
    assert admin.json("GET", "/_cluster_setup") == {"state": "single_node_enabled"}
    finished = "400 bad_request: Cluster is already finished"
    assert admin.refusal("POST", "/_cluster_setup", {"action": "enable_single_node"}) == finished
    setup = {"action": "finish_cluster", "ensure_dbs_exist": ["_users", "more"]}
    assert admin.json("POST", "/_cluster_setup", setup, 201) == {"ok": True}
    assert "more" in admin.json("GET", "/_all_dbs")
    assert admin.refusal("POST", "/_cluster_setup", setup) == finished
    assert admin.refusal("POST", "/_cluster_setup", {"action": "x"}) == "400 bad_request: Invalid Action'"
    assert admin.refusal("POST", "/_cluster_setup", {"action": 5}) == "500 unknown_error: badarg"
    assert "Cluster is not enabled." in admin.refusal("POST", "/_cluster_setup", {"action": "add_node"})
    assert "Missing JSON body'" in admin.refusal("POST", "/_cluster_setup", [])


def test_plugins_are_absent(admin: Any) -> None:
    admin("PUT", "/db")
    unavailable = "503 service unavailable: Search is not available"
    assert admin.refusal("POST", "/_search_analyze", {}) == unavailable
    assert admin.refusal("GET", "/db/_design/d/_search/i?q=x") == unavailable
    assert admin.refusal("GET", "/db/_design/d/_nouveau/i?q=x") == "404 not_found: missing"
    assert admin.refusal("GET", "/db/_design/d/_search_disk_size/i") == unavailable
    assert admin.refusal("POST", "/db/_search_cleanup", {}) == "500 badmatch: {'EXIT',noconnection}"
    assert admin("PATCH", "/_search_analyze").headers["Allow"] == "GET,POST"
    assert admin.json("POST", "/db/_nouveau_cleanup", status=202) == {"ok": True}
    assert admin("GET", "/db/_nouveau_cleanup").headers["Allow"] == "POST"


def test_browsers_find_something_where_the_web_interface_would_be(anonymous: Any) -> None:
    assert anonymous("GET", "/_utils").headers["Location"].endswith("/_utils/")
    assert "couchfake" in anonymous("GET", "/_utils/").text
    assert anonymous("GET", "/_utils/nothing.js").status_code == 404
    assert anonymous("GET", "/favicon.ico").status_code == 204


def test_shards_cover_the_hash_space(admin: Any) -> None:
    admin("PUT", "/one")
    admin("PUT", "/four?q=4")
    assert list(admin.json("GET", "/one/_shards")["shards"]) == ["00000000-ffffffff"]
    assert list(admin.json("GET", "/four/_shards")["shards"]) == [
        "00000000-3fffffff",
        "40000000-7fffffff",
        "80000000-bfffffff",
        "c0000000-ffffffff",
    ]
    assert admin.json("GET", "/four/_shards/ada")["range"] == "80000000-bfffffff"
    assert admin.json("POST", "/one/_sync_shards", status=202) == {"ok": True}


def test_resharding_has_a_state_and_no_jobs(admin: Any) -> None:
    admin("PUT", "/db")
    assert admin.json("PUT", "/_reshard/state", {"state": "stopped", "reason": "pause"}) == {"ok": True}
    assert admin.json("GET", "/_reshard/state") == {"state": "stopped", "reason": "pause"}
    assert admin.json("GET", "/_reshard/jobs")["jobs"] == []
    job = {"type": "split", "db": "db", "range": "00000000-ffffffff"}
    assert admin("POST", "/_reshard/jobs", json=job).status_code == 501
    job["range"] = "00000000-7fffffff"
    assert admin.refusal("POST", "/_reshard/jobs", job) == "404 not_found: missing"


def test_without_replications_the_scheduler_is_idle(admin: Any) -> None:
    assert admin.json("GET", "/_scheduler/jobs") == {"total_rows": 0, "offset": 0, "jobs": []}
    assert admin.json("GET", "/_scheduler/docs") == {"total_rows": 0, "offset": 0, "docs": []}
    assert admin.json("GET", "/_scheduler/docs/_replicator") == {"total_rows": 0, "offset": 0, "docs": []}
    assert admin.refusal("GET", "/_scheduler/docs/_replicator/x") == "404 not_found: missing"
    assert admin.json("GET", "/_scheduler", status=404) == {"error": "not found"}


class Replications:
    """What the scheduler shows, without anything running."""

    def jobs(self) -> list[dict[str, Any]]:
        return [{"id": "a"}, {"id": "b"}, {"id": "c"}]

    def documents(self, db_name: str | None) -> list[dict[str, Any]]:
        documents = [{"database": "_replicator", "doc_id": "x", "state": "running"}]
        return documents if db_name in (None, "_replicator") else []

    def document(self, db_name: str, docid: str) -> dict[str, Any] | None:
        return next((row for row in self.documents(db_name) if row["doc_id"] == docid), None)


def test_the_scheduler_shows_what_runs_replications(admin: Any) -> None:
    admin.fake.node.replications = Replications()
    assert admin.json("GET", "/_scheduler/jobs?skip=1&limit=1") == {
        "total_rows": 3,
        "offset": 1,
        "jobs": [{"id": "b"}],
    }
    assert admin.json("GET", "/_scheduler/jobs/c") == {"id": "c"}
    assert admin.json("GET", "/_scheduler/docs/_replicator/x")["state"] == "running"
    assert admin.json("GET", "/_scheduler/docs?states=failed")["docs"] == []
    assert "States must be" in admin.refusal("GET", "/_scheduler/docs?states=bogus")


@pytest.mark.parametrize("path", ["_up", "_uuids", "_session", "_active_tasks", "_cluster_setup", "db/_temp_view"])
def test_what_follows_a_name_in_the_path_does_not_matter_to_admins(admin: Any, anonymous: Any, path: str) -> None:
    admin.json("PUT", "/db")
    assert admin("GET", f"/{path}/more").status_code == admin("GET", f"/{path}").status_code
    assert anonymous("GET", f"/{path}/more").status_code == 401


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ({"node": 5}, "Invalid `node`"),
        ({"node": "x"}, "`node` is not a valid node name"),
        ({"shard": "x"}, "`shard` is invalid"),
        ({"shard": None}, "Invalid `shard`"),
        ({"db": "nope"}, "Invalid `db`"),
        ({"db": "db", "range": "7fffffff-00000000"}, "Invalid `range`"),
        ({"db": "db"}, "`job type must be `split`"),
        ({"type": "split", "range": "00000000-ffffffff"}, "Must specify at least `db` or `shard`"),
        (
            {"type": "split", "db": "db", "shard": "shards/00000000-ffffffff/db.1"},
            "`db` and `shard` are mutually exclusive",
        ),
    ],
)
def test_each_member_of_a_resharding_job_is_checked(admin: Any, job: dict[str, Any], reason: str) -> None:
    admin.json("PUT", "/db")
    assert admin.refusal("POST", "/_reshard/jobs", job) == f"400 bad_request: {reason}"


def test_the_state_of_a_job_is_checked_before_the_job_is_looked_for(admin: Any) -> None:
    assert "Expected a `state` field" in admin.refusal("PUT", "/_reshard/jobs/x/state", {})
    assert "State field not" in admin.refusal("PUT", "/_reshard/jobs/x/state", {"state": "x"})
    assert admin.refusal("PUT", "/_reshard/jobs/x/state", {"state": "stopped"}) == "404 not_found: missing"


def test_a_node_takes_what_it_does_not_know_for_databases_of_its_own(admin: Any) -> None:
    assert admin.refusal("GET", "/_node/_local/db") == "404 not_found: no_db_file"
    for path in ("_system/x", "_versions/x", "_prometheus/x", "_nope"):
        assert admin.refusal("GET", f"/_node/_local/{path}").startswith("400 illegal_database_name: Name: '_")


def test_paths_of_the_scheduler(admin: Any) -> None:
    assert admin("GET", "/_scheduler/jobs/x/y").json() == {"error": "not found"}
    assert admin("POST", "/_scheduler/x", json={}).headers["Allow"] == "GET,HEAD"
    assert admin.refusal("GET", "/_scheduler/docs/a/x") == "400 bad_request: Invalid path"
    assert admin("GET", "/_scheduler/docs?states=Running,FAILED").status_code == 200
