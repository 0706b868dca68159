"""From a document's JSON to an edit: what a client asks to be written, checked for its form.

The underscore members are taken out and understood, the rest is the body. Everything here fails before anything is
written, for a whole ``_bulk_docs`` request at once. Source: CouchDB documentation, "Document API: Special Fields".
"""

from __future__ import annotations

import math
from typing import Any

from couchfake.config import Config
from couchfake.errors import BadRequest, CouchError, DocValidation, IllegalDocid
from couchfake.settings import MAX_DOCUMENT_SIZE
from couchfake.storage import attachments
from couchfake.storage.attachments import Attachment, AttachmentInput, AttachmentSettings
from couchfake.storage.revision_ids import RevisionId, format_rev, parse_hash, parse_rev
from couchfake.values import json


class Edit:
    """A document to be written.

    ``start`` and ``ids`` are the revisions that the writer named, newest first (0 and none for a new document). In an
    interactive edit they are the parent's history, in a replicated one that of the revision itself.
    ``inputs`` are the attachments as sent; ``attachments`` those that the revision will have. ``encoded`` is the
    body's JSON, where it is known already.
    """

    __slots__ = ("_encoded", "attachments", "body", "deleted", "id", "ids", "inputs", "start")

    def __init__(
        self,
        id: str,
        body: dict[str, Any],
        deleted: bool = False,
        rev: RevisionId | None = None,
        encoded: bytes | None = None,
    ) -> None:
        self.id = id
        self.body = body
        self.deleted = deleted
        self.start, self.ids = (0, []) if rev is None else (rev[0], [rev[1]])
        self.inputs: list[AttachmentInput] = []
        self.attachments: tuple[Attachment, ...] = ()
        self._encoded = encoded

    def encoded(self) -> bytes:
        """The body's JSON, made once."""
        if self._encoded is None:
            self._encoded = json.encode(self.body)
        return self._encoded

    def set_body(self, body: dict[str, Any]) -> None:
        self.body, self._encoded = body, None

    @property
    def rev(self) -> RevisionId | None:
        """The newest revision that the writer named."""
        return (self.start, self.ids[0]) if self.ids else None

    @property
    def has_stubs(self) -> bool:
        return any(entry.is_stub for entry in self.inputs)

    def document(self) -> dict[str, Any]:
        """As functions are shown it: ``_id``, ``_rev`` (if any), the body, ``_deleted``."""
        shown: dict[str, Any] = {"_id": self.id}
        if self.ids:
            shown["_rev"] = format_rev((self.start, self.ids[0]))
        shown.update(self.body)
        if self.deleted:
            shown["_deleted"] = True
        return shown


_IGNORED = frozenset(("_revs_info", "_local_seq", "_conflicts", "_deleted_conflicts"))
# Members that are part of the body: the access list, and what the replicator writes into its documents.
_KEPT = frozenset(
    (
        "_access",
        "_replication_state",
        "_replication_state_time",
        "_replication_state_reason",
        "_replication_id",
        "_replication_stats",
    )
)


def read_edit(document: Any, config: Config, settings: AttachmentSettings, parts: Any = None) -> Edit:
    """The edit that a document's JSON asks for; ``id`` is empty where it names none.

    ``parts`` are the bodies of a multipart request's attachments. Raises what the server answers to a document of
    wrong form: ``BadRequest``, ``IllegalDocid``, ``DocValidation``, 413 ``document_too_large``.
    """
    if not isinstance(document, dict):
        raise BadRequest("Document must be a JSON object")
    edit = Edit("", document.copy())
    for name in [name for name in document if name[:1] == "_"]:
        if name not in _KEPT:
            _take_special(edit, name, edit.body.pop(name), settings, parts)
    check_size(edit, config)
    attachments.validate(edit.inputs, settings)
    return edit


def _take_special(edit: Edit, name: str, value: Any, settings: AttachmentSettings, parts: Any) -> None:
    if name == "_id":
        check_docid(value)
        edit.id = value
    elif name == "_rev":
        pos, raw = parse_rev(value)
        if not edit.ids and edit.start == 0:  # _revisions, where it came first, counts more
            edit.start, edit.ids = pos, [raw]
    elif name == "_deleted" and isinstance(value, bool):
        edit.deleted = value
    elif name == "_attachments" and isinstance(value, dict):
        edit.inputs = attachments.read_attachments(value, settings, parts)
    elif name == "_revisions" and isinstance(value, dict):
        edit.start, edit.ids = _read_revisions(value)
    elif name not in _IGNORED:
        raise DocValidation(f"Bad special document member: {name}")


def _read_revisions(value: dict[str, Any]) -> tuple[int, list[bytes]]:
    start, ids = value.get("start"), value.get("ids")
    if not isinstance(start, int) or isinstance(start, bool):
        raise DocValidation("_revisions.start isn't an integer.")
    if not isinstance(ids, list):
        raise DocValidation("_revisions.ids isn't a array.")
    hashes = []
    for each in ids:
        if not isinstance(each, str):
            raise DocValidation("RevId isn't a string")
        try:
            hashes.append(parse_hash(each))
        except ValueError:
            raise DocValidation("RevId isn't a valid hexadecimal") from None
    return start, hashes


def check_docid(docid: Any, max_length: float = math.inf) -> None:
    """Refuse what no document may be called; ``max_length`` in bytes."""
    if not isinstance(docid, str):
        raise IllegalDocid("Document id must be a string")
    if not docid:
        raise IllegalDocid("Document id must not be empty")
    if docid in ("_design/", "_local/"):
        raise IllegalDocid(f"Illegal document id `{docid}`")
    size = size_in_bytes(docid)
    if size is None:
        raise IllegalDocid("Document id must be valid UTF-8")
    if 0 < max_length < size:
        raise IllegalDocid("Document id is too long")
    if docid.startswith("_") and not docid.startswith(("_design/", "_local/")):
        raise IllegalDocid("Only reserved document ids may start with underscore.")


def size_in_bytes(text: str) -> int | None:
    """Return the length of a text from a path, None if its bytes are not UTF-8 to the server.

    Halves of surrogate pairs are. Ids with them are stored as ``surrogateescape`` decodes them, and so they sort by
    their bytes.
    """
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape")
    try:
        raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return len(raw)


def check_size(edit: Edit, config: Config) -> None:
    """``[couchdb] max_document_size`` counts the body's encoded bytes, without attachments."""
    if len(edit.encoded()) > config[MAX_DOCUMENT_SIZE]:
        raise CouchError(413, "document_too_large", edit.id)
