"""What a node does before and after documents and databases change: the implementation of ``DocumentHooks``.

Design documents are checked and validation functions run; the documents of ``_users`` and of ``_replicator`` have
rules of their own; ``_global_changes`` and the databases of ``couch_peruser`` follow what happens to others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from couchfake.auth import users
from couchfake.auth.permissions import BUILDER, SERVER, is_database_admin, require_database_admin
from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.hooks import validation
from couchfake.hooks.peruser import UserDatabases
from couchfake.node.node import Node
from couchfake.replicator.service import ReplicatorDocuments, is_replicator_database, without_credentials
from couchfake.settings import (
    GLOBAL_CHANGES_DBNAME,
    GLOBAL_CHANGES_UPDATE_DB,
    MAX_PARTITION_SIZE,
    STEM_INTERACTIVE_UPDATES,
)
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocumentEntry
from couchfake.storage.edits import Edit
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write


class Hooks:
    """The hooks of one node. ``documents`` follows its replicator databases."""

    def __init__(self, node: Node, documents: ReplicatorDocuments) -> None:
        self._node = node
        self._config = node.config
        self._replicator_documents = documents
        self._auth_ddocs = users.AuthDdocs(node.config, node.databases, node.clock)
        self._global_changes = GlobalChanges(node.config, node.databases)
        self._user_databases = UserDatabases(node)

    # Documents

    def before_doc_update(self, database: Database, edit: Edit, user: Any, new_edits: bool) -> None:
        if database.name == users.db_name(self._config):
            users.before_doc_update(self._config, database, edit, user)
        elif is_replicator_database(database.name):
            self._replicator_documents.before_doc_update(database, edit, user, new_edits)

    def has_validators(self, database: Database) -> bool:
        return validation.has_validators(database)

    def runs_javascript(self, database: Database, edit: Edit, user: Any) -> bool:
        """Return whether ``validate`` may run JavaScript for a user's edit."""
        if edit.id.startswith("_design/"):
            return user is not BUILDER
        return validation.has_validators(database)

    def validators(self, database: Database) -> Any:
        """Return the validation functions of a database: another object after each change of a design document."""
        return validation.validators(database, self._node.query_server)

    def validate(self, database: Database, edit: Edit, old: Revision | None, user: Any) -> None:
        if edit.id.startswith("_design/"):
            if user is not BUILDER:
                require_database_admin(user, database.security)
                validation.validate_design_document(database, edit, self._node.query_server)
        else:
            validation.validate_edit(database, edit, old, user, self._node.query_server)

    def after_doc_read(self, database: Database, entry: DocumentEntry, leaf: Revision, user: Any) -> Revision:
        """Return the revision that a user may see. Raise an error if the user may not see the document at all.

        Owners see their documents in ``_users`` whole; others see a copy with the public members only.
        """
        visible = self.reader(database, user)
        return leaf if visible is None else visible(entry, leaf)

    def reader(self, database: Database, user: Any) -> Visible | None:
        config = self._config
        if is_database_admin(user, database.security):
            return None
        if database.name == users.db_name(config):
            return lambda entry, leaf: users.visible(config, database, entry.id, leaf, user)
        if is_replicator_database(database.name):
            return lambda entry, leaf: without_credentials(database, entry.id, leaf, user)
        return None

    def max_partition_size(self) -> int:
        return self._config[MAX_PARTITION_SIZE]

    def stem_interactive_updates(self) -> bool:
        return self._config[STEM_INTERACTIVE_UPDATES]

    def after_doc_update(self, database: Database, edits: list[Edit]) -> None:
        for edit in edits:
            if edit.id.startswith("_design/"):
                validation.forget_validators(database)
                break
        self.after_database_event(database.name, "updated")
        if is_replicator_database(database.name):
            self._replicator_documents.after_doc_update(database, edits)
        elif database.name == users.db_name(self._config):
            self._user_databases.after_doc_update(edits)

    def after_write(self, database: Database) -> None:
        if self._user_databases.enabled and database.name == users.db_name(self._config):
            self._user_databases.follow_pending(database)

    # Databases

    def after_database_event(self, name: str, event: str) -> None:
        self._global_changes.record(name, event)
        if event == "created":
            self._auth_ddocs.after_creation(name)
        elif event == "deleted":
            self._replicator_documents.forget_database(name)

    def save(self) -> Callable[[], None]:
        return self._user_databases.save()


# The database ``_global_changes``: if it exists, it has a document for each kind of event of each database
#
# Documents are named ``created:NAME``, ``updated:NAME`` and ``deleted:NAME``; each event updates its document. Creating
# or deleting a database also updates ``_dbs``, the server's own list of databases. That this database was created is
# recorded with the first event after it, as the real server records it with a delay.
# Source: CouchDB documentation, "Server API: /_db_updates".


DBS_UPDATED = "updated:_dbs"


class GlobalChanges:
    """Records what happens to the databases of a node."""

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def record(self, name: str, event: str) -> None:
        """Write the document of an event: ``created``, ``updated`` or ``deleted``."""
        database = self._databases.get(self._config[GLOBAL_CHANGES_DBNAME])
        if database is None or name == database.name or not self._config[GLOBAL_CHANGES_UPDATE_DB]:
            return
        with database.lock:
            docids = [f"{event}:{name}"]
            if event != "updated" or database.entry(DBS_UPDATED) is None:
                docids.append(DBS_UPDATED)
            with contextlib.suppress(CouchError):  # the database is being deleted
                write(database, [self._edit(database, docid) for docid in docids], SERVER)

    def _edit(self, database: Database, docid: str) -> Edit:
        entry = database.entry(docid)
        return Edit(docid, {}, rev=None if entry is None else entry.winner.key)
