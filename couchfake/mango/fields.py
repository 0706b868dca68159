"""Names of fields inside documents, and ``fields``: which of the found documents' members are wanted.

``a.b`` is member b of member a, ``a.0`` the first element, ``a\\.b`` one name.
"""

from __future__ import annotations

import re
from typing import Any, Final

from couchfake.mango.errors import bad_request, crash, invalid_field_name
from couchfake.values.erlang import INTEGER, read_integer, write_term


class Absent:
    """The result of a path that leads to no value."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


NOT_FOUND: Final[Any] = Absent("NOT_FOUND")
"""An object on the way has no such member."""

BAD_PATH: Final[Any] = Absent("BAD_PATH")
"""The path leads into a value without members, or past the end of an array."""

_DOT = re.compile(r"(?<!\\)\.")


def parse_field(field: str) -> tuple[str, ...]:
    """Split a name at its dots. A backslash before a dot keeps it; all backslashes are dropped then."""
    parts = _DOT.split(field) if "\\" in field else field.split(".")
    if not all(parts):
        raise invalid_field_name(field)
    return tuple(part.replace("\\", "") for part in parts)


def get_path(value: Any, path: tuple[str, ...]) -> Any:
    """Return the value at the end of a path, ``NOT_FOUND`` or ``BAD_PATH``."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name, NOT_FOUND)
            if value is NOT_FOUND:
                return NOT_FOUND
        elif isinstance(value, list):
            position = _position(name, len(value))
            if position is None:
                return BAD_PATH
            value = value[position]
        else:
            return BAD_PATH
    return value


def _position(name: str, length: int) -> int | None:
    if not INTEGER.fullmatch(name):
        return None
    position = read_integer(name)
    return position if 0 <= position < length else None


def set_path(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the value at the end of a path. Objects on the way are created; existing ones are copied.

    An array on the way is not changed: it was set as a whole.
    """
    *way, last = path
    for name in way:
        inner = document.get(name)
        if isinstance(inner, list):
            return
        inner = dict(inner) if isinstance(inner, dict) else {}
        document[name] = inner
        document = inner
    document[last] = value


Fields = list[Any] | None
"""Names as they were sent; None for whole documents."""


def parse_fields(value: Any) -> Fields:
    if not isinstance(value, list):
        raise bad_request("invalid_fields", f"Fields must be an array of strings, not: {write_term(value)}")
    for field in value:
        # Objects pass here, and break the query before anything is searched.
        if not isinstance(field, (str, dict)):
            raise bad_request("invalid_field", f"Invalid JSON for field spec: {write_term(field)}")
    return value or None


class Projection:
    """The wanted members of a document, in the order in which they were named; elements come as members."""

    def __init__(self, fields: list[Any]) -> None:
        self._fields = fields
        self._paths: list[tuple[str, ...]] | None = None
        self._plain = all(isinstance(field, str) and field and not set(field) & {".", "\\"} for field in fields)

    def extract(self, document: dict[str, Any]) -> dict[str, Any]:
        if self._plain:
            return {field: document[field] for field in self._fields if field in document}
        if self._paths is None:
            self._paths = [parse_name(field) for field in self._fields]
        wanted: dict[str, Any] = {}
        for path in self._paths:
            value = get_path(document, path)
            if value is not NOT_FOUND and value is not BAD_PATH:
                set_path(wanted, path, value)
        return wanted


def parse_name(field: Any) -> tuple[str, ...]:
    """Return the path of a name in ``fields``. Raise a CouchError if it is not a name, as the server does (500)."""
    if not isinstance(field, str):
        raise crash("function_clause")
    return parse_field(field)
