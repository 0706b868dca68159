"""What stands between an edit and a database: design document checks, validation functions, system databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couchfake.auth import users
from couchfake.auth.permissions import is_database_admin, require_database_admin
from couchfake.hooks import validation
from couchfake.replicator import credentials
from couchfake.replicator.documents import ReplicatorDocuments, is_replicator_database
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocumentEntry
from couchfake.storage.edits import Edit
from couchfake.storage.revision_tree import Revision

if TYPE_CHECKING:
    from couchfake.node.node import Node


class Rules:
    """The rules of one server; ``node`` and ``replicator_documents`` are set when all exist."""

    node: Node
    replicator_documents: ReplicatorDocuments

    def before_write(self, database: Database, edit: Edit, user: Any, new_edits: bool) -> None:
        if database.name == users.db_name(self.node.config):
            users.before_write(self.node.config, database, edit, user)
        elif is_replicator_database(database.name):
            self.replicator_documents.before_write(database, edit, user, new_edits)

    def has_validators(self, database: Database) -> bool:
        return validation.has_validators(database)

    def validate(self, database: Database, edit: Edit, old: Revision | None, user: Any) -> None:
        if edit.id.startswith("_design/"):
            require_database_admin(user, database.security)
            validation.validate_design_document(database, edit, self.node.query_server)
        else:
            validation.validate_edit(database, edit, old, user, self.node.query_server)

    def after_read(self, database: Database, entry: DocumentEntry, leaf: Revision, user: Any) -> Revision:
        """May refuse to show a document, or give a revision that shows less (those of ``_users`` are their owner's)."""
        visible = self.reader(database, user)
        return leaf if visible is None else visible(entry, leaf)

    def reader(self, database: Database, user: Any) -> Visible | None:
        config = self.node.config
        if is_database_admin(user, database.security):
            return None
        if database.name == users.db_name(config):
            return lambda entry, leaf: users.visible(config, database, entry.id, leaf, user)
        if is_replicator_database(database.name):
            return lambda entry, leaf: credentials.visible(database, entry.id, leaf, user)
        return None

    def max_partition_size(self) -> int:
        return self.node.config.integer("couchdb", "max_partition_size", 0)

    def after_write(self, database: Database, edits: list[Edit]) -> None:
        if any(edit.id.startswith("_design/") for edit in edits):
            validation.forget_validators(database)
        self.node.tell_updated(database.name)
        if is_replicator_database(database.name):
            self.replicator_documents.after_write(database, edits)
