"""The sizes that a database reports.

``external`` is what documents take as JSON without spaces; attachments count as they are stored. ``active`` and
``file`` are estimates of the bytes in a database file: this server has none.
Source: ``couch_ejson_size``, ``couch_db_updater``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from couchfake.storage.documents import Body
    from couchfake.storage.revision_tree import Revision


EMPTY_FILE = 8346
"""Bytes of the file of a database without documents."""

LEAF_OVERHEAD = 57
"""Bytes that a leaf takes in the file beside its body and attachments."""

WRITE_OVERHEAD = 400
"""Bytes of index nodes that a write of a document adds to the file."""

_BACKSLASH, _POINT, _PLUS, _MINUS = b"\\.+-"  # numbers: they are found in bytes faster than other bytes
_POINTED = re.compile(rb"[^ :,\[]*\.[^,\]}]*")  # finds the same numbers in less time, if they have no exponents
_FRACTION = re.compile(rb"-?[0-9]+(?:\.[0-9]+(?:e[+-]?[0-9]+)?|e[+-]?[0-9]+)")


def text_size(text: bytes) -> int | None:
    """Return the size of a value from its JSON text, or None if the text has escapes and the value has to be read."""
    if _BACKSLASH in text:
        return None
    size = len(text)
    has_exponents = (_PLUS in text and b"e+" in text) or (_MINUS in text and b"e-" in text)
    if has_exponents or _POINT in text:
        outside = b" ".join(text.split(b'"')[::2])  # what is not in strings
        for number in (_FRACTION if has_exponents else _POINTED).findall(outside):
            size += float_size(float(number)) - len(number)
    return size


def json_size(value: Any) -> int:
    """Return the size of a JSON value. Numbers with a fraction count by rule of thumb, as in the real server."""
    size = 0
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            size += 2 + len(value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, dict):
            size += 1 + 2 * len(value) if value else 2
            rest += value
            rest += value.values()
        elif isinstance(value, list):
            size += 1 + len(value) if value else 2
            rest += value
        elif isinstance(value, float):
            size += float_size(value)
        elif value is None or value is True:
            size += 4
        else:
            size += 5 if value is False else len(str(value))
    return size


def float_size(value: float) -> int:
    """Return the size of a number with a fraction by the real server's rule of thumb."""
    if 1 <= value < 1e10:
        return 3
    if value < 0:
        return 1 + float_size(-value)
    if value >= 1:
        return 5 if value >= 1e100 else 4
    if value <= 1e-300 or value > 0.01:
        return 3
    return 6 if value <= 1e-100 else 5 if value <= 1e-10 else 4


MOST_UNCOUNTED = 20_000
"""How many leaves may wait to be counted."""


class LeafSizes:
    """The sum of the sizes of a database's leaves.

    A leaf is counted when the sum is read, which few tests do. So that this is quick in a database of any size, leaves
    beyond the first ``MOST_UNCOUNTED`` are counted at once. Leaves are the same if they share their body: a snapshot
    has copies of them.
    """

    __slots__ = ("_counted", "_uncounted")

    def __init__(self, leaves: Iterable[Revision] = ()) -> None:
        self._counted = 0
        self._uncounted: dict[Body | None, Revision] = {}
        self.replace((), leaves)

    def add(self, leaf: Revision, replaced: Revision | None) -> None:
        """Note a new leaf, and the leaf that it extends."""
        if replaced is not None:
            self._remove(replaced)
        if len(self._uncounted) < MOST_UNCOUNTED:
            self._uncounted[leaf.body] = leaf
        else:
            self._counted += leaf.size()

    def replace(self, leaves: Iterable[Revision], new: Iterable[Revision]) -> None:
        """Note that leaves of a document are replaced by others, or removed."""
        for leaf in leaves:
            self._remove(leaf)
        for leaf in new:
            self.add(leaf, None)

    def _remove(self, leaf: Revision) -> None:
        if self._uncounted.pop(leaf.body, None) is None:
            self._counted -= leaf.size()

    def total(self) -> int:
        """Return the sum in bytes."""
        if self._uncounted:
            counted = self._counted + sum(leaf.size() for leaf in self._uncounted.values())
            self._counted, self._uncounted = counted, {}
        return self._counted
