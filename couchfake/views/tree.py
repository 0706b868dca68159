"""Rows in order: an immutable B+tree with counts and partial reductions in its nodes.

``RowTree.apply`` copies the path to what changes and shares the rest, so a reader keeps a consistent tree while an
index is brought up to date beside it, without any lock. Looking a key up, counting the rows before it and reducing a
range touch O(log n) nodes; of a reduced range only the rows of the two leaves at its borders are looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from couchfake.values.collation import HIGHEST, raw_sort_key
from couchfake.views.keys import ENTRY, EVERYTHING, KeyRange
from couchfake.views.nodes import Inner, Leaf, Node, Ranks, Reducer, Row
from couchfake.views.tree_update import TreeUpdate


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
