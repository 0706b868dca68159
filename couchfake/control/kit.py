"""The test kit of one server: what ``CouchFake`` has beside a CouchDB."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from couchfake.api.dispatch import Dispatcher
from couchfake.auth.permissions import SERVER, SERVER_ADMIN_ROLE, TRUSTED_KEY, UserContext
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.control.faults import Faults
from couchfake.control.observer import FunctionLog, Observer, OpenFeeds
from couchfake.control.request_log import RequestLog
from couchfake.control.revision_trees import Branch, RevisionTree, conflict_branch, documents_of
from couchfake.control.seeds.documents import document
from couchfake.control.seeds.folders import SeedDatabase, read_seed
from couchfake.control.seeds.servers import Couch, dump_from, load_into
from couchfake.control.snapshots import Saved, Snapshot, SnapshotStack, parts_of
from couchfake.errors import CouchError, NotFound
from couchfake.node import Node
from couchfake.transports.in_process import HOST, session
from couchfake.transports.wsgi import base_environ, header_items, make_environ
from couchfake.values.clock import Clock


class Kit:
    """Snapshots, seeds, the request log, faults, the clock and conflicts of a server.

    ``clock``: a datetime at which the clock is frozen, or a function that returns seconds since 1970.
    """

    node: Node

    def __init__(self, clock: Callable[[], float] | datetime | None) -> None:
        self.clock = Clock(None if isinstance(clock, datetime) else clock)
        if isinstance(clock, datetime):
            self.clock.freeze(clock)
        self.requests = RequestLog()
        self.faults = Faults(self.clock)
        self.open_feeds = OpenFeeds()
        self.function_log = FunctionLog()
        self._snapshots = SnapshotStack([])

    def _attend(self, node: Node, extensions: Mapping[str, Callable[[Request], Response]]) -> Dispatcher:
        """Take a new node, whose snapshots begin here, and return the application around it."""
        self._snapshots.end()
        self.node = node
        node.replication_limit = self.faults.replication_limit
        self._snapshots = SnapshotStack([self._save_clock, *parts_of(node)])
        return Dispatcher(node, Observer(self.requests, self.faults, self.open_feeds, self.clock), extensions)

    def _save_clock(self) -> Saved:
        state = self.clock.save()
        return Saved(lambda: self.clock.load(state))

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the server, whose ``restore()`` undoes everything that happens from now on.

        The cost depends on what was written since, not on the size of the databases. See ``Snapshot.restore``.
        """
        return self._snapshots.take()

    def restore(self, snapshot: Snapshot) -> None:
        """Return to the state of a snapshot. Raise SnapshotEnded if the snapshot is no longer valid."""
        self._snapshots.restore(snapshot)

    @contextlib.contextmanager
    def rollback(self) -> Iterator[Snapshot]:
        """Undo, at the end of the block, everything that happened in it."""
        with self._snapshots.rollback() as snapshot:
            yield snapshot

    def ask(self, method: str, target: str, body: Any = None) -> Any:
        """Make a request as an admin, and return the JSON of the response.

        Such requests are not in the log, and faults do not apply. Raise ``couchfake.errors.CouchError`` for an error.
        """
        return InnerRequests(self.node, Dispatcher(self.node).answer)(method, target, body)

    def conflict(
        self, db: str, docid: str, *bodies: Mapping[str, Any] | None, base: Mapping[str, Any] | None = None
    ) -> RevisionTree:
        """Create a document in conflict, with a leaf for each body, and return its revision tree.

        ``base``: the body of the leaves' common parent. CouchDB's rules choose the winner.
        """
        return self.grow(db, docid, *conflict_branch(bodies, base))

    def grow(self, db: str, docid: str, *branches: Branch) -> RevisionTree:
        """Write revisions of a document as replication does, and return its revision tree.

        A branch is a body, None for a deletion, or a list: a revision's body followed by its own branches.
        """
        documents = documents_of(docid, branches)
        self.ask("POST", f"/{quote(db, safe='')}/_bulk_docs", {"docs": documents, "new_edits": False})
        return self.revision_tree(db, docid)

    def revision_tree(self, db: str, docid: str) -> RevisionTree:
        """Return the revisions of a document; ``str()`` of it is a drawing. Raise CouchError (404) if it is missing."""
        database = self.node.database(db)
        path = f"/{quote(db, safe='')}/{quote(docid, safe='')}"
        leaves = [row["ok"] for row in self.ask("GET", f"{path}?open_revs=all&revs=true") if "ok" in row]
        if not leaves:
            raise NotFound("missing")
        with database.lock:
            entry = database.entry(docid)
            stored = [] if entry is None else [each.rev for each in entry.tree.nodes() if each.body is not None]
        return RevisionTree.of_leaves(docid, leaves, stored)

    def load(self, path: str | os.PathLike[str], db: str | None = None) -> int:
        """Load a seed as an admin, and return the number of its documents.

        ``path`` is a folder with a folder or a file for each database, or the content of one database, which is loaded
        into ``db`` (by default a database named after the path). Raise SeedError if the seed has an error; then nothing
        is loaded.
        """
        return self._load(read_seed(Path(path), db))

    def load_documents(self, databases: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
        """Load lists of documents, by the names of their databases, and return the number of documents.

        Missing databases are created. Revisions in the documents are kept. Raise SeedError if the server refuses a
        document; then nothing is loaded.
        """
        return self._load(
            [
                SeedDatabase(
                    name, Path(name), [document(Path(name), None, json.dumps(each), each) for each in documents]
                )
                for name, documents in databases.items()
            ]
        )

    def _load(self, databases: Sequence[SeedDatabase]) -> int:
        snapshot = self.snapshot()
        try:
            return load_into(self._couch(), databases)
        except BaseException:
            snapshot.restore()
            raise
        finally:
            snapshot.discard()

    def dump(self, path: str | os.PathLike[str]) -> int:
        """Write all databases into a folder that ``load`` reads, and return the number of documents.

        Deleted documents are written too, and not counted. An earlier dump at ``path`` is replaced. Raise SeedError if
        something else is there.
        """
        return dump_from(self._couch(), Path(path)).documents

    def _couch(self) -> Couch:
        def trusted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            environ[TRUSTED_KEY] = UserContext(
                roles=(SERVER_ADMIN_ROLE,), handler="default"
            )  # not in the log, and no fault meets it
            return Dispatcher(self.node)(environ, start_response)

        return Couch(session(trusted), f"http://{HOST}/")


class InnerRequests:
    """Asks a node as the server itself does."""

    def __init__(self, node: Node, answer: Callable[[Request], Response]) -> None:
        self._node = node
        self._answer = answer

    def __call__(self, method: str, target: str, body: Any = None) -> Any:
        """Return the JSON of an answer. Raise CouchError for an error answer."""
        data = b"" if body is None else json.dumps(body).encode()
        fields = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Accept", "application/json"),
        ]
        environ = make_environ(base_environ("couchfake", 80), method, target, header_items(fields), io.BytesIO(data))
        environ[TRUSTED_KEY] = SERVER
        request = Request(environ, self._node, self._answer)
        response = self._answer(request)
        text = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        value: Any = json.loads(text) if text else None
        if response.status_code >= 400:
            raise CouchError(response.status_code, value["error"], value["reason"])
        return value


class Controlled(Protocol):
    """A ``CouchFake``."""

    node: Node
    clock: Clock
    requests: RequestLog
    faults: Faults
    open_feeds: OpenFeeds
    function_log: FunctionLog

    def reset(self) -> None: ...

    def snapshot(self) -> Snapshot: ...

    def ask(self, method: str, target: str, body: Any = None) -> Any: ...

    def conflict(
        self, db: str, docid: str, *bodies: Mapping[str, Any] | None, base: Mapping[str, Any] | None = None
    ) -> RevisionTree: ...

    def revision_tree(self, db: str, docid: str) -> RevisionTree: ...

    def load_documents(self, databases: Mapping[str, Sequence[Mapping[str, Any]]]) -> int: ...
