"""Rows in order: an immutable B+tree with counts and partial reductions in its nodes.

``RowTree.apply`` copies the path to what changes and shares the rest, so a reader keeps a consistent tree while an
index is brought up to date beside it, without any lock. Looking a key up, counting the rows before it and reducing a
range touch O(log n) nodes; of a reduced range only the rows of the two leaves at its borders are looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol, TypeAlias

from couchfake.values.collation import HIGHEST
from couchfake.views.keys import ENTRY, EVERYTHING, KeyRange

LEAF_ROWS = 96
"""Leaves are made with this many rows and split when they have more than twice as many."""

FANOUT = 32
"""The same for the children of inner nodes."""

_FEW = 16

Row: TypeAlias = tuple[Any, str, Any]
"""One emitted row: its key, the id of its document, its value."""


class Reducer(Protocol):
    """A reduce function. What ``reduce`` and ``rereduce`` give may be any Python value; ``finish`` makes it JSON."""

    def reduce(self, rows: Sequence[Row]) -> Any:
        """From rows, never none, to a partial value."""

    def rereduce(self, values: Sequence[Any]) -> Any:
        """From partial values, never none, to one."""

    def finish(self, value: Any) -> Any:
        """The JSON value that a query answers with."""


class _Leaf:
    __slots__ = ("count", "first", "positions", "reductions", "rows")

    def __init__(self, positions: list[bytes], rows: list[Row], reducers: Sequence[Reducer]) -> None:
        self.positions = positions
        self.rows = rows
        self.first: bytes = positions[0]
        self.count = len(rows)
        self.reductions: list[Any] = [reducer.reduce(rows) for reducer in reducers]


class _Inner:
    __slots__ = ("children", "count", "first", "firsts", "offsets", "reductions")

    def __init__(self, children: list[_Node], reducers: Sequence[Reducer]) -> None:
        self.children = children
        self.firsts: list[bytes] = [child.first for child in children]
        self.first: bytes = self.firsts[0]
        self.offsets: list[int] = []
        self.count = 0
        for child in children:
            self.offsets.append(self.count)
            self.count += child.count
        self.reductions: list[Any] = [
            reducer.rereduce([child.reductions[n] for child in children]) for n, reducer in enumerate(reducers)
        ]


_Node: TypeAlias = _Leaf | _Inner


class RowTree:
    """The rows of one index in order, with their reductions. Immutable: ``apply`` gives another one."""

    __slots__ = ("_root", "reducers")

    def __init__(self, reducers: Sequence[Reducer] = ()) -> None:
        self.reducers = tuple(reducers)
        self._root: _Node | None = None

    def __len__(self) -> int:
        return self._root.count if self._root else 0

    def apply(self, removals: Iterable[bytes], additions: Mapping[bytes, Row] | Iterable[tuple[bytes, Row]]) -> RowTree:
        """A tree without the rows at the positions ``removals`` and with ``additions``.

        A position that is removed and added has the added row afterwards. The reducers run for what is new; what
        they raise comes out of here, and this tree stays as it is.
        """
        changes: dict[bytes, Row | None] = dict.fromkeys(removals)
        changes.update(additions)
        if not changes:
            return self
        ordered = sorted(changes)
        rows = [changes[position] for position in ordered]
        changed = _Change(self.reducers, ordered, rows)
        tree = RowTree(self.reducers)
        tree._root = changed.root(self._root)
        return tree

    def rank(self, cut: bytes) -> int:
        """How many rows stand before ``cut``."""
        node, before = self._root, 0
        while isinstance(node, _Inner):
            n = max(bisect_left(node.firsts, cut) - 1, 0)
            before += node.offsets[n]
            node = node.children[n]
        return before + bisect_left(node.positions, cut) if node else 0

    def count(self, span: KeyRange) -> int:
        """How many rows lie in a range."""
        return max(self.rank(span.upper) - self.rank(span.lower), 0)

    def rows(self, span: KeyRange = EVERYTHING, descending: bool = False, skip: int = 0) -> Iterator[Row]:
        """The rows of a range, in order or backwards, without the first ``skip`` of them.

        Backwards, what one document emitted several times under the very same key still comes in ascending order of
        values: the server keeps those as one entry.
        """
        low, high = self.rank(span.lower), self.rank(span.upper)
        return self._backwards(low, high, skip) if descending else self._forwards(low + skip, high)

    def _forwards(self, low: int, high: int) -> Iterator[Row]:
        while low < high:
            leaf, offset = self._leaf_at(low)
            yield from leaf.rows[low - offset : high - offset]
            low = offset + leaf.count

    def _backwards(self, low: int, high: int, skip: int) -> Iterator[Row]:
        start = high - skip
        if start <= low:
            return
        if skip:  # an entry of several rows may lie across the place where to begin
            leaf, offset = self._leaf_at(start - 1)
            behind = min(self.rank(leaf.positions[start - 1 - offset][ENTRY] + HIGHEST), high)
        else:
            behind = start
        yield from islice(self._entries_backwards(low, behind), behind - start, None)

    def _entries_backwards(self, low: int, high: int) -> Iterator[Row]:
        entry: list[Row] = []
        name = b""
        while low < high:
            leaf, offset = self._leaf_at(high - 1)
            for n in range(high - offset - 1, max(low - offset, 0) - 1, -1):
                if leaf.positions[n][ENTRY] != name:
                    yield from reversed(entry)
                    entry, name = [], leaf.positions[n][ENTRY]
                entry.append(leaf.rows[n])
            high = offset
        yield from reversed(entry)

    def _leaf_at(self, rank: int) -> tuple[_Leaf, int]:
        """The leaf with the row of this rank (below the tree's length), and the rank of the leaf's first row."""
        node, offset = self._root, 0
        while isinstance(node, _Inner):
            n = bisect_right(node.offsets, rank - offset) - 1
            offset += node.offsets[n]
            node = node.children[n]
        assert node is not None
        return node, offset

    def reduce(self, span: KeyRange = EVERYTHING, nth: int = 0, descending: bool = False) -> tuple[Any] | None:
        """The partial value of the tree's ``nth`` reducer over a range, in a tuple; None where it has no rows."""
        low, high = self.rank(span.lower), self.rank(span.upper)
        return (self._reduced(low, high, nth, descending),) if low < high else None

    def groups(
        self, span: KeyRange, prefix_of: Callable[[Any], bytes], nth: int = 0, descending: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """The groups of a range: the key of the row that is met first, and the partial value of all its rows.

        ``prefix_of`` gives what the positions of a key's whole group begin with.
        """
        low, high = self.rank(span.lower), self.rank(span.upper)
        while low < high:
            leaf, offset = self._leaf_at(high - 1 if descending else low)
            key = leaf.rows[(high - 1 if descending else low) - offset][0]
            prefix = prefix_of(key)
            if descending:
                n = bisect_left(leaf.positions, prefix)
                start = max(offset + n if n else self.rank(prefix), low)
                yield key, self._reduced(start, high, nth, True)
                high = start
            else:
                n = bisect_left(leaf.positions, prefix + HIGHEST, low - offset)
                stop = min(offset + n if n < leaf.count else self.rank(prefix + HIGHEST), high)
                yield key, self._reduced(low, stop, nth, False)
                low = stop

    def _reduced(self, low: int, high: int, nth: int, descending: bool) -> Any:
        """The server's way: rows at the borders in one call, latest first, then a rereduce with the nodes between."""
        assert self._root is not None
        reducer = self.reducers[nth]
        rows: list[Row] = []
        values: list[Any] = []
        if isinstance(self._root, _Leaf):
            rows = self._root.rows[low:high]
        else:
            _cover(self._root, low, high, nth, rows, values)
        if not descending:
            rows.reverse()
            values.reverse()
        if rows:
            values.insert(0, reducer.reduce(rows))
        return values[0] if len(values) == 1 else reducer.rereduce(values)


def _cover(node: _Node, low: int, high: int, nth: int, rows: list[Row], values: list[Any]) -> None:
    """Take the ranks ``low`` to ``high`` of a node apart: reductions of whole nodes, rows of the leaves cut in two."""
    if low <= 0 and high >= node.count:
        values.append(node.reductions[nth])
    elif isinstance(node, _Leaf):
        rows += node.rows[max(low, 0) : high]
    else:
        first = max(bisect_right(node.offsets, low) - 1, 0)
        for n in range(first, bisect_left(node.offsets, high)):
            _cover(node.children[n], low - node.offsets[n], high - node.offsets[n], nth, rows, values)


class _Change:
    """One batch of changes on its way through a tree: ``rows`` for the positions ``ordered``, None to remove."""

    def __init__(self, reducers: Sequence[Reducer], ordered: list[bytes], rows: list[Row | None]) -> None:
        self._reducers = reducers
        self._ordered = ordered
        self._rows = rows

    def root(self, root: _Node | None) -> _Node | None:
        size = len(self._ordered)
        nodes = self._leaves([], [], 0, size) if root is None else self._changed(root, 0, size)
        while len(nodes) > 1:
            nodes = self._inners(nodes)
        node = nodes[0] if nodes else None
        while isinstance(node, _Inner) and len(node.children) == 1:
            node = node.children[0]
        return node

    def _changed(self, node: _Node, low: int, high: int) -> list[_Node]:
        """The nodes that take ``node``'s place once the changes ``low`` to ``high`` are made in it."""
        if isinstance(node, _Leaf):
            return self._leaves(node.positions, node.rows, low, high)
        children: list[_Node] = []
        done, last = 0, len(node.children) - 1
        while low < high:
            n = max(bisect_right(node.firsts, self._ordered[low]) - 1, 0)
            until = high if n == last else bisect_left(self._ordered, node.firsts[n + 1], low, high)
            children += node.children[done:n]
            children += self._changed(node.children[n], low, until)
            done, low = n + 1, until
        children += node.children[done:]
        return self._inners(self._without_slivers(children))

    def _leaves(self, positions: list[bytes], rows: list[Row], low: int, high: int) -> list[_Node]:
        positions, rows = self._merged(positions, rows, low, high)
        return [_Leaf(positions[a:b], rows[a:b], self._reducers) for a, b in _pieces(len(rows), LEAF_ROWS)]

    def _inners(self, children: list[_Node]) -> list[_Node]:
        return [_Inner(children[a:b], self._reducers) for a, b in _pieces(len(children), FANOUT)]

    def _merged(self, positions: list[bytes], rows: list[Row], low: int, high: int) -> tuple[list[bytes], list[Row]]:
        if high - low > _FEW:
            merged: dict[bytes, Row | None] = dict(zip(positions, rows, strict=True))
            merged.update(zip(self._ordered[low:high], self._rows[low:high], strict=True))
            kept = sorted(position for position, row in merged.items() if row is not None)
            return kept, [merged[position] for position in kept]  # type: ignore[misc]
        positions, rows = positions[:], rows[:]
        for n in range(low, high):
            position, row = self._ordered[n], self._rows[n]
            at = bisect_left(positions, position)
            there = at < len(positions) and positions[at] == position
            if row is None:
                if there:
                    del positions[at], rows[at]
            elif there:
                rows[at] = row
            else:
                positions.insert(at, position)
                rows.insert(at, row)
        return positions, rows

    def _without_slivers(self, children: list[_Node]) -> list[_Node]:
        """Join what removals have left nearly empty with its left neighbour, where both fit into one node."""
        joined: list[_Node] = []
        for node in children:
            before = joined[-1] if joined else None
            if isinstance(node, _Leaf) and isinstance(before, _Leaf):
                if min(node.count, before.count) <= LEAF_ROWS // 4 and node.count + before.count <= LEAF_ROWS:
                    joined[-1] = _Leaf(before.positions + node.positions, before.rows + node.rows, self._reducers)
                    continue
            elif isinstance(node, _Inner) and isinstance(before, _Inner):
                sizes = len(node.children), len(before.children)
                if min(sizes) <= FANOUT // 4 and sum(sizes) <= FANOUT:
                    joined[-1] = _Inner(before.children + node.children, self._reducers)
                    continue
            joined.append(node)
        return joined


def _pieces(size: int, usual: int) -> Iterator[tuple[int, int]]:
    """Where to cut ``size`` things into even pieces of ``usual`` to twice as many (all in one where there are few)."""
    number = max(size // usual, 1) if size > 2 * usual else min(size, 1)
    for n in range(number):
        yield size * n // number, size * (n + 1) // number
