"""What others than admins see of the users' database where it was opened to them, by whichever way they ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

OWN = "org.couchdb.user:ada"
OTHER = "org.couchdb.user:bob"


@pytest.fixture
def ada(admin: Any, add_user: Callable[..., Any]) -> Any:
    ada = add_user("ada")
    add_user("bob")
    admin.set("couchdb", "users_db_security_editable", "true")
    admin.json("PUT", "/_users/_security", {}, 200)
    return ada


def test_all_revisions_of_ones_own_document_are_shown_and_those_of_others_are_not(ada: Any) -> None:
    [own] = ada.json("GET", f"/_users/{OWN}?open_revs=all", headers={"Accept": "application/json"}, status=200)
    assert own["ok"]["name"] == "ada"
    other = ada("GET", f"/_users/{OTHER}?open_revs=all", headers={"Accept": "application/json"})
    assert other.status_code == 404
    assert "derived_key" not in other.text
    assert "derived_key" not in ada("GET", f"/_users/{OTHER}?open_revs=all").text


def test_a_query_finds_ones_own_document_only(ada: Any) -> None:
    found = ada.json("POST", "/_users/_find", {"selector": {"_id": OWN}}, 200)["docs"]
    assert [doc["name"] for doc in found] == ["ada"]
    # A scan comes to the design document first, which only administrators may read.
    for selector, status in (({"_id": OTHER}, 404), ({"derived_key": {"$gt": None}}, 403)):
        answer = ada("POST", "/_users/_find", json={"selector": selector})
        assert answer.status_code == status
        assert "derived_key" not in answer.text


def test_indexes_and_views_answer_admins_only(admin: Any, ada: Any) -> None:
    admin.json("POST", "/_users/_index", {"index": {"fields": ["name"]}}, 200)
    views = {"names": {"map": "function (doc) { emit(doc.name, null); }"}}
    lists = {"all": "function (head, req) { var row; while (row = getRow()) { send(row.key); } }"}
    admin.json("PUT", "/_users/_design/people", {"views": views, "lists": lists}, 201)
    refusal = "403 forbidden: Only administrators can view design docs in the users database."
    assert ada.refusal("POST", "/_users/_find", {"selector": {"name": "ada"}}) == refusal
    assert ada.refusal("GET", "/_users/_design/people/_view/names") == refusal
    assert ada.refusal("POST", "/_users/_design/people/_view/names/queries", {"queries": [{}]}) == refusal
    assert ada.refusal("GET", "/_users/_design/people/_list/all/names") == refusal
    assert len(admin.json("POST", "/_users/_find", {"selector": {"name": "ada"}}, 200)["docs"]) == 1
    assert admin("GET", "/_users/_design/people/_list/all/names").text == "adabob"


def test_public_fields_are_found(admin: Any, ada: Any) -> None:
    admin.set("chttpd_auth", "public_fields", "name")
    found = ada.json("POST", "/_users/_find", {"selector": {"_id": OTHER}}, 200)["docs"]
    assert [set(doc) for doc in found] == [{"_id", "_rev", "name"}]


def test_design_documents_are_listed_and_not_shown(ada: Any) -> None:
    rows = ada.json("GET", "/_users/_design_docs", status=200)["rows"]
    assert [row["id"] for row in rows] == ["_design/_auth"]
    assert ada("GET", "/_users/_design_docs?include_docs=true").status_code == 403


def test_a_users_database_of_another_name_is_guarded_too(admin: Any, ada: Any) -> None:
    admin.json("PUT", "/people", status=201)
    admin.json("PUT", f"/people/{OTHER}", {"derived_key": "x", "name": "bob"}, 201)
    admin.json("PUT", "/people/_security", {}, 200)
    admin.set("chttpd_auth", "authentication_db", "people")
    admin.json("PUT", f"/people/{OWN}", {"type": "user", "name": "ada", "roles": [], "password": "pw"}, 201)
    assert {row["id"] for row in ada.json("GET", "/people/_all_docs", status=200)["rows"]} >= {OWN, OTHER}
    for listing in ("_all_docs", "_changes"):
        assert ada("GET", f"/people/{listing}?include_docs=true").status_code == 404
    selector = {"selector": {"derived_key": "x"}}
    assert ada("POST", "/people/_changes?filter=_selector", json=selector).status_code == 401
    assert ada("GET", f"/people/{OWN}").status_code == 200


def test_nobody_replicates_the_documents_of_others(admin: Any, ada: Any) -> None:
    admin.json("PUT", "/mine", status=201)
    admin.json("PUT", "/mine/_security", {}, 200)
    answer = ada("POST", "/_replicate", json={"source": "_users", "target": "mine"})
    assert answer.status_code >= 400
    assert admin.json("GET", "/mine")["doc_count"] == 0


def test_a_deleted_user_is_created_again_without_a_revision_or_not_at_all(admin: Any) -> None:
    user, path = {"name": "ann", "type": "user", "roles": [], "password": "pw"}, "/_users/org.couchdb.user:ann"
    rev = admin.json("PUT", path, user, 201)["rev"]
    tombstone = admin.json("DELETE", f"{path}?rev={rev}")["rev"]
    refusal = admin.refusal("PUT", path, {**user, "_rev": tombstone})
    assert refusal == "403 forbidden: Usernames can not be changed."
    assert admin.json("PUT", path, user, 201)["rev"].startswith("3-")
