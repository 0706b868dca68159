"""Security objects and rights by path."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.auth.permissions import (
    ANONYMOUS,
    SERVER,
    UserContext,
    authorize,
    default_security,
    is_database_admin,
    is_member,
    is_security_object,
    require_database_admin,
)
from couchfake.config import Config
from couchfake.errors import CouchError, NotFound

USER = UserContext("ann", ("staff",))


def answer(user: UserContext, method: str, *path: str, security: Any = None, **settings: dict[str, str]) -> str:
    """The refusal as "status reason", "ok" where there is none."""

    def security_of(name: str) -> Any:
        if security is None:
            raise NotFound("Database does not exist.")
        return security

    try:
        authorize(user, method, path, security_of, Config(settings))
    except CouchError as error:
        return f"{error.status} {error.reason}"
    return "ok"


ADMIN_ONLY = default_security(Config())
NOT_ADMIN = "401 You are not a server admin."


def test_new_databases_are_for_admins_unless_configured_otherwise() -> None:
    assert ADMIN_ONLY == {"members": {"roles": ["_admin"]}, "admins": {"roles": ["_admin"]}}
    for value in ("everyone", "admin_local"):
        assert default_security(Config({"couchdb": {"default_security": value}})) == {}


@pytest.mark.parametrize(
    ("security", "admin", "member"),
    [
        ({}, False, True),
        (ADMIN_ONLY, False, False),
        ({"admins": {"names": ["ann"]}}, True, True),
        ({"admins": {"roles": ["staff"]}, "members": {"names": ["bob"]}}, True, True),
        ({"admins": {"names": ["bob"]}}, False, True),
        ({"members": {"roles": ["staff", "ops"]}}, False, True),
        ({"members": {"roles": ["Staff"]}}, False, False),
        ({"readers": {"names": ["bob"]}}, False, False),
        ({"members": {"names": [], "roles": []}}, False, True),
    ],
)
def test_names_and_roles_make_members_and_admins(security: Any, admin: bool, member: bool) -> None:
    assert (is_database_admin(USER, security), is_member(USER, security)) == (admin, member)
    assert is_database_admin(SERVER, security)


def test_anonymous_is_asked_to_log_in_where_a_user_is_forbidden() -> None:
    assert answer(ANONYMOUS, "GET", "db", security=ADMIN_ONLY) == "401 You are not authorized to access this db."
    assert answer(USER, "GET", "db", security=ADMIN_ONLY) == "403 You are not allowed to access this db."
    with pytest.raises(CouchError) as refused:
        require_database_admin(ANONYMOUS, {})
    assert (refused.value.status, refused.value.reason) == (401, "You are not a db or server admin.")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "favicon.ico"),
        ("GET", "_up"),
        ("GET", "_uuids"),
        ("POST", "_session"),
        ("GET", "_utils/index.html"),
        ("DELETE", "_active_tasks"),
        ("POST", "_replicate"),
    ],
)
def test_what_anybody_may_ask(method: str, path: str) -> None:
    assert answer(ANONYMOUS, method, *[part for part in path.split("/") if part]) == "ok"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "_all_dbs"),
        ("POST", "_dbs_info"),
        ("GET", "_membership"),
        ("GET", "_node/_local/_config"),
        ("GET", "_node/_local/_versions"),
        ("GET", "_scheduler/jobs"),
        ("GET", "_global_changes"),
        ("PUT", "_users"),
        ("DELETE", "_replicator"),
        ("GET", "_users/_all_docs"),
        ("GET", "_replicator/_changes"),
        ("PUT", "db"),
        ("DELETE", "db"),
        ("PUT", "UPPER"),
        ("POST", "db/_purge"),
        ("POST", "db/_sync_shards"),
        ("POST", "_utils"),
    ],
)
def test_what_only_server_admins_may_ask(method: str, path: str) -> None:
    for user in (ANONYMOUS, USER):
        assert answer(user, method, *path.split("/"), security={}) == NOT_ADMIN
    assert answer(SERVER, method, *path.split("/"), security={}) == "ok"


def test_listing_databases_can_be_opened_to_all() -> None:
    assert answer(ANONYMOUS, "GET", "_all_dbs", chttpd={"admin_only_all_dbs": "false"}) == "ok"


def test_metrics_have_a_role_of_their_own() -> None:
    reason = "401 You are not a server admin or read-only metrics user"
    assert answer(USER, "GET", "_node", "_local", "_stats", "couchdb") == reason
    assert answer(UserContext("m", ("_metrics",)), "GET", "_node", "_local", "_stats", "couchdb") == "ok"


@pytest.mark.parametrize("path", ["db/_compact", "db/_compact/ddoc", "db/_view_cleanup"])
def test_compaction_is_for_database_admins_and_hidden_from_strangers(path: str) -> None:
    security = {"admins": {"names": ["boss"]}, "members": {"names": ["ann"]}}
    parts = path.split("/")
    assert answer(UserContext("boss"), "POST", *parts, security=security) == "ok"
    assert answer(USER, "POST", *parts, security=security) == "401 You are not a server or db admin."
    assert answer(UserContext("x"), "POST", *parts, security=security) == "403 You are not allowed to access this db."


def test_a_missing_database_is_missing_for_everybody() -> None:
    assert answer(ANONYMOUS, "GET", "none", "doc") == "404 Database does not exist."


@pytest.mark.parametrize(
    "value",
    [
        {"admins": []},
        {"members": 1},
        {"members": None},
        {"admins": {"names": "boss"}},
        {"admins": {"names": [1]}},
        {"members": {"roles": [None]}},
        {"readers": {"names": "x"}},
        [],
        "x",
        None,
    ],
)
def test_an_invalid_security_object_is_refused(value: Any) -> None:
    assert not is_security_object(value)


@pytest.mark.parametrize("value", [{}, {"note": 1}, {"admins": {"names": ["x"], "roles": []}, "members": {}}])
def test_what_is_a_security_object(value: Any) -> None:
    assert is_security_object(value)
