"""One view of a design document, ready to be asked."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couchfake.errors import CouchError, QueryParseError
from couchfake.settings import PARTITION_QUERY_LIMIT, QUERY_LIMIT
from couchfake.views.index import Index, Snapshot
from couchfake.views.options import ViewOptions, bounded, check
from couchfake.views.query import ViewQuery

if TYPE_CHECKING:
    from couchfake.config import Config


@dataclass(frozen=True)
class View:
    """Its index, the number of its tree there, and that of its reducer among the tree's (None where it has none)."""

    index: Index
    tree: int
    reducer: int | None

    @property
    def partitioned(self) -> bool:
        return self.index.definitions[self.tree].partitioned

    def reduces(self, options: ViewOptions) -> bool:
        """Whether a query is answered by the reduce function."""
        return self.reducer is not None and options.reduce is not False

    def check(self, options: ViewOptions, config: Config) -> ViewOptions:
        """Refuse a query (QueryParseError) that this view cannot answer; what is left has the configured limit."""
        options = bounded(options, config[PARTITION_QUERY_LIMIT if self.partitioned else QUERY_LIMIT])
        check(options, self.reduces(options))
        if self.partitioned and options.partition is None:
            raise QueryParseError("`partition` parameter is mandatory for queries to this view.")
        if not self.partitioned and options.partition is not None:
            raise QueryParseError("`partition` parameter is not supported in this design doc")
        return options

    def snapshot(self, options: ViewOptions) -> Snapshot:
        """The index as the query wants it: up to date, as it is, or as it is and brought up to date afterwards."""
        if options.update is True:
            return self.index.update()
        snapshot = self.index.snapshot
        if options.update == "lazy":
            with contextlib.suppress(CouchError):  # which the next query will meet
                self.index.update()
        return snapshot

    def query(self, snapshot: Snapshot, options: ViewOptions) -> ViewQuery:
        """The query, with its range checked."""
        return ViewQuery(snapshot.trees[self.tree], self.index.definitions[self.tree], options)
