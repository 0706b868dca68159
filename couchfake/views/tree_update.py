"""How a tree of rows changes: a batch of removals and additions makes new nodes along the paths to them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from couchfake.views.nodes import Inner, Leaf, Node, Reducer, Row

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
        joined: list[Node] = []
        for node in children:
            before = joined[-1] if joined else None
            if isinstance(node, Leaf) and isinstance(before, Leaf):
                if min(node.count, before.count) <= LEAF_ROWS // 4 and node.count + before.count <= LEAF_ROWS:
                    joined[-1] = self._leaf(before.positions + node.positions, before.rows + node.rows)
                    continue
            elif isinstance(node, Inner) and isinstance(before, Inner):
                sizes = len(node.children), len(before.children)
                if min(sizes) <= FANOUT // 4 and sum(sizes) <= FANOUT:
                    joined[-1] = self._inner(before.children + node.children, height)
                    continue
            joined.append(node)
        return joined


def _pieces(size: int, usual: int) -> Iterator[tuple[int, int]]:
    """Where to cut ``size`` things into even pieces of ``usual`` to twice as many (all in one where there are few)."""
    number = max(size // usual, 1) if size > 2 * usual else min(size, 1)
    for n in range(number):
        yield size * n // number, size * (n + 1) // number
