"""validate_doc_update functions, and the checks of design documents, as they stand before a write.

Source: CouchDB documentation, "Design Documents: Validate Document Update Functions", ``couch_db:validate_doc_update``.
"""

from __future__ import annotations

from typing import Any

from couchfake.auth.context import UserContext
from couchfake.errors import Forbidden, Unauthorized
from couchfake.query_server import DesignFunctions, QueryServer, validate_ddoc
from couchfake.storage import attachments, documents
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import format_hash
from couchfake.storage.revision_tree import Revision

_KEY = "validate_doc_update functions"  # in ``database.indexes``, so that they die with their database


def validators(database: Database, query_server: QueryServer) -> list[DesignFunctions]:
    """The design documents of a database that have a validation function, by id."""
    found: list[DesignFunctions] | None = database.indexes.get(_KEY)
    if found is None:
        found = [
            query_server.design_functions(database.open_doc(entry))
            for entry in database.ddocs()
            if entry.winner.body is not None and "validate_doc_update" in entry.winner.body.value
        ]
        database.indexes[_KEY] = found
    return found


def has_validators(database: Database) -> bool:
    """Whether there are validation functions, or may be: they are looked for when the first edit needs them."""
    found: list[DesignFunctions] | None = database.indexes.get(_KEY)
    return found is None or bool(found)


def forget_validators(database: Database) -> None:
    """To be called when design documents have changed."""
    database.indexes.pop(_KEY, None)


def validate_edit(
    database: Database, edit: Edit, old: Revision | None, user: UserContext, query_server: QueryServer
) -> None:
    """Ask every validation function; the first that refuses raises its error."""
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
    """The edit as functions see it: with the revisions that the writer named."""
    document = edit.document()
    if edit.ids:
        document["_revisions"] = {"start": edit.start, "ids": [format_hash(raw) for raw in edit.ids]}
    if edit.attachments:
        document["_attachments"] = attachments.render_all(edit.attachments)
    return document


def _old_document(docid: str, leaf: Revision, limit: int) -> dict[str, Any]:
    document = documents.document(docid, leaf)
    stubs = document.pop("_attachments", None)
    document["_revisions"] = documents.revisions_member(leaf, limit)
    if stubs is not None:
        document["_attachments"] = stubs
    return document
