"""``external`` sizes: what documents take as JSON without spaces. Numbers with a fraction count by rule of thumb.

Source: ``couch_ejson_size``.
"""

from __future__ import annotations

from typing import Any

from couchfake.storage.documents import DocumentEntry
from couchfake.storage.revision_tree import Revision


def external_size(entry: DocumentEntry) -> int:
    """The bodies and attachments of a document's leaves."""
    return sum(map(leaf_size, entry.leaves()))


def leaf_size(leaf: Revision) -> int:
    return (json_size(leaf.body.value) if leaf.body else 0) + sum(each.length for each in leaf.attachments)


def json_size(value: Any) -> int:
    """The size of one JSON value."""
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
            size += (value < 0) + _float_size(abs(value))
        elif value is None or value is True:
            size += 4
        else:
            size += 5 if value is False else len(str(value))
    return size


def _float_size(value: float) -> int:
    if value >= 1:
        return 5 if value >= 1e100 else 4 if value >= 1e10 else 3
    if value <= 1e-300 or value > 0.01:
        return 3
    return 6 if value <= 1e-100 else 5 if value <= 1e-10 else 4
