"""A database for each user: made, shared and deleted as user documents are."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.auth.permissions import SERVER
from couchfake.hooks.peruser import DEAF
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write_one

ANN = "userdb-616e6e"


class Users:
    """A server, its clock, and its user documents."""

    def __init__(self, **settings: str) -> None:
        self.now = 1000.0
        self.fake = CouchFake(config={"couch_peruser": settings}, clock=lambda: self.now)
        self.node = self.fake.node

    def write(self, name: str, *, deleted: bool = False) -> None:
        database, docid = self.node.database("_users"), f"org.couchdb.user:{name}"
        entry = database.entry(docid)
        rev = None if entry is None or entry.deleted else entry.winner.key
        body = {} if deleted else {"name": name, "type": "user", "roles": []}
        write_one(database, Edit(docid, body, deleted, rev=rev), SERVER)

    def set(self, key: str, value: str) -> None:
        self.node.config.set("couch_peruser", key, value)

    def has(self, name: str) -> bool:
        return name in self.node.databases

    def security(self, name: str) -> dict[str, Any]:
        return self.node.database(name).security


def test_nobody_gets_a_database_unless_it_is_enabled() -> None:
    users = Users()
    users.write("ann")
    assert not users.has(ANN)


def test_a_user_is_admin_and_member_of_a_database_named_in_hexadecimal() -> None:
    users = Users(enable="true", q="3")
    users.write("ann")
    group = {"roles": ["_admin"], "names": ["ann"]}
    assert users.security(ANN) == {"members": group, "admins": group}
    assert users.node.database(ANN).q == 3


def test_a_user_is_added_to_a_database_that_exists() -> None:
    users = Users(enable="true")
    users.node.create_database(ANN).security = {"admins": {"names": ["bob"]}}
    users.write("ann")
    users.write("ann")
    assert users.security(ANN) == {"admins": {"names": ["bob", "ann"]}, "members": {"names": ["ann"]}}


@pytest.mark.parametrize("delete_dbs", [True, False])
def test_deleting_a_user_deletes_the_database_or_the_users_rights(delete_dbs: bool) -> None:
    users = Users(enable="true", delete_dbs=str(delete_dbs).lower())
    users.write("ann")
    users.write("ann", deleted=True)
    assert users.has(ANN) is not delete_dbs
    if not delete_dbs:
        assert users.security(ANN)["admins"] == {"roles": ["_admin"], "names": []}


def test_the_prefix_is_a_setting_and_an_illegal_one_makes_no_database() -> None:
    users = Users(enable="true", database_prefix="my-")
    users.write("ann")
    assert users.has("my-616e6e")
    users.set("database_prefix", "NO")
    users.write("bob")
    assert len(users.node.databases) == 3


def test_users_who_are_already_there_get_a_database_when_it_is_enabled() -> None:
    users = Users()
    users.write("ann")
    users.set("enable", "true")
    assert users.has(ANN)


def test_a_name_beyond_ascii_gets_no_database() -> None:
    users = Users(enable="true")
    users.write("zoë")
    assert len(users.node.databases) == 2


def test_enabling_it_again_is_missed_in_the_first_seconds_after_it_was_disabled() -> None:
    users = Users(enable="true")
    users.write("ann")
    users.set("enable", "false")
    users.set("enable", "true")
    users.write("bob")
    assert not users.has("userdb-626f62")
    users.now += DEAF
    users.set("enable", "true")
    assert users.has("userdb-626f62")
