"""Members and admins of databases over HTTP, and the users' database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

NO_MAJORITY = "500 error: no_majority"


def test_a_new_database_is_for_admins(admin: Any, anonymous: Any, add_user: Any) -> None:
    admin("PUT", "/db")
    assert anonymous.refusal("GET", "/db") == "401 unauthorized: You are not authorized to access this db."
    assert add_user("ann").refusal("GET", "/db") == "403 forbidden: You are not allowed to access this db."


def test_names_and_roles_open_a_database(admin: Any, anonymous: Any, add_user: Callable[..., Any]) -> None:
    admin("PUT", "/db")
    ann, bob, boss = add_user("ann"), add_user("bob", roles=("staff",)), add_user("boss")
    security = {"admins": {"names": ["boss"]}, "members": {"names": ["ann"], "roles": ["staff"]}, "note": 1}
    assert admin.json("PUT", "/db/_security", security) == {"ok": True}
    assert ann.json("GET", "/db/_security") == security
    assert [each("PUT", f"/db/{n}", json={}).status_code for n, each in enumerate((ann, bob, boss))] == [201] * 3
    assert anonymous("GET", "/db/0").status_code == 401
    ddoc: dict[str, object] = {"views": {}}
    assert ann.refusal("PUT", "/db/_design/d", ddoc) == "403 forbidden: You are not a db or server admin."
    assert boss("PUT", "/db/_design/d", json=ddoc).status_code == 201


def test_an_invalid_security_object_and_a_member_find_no_majority(admin: Any, add_user: Any) -> None:
    admin("PUT", "/db")
    wrong: list[Any] = [[], "x", {"admins": []}, {"members": {"names": [1]}}]
    for value in wrong:
        assert admin.refusal("PUT", "/db/_security", value) == NO_MAJORITY
    admin("PUT", "/db/_security", json={})
    assert add_user("ann").refusal("PUT", "/db/_security", {"admins": {"names": ["ann"]}}) == NO_MAJORITY


def test_a_change_of_security_takes_a_sequence(admin: Any) -> None:
    admin("PUT", "/db")
    admin("PUT", "/db/_security", json={})
    assert admin.json("GET", "/db")["update_seq"].startswith("1-")


def test_the_security_of_the_users_database_is_fixed_until_made_editable(admin: Any) -> None:
    refused = "403 forbidden: You can't edit the security object of the user database."
    assert admin.refusal("PUT", "/_users/_security", {}) == refused
    admin.set("couchdb", "users_db_security_editable", "true")
    assert admin.json("PUT", "/_users/_security", {}) == {"ok": True}


def test_in_an_opened_users_database_each_sees_the_own_document(admin: Any, anonymous: Any, add_user: Any) -> None:
    ann, bob = add_user("ann"), add_user("bob")
    admin.set("couchdb", "users_db_security_editable", "true")
    admin("PUT", "/_users/_security", json={"admins": {"roles": ["_admin"]}})
    path = "/_users/org.couchdb.user:ann"
    assert ann.json("GET", path)["name"] == "ann"
    for stranger in (bob, anonymous):
        assert stranger.refusal("GET", path) == "404 not_found: missing"
    missing = {"rev": "undefined", "reason": "not_found", "id": path[8:], "error": "internal_fabric_error"}
    found = bob.json("POST", "/_users/_bulk_get", {"docs": [{"id": path[8:]}]})
    assert found["results"][0]["docs"] == [{"error": missing}]
    admin.set("chttpd_auth", "public_fields", "name")
    assert list(bob.json("GET", path)) == ["_id", "_rev", "name"]
    assert bob.refusal("GET", "/_users/_design/_auth").startswith("403 forbidden: Only administrators")


def test_a_recreated_users_database_is_empty_at_first_and_gets_its_design_document(admin: Any) -> None:
    assert admin("GET", "/_users/_design/_auth").status_code == 200
    admin("DELETE", "/_users")
    admin("PUT", "/_users")
    assert admin.json("GET", "/_users")["doc_count"] == 0
    assert [row["id"] for row in admin.json("GET", "/_users/_changes?feed=longpoll")["results"]] == ["_design/_auth"]
    assert admin.json("GET", "/_users/_design/_auth")["language"] == "javascript"


def test_a_design_document_does_not_come_to_a_database_that_is_gone(admin: Any) -> None:
    admin("DELETE", "/_users")
    admin("PUT", "/_users")
    database = admin.fake.node.database("_users")
    [adding] = [thread for thread in threading.enumerate() if "design document of _users" in thread.name]
    admin("DELETE", "/_users")
    admin.fake.clock.advance(1)
    adding.join(20)
    assert database.doc_count == 0


def test_roles_follow_the_user_document(admin: Any, add_user: Any) -> None:
    admin("PUT", "/db")
    admin("PUT", "/db/_security", json={"members": {"roles": ["crew"]}})
    ann = add_user("ann")
    assert ann("GET", "/db").status_code == 403
    path = "/_users/org.couchdb.user:ann"
    admin("PUT", path, json={**admin.json("GET", path), "roles": ["crew"]})
    assert ann("GET", "/db").status_code == 200


def test_what_was_the_path_of_statistics_is_a_database_that_anybody_may_look_for(anonymous: Any) -> None:
    assert anonymous.refusal("GET", "/_stats") == "404 not_found: Database does not exist."
    assert anonymous.refusal("PUT", "/_stats") == "401 unauthorized: You are not a server admin."
    assert anonymous.refusal("GET", "/_stats/couchdb") == "401 unauthorized: You are not a server admin."
