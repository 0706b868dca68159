"""What a request for a document names: parameters, the id, the revision of a write (in three places), the quorum."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from couchfake.chttpd.parameters import Parameters
from couchfake.chttpd.request import Request
from couchfake.errors import BadRequest, CouchError, ServerError
from couchfake.settings import MAX_DOCUMENT_ID_LENGTH
from couchfake.storage.documents import DocOptions
from couchfake.storage.edits import Edit, check_docid, read_edit
from couchfake.storage.partitions import check_partitioned_docid, is_exempt, partition_of
from couchfake.storage.revision_ids import RevisionId, parse_rev
from couchfake.storage.writing import write_one
from couchfake.values.erlang import INTEGER, read_integer
from couchfake.values.json import read_json


@dataclass
class DocumentQuery:
    """What a request for a document asks: ``open_revs`` is a list, ``"all"``, or empty where it was not given."""

    shown: DocOptions = field(default_factory=DocOptions)
    rev: RevisionId | None = None
    open_revs: list[RevisionId] | str = field(default_factory=list)
    latest: bool = False
    deleted: bool = False
    new_edits: bool = True


LISTED = frozenset(("attachments", "att_encoding_info", "conflicts"))
"""The flags that add to documents in feeds."""

SINGLE = LISTED | {"deleted_conflicts", "local_seq", "revs", "revs_info"}
"""The flags that add to a single document."""


def set_flag(shown: DocOptions, name: str, value: str, flags: Collection[str]) -> None:
    """Set the option of a query parameter if it is one of ``flags`` and its value is ``true``."""
    if value == "true" and name in flags:
        setattr(shown, name, True)


def read_query(parameters: Parameters) -> DocumentQuery:
    """Go through the parameters in order; unknown ones, and values that mean nothing, are passed over."""
    query = DocumentQuery()
    shown = query.shown
    for name, value in parameters.pairs:
        set_flag(shown, name, value, SINGLE)
        if value == "true" and name == "meta":
            shown.revs_info = shown.conflicts = shown.deleted_conflicts = True
        elif value == "true" and name in ("latest", "deleted"):
            setattr(query, name, True)
        elif name == "rev":
            query.rev = parse_rev(value)
        elif name == "open_revs":
            query.open_revs = "all" if value == "all" else read_revs(read_json(value))
        elif name == "atts_since":
            shown.atts_since = tuple(read_revs(read_json(value)))
        elif name == "new_edits" and value in ("true", "false"):
            query.new_edits = value == "true"
    return query


def read_revs(value: Any) -> list[RevisionId]:
    """A JSON array of revisions."""
    if not isinstance(value, list):
        raise BadRequest("Invalid list of revisions")
    return [parse_rev(each) for each in value]


def named_rev(request: Request, explicit: RevisionId | None) -> RevisionId | None:
    """The revision of the If-Match header and the one named elsewhere, which must agree."""
    header = request.environ.get("HTTP_IF_MATCH")
    etag = None if header is None else parse_rev(header.strip('"'))
    if explicit is not None and etag is not None and explicit != etag:
        raise BadRequest("Document rev and etag have different values")
    return explicit if explicit is not None else etag


def edit_of(request: Request, docid: str, document: Any, parts: Any = None) -> Edit:
    """The edit that a PUT asks for: the id is the path's, the revision may be in the body, the query or a header."""
    node = request.node
    edit = read_edit(document, node.config, node.attachment_settings(), parts)
    edit.id = docid
    text = request.parameters.get("rev")
    in_query = None if text is None else parse_rev(text)
    if edit.rev is None:
        rev = named_rev(request, in_query)
        edit.start, edit.ids = (0, []) if rev is None else (rev[0], [rev[1]])
    else:
        if in_query is not None and in_query != edit.rev:
            raise BadRequest("Document rev from request body and query string have different values")
        named_rev(request, edit.rev)
    return edit


def require_revision(edit: Edit, new_edits: bool) -> None:
    if not new_edits and not edit.ids:
        raise BadRequest("When `new_edits: false`, the document needs `_rev` or `_revisions` specified")


def require_writable(request: Request, docid: str) -> None:
    """Refuse an id that no document of the request's database can have."""
    check_docid(docid, request.node.config[MAX_DOCUMENT_ID_LENGTH])
    if request.db.partitioned:
        check_partitioned_docid(docid)


def require_readable(request: Request, docid: str) -> None:
    """In a partitioned database an id without a partition is refused even for reading."""
    if request.db.partitioned and not is_exempt(docid):
        partition_of(docid)


# The quorum parameters ``w`` and ``r``: the copies of a document that a request waits for. There is one of each here.
#
# On the real server an invalid number breaks the request after it has begun: what was to be written is written.
# Source: CouchDB documentation, "Cluster: Reading and writing"; ``fabric_doc_update``, ``fabric_doc_open``.


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
    requested = [value for name, value in request.parameters.pairs if name == "r"]
    if requested and not INTEGER.fullmatch(requested[-1]):
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
