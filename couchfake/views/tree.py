"""Rows in order: an immutable B+tree with counts and partial reductions in its nodes.

``RowTree.apply`` copies the path to what changes and shares the rest, so a reader keeps a consistent tree while an
index is brought up to date beside it, without any lock. Looking a key up, counting the rows before it and reducing a
range touch O(log n) nodes; of a reduced range only the rows of the two leaves at its borders are looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, Protocol, TypeAlias

from couchfake.values.collation import HIGHEST, raw_sort_key
from couchfake.views.keys import ENTRY, EVERYTHING, KeyRange

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
        self.offsets = list(accumulate([child.count for child in children], initial=0))
        self.count: int = self.offsets.pop()
        self.reductions: list[Any] = []


Node: TypeAlias = Leaf | Inner
"""Nodes do not change once they are in a tree."""

LEAF_ROWS = 96
"""Leaves are made with this many rows and split when they have more than twice as many."""

FANOUT = 32
"""The same for the children of inner nodes."""

_FEW = 16


class TreeUpdate:
    """One batch of changes on its way through a tree: ``rows`` for the positions ``ordered``, None to remove.

    New nodes are noted by their height, and reduced when all are there.
    """

    def __init__(self, reducers: Sequence[Reducer], ordered: list[bytes], rows: list[Row | None]) -> None:
        self._reducers = reducers
        self._ordered = ordered
        self._rows = rows
        self._new: list[list[Any]] = [[]]

    def root(self, root: Node | None) -> Node | None:
        size = len(self._ordered)
        if root is None:
            nodes, height = self._leaves([], [], 0, size), 0
        else:
            nodes, height = self._changed(root, 0, size)
        while len(nodes) > 1:
            height += 1
            nodes = self._inners(nodes, height)
        node = nodes[0] if nodes else None
        while isinstance(node, Inner) and len(node.children) == 1:
            node = node.children[0]
        self._reduce()
        return node

    def _reduce(self) -> None:
        for reducer in self._reducers:
            for leaf, value in zip(self._new[0], reducer.reduce_all([leaf.rows for leaf in self._new[0]]), strict=True):
                leaf.reductions.append(value)
        for nodes in self._new[1:]:
            for n, reducer in enumerate(self._reducers):
                calls = [[child.reductions[n] for child in node.children] for node in nodes]
                for node, value in zip(nodes, reducer.rereduce_all(calls), strict=True):
                    node.reductions.append(value)

    def _changed(self, node: Node, low: int, high: int) -> tuple[list[Node], int]:
        """The nodes that take ``node``'s place once the changes ``low`` to ``high`` are made, and their height."""
        if isinstance(node, Leaf):
            return self._leaves(node.positions, node.rows, low, high), 0
        children: list[Node] = []
        done, last, height = 0, len(node.children) - 1, 0
        while low < high:
            n = max(bisect_right(node.firsts, self._ordered[low]) - 1, 0)
            until = high if n == last else bisect_left(self._ordered, node.firsts[n + 1], low, high)
            children += node.children[done:n]
            changed, height = self._changed(node.children[n], low, until)
            children += changed
            done, low = n + 1, until
        children += node.children[done:]
        return self._inners(self._without_slivers(children, height), height + 1), height + 1

    def _leaves(self, positions: list[bytes], rows: list[Row], low: int, high: int) -> list[Node]:
        positions, rows = self._merged(positions, rows, low, high)
        return [self._leaf(positions[a:b], rows[a:b]) for a, b in _pieces(len(rows), LEAF_ROWS)]

    def _inners(self, children: list[Node], height: int) -> list[Node]:
        return [self._inner(children[a:b], height) for a, b in _pieces(len(children), FANOUT)]

    def _leaf(self, positions: list[bytes], rows: list[Row]) -> Node:
        leaf = Leaf(positions, rows)
        self._new[0].append(leaf)
        return leaf

    def _inner(self, children: list[Node], height: int) -> Node:
        node = Inner(children)
        while len(self._new) <= height:
            self._new.append([])
        self._new[height].append(node)
        return node

    def _merged(self, positions: list[bytes], rows: list[Row], low: int, high: int) -> tuple[list[bytes], list[Row]]:
        if not positions and None not in self._rows:
            return self._ordered[low:high], self._rows[low:high]  # type: ignore[return-value]
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

    def _without_slivers(self, children: list[Node], height: int) -> list[Node]:
        """Join nodes that removals made nearly empty with their left neighbour, if both fit into one node."""
        usual = FANOUT if height else LEAF_ROWS
        sizes = [len(node.children) if isinstance(node, Inner) else node.count for node in children]
        if min(sizes, default=usual) > usual // 4:
            return children
        joined: list[Node] = []
        size_before = 0
        for node, size in zip(children, sizes, strict=True):
            if joined and min(size, size_before) <= usual // 4 and size + size_before <= usual:
                joined[-1] = self._joined(joined[-1], node, height)
                size_before += size
            else:
                joined.append(node)
                size_before = size
        return joined

    def _joined(self, node: Node, right: Node, height: int) -> Node:
        if isinstance(node, Leaf) and isinstance(right, Leaf):
            return self._leaf(node.positions + right.positions, node.rows + right.rows)
        assert isinstance(node, Inner) and isinstance(right, Inner)
        return self._inner(node.children + right.children, height)


