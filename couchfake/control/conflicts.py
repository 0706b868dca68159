"""Conflicts and other revision trees, as replication between servers would have made them.

    fake.conflict("shop", "tea", {"price": 3}, {"price": 4}, base={"price": 2})
    fake.grow("shop", "tea", [{"n": 1}, [{"n": 2}, {"n": 3}], {"n": 4}, None])

A branch is a body, None for a deletion, or a list: a revision's body followed by the branches that start from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from couchfake.storage.revision_ids import format_rev, revision_hash

Branch = Mapping[str, Any] | Sequence[Any] | None


def conflict_branch(bodies: Sequence[Mapping[str, Any] | None], base: Mapping[str, Any] | None) -> list[Any]:
    """Return the branches of a document whose leaves have these bodies and, with ``base``, one parent.

    Raise ValueError for fewer than two bodies, or for two that are equal: they would be one revision.
    """
    if len(bodies) < 2:
        raise ValueError("a conflict has at least two bodies")
    if any(bodies[n] == bodies[m] for n in range(len(bodies)) for m in range(n)):
        raise ValueError("two equal bodies are one revision, and no conflict")
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
            raise ValueError(f"a revision is a dict, or None for a deletion, not {body!r}")
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
