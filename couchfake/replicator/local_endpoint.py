"""A database of this server as the source or target of a replication: without HTTP, with the user's rights."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from itertools import islice
from typing import Any

from couchfake.auth.permissions import UserContext, authorize, require_member, require_server_admin
from couchfake.changes import filters
from couchfake.changes.filters import DesignDocuments, DocIds, Filter, Selector, Style, filter_function, view_filter
from couchfake.config import Config
from couchfake.errors import BadRequest, CouchError, Crash, NotFound
from couchfake.node import Node
from couchfake.replicator.errors import changes_failed, db_not_found, revs_diff_failed
from couchfake.replicator.transfer import Fetched, Page, SourceChange, SourceFilter, UpdateSequence
from couchfake.settings import BIND_ADDRESS, PORT
from couchfake.storage.database import Database
from couchfake.storage.documents import DocumentEntry, body_of
from couchfake.storage.edits import Edit
from couchfake.storage.partitions import is_exempt, partition_of
from couchfake.storage.revision_ids import parse_rev
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write, write_one
from couchfake.values import json
from couchfake.values.json import read_json

_COUNT = re.compile(r"\+?0*[1-9][0-9]{0,3}")


class LocalEndpoint:
    """The implementation of ``ReplicationEndpoint`` for a database of this node, used with a user's rights."""

    def __init__(self, node: Node, db_name: str, user: UserContext) -> None:
        self._node = node
        self._db_name = db_name
        self._user = user
        self.name = f"http://{_address(node.config)}/{db_name}/"

    def _database(self) -> Database:
        try:
            database = self._node.database(self._db_name)
        except NotFound:
            raise db_not_found(self.name) from None
        require_member(self._user, database.security)
        return database

    def open(self) -> None:
        self._database()

    def create(self, params: dict[str, Any]) -> None:
        """Raise Unauthorized unless the user may create databases, whether the database exists or not.

        Other errors are ignored here: opening the database fails then.
        """
        require_server_admin(self._user)
        counts = {name: str(params.get(name, 1)) for name in ("q", "n")}
        if self._db_name in self._node.databases or not all(map(_COUNT.fullmatch, counts.values())):
            return
        props = {"partitioned": True} if params.get("partitioned") in (True, "true") else {}
        try:
            self._node.create_database(self._db_name, props, int(counts["q"]) if "q" in params else None)
        except CouchError:
            return

    def update_seq(self) -> UpdateSequence:
        database = self._database()
        return database.pack_seq(database.update_seq)

    def design_document(self, name: str) -> dict[str, Any] | None:
        entry = self._database().entry("_design/" + name)
        return None if entry is None or entry.deleted else body_of(entry.winner)

    def changes(self, query: SourceFilter, since: UpdateSequence, limit: int) -> Page:
        database = self._database()
        authorize(self._user, "GET", [self._db_name, "_changes"], self._node.security_of, self._node.config)
        try:
            chosen = source_filter(self._node, database, query, self._user)
            last = _unpacked(database, since)
        except CouchError as error:
            raise changes_failed(error) from None
        style: Style = "main_only" if query.winning_revs_only else "all_docs"
        with database.lock:
            looked = [
                filters.Change(entry.seq, entry, tuple(entry.leaves()))
                for entry in islice(database.entries_since(last), limit)
            ]
        try:
            chosen_leaves = (
                [change.shown(style) for change in looked] if chosen is None else chosen.select(looked, style)
            )
        except CouchError as error:
            raise changes_failed(error) from None
        changes = [
            SourceChange(database.pack_seq(change.seq), change.entry.id, [leaf.rev for leaf in leaves])
            for change, leaves in zip(looked, chosen_leaves)
            if leaves
        ]
        end = looked[-1].seq if looked else last
        return Page(changes, database.pack_seq(end), database.count_since(end))

    def wait(self, since: UpdateSequence, seconds: float, stopping: threading.Event) -> None:
        database = self._database()
        with self._node.clock.waking(database.changed), database.changed:
            if not stopping.is_set() and not database.count_since(_unpacked(database, since)):
                database.changed.wait(seconds)

    def interrupt(self) -> None:
        database = self._node.databases.get(self._db_name)
        if database is not None:
            with database.changed:
                database.changed.notify_all()

    def missing(self, revs: dict[str, list[str]]) -> dict[str, list[str]]:
        database = self._database()
        missing: dict[str, list[str]] = {}
        with database.lock:
            for docid, names in revs.items():
                if database.partitioned and not is_exempt(docid):
                    _require_partition(docid)
                entry = database.entry(docid)
                lacking = [rev for rev in names if entry is None or entry.tree.find(parse_rev(rev)) is None]
                if lacking:
                    missing[docid] = lacking
        return missing

    def fetch(self, docid_revs: Sequence[tuple[str, list[str]]], bulk: bool) -> Fetched:
        """Return the named revisions, or the leaves that descend from them."""
        database = self._database()
        edits = []
        with_attachments = attempts = 0
        with database.lock:
            for docid, revs in docid_revs:
                entry = database.entry(docid)
                for leaf in _latest(entry, revs):
                    if not docid.startswith("_design/"):  # the real server fetches those one by one
                        attempts += 1
                        with_attachments += bool(leaf.attachments)
                    edits.append(_edit(docid, leaf, database.revs_limit))
        return Fetched(edits, attempts - with_attachments, attempts) if bulk else Fetched(edits)

    def write(self, edits: list[Edit]) -> list[CouchError]:
        outcomes = write(self._database(), edits, self._user, new_edits=False)
        return [outcome for outcome in outcomes if isinstance(outcome, CouchError)]

    def read_local(self, docid: str) -> dict[str, Any] | None:
        found = self._database().local(docid)
        return None if found is None else found.document()

    def write_local(self, docid: str, document: dict[str, Any]) -> None:
        body = {name: value for name, value in document.items() if not name.startswith("_")}
        rev = parse_rev(document["_rev"]) if "_rev" in document else None
        write_one(self._database(), Edit(docid, body, rev=rev), self._user)


