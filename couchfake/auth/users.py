"""User documents: how they are written, what others may read of them, and logging in with them.

The rules for writing them are the validation function of ``_design/_auth`` in ``_users``.
Source: CouchDB documentation, "Intro: Security: Authentication Database".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from couchfake.auth import passwords
from couchfake.auth.permissions import BUILDER, SERVER, UserContext, is_database_admin
from couchfake.config import Config
from couchfake.errors import Conflict, CouchError, Forbidden, NotFound, Unauthorized
from couchfake.settings import (
    ADMINS,
    ALLOW_CONFLICTED_USER_DOCS,
    AUTHENTICATION_DB,
    ITERATIONS,
    PASSWORD_SCHEME,
    PBKDF2_PRF,
    PUBLIC_FIELDS,
    UPGRADE_HASH_ON_AUTH,
)
from couchfake.storage.database import Database
from couchfake.storage.documents import Body
from couchfake.storage.edits import Edit
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write_one
from couchfake.values import json
from couchfake.values.clock import Clock, Signal

DB_NAME = "_users"
DOCID_PREFIX = "org.couchdb.user:"

_UPGRADE_PAUSE = 5.0
"""Seconds in which a hash that has just been replaced is not replaced again."""

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
    return config[AUTHENTICATION_DB]


def user_name(docid: str) -> str | None:
    """Return the name of the user whose document it is, None for other documents."""
    return docid[len(DOCID_PREFIX) :] if docid.startswith(DOCID_PREFIX) else None


# Writing


def before_doc_update(config: Config, database: Database, edit: Edit, user: UserContext) -> None:
    """Hash the password of a user document that is about to be written.

    Raise NotFound for another user's document, as reading does. An anonymous client may create a document.
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
    """Add the design document with the rules for user documents to a database that lacks it."""
    entry = database.entry(AUTH_DDOC_ID)
    if entry is None or entry.deleted:
        write_one(database, Edit(AUTH_DDOC_ID, auth_ddoc_body(), encoded=AUTH_DDOC_JSON), BUILDER)


# Reading


def visible(config: Config, database: Database, docid: str, leaf: Revision, user: UserContext) -> Revision:
    """Return the revision itself, or a copy with only the public members in its body, as the user may see it.

    Raise NotFound if there are no such members, and Forbidden for design documents, which are for admins only.
    """
    if is_database_admin(user, database.security):
        return leaf
    if docid.startswith("_design/"):
        raise Forbidden("Only administrators can view design docs in the users database.")
    if user.name is not None and user.name == user_name(docid):
        return leaf
    public = config[PUBLIC_FIELDS]
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

    ``databases``: the server's databases by name, at any moment; ``clock()``: seconds since 1970.
    """

    def __init__(self, config: Config, databases: Mapping[str, Database], clock: Callable[[], float]) -> None:
        self._config = config
        self._databases = databases
        self._clock = clock
        self._upgraded: dict[str, float] = {}  # when the hash of each user was last replaced

    def members(self, name: str) -> dict[str, Any] | None:
        """Return the members that a login is checked against, ``roles`` a tuple of strings; None for an unknown name.

        An admin's roles are ``_admin`` and those of a user document of the same name. Raise Unauthorized if the
        document is in conflict.
        """
        document = self._document(name)
        admin = passwords.admin_members(self._config.entry(ADMINS, name) or "")
        if admin is not None:
            return {**admin, "roles": ("_admin", *_roles(document or {}))}
        if document is None:
            return None
        if document.pop("_conflicts", None) and not self._config[ALLOW_CONFLICTED_USER_DOCS]:
            raise Unauthorized(
                "User document conflicts must be resolved before the document is used for authentication purposes."
            )
        return {**document, "roles": _roles(document)}

    def state(self) -> tuple[Database | None, int]:
        """What logins depend on beside the configuration: the users' database and its update sequence."""
        database = self._databases.get(db_name(self._config))
        return database, database.update_seq if database is not None else 0

    def has_admins(self) -> bool:
        """Return whether the configuration names any server admin."""
        return self._config.has_section(ADMINS)

    def upgrade_hash(self, name: str, password: str) -> None:
        """Hash a user's password again as configured, after a successful login.

        A hash of more rounds than configured stays as it is. So does the salt, and with it the user's sessions.
        A user's hash is replaced at most once in five seconds.
        """
        database = self._databases.get(db_name(self._config))
        entry = database.entry(DOCID_PREFIX + name) if database is not None else None
        if database is None or entry is None or entry.winner.body is None:
            return
        stored = entry.winner.body.value
        if not self._config[UPGRADE_HASH_ON_AUTH] or not self._needs_upgrade(stored):
            return
        if not self._may_upgrade(name):
            return
        edit = Edit(entry.id, {**stored, "password": password, "preserve_salt": True}, rev=entry.winner.key)
        edit.attachments = entry.winner.attachments
        try:
            write_one(database, edit, SERVER)
        except CouchError:
            return  # the document has changed meanwhile, or a validation function refuses it: the login is valid anyway

    def _may_upgrade(self, name: str) -> bool:
        now = self._clock()
        recent = {each: when for each, when in self._upgraded.items() if now - when < _UPGRADE_PAUSE}
        self._upgraded = {name: now, **recent}
        return name not in recent

    def _needs_upgrade(self, stored: Mapping[str, Any]) -> bool:
        scheme = stored.get("password_scheme", "simple")
        if scheme != self._config[PASSWORD_SCHEME]:
            return True
        return scheme == "pbkdf2" and (
            stored.get("pbkdf2_prf") != self._config[PBKDF2_PRF]
            or stored.get("iterations", 0) < self._config[ITERATIONS]
        )

    def _document(self, name: str) -> dict[str, Any] | None:
        """Return the body of a live user document, with ``_conflicts`` if it is in conflict."""
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
    """Puts the design document into a users' database, shortly after it is created or becomes the users' database.

    In the instant after its creation a database is empty, as on the real server; clients that wait for the design
    document receive it as a change.
    """

    DELAY = 0.2  # seconds; the real server looks every five

    def __init__(self, config: Config, databases: Mapping[str, Database], clock: Clock) -> None:
        self._config = config
        self._databases = databases
        self._clock = clock
        config.watch(self._after_setting)

    def after_creation(self, name: str) -> None:
        """Called when a database has been created."""
        database = self._databases.get(name)
        if database is not None and name == db_name(self._config):
            name = f"couchfake: design document of {name}"
            threading.Thread(target=self._add_later, args=(database,), name=name, daemon=True).start()

    def _after_setting(self, section: str, key: str) -> None:
        if (section, key) in AUTHENTICATION_DB.places:
            self.after_creation(db_name(self._config))

    def _add_later(self, database: Database) -> None:
        Signal(self._clock).wait(self.DELAY)
        present = self._databases.get(database.name)
        if present is not None and present.uuid == database.uuid:  # a snapshot may have put it into another object
            with contextlib.suppress(NotFound, Conflict):  # deleted, or given one, at this moment
                add_auth_ddoc(present)


