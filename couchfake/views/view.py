"""One view of a design document, ready for queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from couchfake.errors import QueryParseError
from couchfake.settings import PARTITION_QUERY_LIMIT, QUERY_LIMIT
from couchfake.views.index import Index, Snapshot
from couchfake.views.keys import MISSING
from couchfake.views.options import ViewOptions, bounded, check
from couchfake.views.query import ViewQuery

if TYPE_CHECKING:
    from couchfake.config import Config


@dataclass(frozen=True)
class View:
    """An index, the number of the view's tree in it, and of its reducer among the tree's, None if it has none.

    ``autoupdate``: the index is updated in the background. ``is_stale``: the index is answered as it is, whatever the
    query says; a fault of the test kit.
    """

    index: Index
    tree: int
    reducer: int | None
    autoupdate: bool = True
    is_stale: bool = False

    @property
    def partitioned(self) -> bool:
        return self.index.definitions[self.tree].partitioned

    def reduces(self, options: ViewOptions) -> bool:
        """Return whether a query is answered by the reduce function."""
        return self.reducer is not None and options.reduce is not False

    def check(self, options: ViewOptions, config: Config, *, listed: bool = False) -> ViewOptions:
        """Return the options with the configured limit. Raise QueryParseError if this view cannot answer the query.

        ``listed``: the query is for a list function, where ``keys`` with one key is still a list of keys.
        """
        if listed and self.reduces(options):
            check(replace(options, keys=options.all_keys, start_key=MISSING, end_key=MISSING), reducing=True)
        limit = config[PARTITION_QUERY_LIMIT if self.partitioned else QUERY_LIMIT]
        options = bounded(options, limit)
        check(options, self.reduces(options))
        if self.partitioned and options.partition is None:
            raise QueryParseError("`partition` parameter is mandatory for queries to this view.")
        if not self.partitioned and options.partition is not None:
            raise QueryParseError("`partition` parameter is not supported in this design doc")
        return options

    def snapshot(self, options: ViewOptions) -> Snapshot:
        """Return the index as the query wants it: up to date, as it is, or as it is and updated afterwards."""
        if self.is_stale:
            return self.index.snapshot
        if options.update is True:
            return self.index.update()
        if self.autoupdate:
            return self.index.update_in_background()
        snapshot = self.index.snapshot
        if options.update == "lazy":
            self.index.update_in_background()
        return snapshot

    def query(self, snapshot: Snapshot, options: ViewOptions) -> ViewQuery:
        """The query, with its range checked."""
        return ViewQuery(snapshot.trees[self.tree], self.index.definitions[self.tree], options)
