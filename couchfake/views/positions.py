"""Where the rows of each document are in the trees of an index.

The positions are in layers of which only the uppermost is written, so a state is kept by reference: ``freeze`` costs
what was written since the last time, not what the index holds.
"""

from __future__ import annotations

from typing import TypeAlias

DocumentPositions: TypeAlias = list[list[bytes]]
"""For each tree of an index, the positions of one document's rows."""

Layers: TypeAlias = "tuple[dict[str, DocumentPositions | None], ...]"
"""Frozen positions, the newest first. None is for a document that no longer has rows."""


class Positions:
    """The positions of each document's rows, on top of frozen ones."""

    __slots__ = ("_layers",)

    def __init__(self, frozen: Layers = ()) -> None:
        self._layers: Layers = ({}, *frozen)

    def get(self, docid: str) -> DocumentPositions | None:
        for layer in self._layers:
            if docid in layer:
                return layer[docid]
        return None

    def put(self, docid: str, positions: DocumentPositions | None) -> None:
        """Set the positions of a document; None if it has no rows."""
        if positions is None and len(self._layers) == 1:
            self._layers[0].pop(docid, None)
        else:
            self._layers[0][docid] = positions

    def freeze(self) -> Layers:
        """Return what is there now. Later changes do not reach it."""
        if self._layers[0]:
            self._layers = ({}, *_merged(list(self._layers)))
        return self._layers[1:]


def _merged(layers: list[dict[str, DocumentPositions | None]]) -> Layers:
    """Join the upper layers for as long as one is not much smaller than the next, so that there are never many."""
    while len(layers) > 1 and 2 * len(layers[0]) >= len(layers[1]):
        joined = {**layers[1], **layers[0]}
        if len(layers) == 2:
            joined = {docid: positions for docid, positions in joined.items() if positions is not None}
        layers[:2] = [joined]
    return tuple(layers)
