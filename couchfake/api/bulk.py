"""Many documents in one request: ``_bulk_docs`` and ``_bulk_get``. CouchDB documentation, "Database API: Bulk"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from couchfake.api import multipart_documents
from couchfake.api.document_queries import DocumentQuery, read_query, require_revision, require_writable, write_quorum
from couchfake.chttpd import multipart
from couchfake.chttpd.parameters import Parameters
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response, raw_json_response, stream_response
from couchfake.errors import BadRequest, CouchError, NotFound, ServerError
from couchfake.storage import documents as stored
from couchfake.storage.database import Outcome
from couchfake.storage.edits import Edit, read_edit
from couchfake.storage.revision_ids import RevisionId, format_rev, parse_rev
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write
from couchfake.values import json

# ---- _bulk_docs


def bulk_docs(request: Request) -> Response:
    """``POST /{db}/_bulk_docs``: one result for each document; with ``new_edits: false`` only the errors."""
    request.node.stats.add("couchdb.httpd.bulk_requests")
    request.require_json_type()
    body = request.json_object()
    if "docs" not in body:
        raise BadRequest("POST body must include `docs` parameter.")
    if not isinstance(body["docs"], list):
        raise BadRequest("`docs` parameter must be an array.")
    new_edits = body.get("new_edits", True)
    edits = list(_read_edits(request, body["docs"], new_edits))
    if not isinstance(new_edits, bool):
        raise BadRequest("`new_edits` parameter must be a boolean.")
    if new_edits and body.get("all_or_nothing") is True and edits:
        return json_response([_refused(edit) for edit in edits], 417)
    outcomes = write(request.db, edits, request.user, new_edits)
    quorum = write_quorum(request, body.get("w"))
    if quorum is None and edits:
        raise ServerError("badarg")
    missed = new_edits and quorum is not None and quorum > 1
    status = 202 if missed and not all(isinstance(outcome, CouchError) for outcome in outcomes) else 201
    if new_edits:
        accepted = b',"accepted":true' if missed else b""
        results = (_result(edit, outcome, accepted) for edit, outcome in zip(edits, outcomes))
        return raw_json_response(b"[" + b",".join(results) + b"]", status)
    errors = [
        {"id": edit.id, "rev": _rev(edit), "error": outcome.error, "reason": outcome.reason}
        for edit, outcome in zip(edits, outcomes)
        if isinstance(outcome, CouchError)
    ]
    return json_response(sorted(errors, key=lambda row: row["id"].encode("utf-8", "surrogateescape")), status)


def _read_edits(request: Request, documents: list[Any], new_edits: Any) -> Iterator[Edit]:
    node = request.node
    settings = node.attachment_settings()
    for document in documents:
        edit = read_edit(document, node.config, settings)
        if not isinstance(new_edits, bool):
            raise ServerError("function_clause")
        require_revision(edit, new_edits)
        if not edit.id:
            edit.id = node.uuids()
        require_writable(request, edit.id)
        yield edit


def _rev(edit: Edit) -> str:
    return "0-" if edit.rev is None else format_rev(edit.rev)


def _refused(edit: Edit) -> dict[str, Any]:
    return {
        "id": edit.id,
        "rev": _rev(edit),
        "error": "not_implemented",
        "reason": "all_or_nothing is not supported",
    }


def _result(edit: Edit, outcome: Outcome, accepted: bytes) -> bytes:
    if isinstance(outcome, CouchError):
        return json.encode({"id": edit.id, "error": outcome.error, "reason": outcome.reason})
    rev = format_rev(outcome).encode("utf-8")
    return b'{"ok":true,"id":%b,"rev":"%b"%b}' % (json.encode(edit.id), rev, accepted)


# ---- _bulk_get


_NOT_FOR_BULK_GET = frozenset(("open_revs", "new_edits", "w", "rev", "atts_since"))


def bulk_get(request: Request) -> Response:
    """``POST /{db}/_bulk_get``: for each entry the leaves of a document, or the revision that it names."""
    request.node.stats.add("couchdb.httpd.bulk_requests")
    request.require_json_type()
    body = request.json_object()
    if "docs" not in body:
        raise BadRequest("Missing JSON list of 'docs'.")
    query = _bulk_get_query(request.parameters)
    if not isinstance(body["docs"], list):
        raise ServerError("function_clause")
    answers = [_entry(request, entry, query) for entry in body["docs"]]
    if _wants_multipart(request):
        return _multipart(request, answers)
    limit = request.db.revs_limit
    results = b",".join(each.as_json(limit) for each in answers)
    return raw_json_response(b'{"results":[' + results + b"]}")


def _bulk_get_query(parameters: Parameters) -> DocumentQuery:
    """Read the query parameters. Those that add members about other revisions have no effect here."""
    for name, _ in parameters.pairs:
        if name in _NOT_FOR_BULK_GET:
            raise BadRequest(f'"{name}" query parameter is not acceptable')
    query = read_query(parameters)
    query.shown = query.shown.without_meta()
    return query


def _wants_multipart(request: Request) -> bool:
    """Only a client that does not take JSON gets multipart."""
    return not request.accepts("application/json") and (
        request.accepts("multipart/mixed") or request.accepts("multipart/related")
    )


class _Answer:
    """What one entry of the request gets: revisions, each found or missing, or an error in their place."""

    def __init__(self, docid: Any, rev: Any = None) -> None:
        self.docid = docid
        self.rev = rev
        self.shown = stored.PLAIN
        self.entry: stored.DocumentEntry | None = None
        self.revisions: list[tuple[RevisionId | None, Revision | None]] = []
        self.error: CouchError | None = None

    def as_json(self, limit: int) -> bytes:
        docs = b",".join(self.documents(limit))
        return b'{"id":%b,"docs":[%b]}' % (json.encode(self.docid), docs)

    def documents(self, limit: int) -> Iterator[bytes]:
        if self.error is not None:
            yield b'{"error":%b}' % self.report()
        for rev, leaf in self.revisions:
            if self.entry is None or leaf is None:
                yield b'{"error":%b}' % self.missing(rev)
            else:
                yield b'{"ok":%b}' % stored.shown_document(self.entry, leaf, self.shown, limit)

    def report(self) -> bytes:
        """What is wrong with the entry."""
        assert self.error is not None
        return self._error(self.rev, self.error.reason, self.error.error)

    def missing(self, rev: RevisionId | None) -> bytes:
        """That a revision, or (None) the document, is not there."""
        return self._error("undefined" if rev is None else format_rev(rev), "missing", "not_found")

    def _error(self, rev: Any, reason: Any, error: str) -> bytes:
        return json.encode({"rev": rev, "reason": reason, "id": self.docid, "error": error})


def _entry(request: Request, entry: Any, query: DocumentQuery) -> _Answer:
    if not isinstance(entry, dict) or not entry:
        return _failed(_Answer(None), BadRequest("document must be a JSON object"))
    if "id" not in entry:
        return _failed(_Answer(None), BadRequest("document id missed"))
    answer = _Answer(entry["id"])
    answer.shown = query.shown
    if not isinstance(answer.docid, str):
        raise ServerError("function_clause")
    try:
        require_writable(request, answer.docid)
        rev = _named(answer, entry)
    except CouchError as error:
        return _failed(answer, error)
    request.db.activity.reads += 1
    answer.entry = request.db.entry(answer.docid)
    answer.revisions = list(_revisions(answer.entry, rev, query.latest))
    if answer.entry is not None:
        try:
            answer.revisions = [(rev, _visible(request, answer.entry, leaf)) for rev, leaf in answer.revisions]
        except NotFound as error:
            answer.rev, answer.revisions = "undefined", []
            return _failed(answer, CouchError(500, "internal_fabric_error", error.error))
    return answer


def _visible(request: Request, entry: stored.DocumentEntry, leaf: Revision | None) -> Revision | None:
    return None if leaf is None else request.node.hooks.after_doc_read(request.db, entry, leaf, request.user)


def _failed(answer: _Answer, error: CouchError) -> _Answer:
    answer.error = error
    return answer


def _named(answer: _Answer, entry: dict[str, Any]) -> RevisionId | None:
    """The revision that an entry names; what it shows follows from its ``atts_since``. ``answer.rev`` is what fails."""
    rev = None
    if "rev" in entry:
        answer.rev = entry["rev"]
        rev = parse_rev(answer.rev)
    since = entry.get("atts_since", [])
    if not isinstance(since, list):
        answer.rev = since
        raise BadRequest("att_since value must be array of revs.")
    if since:
        revs = []
        for each in since:
            answer.rev = each
            revs.append(parse_rev(each))
        answer.shown = replace(answer.shown, atts_since=tuple(revs), attachments=True)
    return rev


def _revisions(
    entry: stored.DocumentEntry | None, rev: RevisionId | None, latest: bool
) -> Iterator[tuple[RevisionId | None, Revision | None]]:
    if entry is None:
        yield rev, None
    elif rev is None:
        for leaf in _in_tree_order(entry.leaves()):
            yield leaf.key, leaf
    else:
        node = entry.tree.find(rev)
        nodes = [] if node is None else entry.tree.leaves_below(node) if latest else [node]
        if not nodes or nodes[0].body is None:
            yield rev, None
        else:
            for each in _in_tree_order(nodes):
                yield each.key, each


def _in_tree_order(leaves: Sequence[Revision]) -> Sequence[Revision]:
    """Sort leaves as the server collects them: from the last root to the first, below each root from first to last."""
    if len(leaves) == 1:
        return leaves
    paths = [[node.key for node in leaf.lineage()][::-1] for leaf in leaves]
    placed = sorted(zip(paths, leaves), key=lambda each: each[0])
    placed.sort(key=lambda each: each[0][0], reverse=True)
    return [leaf for _, leaf in placed]


def _multipart(request: Request, answers: list[_Answer]) -> Response:
    outer, inner = multipart.bulk_boundary(), multipart.bulk_boundary()
    limit = request.db.revs_limit
    kind = "multipart/mixed" if request.accepts("multipart/mixed") else "multipart/related"
    parts = (part for answer in answers for part in _parts(answer, limit))
    return stream_response(multipart.bulk(parts, outer, inner), f'{kind}; boundary="{outer}"')


def _parts(answer: _Answer, limit: int) -> Iterator[multipart.Revision | multipart.Missing]:
    if answer.error is not None:
        yield multipart.Missing(answer.report())
    shown = multipart_documents.following(answer.shown)
    for rev, leaf in answer.revisions:
        if answer.entry is not None and leaf is not None:
            document = stored.shown_document(answer.entry, leaf, shown, limit)
            parts = multipart_documents.attachment_parts(leaf, shown)
            yield multipart.Revision(answer.entry.id, leaf.rev, document, parts)
        elif rev is None:
            yield multipart.Missing(answer.missing(rev))
        else:  # said otherwise here than in JSON
            missing = {"rev": format_rev(rev), "error": "not_found", "reason": "missing"}
            yield multipart.Missing(json.encode(missing))
