"""Revision trees of documents: as text and as a picture, and made as replication between servers would have made them.

    tree = fake.revision_tree("shop", "tea")
    print(tree)
    tree.svg()

Text, from the oldest revision on, the winner marked with ``*``:

    tea
    └─ 1-967a00
       ├─ 2-7051cb  *
       └─ 2-91a3d4  conflict

Conflicts and other trees:

    fake.conflict("shop", "tea", {"price": 3}, {"price": 4}, base={"price": 2})
    fake.grow("shop", "tea", [{"n": 1}, [{"n": 2}, {"n": 3}], {"n": 4}, None])

A branch is a body, None for a deletion, or a list: a revision's body followed by the branches that start from it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from couchfake.storage.revision_ids import format_rev, revision_hash

SHORT = 6  # characters of a hash that are shown


@dataclass
class TreeRevision:
    """One revision. ``state``: ``winner``, ``conflict``, ``deleted``, ``stored`` or ``missing`` (its body is gone)."""

    rev: str
    state: str = "missing"
    body: dict[str, Any] | None = field(default=None, repr=False)
    children: list[TreeRevision] = field(default_factory=list, repr=False)

    @property
    def generation(self) -> int:
        return int(self.rev.partition("-")[0])

    @property
    def short(self) -> str:
        """The revision with a short hash."""
        generation, _, digest = self.rev.partition("-")
        return f"{generation}-{digest[:SHORT]}"

    @property
    def label(self) -> str:
        """The revision and its state, for a drawing."""
        return {"winner": "*", "stored": "", "deleted": "deleted", "missing": "missing"}.get(self.state, self.state)

    def walk(self) -> Iterator[TreeRevision]:
        """This revision and all that follow from it; a parent comes before its children."""
        waiting = [self]
        while waiting:
            each = waiting.pop()
            yield each
            waiting.extend(reversed(each.children))


class RevisionTree:
    """The revisions of one document: a forest, since old ancestors may be cut off."""

    def __init__(self, docid: str, roots: list[TreeRevision]) -> None:
        self.docid = docid
        self.roots = roots

    @classmethod
    def of_leaves(cls, docid: str, leaves: Iterable[Mapping[str, Any]], stored: Iterable[str] = ()) -> RevisionTree:
        """Build it from documents, as ``GET /db/docid?open_revs=all&revs=true`` returns them.

        ``stored``: further revisions whose bodies are available.
        """
        found: dict[str, TreeRevision] = {}
        roots: dict[str, TreeRevision] = {}
        documents = list(leaves)
        for document in documents:
            start, ids = document["_revisions"]["start"], document["_revisions"]["ids"]
            parent: TreeRevision | None = None
            for place in range(len(ids) - 1, -1, -1):
                rev = f"{start - place}-{ids[place]}"
                revision = found.get(rev)
                if revision is None:
                    revision = found[rev] = TreeRevision(rev)
                    if parent is None:
                        roots[rev] = revision
                    else:
                        parent.children.append(revision)
                elif parent is not None and rev in roots:  # a longer history of the same branch
                    del roots[rev]
                    parent.children.append(revision)
                parent = revision
        for rev in stored:
            if rev in found:
                found[rev].state = "stored"
        _name_leaves(documents, found)
        heights: dict[str, int] = {}
        for revision in sorted(found.values(), key=lambda each: -each.generation):
            heights[revision.rev] = max([revision.generation, *(heights[each.rev] for each in revision.children)])
            revision.children.sort(key=lambda each: (-heights[each.rev], each.rev))
        return cls(docid, sorted(roots.values(), key=lambda each: (each.generation, each.rev)))

    def __iter__(self) -> Iterator[TreeRevision]:
        for root in self.roots:
            yield from root.walk()

    @property
    def winner(self) -> TreeRevision | None:
        """The leaf that a GET of the document returns, unless it is deleted."""
        return next((each for each in self if each.state == "winner"), None)

    @property
    def conflicts(self) -> list[TreeRevision]:
        """The leaves that are neither deleted nor the winner."""
        return [each for each in self if each.state == "conflict"]

    def __str__(self) -> str:
        lines = [self.docid]
        waiting = [(root, "", root is self.roots[-1]) for root in reversed(self.roots)]
        while waiting:
            revision, indent, last = waiting.pop()
            lines.append(f"{indent}{'└─' if last else '├─'} {revision.short}  {revision.label}".rstrip())
            below = indent + ("   " if last else "│  ")
            waiting += [(each, below, each is revision.children[-1]) for each in reversed(revision.children)]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return the tree for JSON: ``id``, and ``revisions`` with ``rev``, ``parent``, ``state`` and ``body``."""
        parents = {child.rev: each.rev for each in self for child in each.children}
        revisions = [
            {"rev": each.rev, "parent": parents.get(each.rev), "state": each.state, "body": each.body} for each in self
        ]
        return {"id": self.docid, "revisions": revisions}

    def __repr__(self) -> str:
        return f"<revision tree of {self.docid!r}: {sum(1 for _ in self)} revisions, {len(self.conflicts)} conflicts>"

    def svg(self) -> str:
        """Return a picture as an SVG document: generations from left to right, a line for each branch."""
        return _svg(self)

    def _repr_html_(self) -> str:
        return self.svg()


