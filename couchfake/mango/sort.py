"""``sort``, and the fields of an index, which are written the same way."""

from __future__ import annotations

from typing import Any

from couchfake.mango import errors

Sort = list[tuple[str, str]]
"""Field names with "asc" or "desc"."""


def parse_sort(value: Any) -> Sort:
    """From ``["a", {"b": "desc"}]``. All fields must have one direction."""
    if not isinstance(value, list):
        raise errors.invalid_sort(value)
    sort = [_sort_field(field) for field in value]
    if len({direction for _, direction in sort}) > 1:
        raise errors.mixed_sort()
    return sort


def _sort_field(field: Any) -> tuple[str, str]:
    if isinstance(field, str) and field:
        return field, "asc"
    if isinstance(field, dict) and len(field) == 1:
        ((name, direction),) = field.items()
        if direction == "asc" or direction == "desc":
            return name, direction
    raise errors.invalid_sort_field(field)
