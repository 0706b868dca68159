"""User documents: what becomes of them when they are written, what others see of them, and logging in with them.

Source: CouchDB documentation, "Intro: Security: Authentication Database".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from copy import copy
from typing import Any

from couchfake.auth import passwords
from couchfake.auth.auth_ddoc import AUTH_DDOC_JSON, DOCID, auth_ddoc_body
from couchfake.auth.context import SERVER, UserContext
from couchfake.auth.permissions import is_database_admin
from couchfake.config import Config
from couchfake.errors import CouchError, Forbidden, NotFound, Unauthorized
from couchfake.storage.bodies import Body
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write_one
from couchfake.values import json

DB_NAME = "_users"
DOCID_PREFIX = "org.couchdb.user:"

_PASSWORD_MEMBERS = frozenset(
    (
        "derived_key",
        "iterations",
        "password",
        "password_scheme",
        "password_sha",
        "preserve_salt",
        "pbkdf2_prf",
        "salt",
    )
)


def db_name(config: Config) -> str:
    """The name of the database whose documents are users."""
    return config.get("chttpd_auth", "authentication_db", DB_NAME) or DB_NAME


def user_name(docid: str) -> str | None:
    """The name of the user whose document it is; None for other documents."""
    return docid[len(DOCID_PREFIX) :] if docid.startswith(DOCID_PREFIX) else None


# Writing


def before_write(config: Config, database: Database, edit: Edit, user: UserContext) -> None:
    """Hash the password of a user document about to be written.

    A stranger's document is NotFound, as for reading; nobody in particular may register, or meets a conflict.
    """
    is_own = user.name is not None and user.name == user_name(edit.id)
    if not (is_own or user.name is None or is_database_admin(user, database.security)):
        raise NotFound("missing")
    password = edit.body.get("password")
    if password is None:
        return
    salt = edit.body.get("salt") if edit.body.get("preserve_salt") is True else None
    stored = passwords.hashed(config, password, salt if isinstance(salt, str) else passwords.new_salt())
    others = {name: value for name, value in edit.body.items() if name not in _PASSWORD_MEMBERS}
    edit.set_body({**stored, **others})


def add_auth_ddoc(database: Database) -> None:
    """Put the design document with the rules for user documents into a database that does not have it."""
    entry = database.entry(DOCID)
    if entry is None or entry.deleted:
        write_one(database, Edit(DOCID, auth_ddoc_body(), encoded=AUTH_DDOC_JSON), SERVER)


# Reading


def visible(config: Config, database: Database, docid: str, leaf: Revision, user: UserContext) -> Revision:
    """What a user sees of a document of the users' database: all, the public fields, or NotFound.

    Gives the revision itself, or a copy that has only the public members in its body. Design documents are for
    admins only (Forbidden).
    """
    if is_database_admin(user, database.security):
        return leaf
    if docid.startswith("_design/"):
        raise Forbidden("Only administrators can view design docs in the users database.")
    if user.name is not None and user.name == user_name(docid):
        return leaf
    public = config.items("chttpd_auth", "public_fields")
    members = leaf.body.value if leaf.body is not None else {}
    body = {name: value for name, value in members.items() if name in public}
    if not body:
        raise NotFound("missing")
    shown = copy(leaf)
    shown.body = Body(body, json.encode(body), database.parsed)
    return shown


# Logging in


class Users:
    """Who can log in to a server: the admins of its configuration and the documents of its users' database.

    ``databases``: the server's databases by name, as they are at any moment.
    """

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def members(self, name: str) -> dict[str, Any] | None:
        """The members that a login is checked against, ``roles`` a tuple of strings; None for an unknown name.

        An admin's roles are ``_admin`` and those of a user document of the same name. Raises Unauthorized where
        the document is in conflict.
        """
        document = self._document(name)
        admin = passwords.admin_members(self._config.get("admins", name))
        if admin is not None:
            return {**admin, "roles": ("_admin", *_roles(document or {}))}
        if document is None:
            return None
        if document.pop("_conflicts", None) and not self._config.boolean("chttpd_auth", "allow_conflicted_user_docs"):
            raise Unauthorized(
                "User document conflicts must be resolved before the document is used for authentication purposes."
            )
        return {**document, "roles": _roles(document)}

    def state(self) -> tuple[Database | None, int]:
        """What all answers here stand on, beside the configuration: the users' database and its update sequence."""
        database = self._databases.get(db_name(self._config))
        return database, database.update_seq if database is not None else 0

    def has_admins(self) -> bool:
        return self._config.has_section("admins")

    def upgrade_hash(self, name: str, password: str) -> None:
        """Hash a user's password anew, by the scheme of the configuration, after a login proved it right.

        A hash of more rounds than configured is left alone. The salt stays, and with it the user's sessions.
        """
        database = self._databases.get(db_name(self._config))
        entry = database.entry(DOCID_PREFIX + name) if database is not None else None
        if database is None or entry is None or entry.winner.body is None:
            return
        stored = entry.winner.body.value
        if not self._config.boolean("chttpd_auth", "upgrade_hash_on_auth") or not self._needs_upgrade(stored):
            return
        edit = Edit(entry.id, {**stored, "password": password, "preserve_salt": True}, rev=entry.winner.key)
        edit.attachments = entry.winner.attachments
        try:
            write_one(database, edit, SERVER)
        except CouchError:
            return  # somebody else was faster, or the database's own rules are against it: the login stands

    def _needs_upgrade(self, stored: Mapping[str, Any]) -> bool:
        get = self._config.get
        scheme = stored.get("password_scheme", "simple")
        if scheme != get("chttpd_auth", "password_scheme"):
            return True
        return scheme == "pbkdf2" and (
            stored.get("pbkdf2_prf") != get("chttpd_auth", "pbkdf2_prf")
            or stored.get("iterations", 0) < self._config.integer("chttpd_auth", "iterations")
        )

    def _document(self, name: str) -> dict[str, Any] | None:
        """The body of a live user document, with ``_conflicts`` where it is in conflict."""
        database = self._databases.get(db_name(self._config))
        entry = database.entry(DOCID_PREFIX + name) if database is not None else None
        if entry is None or entry.deleted or entry.winner.body is None:
            return None
        document = dict(entry.winner.body.value)
        if sum(not leaf.deleted for leaf in entry.leaves()) > 1:
            document["_conflicts"] = True
        return document


def _roles(document: Mapping[str, Any]) -> tuple[str, ...]:
    roles = document.get("roles")
    return tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else ()


class AuthDdocs:
    """Sees to it that a users' database gets its design document, shortly after it was made.

    In the instant after its making a database is empty, as on the real server; who waits for the design document sees
    it come as a change. To be listed among a node's listeners.
    """

    DELAY = 0.2  # seconds; the real server looks every five

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def __call__(self, name: str, what: str) -> None:
        if what == "created" and name == db_name(self._config):
            timer = threading.Timer(self.DELAY, self._add, (self._databases[name],))
            timer.daemon = True
            timer.start()

    def _add(self, database: Database) -> None:
        present = self._databases.get(database.name)
        if present is not None and present.uuid == database.uuid:  # a snapshot may have put it into another object
            with contextlib.suppress(NotFound):  # deleted at this moment
                add_auth_ddoc(present)