def _name_leaves(documents: list[Mapping[str, Any]], found: Mapping[str, TreeRevision]) -> None:
    def rank(document: Mapping[str, Any]) -> tuple[bool, int, str]:
        generation, _, digest = document["_rev"].partition("-")
        return not document.get("_deleted", False), int(generation), digest

    for place, document in enumerate(sorted(documents, key=rank, reverse=True)):
        revision = found[document["_rev"]]
        revision.body = {name: value for name, value in document.items() if name != "_revisions"}
        if document.get("_deleted", False):
            revision.state = "deleted"
        else:
            revision.state = "winner" if place == 0 else "conflict"


# --- pictures

_STEP, _ROW, _RADIUS, _MARGIN, _SIDE = 150, 48, 9, 16, 70
_COLOURS = {"winner": "#2e7d32", "conflict": "#c62828", "deleted": "#757575", "stored": "#1565c0", "missing": "none"}


def _svg(tree: RevisionTree) -> str:
    places: dict[int, tuple[int, int]] = {}
    rows = 0
    first = min((root.generation for root in tree.roots), default=1)
    lines: list[str] = []
    shapes: list[str] = []
    widest = 0
    for root in tree.roots:
        waiting: list[tuple[TreeRevision, TreeRevision | None, bool]] = [(root, None, True)]
        while waiting:
            revision, parent, continues = waiting.pop()
            if not continues or parent is None:
                rows += 1
            x = _SIDE + (revision.generation - first) * _STEP
            y = (rows - 1) * _ROW + _MARGIN if not (parent and continues) else places[id(parent)][1]
            places[id(revision)] = x, y
            widest = max(widest, x)
            if parent is not None:
                lines.append(_edge(*places[id(parent)], x, y))
            shapes.append(_shape(revision, x, y))
            waiting += [(each, revision, n == 0) for n, each in reversed(list(enumerate(revision.children)))]
    width, height = widest + _SIDE, rows * _ROW
    title = html.escape(f"Revisions of {tree.docid}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" font-family="monospace" font-size="11"><title>{title}</title>{"".join(lines + shapes)}</svg>'
    )


def _edge(x1: int, y1: int, x2: int, y2: int) -> str:
    middle = x1 + (x2 - x1) // 2
    return f'<path d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" stroke="#888" stroke-width="1.5"/>'


def _shape(revision: TreeRevision, x: int, y: int) -> str:
    dashed = ' stroke-dasharray="3 2"' if revision.state == "missing" else ""
    label = html.escape(f"{revision.short} {'winner' if revision.state == 'winner' else revision.label}".strip())
    return (
        f'<g data-rev="{html.escape(revision.rev)}"><circle cx="{x}" cy="{y}" r="{_RADIUS}"'
        f' fill="{_COLOURS[revision.state]}" stroke="#555"{dashed}/>'
        f'<text x="{x}" y="{y + 22}" text-anchor="middle" fill="currentColor">{label}</text></g>'
    )


# Making trees.

Branch = Mapping[str, Any] | Sequence[Any] | None


def conflict_branch(bodies: Sequence[Mapping[str, Any] | None], base: Mapping[str, Any] | None) -> list[Any]:
    """Return the branches of a document whose leaves have these bodies and, with ``base``, one parent.

    Raise ValueError for fewer than two bodies, or for two that are equal: they would be one revision.
    """
    if len(bodies) < 2:
        raise ValueError("a conflict has at least two bodies")
    if any(bodies[n] == bodies[m] for n in range(len(bodies)) for m in range(n)):
        raise ValueError("two equal bodies are one revision, not a conflict")
    return [[base, *bodies]] if base is not None else list(bodies)


def documents_of(docid: str, branches: Sequence[Branch]) -> list[dict[str, Any]]:
    """Return every revision of a document's branches, for ``_bulk_docs`` with ``new_edits: false``.

    Parents come before their children. Revision ids are those that a server makes for the same edits.
    """
    return [document for branch in branches for document in _revisions(docid, branch)]


def _revisions(docid: str, branch: Branch) -> Iterator[dict[str, Any]]:
    waiting: list[tuple[Branch, list[str]]] = [(branch, [])]
    while waiting:
        each, history = waiting.pop()
        body, children = _body_and_children(each)
        if body is not None and not isinstance(body, Mapping):
            raise ValueError(f"a revision must be a dict, or None for a deletion, not {body!r}")
        own = {name: value for name, value in (body or {}).items() if not name.startswith("_")}
        deleted = body is None or bool(body.get("_deleted", False))
        parent = (len(history), bytes.fromhex(history[0])) if history else None
        ids = [revision_hash(deleted, parent, own), *history]
        rev = format_rev((len(ids), bytes.fromhex(ids[0])))
        document = {"_id": docid, "_rev": rev, "_revisions": {"start": len(ids), "ids": ids}, **own}
        yield {**document, "_deleted": True} if deleted else document
        waiting += [(child, ids) for child in reversed(children)]


def _body_and_children(branch: Any) -> tuple[Any, Sequence[Any]]:
    if isinstance(branch, Sequence) and not isinstance(branch, (str, bytes)) and branch:
        return branch[0], branch[1:]
    return branch, ()