# The design document ``_design/_auth``
#
# It is a document like any other: clients read it, and a server admin may replace it. So the rules are written in
# JavaScript, and run where every other validation function runs; there is no second copy of them in Python.
# Source: CouchDB documentation, "Intro: Security: Users Documents".


AUTH_DDOC_ID = "_design/_auth"

_VALIDATE = """function (newDoc, oldDoc, userCtx, secObj) {
  function refuse(reason) {
    throw({forbidden: reason});
  }
  function holdsOneOf(roles, wanted) {
    return roles.some(function (role) { return wanted.indexOf(role) !== -1; });
  }
  function isAdmin() {
    var admins = (secObj && secObj.admins) || {};
    return userCtx.roles.indexOf('_admin') !== -1 ||
      (admins.names || []).indexOf(userCtx.name) !== -1 ||
      holdsOneOf(userCtx.roles, admins.roles || []);
  }

  if (newDoc._deleted === true) {
    // The user and server admins may delete, whatever else the document says.
    if (userCtx.roles.indexOf('_admin') === -1 && !(oldDoc && oldDoc.name == userCtx.name)) {
      refuse('Only admins may delete other user docs.');
    }
    return;
  }
  if (newDoc.type !== 'user') refuse('doc.type must be user');
  if (!newDoc.name) refuse('doc.name is required');
  if (!newDoc.roles) refuse('doc.roles must exist');
  if (!isArray(newDoc.roles)) refuse('doc.roles must be an array');
  newDoc.roles.forEach(function (role) {
    if (typeof role !== 'string') refuse('doc.roles can only contain strings');
  });
  if (newDoc._id !== 'org.couchdb.user:' + newDoc.name) {
    refuse('Doc ID must be of the form org.couchdb.user:name');
  }
  if (oldDoc && oldDoc.name !== newDoc.name) refuse('Usernames can not be changed.');
  if (newDoc.password_sha && !newDoc.salt) {
    refuse('Users with password_sha must have a salt.See /_utils/script/couch.js for example code.');
  }
  var schemes = ['simple', 'pbkdf2', 'bcrypt'];
  if (newDoc.password_scheme && schemes.indexOf(newDoc.password_scheme) === -1) {
    refuse('Password scheme `' + newDoc.password_scheme + '` not supported.');
  }
  if (newDoc.password_scheme === 'pbkdf2') {
    if (typeof newDoc.iterations !== 'number') refuse('iterations must be a number.');
    if (typeof newDoc.derived_key !== 'string') refuse('derived_key must be a string.');
  }
  if (!isAdmin()) {
    if (!oldDoc) {
      if (newDoc.roles.length > 0) refuse('Only _admin may set roles');
    } else {
      if (userCtx.name !== newDoc.name) refuse('You may only update your own user document.');
      if (JSON.stringify(oldDoc.roles.slice().sort()) !== JSON.stringify(newDoc.roles.slice().sort())) {
        refuse('Only _admin may edit roles');
      }
    }
  }
  newDoc.roles.forEach(function (role) {
    if (role.charAt(0) === '_' && role !== '_metrics') {
      refuse('No system roles (starting with underscore) in users db.');
    }
  });
  if (newDoc.name.charAt(0) === '_') refuse('Username may not start with underscore.');
  if (newDoc.name.indexOf(':') !== -1) refuse('Character `:` is not allowed in usernames.');
}"""


def auth_ddoc_body() -> dict[str, Any]:
    """The design document without its underscore members."""
    return {"language": "javascript", "validate_doc_update": _VALIDATE}


AUTH_DDOC_JSON = json.encode(auth_ddoc_body())
