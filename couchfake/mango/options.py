"""The bodies of Mango's requests, checked as the server checks them.

Members are checked in the server's order, whatever their order in the body; members that remain at the end are
refused. Source: CouchDB documentation, "/{db}/_find", and the server's ``mango_opts``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from couchfake.mango import errors
from couchfake.mango.errors import bad_request, unknown_error
from couchfake.mango.selector import Fields, Selector, normalise, parse_fields
from couchfake.storage.partitions import check_partition
from couchfake.values.erlang import write_term

DEFAULT_LIMIT = 25

Sort = list[tuple[str, str]]
"""Field names with "asc" or "desc"."""


@dataclass(frozen=True)
class FindOptions:
    """A query. ``selector`` is normalised; ``bookmark`` None for the first page; ``partition`` "" for all."""

    selector: Selector
    use_index: list[str]
    bookmark: str | None
    limit: int
    skip: int
    sort: Sort
    fields: Fields
    partition: str
    r: int
    conflicts: bool
    stale: bool
    update: bool
    stable: bool
    execution_stats: bool
    allow_fallback: bool

    def to_json(self) -> dict[str, Any]:
        """``opts`` in the answer of ``_explain``."""
        return {
            "use_index": self.use_index,
            "bookmark": "nil" if self.bookmark is None else self.bookmark,
            "limit": self.limit,
            "skip": self.skip,
            "sort": dict(self.sort),
            "fields": self.fields or [],
            "partition": self.partition,
            "r": self.r,
            "conflicts": self.conflicts,
            "stale": "ok" if self.stale else False,
            "update": self.update,
            "stable": self.stable,
            "execution_stats": self.execution_stats,
            "allow_fallback": self.allow_fallback,
        }


@dataclass(frozen=True)
class IndexOptions:
    """A request for an index. ``given`` are all options as the server names them, defaults included."""

    index: Any
    type: str
    name: str | None
    ddoc: str | None
    partitioned: bool | None
    given: dict[str, Any]


class Auto:
    """An Erlang atom among option values: a default that is resolved later."""

    def __init__(self, atom: str) -> None:
        self.atom = atom


AUTO_NAME = Auto("auto_name")
DB_DEFAULT = Auto("db_default")
_REQUIRED = object()
_Check = Callable[[Any], Any]
_Spec = Sequence[tuple[str, Any, _Check]]
"""Name, default (or ``_REQUIRED``), check: from the value sent to the value meant."""


def parse_find(body: dict[str, Any], default_limit: int = DEFAULT_LIMIT) -> FindOptions:
    """The body of ``_find`` and ``_explain``."""
    checked = _checked(body, _FIND_SPEC)
    if checked["limit"] is None:
        checked["limit"] = default_limit
    return FindOptions(**checked)


def parse_index(body: dict[str, Any]) -> IndexOptions:
    """The body of ``POST _index``."""
    given = _checked(body, _INDEX_SPEC)
    return IndexOptions(
        index=given["index"],
        type=given["type"],
        name=None if given["name"] is AUTO_NAME else given["name"],
        ddoc=None if given["ddoc"] is AUTO_NAME else given["ddoc"],
        partitioned=None if given["partitioned"] is DB_DEFAULT else given["partitioned"],
        given=given,
    )


def parse_definition(index: Any) -> tuple[Sort, Selector]:
    """``index`` in the body of ``POST _index``: the fields and the partial filter."""
    if not isinstance(index, dict):
        raise bad_request("invalid_index", f"JSON indexes must be an object, not: {write_term(index)}")
    checked = _checked(index, _DEFINITION_SPEC)
    return checked["fields"], checked["partial_filter_selector"]


def parse_bulk_delete(body: dict[str, Any]) -> list[Any]:
    """The body of ``_index/_bulk_delete``: ``docids``."""
    docids: list[Any] = _checked(body, _BULK_DELETE_SPEC)["docids"]
    if not all(isinstance(docid, str) for docid in docids):
        raise errors.crash("badarg")
    return docids


def _checked(body: dict[str, Any], spec: _Spec) -> dict[str, Any]:
    remaining = dict(body)
    values = {}
    for name, default, check in spec:
        if name not in remaining and default is _REQUIRED:
            raise bad_request("missing_required_key", f"Missing required key: {name}")
        values[name] = check(remaining.pop(name)) if name in remaining else default
    for name in remaining:
        raise bad_request("invalid_key", f"Invalid key {name} for this request.")
    return values


# ---- checks


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise bad_request("invalid_boolean", f"Invalid boolean value: {write_term(value)}")
    return value


def _positive(value: Any) -> int:
    if type(value) is not int or value <= 0:
        raise bad_request("invalid_pos_integer", f"{write_term(value)} is not an integer greater than zero")
    return value


def _not_negative(value: Any) -> int:
    if type(value) is not int or value < 0:
        reason = f"{write_term(value)} is not an integer greater than or equal to zero"
        raise bad_request("invalid_non_neg_integer", reason)
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise bad_request("invalid_string", f"Invalid string: {write_term(value)}")
    return value


def _name(value: Any) -> str:
    if value == "":
        raise bad_request("invalid_empty_string", "Index name or ddoc cannot be empty string")
    return _string(value)


def _selector(value: Any) -> Selector:
    if not isinstance(value, dict):
        raise bad_request("invalid_selector_json", f"Selector must be a JSON object, not: {write_term(value)}")
    return normalise(value)


def _use_index(value: Any) -> list[str]:
    """``"ddoc"``, ``"ddoc/name"``, ``["ddoc"]``, ``["ddoc", "name"]``; ``_design/`` may precede ddoc."""
    if value is None:
        return []
    parts = value
    if isinstance(value, str):
        parts = value.split("/")
        if len(parts) > 1 and parts[0] == "_design":
            parts = parts[1:]
    if not isinstance(parts, list) or len(parts) > 2 or not all(isinstance(part, str) for part in parts):
        raise bad_request("invalid_index_name", f"Invalid index name: {write_term(value)}")
    return parts


def _bookmark(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise unknown_error("mango_opts", "invalid_bookmark", value)
    return value


def _stale(value: Any) -> bool:
    if value == "ok":
        return True
    if value is False or value == "false":
        return False
    raise unknown_error("mango_opts", "invalid_ok_or_false_value", value)


def _partitioned(value: Any) -> bool:
    if not isinstance(value, bool):
        raise unknown_error("mango_opts", "invalid_partitioned_value", value)
    return value


def _docids(value: Any) -> list[Any]:
    if not isinstance(value, list):
        reason = f"Bulk Delete requires an array of non-null docids. Docids: {write_term(value)}"
        raise bad_request("invalid_bulk_docs", reason)
    for docid in value:
        _use_index(docid)
    return value


def _partition(value: Any) -> str:
    return "" if value == "" else check_partition(value)


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


_FIND_SPEC: _Spec = (
    ("selector", _REQUIRED, _selector),
    ("use_index", [], _use_index),
    ("bookmark", None, _bookmark),
    ("limit", None, _not_negative),
    ("skip", 0, _not_negative),
    ("sort", [], parse_sort),
    ("fields", None, parse_fields),
    ("partition", "", _partition),
    ("r", 1, _positive),
    ("conflicts", False, _boolean),
    ("stale", False, _stale),
    ("update", True, _boolean),
    ("stable", False, _boolean),
    ("execution_stats", False, _boolean),
    ("allow_fallback", True, _boolean),
)
_INDEX_SPEC: _Spec = (
    ("index", _REQUIRED, lambda value: value),
    ("type", "json", _string),
    ("name", AUTO_NAME, _name),
    ("ddoc", AUTO_NAME, _name),
    ("w", 2, _positive),
    ("partitioned", DB_DEFAULT, _partitioned),
)
_DEFINITION_SPEC: _Spec = (
    ("fields", _REQUIRED, parse_sort),
    ("partial_filter_selector", {}, _selector),
)
_BULK_DELETE_SPEC: _Spec = (
    ("docids", _REQUIRED, _docids),
    ("w", 2, _positive),
)
