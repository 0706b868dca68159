"""The forest of a document's revisions.

Each edit is a node below the one it was made from. Replication adds branches, and histories whose beginning was
cut off ("stemmed") become additional roots. ``merge`` joins a path to the forest by the rules of the real server
(``couch_key_tree``), which decide what is a conflict. Source: CouchDB documentation, "Replication and conflict model".

Readers take no lock: leaves, roots and children are tuples, which are replaced, and a revision gets its body
before it appears among the leaves and keeps it from then on. Only the writer, who holds the database's lock, calls
the methods that change a tree.

A tree with many leaves has an index of its nodes, so that adding a leaf does not walk through all of them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from couchfake.storage.revision_ids import RevisionId, format_hash

if TYPE_CHECKING:
    from couchfake.storage.attachments import Attachment
    from couchfake.storage.documents import Body

MergeResult = Literal["new_leaf", "new_branch", "internal_node"]

INDEXED = 32
"""The number of leaves from which on a tree keeps an index of its nodes."""

_ID = attrgetter("id")
_KEY = attrgetter("pos", "id")


class Revision:
    """One node. ``body`` is None for a revision that is only known by name, or was compacted away."""

    __slots__ = ("attachments", "body", "children", "deleted", "id", "parent", "pos", "seq")

    def __init__(self, pos: int, id: bytes, parent: Revision | None = None) -> None:
        self.pos = pos
        self.id = id
        self.parent = parent
        self.children: tuple[Revision, ...] = ()
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
        id = self.id
        return f"{self.pos}-{id.hex() if len(id) == 16 else format_hash(id)}"  # as format_hash, mostly without the call

    @property
    def key(self) -> RevisionId:
        return self.pos, self.id

    def rank(self) -> tuple[bool, int, bytes]:
        """Return the sort key of winners: live before deleted, then the longer history, then the higher hash."""
        return not self.deleted, self.pos, self.id

    def size(self) -> int:
        """Return the bytes of the body and the attachments, as ``sizes.external`` counts them."""
        size = self.body.size if self.body is not None else 0
        for attachment in self.attachments:
            size += attachment.encoded_length
        return size

    def lineage(self) -> Iterator[Revision]:
        """Yield this revision, its parent, and so on up to the root."""
        node: Revision | None = self
        while node is not None:
            yield node
            node = node.parent


TreeState = tuple[tuple[Revision, ...], tuple[Revision, ...], int]
"""The roots, leaves and depth of a tree at some moment."""

Fill = Callable[[Revision], None]
"""Gives a revision its body; called before readers can see the revision."""


class RevisionTree:
    """Roots in order of (generation, hash), and the leaves, winner first.

    ``deepest`` is at least the highest generation of any leaf.
    """

    __slots__ = ("_duplicates", "_index", "deepest", "leaves", "roots")

    def __init__(self) -> None:
        self.roots: tuple[Revision, ...] = ()
        self.leaves: tuple[Revision, ...] = ()
        self.deepest = 0
        self._index: dict[bytes, list[Revision]] | None = None  # nodes by their hash
        self._duplicates = False  # whether the index has a hash with several nodes

    @property
    def winner(self) -> Revision:
        return self.leaves[0]

    def copy(self) -> RevisionTree:
        """Return a tree with revisions of its own, which share bodies and attachments with these."""
        tree = RevisionTree()
        if len(self.leaves) == 1 and len(self.roots) == 1:
            parent = None
            for node in reversed(list(self.leaves[0].lineage())):
                copied = _copy(node, parent)
                if parent is None:
                    tree.roots = (copied,)
                else:
                    parent.children = (copied,)
                parent = copied
            tree.leaves = () if parent is None else (parent,)
            tree.deepest = self.deepest
            return tree
        copies: dict[Revision | None, Revision] = {}
        for node in self.nodes():
            copies[node] = _copy(node, copies.get(node.parent))
        for node in self.nodes():
            copies[node].children = tuple([copies[child] for child in node.children])
        tree.roots = tuple([copies[root] for root in self.roots])
        tree.leaves = tuple([copies[leaf] for leaf in self.leaves])
        tree.deepest = self.deepest
        tree._reindex()
        return tree

    def nodes(self) -> Iterator[Revision]:
        """Yield every revision, parents before children."""
        todo = list(reversed(self.roots))
        while todo:
            node = todo.pop()
            yield node
            todo.extend(reversed(node.children))

    def find(self, rev: RevisionId) -> Revision | None:
        """Return the node of a revision, a leaf if there are several."""
        leaf = self.find_leaf(rev)
        if leaf is not None:
            return leaf
        leaves = self.leaves
        if len(leaves) == 1:
            for node in leaves[0].lineage():
                if node.pos == rev[0]:
                    return node if node.id == rev[1] else None
            return None
        return next(iter(self._all(rev)), None)

    def find_leaf(self, rev: RevisionId) -> Revision | None:
        pos, id = rev
        index = self._index
        if index is not None:
            return next((node for node in index.get(id, ()) if node.pos == pos and not node.children), None)
        for leaf in self.leaves:
            if leaf.pos == pos and leaf.id == id:
                return leaf
        return None

    def count(self, rev: RevisionId) -> int:
        """Return the number of nodes with this revision id: more than one if it is below different parents."""
        if len(self.leaves) == 1:
            return 0 if self.find(rev) is None else 1
        return len(self._all(rev))

    def _all(self, rev: RevisionId) -> Sequence[Revision]:
        index = self._index
        if index is not None:
            return [node for node in index.get(rev[1], ()) if node.pos == rev[0]]
        return [node for node in self.nodes() if node.pos == rev[0] and node.id == rev[1]]

    def leaves_below(self, node: Revision) -> list[Revision]:
        """Return the leaves that descend from a revision, or the revision itself if it is a leaf."""
        return [leaf for leaf in self.leaves if any(above is node for above in leaf.lineage())]

    def merge(
        self, pos: int, ids: Sequence[bytes], fill: Fill, only_as_new_leaf: bool = False
    ) -> tuple[MergeResult, Revision | None, Revision | None]:
        """Join the history ``ids`` (newest first, of generation ``pos``) to the forest.

        Return how the forest grew, the node of the newest revision, and the former leaf that it descends from, if any.
        ``fill`` is called with the node if it has no body. With ``only_as_new_leaf`` (an edit by a user, not a
        replicator) change nothing, and return no node, unless the edit extends a leaf.
        """
        path = list(reversed(ids))
        start = pos - len(path) + 1
        if not self.roots:
            return "new_leaf", self._add_root(start, path, fill), None
        place = self._meeting_point(start, path)
        if place is None:
            return "new_branch", None if only_as_new_leaf else self._add_root(start, path, fill), None
        root, node, taken = place
        if only_as_new_leaf and _growth(node, path, taken) != "new_leaf":
            return _growth(node, path, taken), None, None
        if root.pos > start:
            self._lengthen(root, start, path)
        return self._extend(node, path, taken, fill)

    def result_of(self, pos: int, ids: Sequence[bytes]) -> MergeResult:
        """Return what ``merge`` would return, without changing the forest."""
        path = list(reversed(ids))
        place = self._meeting_point(pos - len(path) + 1, path)
        if place is None:
            return "new_branch" if self.roots else "new_leaf"
        _, node, taken = place
        return _growth(node, path, taken)

    def _meeting_point(self, start: int, path: list[bytes]) -> tuple[Revision, Revision, int] | None:
        """Find the first root whose tree a history belongs to.

        Return it with the node where they meet and the number of elements of the path up to there.
        """
        if len(self.leaves) == 1 and (self.leaves[0].pos, self.leaves[0].id) == (start, path[0]):
            return self.roots[0], self.leaves[0], 1  # the usual edit: of the only leaf
        roots: Sequence[Revision]
        if self._index is None:
            roots = self.roots
        else:
            named = list(self._all((start, path[0])))
            joined = [node for ahead, id in enumerate(path) for node in self._all((start + ahead, id))]
            possible = [_root(node) for node in named] + [node for node in joined if node.parent is None]
            roots = sorted(possible, key=_KEY)
            if len(named) == 1 and roots[0] is not named[0] and roots[0] is _root(named[0]):
                return roots[0], named[0], 1
        for root in roots:
            place = _meet(root, start, path)
            if place is not None:
                return root, *place
        return None

    def _add_root(self, start: int, path: list[bytes], fill: Fill) -> Revision:
        root = Revision(start, path[0])
        leaf = _chain(root, path[1:])
        fill(leaf)
        if self.roots:
            self._set_roots(root)
        else:
            self.roots = (root,)
        self._note(leaf, root)
        self._add_leaf(leaf, None)
        return leaf

    def _lengthen(self, root: Revision, start: int, path: list[bytes]) -> None:
        """Put the earlier part of a fuller history above a root that lacked it."""
        first = Revision(start, path[0])
        parent = _chain(first, path[1 : root.pos - start])
        parent.children = (root,)
        root.parent = parent
        self._set_roots(first, root)
        self._note(parent, first)

    def _extend(
        self, node: Revision, path: list[bytes], taken: int, fill: Fill
    ) -> tuple[MergeResult, Revision, Revision | None]:
        """Follow ``path`` down from ``node`` (its element before ``taken``) and add the missing nodes."""
        while taken < len(path):
            child = _child(node, path[taken])
            if child is None:
                break
            node, taken = child, taken + 1
        if taken == len(path):
            if node.body is None:
                fill(node)
                self._set_leaves(self.leaves)
            return "internal_node", node, None
        first = Revision(node.pos + 1, path[taken], node)
        leaf = _chain(first, path[taken + 1 :])
        fill(leaf)
        replaced = None if node.children else node
        place = bisect_left(node.children, first.id, key=_ID)
        node.children = (*node.children[:place], first, *node.children[place:])
        self._note(leaf, first)
        self._add_leaf(leaf, replaced)
        return "new_branch" if replaced is None else "new_leaf", leaf, replaced

    def state(self) -> TreeState:
        """Return what ``restore`` needs to undo later changes."""
        return self.roots, self.leaves, self.deepest

    def restore(self, state: TreeState) -> None:
        """Put an earlier state back, with the nodes of its branches. Ancestors beyond a stem made since are lost."""
        roots, leaves, deepest = state
        ends = {id(root) for root in roots}
        children: dict[int, dict[bytes, Revision]] = {}
        nodes: dict[int, Revision] = {}
        kept_roots: dict[int, Revision] = {}
        for leaf in leaves:
            for node in leaf.lineage():
                known = id(node) in nodes
                nodes[id(node)] = node
                children.setdefault(id(node), {})
                if node.parent is None or id(node) in ends:
                    kept_roots[id(node)] = node
                    break
                children.setdefault(id(node.parent), {})[node.id] = node
                if known:
                    break
        for node in nodes.values():
            node.children = tuple(sorted(children[id(node)].values(), key=_ID))
        for root in kept_roots.values():
            root.parent = None
        self.roots = tuple(sorted(kept_roots.values(), key=_KEY))
        self.leaves, self.deepest = leaves, deepest
        self._reindex()

    def _set_roots(self, new: Revision, replaced: Revision | None = None) -> None:
        roots = [root for root in self.roots if root is not replaced] if replaced is not None else list(self.roots)
        insort(roots, new, key=_KEY)
        self.roots = tuple(roots)

    def _add_leaf(self, new: Revision, replaced: Revision | None) -> None:
        """Put a leaf in its place by rank, and remove the one that it extends."""
        if new.pos > self.deepest:
            self.deepest = new.pos
        if not self.leaves or (replaced is not None and len(self.leaves) == 1):
            leaves = (new,)
            self.leaves = self.roots if self.roots == leaves else leaves  # one tuple for both, for most documents
            return
        ranked = list(self.leaves)
        if replaced is not None:
            ranked.remove(replaced)
        ranked.insert(_place(ranked, new.rank()), new)
        self.leaves = tuple(ranked)
        if self._index is None and len(ranked) >= INDEXED:
            self._make_index()

    def _set_leaves(self, leaves: Sequence[Revision]) -> None:
        """Make these the leaves, in any order."""
        self.leaves = tuple(sorted(leaves, key=Revision.rank, reverse=True))
        self.deepest = max(leaf.pos for leaf in leaves)

    def _make_index(self) -> None:
        self._index, self._duplicates = {}, False
        for node in self.nodes():
            self._add_to_index(self._index, node)

    def _add_to_index(self, index: dict[bytes, list[Revision]], node: Revision) -> None:
        nodes = index.setdefault(node.id, [])
        nodes.append(node)
        self._duplicates |= len(nodes) > 1

    def _note(self, last: Revision, first: Revision) -> None:
        """Add a chain of new nodes to the index."""
        if self._index is not None:
            for node in last.lineage():
                self._add_to_index(self._index, node)
                if node is first:
                    return

    def _reindex(self) -> None:
        """Build the index again after nodes were removed or replaced."""
        self._index = None
        if len(self.leaves) >= INDEXED:
            self._make_index()

    def exceeds(self, limit: int) -> bool:
        """Return whether a branch may have more than ``limit`` revisions."""
        return self.deepest - self.roots[0].pos >= limit

    def stem(self, limit: int) -> None:
        """Keep only the newest ``limit`` revisions of each branch."""
        if not self.exceeds(limit):
            return
        if len(self.leaves) == 1 and len(self.roots) == 1:
            while self.leaves[0].pos - self.roots[0].pos >= limit:
                [child] = self.roots[0].children
                child.parent = None
                self.roots = (child,)
        elif any(leaf.pos - _root(leaf).pos >= limit for leaf in self.leaves):
            self._keep([(leaf, limit) for leaf in self.leaves])

    def _keep(self, branches: list[tuple[Revision, int]]) -> None:
        kept = {id(node) for leaf, limit in branches for node, _ in zip(leaf.lineage(), range(limit))}
        roots = []
        for node in list(self.nodes()):
            if id(node) not in kept:
                continue
            node.children = tuple([child for child in node.children if id(child) in kept])
            if node.parent is not None and id(node.parent) not in kept:
                node.parent = None
            if node.parent is None:
                roots.append(node)
        self.roots = tuple(sorted(roots, key=_KEY))
        self._reindex()

    def has_inner_bodies(self) -> bool:
        """Return whether a revision that is not a leaf has a body."""
        return any(node.children and node.body is not None for node in self.nodes())

    def forget_bodies(self) -> None:
        """Replace each inner revision that has a body by one that has none.

        The old ones stay as they are for readers that still use them.
        """
        for node in [node for node in self.nodes() if node.children and node.body is not None]:
            bare = Revision(node.pos, node.id, node.parent)
            bare.deleted, bare.seq, bare.children = node.deleted, node.seq, node.children
            for child in bare.children:
                child.parent = bare
            if node.parent is None:
                self.roots = tuple([bare if root is node else root for root in self.roots])
            else:
                siblings = node.parent.children
                node.parent.children = tuple([bare if child is node else child for child in siblings])
        self._reindex()

    def repair(self, limit: int) -> None:
        """Build the forest again if a hash occurs in it twice: histories that were apart may join."""
        if not self._has_duplicates():
            return
        branches = []
        for leaf in self.leaves:
            nodes = [node for node, _ in zip(leaf.lineage(), range(limit))]
            branches.append((nodes[-1].pos, [node.id for node in reversed(nodes)], nodes))
        branches.sort(key=lambda branch: branch[:2])
        tree = RevisionTree()
        for _, path, nodes in branches:
            tree.merge(nodes[0].pos, list(reversed(path)), partial(_fill_as_before, nodes))
        self.roots, self.leaves, self.deepest = tree.roots, tree.leaves, tree.deepest
        self._reindex()

    def _has_duplicates(self) -> bool:
        if self._index is not None:
            return self._duplicates
        seen = [node.id for node in self.nodes()]
        return len(seen) != len(set(seen))

    def remove_leaves(self, revs: Sequence[RevisionId]) -> list[RevisionId]:
        """Purge the named leaves with the parts of their branches that no other leaf shares. Return those removed.

        They are in the reverse of the order in which the real server walks its tree. If every leaf is named, nothing
        is changed: the caller removes the whole document.
        """
        gone = [leaf for leaf in self.leaves if leaf.key in revs]
        gone.sort(key=lambda leaf: [node.key for node in leaf.lineage()][::-1], reverse=True)
        if 0 < len(gone) < len(self.leaves):
            self._set_leaves([leaf for leaf in self.leaves if leaf.key not in revs])
            self._keep([(leaf, leaf.pos + 1) for leaf in self.leaves])
        return [leaf.key for leaf in gone]


def _fill_as_before(earlier: Sequence[Revision], leaf: Revision) -> None:
    """Copy bodies, flags and attachments from earlier revisions, newest first, to those of a branch built again."""
    for new, old in zip(leaf.lineage(), earlier):
        if new.body is None:
            new.body, new.deleted, new.attachments, new.seq = old.body, old.deleted, old.attachments, old.seq


def _copy(node: Revision, parent: Revision | None) -> Revision:
    copied = Revision(node.pos, node.id, parent)
    copied.deleted, copied.body, copied.attachments, copied.seq = node.deleted, node.body, node.attachments, node.seq
    return copied


def _root(node: Revision) -> Revision:
    while node.parent is not None:
        node = node.parent
    return node


def _chain(node: Revision, ids: Sequence[bytes]) -> Revision:
    """Add the ids below a node, each below the one before. Return the last node."""
    for each in ids:
        child = Revision(node.pos + 1, each, node)
        node.children = (child,)
        node = child
    return node


def _meet(root: Revision, start: int, path: list[bytes]) -> tuple[Revision, int] | None:
    """Find where a history and the tree below a root meet: the node and the number of elements of the path up to it."""
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


def _child(node: Revision, id: bytes) -> Revision | None:
    children = node.children
    place = bisect_left(children, id, key=_ID)
    return children[place] if place < len(children) and children[place].id == id else None


def _place(leaves: Sequence[Revision], rank: tuple[bool, int, bytes]) -> int:
    """Return where a leaf of this rank belongs among leaves in falling order of rank."""
    low, high = 0, len(leaves)
    while low < high:
        middle = (low + high) // 2
        if leaves[middle].rank() > rank:
            low = middle + 1
        else:
            high = middle
    return low


def _growth(node: Revision, path: list[bytes], taken: int) -> MergeResult:
    while taken < len(path):
        child = _child(node, path[taken])
        if child is None:
            return "new_branch" if node.children else "new_leaf"
        node, taken = child, taken + 1
    return "internal_node"
