"""What a node does before and after documents and databases change: the implementation of ``DocumentHooks``.

Design documents are checked and validation functions run; the documents of ``_users`` and of ``_replicator`` have
rules of their own; ``_global_changes`` and the databases of ``couch_peruser`` follow what happens to others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from couchfake.auth import users
from couchfake.auth.permissions import BUILDER, SERVER, UserContext, is_database_admin, require_database_admin
from couchfake.config import Config
from couchfake.errors import CouchError, Forbidden, Unauthorized
from couchfake.hooks.peruser import UserDatabases
from couchfake.node import Node
from couchfake.query_server import DesignFunctions, QueryServer, validate_ddoc
from couchfake.replicator.service import ReplicatorDocuments, is_replicator_database, without_credentials
from couchfake.settings import (
    GLOBAL_CHANGES_DBNAME,
    GLOBAL_CHANGES_UPDATE_DB,
    MAX_PARTITION_SIZE,
    STEM_INTERACTIVE_UPDATES,
)
from couchfake.storage import attachments, documents
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocumentEntry
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import format_hash
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write
from couchfake.views.database_indexes import Place

# ---- validation functions, and the checks of design documents
#
# Source: CouchDB documentation, "Design Documents: Validate Document Update Functions",
# ``couch_db:validate_doc_update``.

_VALIDATORS: Place[None, list[DesignFunctions]] = Place("validation functions")


def validators(database: Database, query_server: QueryServer) -> list[DesignFunctions]:
    """Return the design documents of a database that have a validation function, ordered by id."""
    with database.lock:
        found = _VALIDATORS.get(database, None)
        if found is None:
            found = [
                query_server.design_functions(database.open_doc(entry), database=database.uuid)
                for entry in database.ddocs()
                if entry.winner.body is not None and "validate_doc_update" in entry.winner.body.value
            ]
            _VALIDATORS.put(database, None, found)
        return found


def has_validators(database: Database) -> bool:
    """Return whether there are validation functions, or may be: they are read when the first edit needs them."""
    if not database.ddoc_ids:
        return False
    found = _VALIDATORS.get(database, None)
    return found is None or bool(found)


def forget_validators(database: Database) -> None:
    """Discard the cached functions. Called when design documents have changed."""
    _VALIDATORS.drop(database, None)


def validate_edit(
    database: Database, edit: Edit, old: Revision | None, user: UserContext, query_server: QueryServer
) -> None:
    """Call every validation function. Raise the error of the first one that refuses the edit."""
    functions = validators(database, query_server)
    if not functions:
        return
    new_doc = _new_document(edit)
    old_doc = None if old is None else _old_document(edit.id, old, database.revs_limit)
    context = user.as_json(database.name)
    try:
        for each in functions:
            each.validate_doc_update(new_doc, old_doc, context, database.security)
    except (Forbidden, Unauthorized):
        database.activity.vdu_rejects += 1
        raise


def validate_design_document(database: Database, edit: Edit, query_server: QueryServer) -> None:
    validate_ddoc(edit.body, query_server, partitioned=database.partitioned)


def _new_document(edit: Edit) -> dict[str, Any]:
    """The edit as functions receive it: with the revisions that the client sent."""
    document = edit.document()
    if edit.ids:
        document["_revisions"] = {"start": edit.start, "ids": [format_hash(raw) for raw in edit.ids]}
    if edit.attachments:
        document["_attachments"] = _new_stubs(edit)
    return document


def _new_stubs(edit: Edit) -> dict[str, Any]:
    """Return the stubs of an edit's attachments. The real server has not stored new ones yet: they have no digest."""
    stubs: dict[str, Any] = attachments.render_all(edit.attachments)
    for each in edit.inputs:
        if not each.is_stub and each.name in stubs:
            stub = stubs[each.name]
            stubs[each.name] = {
                "content_type": stub["content_type"],
                "revpos": 0,
                "length": stub["length"],
                "stub": True,
            }
    return stubs


def _old_document(docid: str, leaf: Revision, limit: int) -> dict[str, Any]:
    document = documents.document(docid, leaf)
    stubs = document.pop("_attachments", None)
    document["_revisions"] = documents.revisions_member(leaf, limit)
    if stubs is not None:
        document["_attachments"] = stubs
    return document


# ---- the hooks of a node


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
        return has_validators(database)

    def runs_javascript(self, database: Database, edit: Edit, user: Any) -> bool:
        """Return whether ``validate`` may run JavaScript for a user's edit."""
        if edit.id.startswith("_design/"):
            return user is not BUILDER
        return has_validators(database)

    def validators(self, database: Database) -> Any:
        """Return the validation functions of a database: another object after each change of a design document."""
        return validators(database, self._node.query_server)

    def validate(self, database: Database, edit: Edit, old: Revision | None, user: Any) -> None:
        if edit.id.startswith("_design/"):
            if user is not BUILDER:
                require_database_admin(user, database.security)
                validate_design_document(database, edit, self._node.query_server)
        else:
            validate_edit(database, edit, old, user, self._node.query_server)

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
                forget_validators(database)
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
