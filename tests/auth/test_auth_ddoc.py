"""The validation function of the users' database, run by the default JavaScript engine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchfake.auth.users import auth_ddoc_body

quickjs = pytest.importorskip("quickjs")

ADMIN: dict[str, Any] = {"db": "_users", "name": "adm", "roles": ["_admin"]}
ANN: dict[str, Any] = {"db": "_users", "name": "ann", "roles": []}
NOBODY: dict[str, Any] = {"db": "_users", "name": None, "roles": []}
GOOD: dict[str, Any] = {"_id": "org.couchdb.user:ann", "name": "ann", "type": "user", "roles": []}


def verdict(new: dict[str, Any], old: Any = None, user: dict[str, Any] = ADMIN, security: Any = None) -> str | None:
    source = auth_ddoc_body()["validate_doc_update"]
    context = quickjs.Context()
    context.eval("function isArray(x) { return Array.isArray(x); }")
    arguments = json.dumps([new, old, user, security or {}])
    text = context.eval(
        f"(function () {{ try {{ ({source}).apply(null, {arguments}); return 'null'; }}"
        " catch (error) { return JSON.stringify(error.forbidden || String(error)); } })()"
    )
    result: str | None = json.loads(text)
    return result


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": None}, "doc.type must be user"),
        ({"name": ""}, "doc.name is required"),
        ({"name": 7}, "Doc ID must be of the form org.couchdb.user:name"),
        ({"roles": None}, "doc.roles must exist"),
        ({"roles": "admin"}, "doc.roles must be an array"),
        ({"roles": [1]}, "doc.roles can only contain strings"),
        ({"roles": ["_custom"]}, "No system roles (starting with underscore) in users db."),
        ({"roles": ["_metrics"]}, None),
        ({"_id": "plain"}, "Doc ID must be of the form org.couchdb.user:name"),
        ({"password_scheme": "nonsense"}, "Password scheme `nonsense` not supported."),
        (
            {"password_sha": "abc"},
            "Users with password_sha must have a salt.See /_utils/script/couch.js for example code.",
        ),
        ({"password_scheme": "pbkdf2", "iterations": "many", "derived_key": "a"}, "iterations must be a number."),
        ({"password_scheme": "pbkdf2", "iterations": 10, "derived_key": 5}, "derived_key must be a string."),
        ({"_id": "org.couchdb.user:_x", "name": "_x"}, "Username may not start with underscore."),
        ({"_id": "org.couchdb.user:a:b", "name": "a:b"}, "Character `:` is not allowed in usernames."),
        ({}, None),
    ],
)
def test_each_rule_gives_its_reason(changes: dict[str, Any], reason: str | None) -> None:
    assert verdict({**GOOD, **changes}) == reason


def test_only_admins_set_and_edit_roles() -> None:
    assert verdict({**GOOD, "roles": ["a"]}, None, NOBODY) == "Only _admin may set roles"
    old = {**GOOD, "roles": ["b", "a"]}
    assert verdict({**GOOD, "roles": ["a", "b"]}, old, ANN) is None
    assert verdict({**GOOD, "roles": ["a", "c"]}, old, ANN) == "Only _admin may edit roles"
    assert verdict({**GOOD, "roles": ["a", "c"]}, old, ANN, {"admins": {"names": ["ann"]}}) is None
    lead = {**ANN, "roles": ["lead"]}
    assert verdict({**GOOD, "roles": ["a", "c"]}, old, lead, {"admins": {"roles": ["lead"]}}) is None


def test_nobody_else_edits_or_deletes_a_users_document() -> None:
    bob = {**ANN, "name": "bob"}
    assert verdict(GOOD, GOOD, bob) == "You may only update your own user document."
    gone = {"_id": GOOD["_id"], "_deleted": True}
    assert verdict(gone, GOOD, bob) == "Only admins may delete other user docs."
    assert verdict(gone, GOOD, ANN) is None
    assert verdict(gone, GOOD, ADMIN) is None


def test_a_name_cannot_be_changed() -> None:
    assert verdict(GOOD, {**GOOD, "name": "other"}) == "Usernames can not be changed."