def _pieces(size: int, usual: int) -> Iterator[tuple[int, int]]:
    """Where to cut ``size`` things into even pieces of ``usual`` to twice as many (all in one where there are few)."""
    number = max(size // usual, 1) if size > 2 * usual else min(size, 1)
    for n in range(number):
        yield size * n // number, size * (n + 1) // number


class RowTree:
    """The rows of one index in order, with their reductions. Immutable: ``apply`` gives another one."""

    __slots__ = ("_root", "reducers")

    def __init__(self, reducers: Sequence[Reducer] = ()) -> None:
        self.reducers = tuple(reducers)
        self._root: Node | None = None

    def __len__(self) -> int:
        return self._root.count if self._root else 0

    def size(self) -> int:
        """About how many bytes the rows take: what their keys and ids need, and as much for the rest."""
        total, rank = 0, 0
        while rank < len(self):
            leaf, _ = self._leaf_at(rank)
            total += 2 * sum(map(len, leaf.positions))
            rank += leaf.count
        return total

    def apply(self, removed: Sequence[bytes], positions: Sequence[bytes], rows: Sequence[Row]) -> RowTree:
        """A tree without the rows at the positions ``removed``, and with ``rows`` at ``positions``.

        A position that is removed and added has the added row afterwards. The reducers run for what is new; what
        they raise comes out of here, and this tree stays as it is.
        """
        if not removed and not positions:
            return self
        changed: list[Row | None]
        if removed:
            changes: dict[bytes, Row | None] = dict.fromkeys(removed)
            changes.update(zip(positions, rows, strict=True))
            ordered = sorted(changes)
            changed = [changes[position] for position in ordered]
        else:
            order = sorted(range(len(positions)), key=positions.__getitem__)
            ordered = [positions[n] for n in order]
            changed = [rows[n] for n in order]
        tree = RowTree(self.reducers)
        tree._root = TreeUpdate(self.reducers, ordered, changed).root(self._root)
        return tree

    def rank(self, cut: bytes) -> int:
        """Return the number of rows before ``cut``."""
        node, before = self._root, 0
        while isinstance(node, Inner):
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

    def _leaf_at(self, rank: int) -> tuple[Leaf, int]:
        """The leaf with the row of this rank (below the tree's length), and the rank of the leaf's first row."""
        node, offset = self._root, 0
        while isinstance(node, Inner):
            n = bisect_right(node.offsets, rank - offset) - 1
            offset += node.offsets[n]
            node = node.children[n]
        assert node is not None
        return node, offset

    def holds(self, positions: Sequence[bytes], rows: Sequence[Row]) -> bool:
        """Return whether exactly these rows are at these positions."""
        return all(self._has(position, row) for position, row in zip(positions, rows, strict=True))

    def _has(self, position: bytes, row: Row) -> bool:
        leaf, _ = self._leaf_at(self.rank(position))
        key, _, value = leaf.rows[bisect_left(leaf.positions, position)]
        return _is_same(key, row[0]) and _is_same(value, row[2])

    def groups(
        self, span: KeyRange, prefix_of: Callable[[Any], bytes], descending: bool = False
    ) -> Iterator[tuple[Any, Ranks]]:
        """The groups of a range: the key of the row that is met first, and which rows have a part in it.

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
                yield key, (start, high)
                high = start
            else:
                n = bisect_left(leaf.positions, prefix + HIGHEST, low - offset)
                stop = min(offset + n if n < leaf.count else self.rank(prefix + HIGHEST), high)
                yield key, (low, stop)
                low = stop

    def ranks(self, span: KeyRange = EVERYTHING) -> Ranks:
        """Which rows a range has."""
        low = self.rank(span.lower)
        return low, max(self.rank(span.upper), low)

    def reduce(self, groups: Sequence[Ranks], nth: int = 0, descending: bool = False) -> list[Any]:
        """The partial values of the tree's ``nth`` reducer over groups of rows, none of them empty.

        The server's way: the rows at a group's borders in one call, the last one first, and then a rereduce of that
        with the reductions of the nodes between.
        """
        parts = [self._parts(low, high, nth, descending) for low, high in groups]
        reducer = self.reducers[nth]
        reduced = iter(reducer.reduce_all([rows for rows, _ in parts if rows]))
        values = [[next(reduced), *between] if rows else between for rows, between in parts]
        again = iter(reducer.rereduce_all([each for each in values if len(each) > 1]))
        return [each[0] if len(each) == 1 else next(again) for each in values]

    def _parts(self, low: int, high: int, nth: int, descending: bool) -> tuple[list[Row], list[Any]]:
        rows: list[Row] = []
        between: list[Any] = []
        if isinstance(self._root, Leaf):
            rows = self._root.rows[low:high]
        elif self._root is not None:
            _cover(self._root, low, high, nth, rows, between)
        if not descending:
            rows.reverse()
            between.reverse()
        return rows, between


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal as Erlang terms: 1 and 1.0 are, but 1 and true are not."""
    return type(one) is type(other) and (one is other or raw_sort_key(one) == raw_sort_key(other))


def _cover(node: Node, low: int, high: int, nth: int, rows: list[Row], values: list[Any]) -> None:
    """Take the ranks ``low`` to ``high`` of a node apart: reductions of whole nodes, rows of the leaves cut in two."""
    if low <= 0 and high >= node.count:
        values.append(node.reductions[nth])
    elif isinstance(node, Leaf):
        rows += node.rows[max(low, 0) : high]
    else:
        first = max(bisect_right(node.offsets, low) - 1, 0)
        for n in range(first, bisect_left(node.offsets, high)):
            _cover(node.children[n], low - node.offsets[n], high - node.offsets[n], nth, rows, values)
