"""What replicators and administrators ask about revisions: which are missing, how many are kept, purging.

CouchDB documentation, "Database API: Miscellaneous" and "Purge".
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from couchfake.api.document_queries import read_revs, require_readable, write_quorum
from couchfake.auth.permissions import NOT_DATABASE_ADMIN, is_database_admin, require_database_admin
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, Crash, ServerError
from couchfake.settings import PURGE_MAX_DOCUMENT_ID_NUMBER, PURGE_MAX_REVISIONS_NUMBER
from couchfake.storage.database import Database
from couchfake.storage.revision_ids import RevisionId, format_rev


def _named_revisions(request: Request) -> list[tuple[str, list[RevisionId]]]:
    """The body of the requests here: ``{docid: [rev, …], …}``."""
    request.require_json_type()
    return [(docid, read_revs(revs)) for docid, revs in request.json_object().items()]


def _requested_revisions(request: Request) -> list[tuple[str, list[RevisionId]]]:
    """The same, but the server crashes on anything but a list of strings (or lists, which it takes for strings)."""
    request.require_json_type()
    for revs in request.json_object().values():
        if not isinstance(revs, list) or not all(isinstance(rev, str | list) for rev in revs):
            raise ServerError("function_clause")
    named = _named_revisions(request)
    for docid, _ in named:
        require_readable(request, docid)
    return named


def _missing(database: Database, docid: str, revs: list[RevisionId]) -> list[RevisionId]:
    """Return the revisions that the database lacks, sorted if the document exists, otherwise in the order given.

    A stored revision accounts for one occurrence of its id: one that is named twice is reported once.
    """
    entry = database.entry(docid)
    if entry is None:
        return revs
    missing: list[RevisionId] = []
    for rev, occurrences in sorted(Counter(revs).items()):
        missing += [rev] * (occurrences - entry.tree.count(rev))
    return missing


def _all_missing(request: Request) -> list[tuple[str, list[RevisionId]]]:
    """Return the documents that lack some of the named revisions, with those revisions."""
    requested = dict(_requested_revisions(request))
    for docid in requested:
        require_readable(request, docid)
    missing = {docid: _missing(request.db, docid, revs) for docid, revs in requested.items()}
    return [(docid, revs) for docid, revs in missing.items() if revs]


def missing_revs(request: Request) -> Response:
    """``POST /{db}/_missing_revs``"""
    answer = {docid: [format_rev(rev) for rev in missing] for docid, missing in _all_missing(request)}
    return json_response({"missing_revs": answer})


def revs_diff(request: Request) -> Response:
    """``POST /{db}/_revs_diff``: the missing revisions, and leaves that may be their ancestors."""
    answer: dict[str, Any] = {}
    for docid, missing in _all_missing(request):
        answer[docid] = {"missing": [format_rev(rev) for rev in missing]}
        ancestors = possible_ancestors(request.db, docid, missing)
        if ancestors:
            answer[docid]["possible_ancestors"] = [format_rev(rev) for rev in ancestors]
    return json_response(answer)


def possible_ancestors(database: Database, docid: str, missing: list[RevisionId]) -> list[RevisionId]:
    """Leaves that are of a lower generation than some missing revision."""
    entry = database.entry(docid)
    if entry is None:
        return []
    highest = max(pos for pos, _ in missing)
    return [leaf.key for leaf in entry.leaves() if leaf.pos < highest]


def get_revs_limit(request: Request) -> Response:
    """``GET /{db}/_revs_limit``"""
    return json_response(request.db.revs_limit)


def put_revs_limit(request: Request) -> Response:
    """``PUT /{db}/_revs_limit``: how many revisions of a branch are remembered."""
    if not is_database_admin(request.user, request.db.security):
        raise Crash("badmatch", f'{{error,{{forbidden,<<"{NOT_DATABASE_ADMIN}">>}}}}')
    limit = request.json()
    if not isinstance(limit, int) or isinstance(limit, bool) or limit <= 0:
        raise ServerError("function_clause")
    request.db.change_setting(revs_limit=limit)
    return json_response({"ok": True})


def purge(request: Request) -> Response:
    """``POST /{db}/_purge``: forget leaves as if they had never been written."""
    request.node.stats.add("couchdb.httpd.purge_requests")
    named = _named_revisions(request)
    config = request.node.config
    if len(named) > config[PURGE_MAX_DOCUMENT_ID_NUMBER]:
        raise BadRequest("Exceeded maximum number of documents.")
    if sum(len(revs) for _, revs in named) > config[PURGE_MAX_REVISIONS_NUMBER]:
        raise BadRequest("Exceeded maximum number of revisions.")
    for docid, _ in named:
        require_readable(request, docid)
    purged = request.db.purge(named)
    answer = {docid: [format_rev(rev) for rev in revs] for docid, revs in purged.items()}
    quorum = write_quorum(request)
    if quorum is None and named:
        raise ServerError("badarg")
    status = 202 if quorum is not None and quorum > 1 and named else 201
    return json_response({"purge_seq": None, "purged": answer}, status)


def purged_infos(request: Request) -> Response:
    """``GET /{db}/_purged_infos``: what was purged."""
    infos = [{"id": docid, "revs": revs} for _, docid, revs in request.db.purges.listed()]
    return json_response({"purged_infos": infos})


def get_purged_infos_limit(request: Request) -> Response:
    """``GET /{db}/_purged_infos_limit``"""
    return json_response(request.db.purged_infos_limit)


def put_purged_infos_limit(request: Request) -> Response:
    """``PUT /{db}/_purged_infos_limit``: how many purges are remembered."""
    require_database_admin(request.user, request.db.security)
    limit = request.json()
    if not isinstance(limit, int) or isinstance(limit, bool) or limit <= 0:
        raise BadRequest("`purged_infos_limit` must be positive integer")
    request.db.change_setting(purged_infos_limit=limit)
    return json_response({"ok": True})
