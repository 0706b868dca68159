"""``fields``: which members of the documents found are wanted."""

from __future__ import annotations

from typing import Any

from couchfake.mango.errors import bad_request, crash
from couchfake.mango.paths import BAD_PATH, NOT_FOUND, get_path, parse_field, set_path
from couchfake.values.erlang import write_term

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
