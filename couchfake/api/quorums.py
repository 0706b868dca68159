"""The quorum parameters ``w`` and ``r``: the copies of a document that a request waits for. There is one of each here.

On the real server an invalid number breaks the request after it has begun: what was to be written is written.
Source: CouchDB documentation, "Cluster: Reading and writing"; ``fabric_doc_update``, ``fabric_doc_open``.
"""

from __future__ import annotations

from typing import Any

from couchfake.chttpd.request import Request
from couchfake.errors import CouchError, ServerError
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.writing import write_one
from couchfake.values.erlang import INTEGER, read_integer


def write_quorum(request: Request, in_body: Any = None) -> int | None:
    """The copies that a write asks for, None if ``w`` is not a number. ``in_body`` counts more if it is an integer."""
    if isinstance(in_body, int) and not isinstance(in_body, bool):
        return in_body
    text = request.parameters.get("w", "1") or ""
    return read_integer(text) if INTEGER.fullmatch(text) else None


def require_write_quorum(request: Request) -> int:
    """The same. Raise ServerError if it is not a number."""
    quorum = write_quorum(request)
    if quorum is None:
        raise ServerError("badarg")
    return quorum


def require_read_quorum(request: Request) -> None:
    """Of several ``r`` the last counts; one copy is read, whatever their number."""
    asked = [value for name, value in request.parameters.pairs if name == "r"]
    if asked and not INTEGER.fullmatch(asked[-1]):
        raise ServerError("badarg")


def write_copies(request: Request, edit: Edit, status: int, new_edits: bool = True) -> tuple[int, RevisionId]:
    """Write one edit. Return the status of the answer and the new revision. Raise an error if it was not written.

    ``status`` becomes 202 if more copies are requested than the one that exists, except for replicated edits.
    """
    quorum = write_quorum(request)
    try:
        rev = write_one(request.db, edit, request.user, new_edits)
    except CouchError:
        if quorum is None:
            raise ServerError("badarg") from None
        raise
    if quorum is None:
        raise ServerError("badarg")
    return (202 if quorum > 1 and new_edits else status), rev
