"""Validation before a write: ``validate_doc_update`` functions and the checks of design documents.

Source: CouchDB documentation, "Design Documents: Validate Document Update Functions", ``couch_db:validate_doc_update``.
"""

from __future__ import annotations

from typing import Any

from couchfake.auth.permissions import UserContext
from couchfake.errors import Forbidden, Unauthorized
from couchfake.query_server import DesignFunctions, QueryServer, validate_ddoc
from couchfake.storage import attachments, documents
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import format_hash
from couchfake.storage.revision_tree import Revision
from couchfake.views.database_indexes import Place

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
