"""View indexes of design documents: JavaScript map functions, built-in or JavaScript reducers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from couchfake.errors import CouchError, Crash
from couchfake.query_server import QueryServer
from couchfake.query_server import Reducer as ReduceFunction
from couchfake.settings import REDUCE_LIMIT
from couchfake.storage.documents import DocOptions, shown_document
from couchfake.values.collation import Collator
from couchfake.views.database_indexes import VIEW_INDEXES, ViewGroup, ViewTree, shared_index, signatures
from couchfake.views.index import Emitted, Index, TreeDefinition
from couchfake.views.reduce import SumOverflow, builtin_reducer
from couchfake.views.tree import Reducer, Row

if TYPE_CHECKING:
    from couchfake.config import Config
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry


@contextmanager
def _crashes() -> Iterator[None]:
    """Answer what a design function throws as fatal as a crash, since the real indexer's process ends with it."""
    try:
        yield
    except CouchError as error:
        raise Crash(error.error, error.reason, error.status) from error


class ViewServices:
    """The parts of their node that view indexes use."""

    def __init__(self, collator: Collator, query_server: QueryServer, config: Config) -> None:
        self.collator = collator
        self.query_server = query_server
        self.config = config

    def index(self, db: Database, group: ViewGroup, ddoc_id: str) -> Index:
        """The index of a group of views, shared with other design documents of the same signature."""

        def make() -> Index:
            return ViewIndex(db, group, ddoc_id, self)

        return shared_index(db, VIEW_INDEXES, group.signature, make, lambda: signatures(db))

    def reducers(self, tree: ViewTree, group: ViewGroup, ddoc_id: str, database: str) -> list[Reducer]:
        overflow = SumOverflow(lambda: self.config[REDUCE_LIMIT] == "true")
        return [
            builtin_reducer(source, self.collator.sort_key, overflow)
            or JavaScriptReducer(self.query_server, source, f"{ddoc_id}/_view/{name}", group, database)
            for name, source in zip(tree.reduce_names, tree.reduce_sources, strict=True)
        ]


class ViewIndex(Index):
    """The index of one group of views."""

    def __init__(self, db: Database, group: ViewGroup, ddoc_id: str, services: ViewServices) -> None:
        collator = services.collator
        definitions = [
            TreeDefinition(
                collator.raw_sort_key if tree.raw else collator.sort_key,
                services.reducers(tree, group, ddoc_id, db.uuid),
                group.partitioned,
            )
            for tree in group.trees
        ]
        super().__init__(db, definitions, _never, include_design=group.include_design)
        self._lib = group.lib
        self._language = group.language
        self._ddoc_id = ddoc_id
        self._query_server = services.query_server
        self._shown = DocOptions(conflicts=True, deleted_conflicts=True, local_seq=group.local_seq)
        self._functions = [((tree.map_names + tree.reduce_names)[0], tree.map) for tree in group.trees]

    def map_batches(self, batches: Iterable[Sequence[DocumentEntry]]) -> Iterator[Sequence[Sequence[Emitted]]]:
        if not self._functions:
            for batch in batches:
                yield [()] * len(batch)
            return
        server, lib, ddoc_id, db = self._query_server, self._lib or None, self._ddoc_id, self._db.uuid
        with _crashes():
            session = server.compile_map(self._functions, lib, language=self._language, ddoc_id=ddoc_id, database=db)
            try:
                yield from session.map_batches([self._text(entry) for entry in batch] for batch in batches)
            except BaseException:
                session.close()
                raise
        server.release(session, self._functions, lib, ddoc_id=ddoc_id, database=db)

    def _text(self, entry: DocumentEntry) -> bytes:
        with self._db.lock:
            return shown_document(entry, entry.winner, self._shown, self._db.revs_limit)


def _never(entries: Sequence[DocumentEntry]) -> Sequence[Sequence[Emitted]]:
    raise AssertionError("documents are mapped in batches")  # pragma: no cover


class JavaScriptReducer:
    """A reduce function of a design document."""

    def __init__(self, query_server: QueryServer, source: str, label: str, group: ViewGroup, database: str) -> None:
        self._database = database
        self._query_server = query_server
        self._source = source
        self._label = label
        self._language = group.language
        self._partitioned = group.partitioned

    def reduce_all(self, calls: Sequence[Sequence[Row]]) -> Sequence[Any]:
        if calls and self._partitioned:
            # The real server's keys carry their partition as a term that is not JSON: the call fails before it.
            raise Crash("error", "invalid_ejson")
        with _crashes():
            function = self._function()
            return function.reduce_many([[((key, docid), value) for key, docid, value in rows] for rows in calls])

    def rereduce_all(self, calls: Sequence[Sequence[Any]]) -> Sequence[Any]:
        with _crashes():
            return self._function().rereduce_many(calls)

    def _function(self) -> ReduceFunction:
        return self._query_server.reducer(
            self._source, language=self._language, label=self._label, database=self._database
        )

    def finish(self, value: Any) -> Any:
        """Return the function's result, a ``ReduceOverflow`` if it was too large."""
        return value
