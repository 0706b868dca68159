"""``couch_peruser``: a database for each user, where ``[couch_peruser] enable`` is ``true``.

Source: CouchDB documentation, "Configuration: Per-user databases"; ``couch_peruser``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from couchfake.auth import users
from couchfake.errors import CouchError
from couchfake.node import Node
from couchfake.settings import PERUSER_DATABASE_PREFIX, PERUSER_DELETE_DBS, PERUSER_ENABLE, PERUSER_Q
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit

DEAF = 5.0
"""Seconds after it was switched off in which the real server's service misses changes of the configuration.

It ends together with the processes that follow the users' database, and listens again five seconds later.
"""


class UserDatabases:
    """Follows the users' database of a node: creates, shares and deletes the databases of users."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._config = node.config
        self.enabled = node.config[PERUSER_ENABLE]
        self._has_acted = False  # since it was enabled
        self._deaf_until = 0.0
        self._pending: dict[str, None] = {}  # ids of user documents that were written and not followed yet, in order
        node.config.watch(self._after_setting)

    def after_doc_update(self, edits: list[Edit]) -> None:
        """Note the user documents that have just been written, for ``follow_pending``."""
        if self.enabled:
            self._pending.update(dict.fromkeys(edit.id for edit in edits))

    def follow_pending(self, database: Database) -> None:
        """Act on the user documents that were written. Hold no database's lock: the node's comes before it."""
        with self._node.lock:  # a thread that finds nothing to do has waited for those that do it
            for docid in list(self._pending):
                self._pending.pop(docid, None)
                try:
                    self._follow(database, docid)
                except BaseException:
                    self._pending[docid] = None
                    raise

    def save(self) -> Callable[[], None]:
        """Return a function that restores whether users' databases are made."""
        state = self.enabled, self._has_acted, self._deaf_until

        def restore() -> None:
            self.enabled, self._has_acted, self._deaf_until = state
            self._pending.clear()

        return restore

    def _after_setting(self, section: str, key: str) -> None:
        if section != PERUSER_ENABLE.section or self._node.clock() < self._deaf_until:
            return
        was_enabled, self.enabled = self.enabled, self._config[PERUSER_ENABLE]
        if was_enabled and not self.enabled and self._has_acted:
            self._deaf_until = self._node.clock() + DEAF
        self._has_acted = self._has_acted and self.enabled
        if self.enabled:
            self._follow_all()

    def _follow_all(self) -> None:
        """Act on every user document there is, as the service does when it starts."""
        database = self._node.databases.get(users.db_name(self._config))
        if database is not None:
            with database.lock:
                docids = [entry.id for entry in database.entries_since(0)]
            for docid in docids:
                self._follow(database, docid)

    def _follow(self, database: Database, docid: str) -> None:
        name = users.user_name(docid)
        if name is None or not name.isascii():  # the real server makes no database for other names
            return
        self._has_acted = True
        own = self._config[PERUSER_DATABASE_PREFIX] + name.encode("ascii").hex()
        # With the node's lock, so that two threads act on the same document one after the other.
        with self._node.lock, contextlib.suppress(CouchError):  # an illegal name, or no such database to delete
            entry = database.entry(docid)
            if entry is not None and not entry.deleted:
                self._provide(own, name)
            elif self._config[PERUSER_DELETE_DBS]:
                self._node.delete_database(own)
            elif own in self._node.databases:
                self._share(self._node.database(own), name, is_member=False)

    def _provide(self, own: str, name: str) -> None:
        if own not in self._node.databases:
            self._node.create_database(own, q=self._config[PERUSER_Q])
        self._share(self._node.database(own), name, is_member=True)

    def _share(self, database: Database, name: str, *, is_member: bool) -> None:
        """Add a user to a database's admins and members, or remove the user from them."""
        security = deepcopy(database.security)
        for kind in ("admins", "members"):
            group: dict[str, Any] = security.setdefault(kind, {})
            names = [each for each in group.get("names", []) if each != name]
            if is_member and name in group.get("names", []):
                continue
            if is_member or "names" in group:
                group["names"] = [*names, name] if is_member else names
        if security != database.security:
            database.change_setting(security=security)
