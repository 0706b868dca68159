"""What trees of rows are made of. Nodes do not change once they are in a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = tuple[Any, str, Any]
"""One emitted row: its key, the id of its document, its value."""

Ranks: TypeAlias = tuple[int, int]
"""A half-open range of row indexes, [start, stop)."""


class Reducer(Protocol):
    """A reduce function for many groups at a time: a call may cost more than its work.

    Its result may be any Python value (a *partial* one); ``finish`` makes it JSON.
    """

    def reduce_all(self, calls: Sequence[Sequence[Row]]) -> Sequence[Any]:
        """For each call, from rows (never none) to a partial value."""

    def rereduce_all(self, calls: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """For each call, from partial values (never none) to one."""

    def finish(self, value: Any) -> Any:
        """The JSON value that a query answers with."""


class Leaf:
    __slots__ = ("count", "first", "positions", "reductions", "rows")

    def __init__(self, positions: list[bytes], rows: list[Row]) -> None:
        self.positions = positions
        self.rows = rows
        self.first: bytes = positions[0]
        self.count = len(rows)
        self.reductions: list[Any] = []


class Inner:
    __slots__ = ("children", "count", "first", "firsts", "offsets", "reductions")

    def __init__(self, children: list[Node]) -> None:
        self.children = children
        self.firsts: list[bytes] = [child.first for child in children]
        self.first: bytes = self.firsts[0]
        self.offsets: list[int] = []
        self.count = 0
        for child in children:
            self.offsets.append(self.count)
            self.count += child.count
        self.reductions: list[Any] = []


Node: TypeAlias = Leaf | Inner
