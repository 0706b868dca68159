"""The forest of a document's revisions.

Each edit is a node below the one it was made from; replication brings branches, and histories whose beginning was
cut off ("stemmed") make further roots. ``merge`` joins a path to the forest by the rules of the real server
(``couch_key_tree``), which decide what is a conflict. Source: CouchDB documentation, "Replication and conflict model".

Readers take no lock: ``leaves`` and ``roots`` are replaced as a whole, a revision is filled before it stands among
the leaves, and it keeps its body from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from couchfake.storage.revision_ids import RevisionId, format_hash

if TYPE_CHECKING:
    from couchfake.storage.attachments import Attachment
    from couchfake.storage.bodies import Body

MergeResult = Literal["new_leaf", "new_branch", "internal_node"]


class Revision:
    """One node. ``body`` is None for a revision that is only known by name, or was compacted away."""

    __slots__ = ("attachments", "body", "children", "deleted", "id", "parent", "pos", "seq")

    def __init__(self, pos: int, id: bytes, parent: Revision | None = None) -> None:
        self.pos = pos
        self.id = id
        self.parent = parent
        self.children: list[Revision] = []
        self.deleted = False
        self.body: Body | None = None
        self.attachments: tuple[Attachment, ...] = ()
        self.seq = 0

    @property
    def hash(self) -> str:
        return format_hash(self.id)

    @property
    def rev(self) -> str:
        """``"3-917fa2381192822767f010b95b45325b"``."""
        return f"{self.pos}-{format_hash(self.id)}"

    @property
    def key(self) -> RevisionId:
        return self.pos, self.id

    def rank(self) -> tuple[bool, int, bytes]:
        """Of two leaves the higher ranked wins: live before deleted, then the longer history, then the higher hash."""
        return not self.deleted, self.pos, self.id

    def lineage(self) -> Iterator[Revision]:
        """This revision, its parent, and so on to the root."""
        node: Revision | None = self
        while node is not None:
            yield node
            node = node.parent


Fill = Callable[[Revision], None]
"""Gives a revision its body; called before anybody else can see it."""


class RevisionTree:
    """Roots in order of (generation, hash), and the leaves, winner first."""

    __slots__ = ("leaves", "roots")

    def __init__(self) -> None:
        self.roots: list[Revision] = []
        self.leaves: tuple[Revision, ...] = ()

    @property
    def winner(self) -> Revision:
        return self.leaves[0]

    def copy(self) -> RevisionTree:
        """Return a tree with revisions of its own, which share bodies and attachments with these."""
        tree = RevisionTree()
        if len(self.leaves) == 1 and len(self.roots) == 1:
            parent = None
            for node in reversed(list(self.leaves[0].lineage())):
                parent = _copy(node, parent)
                if node.parent is None:
                    tree.roots = [parent]
            tree.leaves = () if parent is None else (parent,)
            return tree
        copies: dict[Revision | None, Revision] = {}
        for node in self.nodes():
            copies[node] = _copy(node, copies.get(node.parent))
        tree.roots = [copies[root] for root in self.roots]
        tree.leaves = tuple([copies[leaf] for leaf in self.leaves])
        return tree

    def nodes(self) -> Iterator[Revision]:
        """Every revision, parents before children."""
        todo = list(reversed(self.roots))
        while todo:
            node = todo.pop()
            yield node
            todo.extend(reversed(node.children))

    def find(self, rev: RevisionId) -> Revision | None:
        for leaf in self.leaves:
            if leaf.pos == rev[0] and leaf.id == rev[1]:
                return leaf
        if len(self.leaves) == 1:
            for node in self.leaves[0].lineage():
                if node.pos == rev[0]:
                    return node if node.id == rev[1] else None
            return None
        return next((node for node in self.nodes() if node.pos == rev[0] and node.id == rev[1]), None)

    def leaves_below(self, node: Revision) -> list[Revision]:
        """The leaves that descend from a revision (itself, where it is one)."""
        return [leaf for leaf in self.leaves if any(above is node for above in leaf.lineage())]

    def merge(
        self, pos: int, ids: Sequence[bytes], fill: Fill, only_as_new_leaf: bool = False
    ) -> tuple[MergeResult, Revision | None]:
        """Join the history ``ids`` (newest first, of generation ``pos``) to the forest.

        Answers how the forest grew and the node of the newest revision, which ``fill`` was called with if it had no
        body. With ``only_as_new_leaf`` (an edit by a user, not a replicator) nothing is changed, and no node
        answered, unless it extends a leaf.
        """
        path = list(reversed(ids))
        start = pos - len(path) + 1
        if not self.roots:
            return "new_leaf", self._add_root(start, path, fill)
        for root in self.roots:
            place = _meet(root, start, path)
            if place is None:
                continue
            node, taken = place
            if only_as_new_leaf and _growth(node, path, taken) != "new_leaf":
                return _growth(node, path, taken), None
            if root.pos > start:
                self._lengthen(root, start, path)
            return self._extend(node, path, taken, fill)
        return "new_branch", None if only_as_new_leaf else self._add_root(start, path, fill)

    def _add_root(self, start: int, path: list[bytes], fill: Fill) -> Revision:
        root = Revision(start, path[0])
        leaf = _chain(root, path[1:])
        self._set_roots([*self.roots, root])
        fill(leaf)
        self._rank([*self.leaves, leaf])
        return leaf

    def _lengthen(self, root: Revision, start: int, path: list[bytes]) -> None:
        """Put the earlier part of a fuller history above a root that lacked it."""
        first = Revision(start, path[0])
        parent = _chain(first, path[1 : root.pos - start])
        root.parent = parent
        parent.children.append(root)
        self._set_roots([first, *(other for other in self.roots if other is not root)])

    def _extend(self, node: Revision, path: list[bytes], taken: int, fill: Fill) -> tuple[MergeResult, Revision]:
        """Follow ``path`` down from ``node`` (its element before ``taken``) and add what is not there."""
        while taken < len(path):
            child = next((child for child in node.children if child.id == path[taken]), None)
            if child is None:
                break
            node, taken = child, taken + 1
        if taken == len(path):
            if node.body is None:
                fill(node)
                self._rank(self.leaves)
            return "internal_node", node
        result: MergeResult = "new_branch" if node.children else "new_leaf"
        leaf = _chain(node, path[taken:])
        if result == "new_branch":
            node.children = sorted(node.children, key=lambda child: child.id)
        fill(leaf)
        self._rank([*(other for other in self.leaves if other is not node), leaf])
        return result, leaf

    def _set_roots(self, roots: list[Revision]) -> None:
        self.roots = sorted(roots, key=lambda root: root.key)

    def _rank(self, leaves: Sequence[Revision]) -> None:
        """Make these the leaves, the winner first."""
        self.leaves = tuple(sorted(leaves, key=Revision.rank, reverse=True) if len(leaves) > 1 else leaves)

    def stem(self, limit: int) -> None:
        """Keep only the newest ``limit`` revisions of each branch."""
        if len(self.leaves) == 1 and len(self.roots) == 1:
            while self.leaves[0].pos - self.roots[0].pos >= limit:
                [child] = self.roots[0].children
                child.parent = None
                self.roots = [child]
        elif any(leaf.pos - _root(leaf).pos >= limit for leaf in self.leaves):
            self._keep([(leaf, limit) for leaf in self.leaves])

    def _keep(self, branches: list[tuple[Revision, int]]) -> None:
        kept = {id(node) for leaf, limit in branches for node, _ in zip(leaf.lineage(), range(limit))}
        roots = []
        for node in list(self.nodes()):
            if id(node) not in kept:
                continue
            node.children = [child for child in node.children if id(child) in kept]
            if node.parent is not None and id(node.parent) not in kept:
                node.parent = None
            if node.parent is None:
                roots.append(node)
        self._set_roots(roots)

    def has_inner_bodies(self) -> bool:
        """Return whether a revision that is not a leaf has a body."""
        return any(node.children and node.body is not None for node in self.nodes())

    def forget_bodies(self) -> None:
        """Compaction: in the place of each inner revision that has a body comes one that has none.

        The old ones are left as they are, for those who still read them.
        """
        for node in [node for node in self.nodes() if node.children and node.body is not None]:
            bare = Revision(node.pos, node.id, node.parent)
            bare.deleted, bare.seq, bare.children = node.deleted, node.seq, node.children
            if node.parent is None:
                self.roots = [bare if root is node else root for root in self.roots]
            else:
                node.parent.children = [bare if child is node else child for child in node.parent.children]
            for child in bare.children:
                child.parent = bare

    def repair(self, limit: int) -> None:
        """Where a hash stands in the forest twice, lay all branches anew: histories that were apart may join."""
        seen = [node.id for node in self.nodes()]
        if len(seen) == len(set(seen)):
            return
        branches = []
        for leaf in self.leaves:
            nodes = [node for node, _ in zip(leaf.lineage(), range(limit))]
            branches.append((nodes[-1].pos, [node.id for node in reversed(nodes)], nodes))
        branches.sort(key=lambda branch: branch[:2])
        tree = RevisionTree()
        for _, path, nodes in branches:
            tree.merge(nodes[0].pos, list(reversed(path)), partial(_fill_as_before, nodes))
        self.roots, self.leaves = tree.roots, tree.leaves

    def remove_leaves(self, revs: Sequence[RevisionId]) -> list[RevisionId]:
        """Purge: drop the named leaves with the part of their branches that no other leaf shares; the dropped ones.

        They are told in the order in which the real server walks its tree, backwards. Where all are named nothing is
        changed: the document as a whole is to go.
        """
        gone = [leaf for leaf in self.leaves if leaf.key in revs]
        gone.sort(key=lambda leaf: [node.key for node in leaf.lineage()][::-1], reverse=True)
        if 0 < len(gone) < len(self.leaves):
            self.leaves = tuple(leaf for leaf in self.leaves if leaf.key not in revs)
            self._keep([(leaf, leaf.pos + 1) for leaf in self.leaves])
        return [leaf.key for leaf in gone]


def _fill_as_before(earlier: Sequence[Revision], leaf: Revision) -> None:
    """Give a branch that is laid anew what its revisions had, newest first."""
    for new, old in zip(leaf.lineage(), earlier):
        if new.body is None:
            new.body, new.deleted, new.attachments, new.seq = old.body, old.deleted, old.attachments, old.seq


def _copy(node: Revision, parent: Revision | None) -> Revision:
    copied = Revision(node.pos, node.id, parent)
    copied.deleted, copied.body, copied.attachments, copied.seq = node.deleted, node.body, node.attachments, node.seq
    if parent is not None:
        parent.children.append(copied)
    return copied


def _root(node: Revision) -> Revision:
    while node.parent is not None:
        node = node.parent
    return node


def _chain(node: Revision, ids: Sequence[bytes]) -> Revision:
    """Hang the ids below a node, each below the one before; the last."""
    for each in ids:
        child = Revision(node.pos + 1, each, node)
        node.children.append(child)
        node = child
    return node


def _meet(root: Revision, start: int, path: list[bytes]) -> tuple[Revision, int] | None:
    """Where a history and the tree below a root meet: the node and how many elements of the path it stands for."""
    ahead = root.pos - start
    if ahead >= 0:
        return (root, ahead + 1) if ahead < len(path) and path[ahead] == root.id else None
    todo = [root]
    while todo:
        node = todo.pop()
        if node.pos == start:
            if node.id == path[0]:
                return node, 1
        else:
            todo.extend(reversed(node.children))
    return None


def _growth(node: Revision, path: list[bytes], taken: int) -> MergeResult:
    while taken < len(path):
        child = next((child for child in node.children if child.id == path[taken]), None)
        if child is None:
            return "new_branch" if node.children else "new_leaf"
        node, taken = child, taken + 1
    return "internal_node"
