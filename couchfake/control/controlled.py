"""What the test kit over HTTP uses of a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from couchfake.control.faults import Faults
from couchfake.control.function_log import FunctionLog
from couchfake.control.open_feeds import OpenFeeds
from couchfake.control.request_log import RequestLog
from couchfake.control.revision_trees import RevisionTree
from couchfake.control.snapshots import Snapshot
from couchfake.node.node import Node
from couchfake.values.clock import Clock


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
