"""What is said to requests for replications that cannot be understood, by ``_replicate`` and in documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchfake.app import CouchFake
from tests.api.conftest import Client

URL = {"url": "http://127.0.0.1:1/x"}


@pytest.fixture
def admin() -> Client:
    client = Client(CouchFake(admins={"adm": "pass"}), ("adm", "pass"))
    client.json("PUT", "/a", status=201)
    client.json("PUT", "/b", status=201)
    client.json("PUT", "/_replicator")
    return client


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"continuous": 1}, "400 bad_request: parameter `continuous` must be a boolean",
     "{throw,{bad_request,<<\"parameter `continuous` must be a boolean\">>}}"),
    ({"doc_ids": "x"}, "400 bad_request: parameter `doc_ids` must be an array",
     "{throw,{bad_request,<<\"parameter `doc_ids` must be an array\">>}}"),
    ({"query_params": []}, "400 bad_request: parameter `query_params` must be an object",
     "{throw,{bad_request,<<\"parameter `query_params` must be an object\">>}}"),
    ({"filter": "x"}, "500 error: Invalid filter. Must match `ddocname/filtername`.",
     "Invalid filter. Must match `ddocname/filtername`."),
    ({"filter": "a/b", "selector": {}}, "400 bad_request: `doc_ids`,`filter`,`selector` are mutually exclusive",
     "{throw,{bad_request,\"`doc_ids`,`filter`,`selector` are mutually exclusive\"}}"),
    ({"proxy": "http://p", "source_proxy": "http://q"},
     "400 bad_request: `proxy` is mutually exclusive with `source_proxy`",
     "{throw,{bad_request,\"`proxy` is mutually exclusive with `source_proxy`\"}}"),
    ({"worker_processes": "x"}, "500 unknown_error: badarg", "{error,badarg}"),
    ({"selector": {"a": {"$bogus": 1}}}, "500 case_clause: Invalid operator: $bogus",
     "{throw,{mango_error,mango_selector,{invalid_operator,<<\"$bogus\">>}}}"),
    ({"filter": "_view", "query_params": {"view": "x"}}, "400 bad_request: Invalid `view` parameter.",
     "{throw,{bad_request,<<\"Invalid `view` parameter.\">>}}"),
    ({"source": {}}, "400 invalid_replication: endpoint has an invalid url", "endpoint has an invalid url"),
    ({"source": {**URL, "auth": 5}}, "500 badmatch: 5", "{error,{badmatch,5}}"),
    ({"source": URL, "source_proxy": "ftp://p"}, "400 invalid_replication: proxy has an invalid url",
     "proxy has an invalid url"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "answer", "reason"), WRONG)
def test_a_wrong_member_is_named(admin: Client, members: dict[str, Any], answer: str, reason: str) -> None:
    assert admin.refusal("POST", "/_replicate", {"source": "a", "target": "b", **members}) == answer
    document = {"source": URL, "target": URL, **members}
    assert admin.refusal("PUT", "/_replicator/job", document) == f"403 forbidden: {reason}"


def test_both_ends_must_be_named(admin: Client) -> None:
    assert admin.refusal("POST", "/_replicate", {"source": "a"}) == "500 error: Missing replicator database"
    assert admin.refusal("POST", "/_replicate", {}) == "500 error: Missing replicator database"
    refusal = admin.refusal("PUT", "/_replicator/job", {"target": URL})
    assert refusal == "403 forbidden: Missing replicator database"


def test_documents_know_urls_only(admin: Client) -> None:
    refusal = admin.refusal("PUT", "/_replicator/job", {"source": "a", "target": URL})
    assert refusal == "403 forbidden: local_endpoints_not_supported"
    refusal = admin.refusal("PUT", "/_replicator/job", {"source": 5, "target": URL})
    assert refusal == "403 forbidden: {error,function_clause}"


def test_an_endpoint_object_may_hold_a_local_name(admin: Client) -> None:
    admin.json("PUT", "/a/x", {}, 201)
    answer = admin.json("POST", "/_replicate", {"source": {"url": "a"}, "target": "b"}, 200)
    assert answer["history"][0]["docs_written"] == 1


def test_named_documents_may_be_escaped(admin: Client) -> None:
    admin.json("PUT", "/a/x%2Fy", {}, 201)
    asked = {"source": "a", "target": "b", "doc_ids": ["x%2Fy"]}
    assert admin.json("POST", "/_replicate", asked, 200)["docs_written"] == 1


def test_the_body_is_read_before_the_method_is_looked_at(admin: Client) -> None:
    refusal = admin.refusal("PUT", "/_replicate", data=b"[1]")
    assert refusal == "400 bad_request: Request body must be a JSON object"


def test_documents_that_failed_already_are_taken_as_they_are(admin: Client) -> None:
    body = {"source": "a", "_replication_state": "failed", "_replication_state_reason": "so it is"}
    admin.json("PUT", "/_replicator/job", body, 201)
    row = admin.json("GET", "/_scheduler/docs/_replicator/job", status=200)
    assert (row["state"], row["info"], row["error_count"]) == ("failed", {"error": "so it is"}, 1)


def test_deletions_have_an_owner_too(admin: Client) -> None:
    rev = admin.json("PUT", "/_replicator/job", {"_replication_state": "failed"}, 201)["rev"]
    rev = admin.json("DELETE", f"/_replicator/job?rev={rev}", status=200)["rev"]
    assert admin.json("GET", f"/_replicator/job?rev={rev}", status=200)["owner"] == "adm"


@pytest.fixture
def add(admin: Client) -> Callable[[str], Client]:
    def add(name: str) -> Client:
        document = {"name": name, "type": "user", "roles": [], "password": "pw"}
        admin.json("PUT", f"/_users/org.couchdb.user:{name}", document, 201)
        admin.json("PUT", "/_replicator/_security", {"members": {"names": ["ann", "bob"]}}, 200)
        return Client(admin.fake, (name, "pw"))

    return add


def test_credentials_are_their_owners(admin: Client, add: Callable[[str], Client]) -> None:
    ann, bob = add("ann"), add("bob")
    body = {
        "source": {**URL, "auth": {"basic": {"username": "u", "password": "p"}}, "headers": {"X": "y"}},
        "target": "http://u:p@127.0.0.1:1/y",
    }
    rev = ann.json("PUT", "/_replicator/job", body, 201)["rev"]
    mine, his = ann.json("GET", "/_replicator/job"), bob.json("GET", "/_replicator/job")
    assert (mine["source"], mine["_rev"], mine["owner"]) == (body["source"], rev, "ann")
    assert (his["source"], his["target"]) == (URL, "http://127.0.0.1:1/y")
    assert his["_rev"] != rev and his["_rev"].startswith("1-")
    refusal = bob.refusal("PUT", "/_replicator/job", {**mine, "continuous": True})
    assert refusal == "403 forbidden: Can't update replication documents from other users."


def test_a_running_replication_is_its_starters(admin: Client, add: Callable[[str], Client]) -> None:
    bob = add("bob")
    asked = {"source": "a", "target": "b", "continuous": True}
    job = admin.json("POST", "/_replicate", asked, 202)["_local_id"]
    cancel = {"replication_id": job, "cancel": True}
    assert bob.refusal("POST", "/_replicate", cancel) == "401 unauthorized: You are not a server admin."
    admin.json("POST", "/_replicate", cancel, 200)


def test_a_continuous_replication_that_cannot_begin_is_gone(admin: Client) -> None:
    job = admin.json("POST", "/_replicate", {"source": "a", "target": "nope", "continuous": True}, 202)["_local_id"]
    running = admin.fake.node.replications.running  # type: ignore[attr-defined]
    found = running.get(job)
    assert found is None or found.finished.wait(10)
    assert admin.refusal("POST", "/_replicate", {"id": job, "cancel": True}) == "404 not_found: missing"


@pytest.mark.parametrize("since", ["bogus", 5])
def test_the_source_must_know_the_sequence_to_begin_at(admin: Client, since: Any) -> None:
    refusal = admin.refusal("POST", "/_replicate", {"source": "a", "target": "b", "since_seq": since})
    assert refusal.startswith("500 error: {changes_req_failed,400,\n")
    assert "Malformed sequence" in refusal


def test_a_replication_may_begin_at_the_end(admin: Client) -> None:
    admin.json("PUT", "/a/x", {}, 201)
    for since, written in (("now", 0), ("0", 1)):
        admin.json("POST", "/_replicate", {"source": "a", "target": "b", "since_seq": since}, 200)
        assert admin.json("GET", "/b")["doc_count"] == written


def test_what_a_target_is_made_with_reaches_it(admin: Client) -> None:
    asked = {"source": "a", "target": "c", "create_target": True, "create_target_params": {"q": 2}}
    admin.json("POST", "/_replicate", asked, 200)
    assert admin.json("GET", "/c")["cluster"]["q"] == 2


@pytest.mark.parametrize("target", ["Bad", "d"])
def test_a_target_that_cannot_be_made_is_not_found(admin: Client, target: str) -> None:
    asked = {"source": "a", "target": target, "create_target": True, "create_target_params": {"q": "x"}}
    assert admin.refusal("POST", "/_replicate", asked).startswith("500 db_not_found")


def test_who_may_not_make_databases_may_not_ask_for_them_either(admin: Client, add: Callable[[str], Client]) -> None:
    bob = add("bob")
    for name in ("a", "b"):
        admin.json("PUT", f"/{name}/_security", {}, 200)
    asked = {"source": "a", "target": "b"}
    bob.json("POST", "/_replicate", asked, 200)
    assert bob.refusal("POST", "/_replicate", {**asked, "create_target": True}).startswith("401 unauthorized")


def test_a_filter_function_is_looked_for_first(admin: Client) -> None:
    asked = {"source": "nope", "target": "b", "filter": "d/f"}
    assert admin.refusal("POST", "/_replicate", asked).startswith("404 not_found: Could not open source database")


def test_a_task_tells_who_works_and_then_what_by_name(admin: Client) -> None:
    asked = {"source": "a", "target": "b", "continuous": True}
    admin.json("POST", "/_replicate", asked, 202)
    [task] = admin.json("GET", "/_active_tasks")
    names = list(task)
    assert names[:3] == ["node", "pid", "process_status"]
    assert names[3:] == sorted(names[3:])
    admin.json("POST", "/_replicate", {**asked, "cancel": True}, 200)