def _address(config: Config) -> str:
    """Host and port by which the server calls itself; addresses that stand for all interfaces become the loopback."""
    host = config[BIND_ADDRESS]
    if host in ("any", "0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"{f'[{host}]' if ':' in host else host}:{config[PORT]}"


def _unpacked(database: Database, since: UpdateSequence) -> int:
    """Read a sequence as ``_changes`` does: one of the database's own, ``0`` or ``now``."""
    text = since if isinstance(since, str) else json.dumps(since)
    if text == "now":
        return database.update_seq
    return 0 if text == "0" else database.unpack_seq(text)


def _require_partition(docid: str) -> None:
    try:
        partition_of(docid)
    except CouchError as error:
        raise revs_diff_failed(error) from None


def _latest(entry: DocumentEntry | None, revs: list[str]) -> list[Revision]:
    leaves: dict[int, Revision] = {}
    for rev in revs:
        node = entry.tree.find(parse_rev(rev)) if entry is not None else None
        if entry is not None and node is not None:
            leaves.update((id(leaf), leaf) for leaf in entry.tree.leaves_below(node))
    return list(leaves.values())


def _edit(docid: str, leaf: Revision, limit: int) -> Edit:
    edit = Edit(docid, body_of(leaf), leaf.deleted)
    edit.start = leaf.pos
    edit.ids = [node.id for node, _ in zip(leaf.lineage(), range(limit))]
    edit.attachments = leaf.attachments
    return edit


# Which changes of a source are replicated: by id, by selector, by a function of a design document


def source_filter(node: Node, database: Database, query: SourceFilter, user: UserContext) -> Filter | None:
    """Return the filter of a replication, None for all changes. Errors are those of ``_replicate``."""
    if query.doc_ids is not None:
        return DocIds(query.doc_ids)
    if query.selector is not None:
        try:
            return Selector(query.selector, None, node.collator)
        except CouchError as error:
            raise Crash("case_clause", error.reason) from None
    if query.filter is None:
        return None
    if query.filter == "_design":
        return DesignDocuments()
    if query.filter == "_view":
        ddoc, _, view = str(query.query_params.get("view", "")).partition("/")
        return view_filter(node.query_server, database, ddoc, view)
    if query.filter.startswith("_"):
        return _builtin(query)
    return _function(node, database, query, user)


def _builtin(query: SourceFilter) -> Filter:
    """The other filters of ``_changes``. The real server asks by GET, so a selector is always missing."""
    if query.filter == "_selector":
        raise BadRequest("Selector must be specified in POST payload")
    if query.filter != "_doc_ids":
        raise BadRequest("unknown builtin filter name")
    ids = query.query_params.get("doc_ids")
    if isinstance(ids, str):
        ids = read_json(ids)
    if not isinstance(ids, list) or not all(isinstance(docid, str) for docid in ids):
        raise BadRequest("`doc_ids` filter parameter is not a list of doc ids.")
    return DocIds(ids)


def _function(node: Node, database: Database, query: SourceFilter, user: UserContext) -> Filter:
    ddoc, _, name = (query.filter or "").partition("/")
    return filter_function(node.query_server, database, ddoc, name, lambda: _req(node, database, query, user))


def _req(node: Node, database: Database, query: SourceFilter, user: UserContext) -> dict[str, Any]:
    """The request object of the filter function: the real server's replicator asks by HTTP, for ``_changes``."""
    parameters = {"feed": "normal", "style": "all_docs", "filter": query.filter, **query.query_params}
    path = [database.name, "_changes"]
    return {
        "info": {"db_name": database.name, "update_seq": database.pack_seq(database.update_seq)},
        "uuid": node.uuids(),
        "id": None,
        "method": "GET",
        "requested_path": path,
        "path": path,
        "raw_path": "/" + "/".join(path),
        "query": parameters,
        "headers": {"Accept": "application/json"},
        "body": "undefined",
        "peer": "127.0.0.1",
        "form": {},
        "cookie": {},
        "userCtx": user.as_json(database.name),
        "secObj": database.security,
    }
