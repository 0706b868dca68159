"""What replicators and administrators ask about revisions: which are missing, how many are kept, purging.

CouchDB documentation, "Database API: Miscellaneous" and "Purge".
"""

from __future__ import annotations

from typing import Any

from couchfake.api.document_queries import read_revs
from couchfake.api.quorums import write_quorum
from couchfake.auth.permissions import NOT_DATABASE_ADMIN, is_database_admin, require_database_admin
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, Crash, ServerError
from couchfake.storage.database import Database
from couchfake.storage.partitions import is_exempt, partition_of
from couchfake.storage.revision_ids import RevisionId, format_rev
from couchfake.values.erlang_dict import in_dict_order


def _named_revisions(request: Request) -> list[tuple[str, list[RevisionId]]]:
    """The body of the requests here: ``{docid: [rev, …], …}``."""
    request.require_json_type()
    return [(docid, read_revs(revs)) for docid, revs in request.json_object().items()]


def _asked_revisions(request: Request) -> list[tuple[str, list[RevisionId]]]:
    """The same, where the server breaks on what is no list of strings (or lists, which it takes for strings)."""
    request.require_json_type()
    for revs in request.json_object().values():
        if not isinstance(revs, list) or not all(isinstance(rev, str | list) for rev in revs):
            raise ServerError("function_clause")
    return _named_revisions(request)


def _missing(database: Database, docid: str, revs: list[RevisionId]) -> list[RevisionId]:
    """Those that are not there: for a known document in rising order, for an unknown one as they were asked for."""
    entry = database.entry(docid)
    return revs if entry is None else sorted(rev for rev in revs if entry.tree.find(rev) is None)


def _all_missing(request: Request) -> list[tuple[str, list[RevisionId]]]:
    """The documents of which some asked revision is missing, in the order in which the server's table has them."""
    asked = dict(_asked_revisions(request))
    missing = {docid: _missing(request.db, docid, revs) for docid, revs in asked.items()}
    return [(docid, missing[docid]) for docid in in_dict_order(list(asked)) if missing[docid]]


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
    if len(named) > config.integer("purge", "max_document_id_number", 100):
        raise BadRequest("Exceeded maximum number of documents.")
    if sum(len(revs) for _, revs in named) > config.integer("purge", "max_revisions_number", 1000):
        raise BadRequest("Exceeded maximum number of revisions.")
    if request.db.partitioned:
        for docid, _ in named:
            if not is_exempt(docid):
                partition_of(docid)
    purged = request.db.purge(named)
    answer = {docid: [format_rev(rev) for rev in revs] for docid, revs in purged.items()}
    quorum = write_quorum(request)
    if quorum is None and named:
        raise ServerError("badarg")
    status = 202 if quorum is not None and quorum > 1 and named else 201
    return json_response({"purge_seq": None, "purged": answer}, status)


def purged_infos(request: Request) -> Response:
    """``GET /{db}/_purged_infos``: what was purged."""
    infos = [{"id": docid, "revs": revs} for _, docid, revs in request.db.purges_since(0)]
    return json_response({"purged_infos": infos})


def get_purged_infos_limit(request: Request) -> Response:
    """``GET /{db}/_purged_infos_limit``"""
    return json_response(request.db.purges.limit)


def put_purged_infos_limit(request: Request) -> Response:
    """``PUT /{db}/_purged_infos_limit``: how many purges are remembered."""
    require_database_admin(request.user, request.db.security)
    limit = request.json()
    if not isinstance(limit, int) or isinstance(limit, bool) or limit <= 0:
        raise BadRequest("`purged_infos_limit` must be positive integer")
    request.db.purges.limit = limit
    return json_response({"ok": True})
