"""User documents: written, read, and used to log in."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.auth import users
from couchfake.auth.permissions import ANONYMOUS, SERVER, UserContext
from couchfake.errors import Forbidden, NotFound, Unauthorized
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write_one

ANN = UserContext("ann")
BOB = UserContext("bob")


def test_a_clear_password_is_replaced_and_never_stored(server: Any) -> None:
    server.put("ann", {"password": "secret", "email": "a@example.org"})
    document = server.document("ann")
    hashed = ["password_scheme", "pbkdf2_prf", "salt", "iterations", "derived_key"]
    assert list(document) == ["_id", "_rev", *hashed, "name", "type", "roles", "email"]
    assert "secret" not in str(document)


def test_a_new_password_gets_a_new_salt_and_replaces_all_that_was_known_of_the_old(server: Any) -> None:
    rev = server.put("ann", {"password": "one"})
    old = server.document("ann")
    server.put("ann", {**old, "password_sha": "stale", "password": "two"}, rev)
    new = server.document("ann")
    assert new["salt"] != old["salt"]
    assert "password_sha" not in new


def test_without_a_password_nothing_is_hashed(server: Any) -> None:
    server.put("ann", {"password": None})
    assert server.document("ann")["password"] is None


def test_a_stranger_cannot_write_a_users_document_but_anybody_may_register(server: Any) -> None:
    with pytest.raises(NotFound):
        server.put("ann", {"password": "x"}, user=BOB)
    server.put("ann", {"password": "x"}, user=ANONYMOUS)
    server.put("bob", {"password": "x"}, user=BOB)


DOCID = "org.couchdb.user:ann"


def test_users_see_their_own_document_and_nothing_of_others(server: Any) -> None:
    server.put("ann", {"password": "x", "nick": "A"})
    document = server.document("ann")
    assert server.seen(DOCID, ANN) == document
    assert server.seen(DOCID, SERVER) == document
    for stranger in (BOB, ANONYMOUS):
        with pytest.raises(NotFound):
            server.seen(DOCID, stranger)


def test_public_fields_are_shown_to_all(server: Any) -> None:
    server.put("ann", {"password": "x", "nick": "A", "city": "Oslo"})
    server.config.set("chttpd_auth", "public_fields", "nick, town")
    assert list(server.seen(DOCID, BOB)) == ["_id", "_rev", "nick"]
    assert "city" in server.document("ann")
    server.config.set("chttpd_auth", "public_fields", "town")
    with pytest.raises(NotFound):
        server.seen(DOCID, ANONYMOUS)


def test_design_documents_of_the_users_database_are_for_admins(server: Any) -> None:
    users.add_auth_ddoc(server.database)
    users.add_auth_ddoc(server.database)
    assert server.database.doc_count == 1
    with pytest.raises(Forbidden, match="Only administrators can view design docs"):
        server.seen("_design/_auth", ANN)
    assert server.seen("_design/_auth", SERVER)["language"] == "javascript"


def test_an_admins_roles_grow_by_those_of_a_document_of_the_same_name(server: Any) -> None:
    server.put("adm", {"roles": ["ops"]})
    assert server.users.members("adm")["roles"] == ("_admin", "ops")


def test_a_document_in_conflict_cannot_log_in(server: Any) -> None:
    for raw in (b"a" * 16, b"b" * 16):
        body = {"name": "ann", "type": "user", "roles": []}
        write_one(server.database, Edit("org.couchdb.user:ann", body, rev=(1, raw)), SERVER, new_edits=False)
    with pytest.raises(Unauthorized, match="conflicts must be resolved"):
        server.users.members("ann")
    server.config.set("chttpd_auth", "allow_conflicted_user_docs", "true")
    assert server.users.members("ann")["name"] == "ann"
    entry = server.database.entry("org.couchdb.user:ann")
    write_one(server.database, Edit(entry.id, {}, deleted=True, rev=entry.leaves()[1].key), SERVER)
    server.config.delete("chttpd_auth", "allow_conflicted_user_docs")
    assert server.users.members("ann")["name"] == "ann"


def test_a_deleted_user_is_unknown(server: Any) -> None:
    rev = server.put("ann", {"password": "x"})
    write_one(server.database, Edit("org.couchdb.user:ann", {}, deleted=True, rev=rev), SERVER)
    assert server.users.members("ann") is None


def test_a_weak_hash_is_replaced_after_a_login_and_keeps_its_salt(server: Any) -> None:
    server.put(
        "ann",
        {"password_scheme": "simple", "salt": "ab", "password_sha": "d1b1fc1a5b0eb0a9d8fb45b4e2b9a1d9d7f0d3b7"},
    )
    server.users.upgrade_hash("ann", "cherry")
    document = server.document("ann")
    assert (document["password_scheme"], document["salt"]) == ("pbkdf2", "ab")
    assert document["_rev"].startswith("2-")
    server.users.upgrade_hash("ann", "cherry")
    assert server.document("ann") == document


def test_a_hash_is_replaced_at_most_once_in_five_seconds(server: Any) -> None:
    weak = {"password_scheme": "simple", "salt": "ab", "password_sha": "d1b1fc1a5b0eb0a9d8fb45b4e2b9a1d9d7f0d3b7"}
    server.put("ann", weak)
    server.users.upgrade_hash("ann", "cherry")
    server.put("ann", weak, rev=server.database.entry("org.couchdb.user:ann").winner.key)
    for later, scheme in ((4.9, "simple"), (0.2, "pbkdf2")):
        server.now += later
        server.users.upgrade_hash("ann", "cherry")
        assert server.document("ann")["password_scheme"] == scheme


def test_a_stronger_hash_than_configured_is_kept(server: Any) -> None:
    stored = {"password_scheme": "pbkdf2", "pbkdf2_prf": "sha256", "iterations": 5000, "salt": "ab", "derived_key": "x"}
    server.put("ann", stored)
    server.users.upgrade_hash("ann", "pw")
    assert server.document("ann")["iterations"] == 5000


def test_upgrading_can_be_switched_off(server: Any) -> None:
    server.config.set("chttpd_auth", "upgrade_hash_on_auth", "false")
    server.put("ann", {"password_scheme": "simple", "salt": "ab", "password_sha": "x"})
    server.users.upgrade_hash("ann", "cherry")
    assert server.document("ann")["password_scheme"] == "simple"
