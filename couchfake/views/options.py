"""What a query of a view may ask, from query strings and from JSON bodies.

``_all_docs``, ``_design_docs``, ``_local_docs`` and lists take the same parameters; they read them with ``of_query``
and ``of_body`` and look at what concerns them. Names, defaults and the texts of errors are the server's.
Source: CouchDB documentation, "/{db}/_design/{ddoc}/_view/{view}", and ``couch_mrview_http``, ``couch_mrview_util``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from couchfake.errors import QueryParseError, ServerError
from couchfake.storage.partitions import check_partition
from couchfake.values.erlang import INTEGER, format_term
from couchfake.values.json import read_json
from couchfake.views.keys import MISSING

MAX_LIMIT: Final = 576460752303423487
"""What ``limit`` may be at most where the configuration sets no other bound."""


Update: TypeAlias = Literal[True, False, "lazy"]


@dataclass(frozen=True)
class ViewOptions:
    """The parameters of one query. ``MISSING`` keys were not given; ``keys`` is None if it was not.

    One key in ``keys`` is the same as ``key`` to a view, and sets ``start_key`` and ``end_key``; ``all_keys``
    has what was given as ``keys``, for ``_all_docs`` and its kin, which make the difference.
    """

    start_key: Any = MISSING
    end_key: Any = MISSING
    start_key_docid: str | None = None
    end_key_docid: str | None = None
    keys: Any = None
    all_keys: Any = None
    limit: int | None = None
    skip: int = 0
    descending: bool = False
    inclusive_end: bool = True
    reduce: bool | None = None
    group: bool | None = None
    group_level: int | None = None
    include_docs: bool = False
    conflicts: bool | None = None
    attachments: bool = False
    att_encoding_info: bool = False
    update: Update = True
    stable: bool = False
    update_seq: bool = False
    sorted: bool = True
    partition: str | None = None


def of_query(pairs: Iterable[tuple[str, str]], base: ViewOptions | None = None) -> ViewOptions:
    """Read the pairs of a query string, in order, upon ``base``: later ones win, unknown ones count for nothing.

    Errors: QueryParseError for values of the wrong type, BadRequest for keys that are not JSON.
    """
    changes: dict[str, Any] = {}
    for name, value in pairs:
        read = _QUERY.get(name)
        if read is not None:
            changes.update(read(value))
    return _changed(base, changes)


def of_body(members: Mapping[str, Any], base: ViewOptions | None = None) -> ViewOptions:
    """Read the members of a JSON body in the same way; keys are JSON values there, texts are read as elsewhere."""
    changes: dict[str, Any] = {}
    for name, value in members.items():
        read = _BODY.get(name)
        if read is not None:
            changes.update(read(value))
    return _changed(base, changes)


def _changed(base: ViewOptions | None, changes: dict[str, Any]) -> ViewOptions:
    if base is None:
        return ViewOptions(**changes)
    return replace(base, **changes) if changes else base


def of_one_query(members: Mapping[str, Any], base: ViewOptions) -> ViewOptions:
    """One of the ``queries`` of a request whose query string gave ``base``; grouping and keys are each one's own."""
    return of_body(members, replace(base, keys=None, all_keys=None, group=None, group_level=None))


def group_level(options: ViewOptions) -> int | None:
    """How many parts of array keys make a group: 0 for all rows in one, None for whole keys."""
    if options.group is False and (options.group_level or 0) > 0:
        raise QueryParseError("Can't specify group=false and group_level>0 at the same time")
    if options.group_level is None:
        return None if options.group else 0
    return options.group_level


def bounded(options: ViewOptions, bound: int = MAX_LIMIT) -> ViewOptions:
    """Return the options with the configured limit if they have none. Refuse a higher one.

    ``bound`` is ``query_limit`` or ``partition_query_limit``.
    """
    if options.limit is None:
        return options if bound == MAX_LIMIT else replace(options, limit=bound)
    if options.limit > bound:
        raise QueryParseError(f"Limit is too large, must not exceed {bound}")
    return options


def check(options: ViewOptions, reducing: bool) -> None:
    """Refuse what does not go together. ``reducing``: the query is answered by a reduce function."""
    level = group_level(options)
    if options.reduce and not reducing:
        raise QueryParseError("Reduce is invalid for map-only views.")
    if reducing and level is not None and isinstance(options.keys, list):
        raise QueryParseError("Multi-key fetches for reduce views must use `group=true`")
    if options.keys is not None and not isinstance(options.keys, list):
        raise QueryParseError("`keys` must be an array of strings.")
    if options.keys and not (options.start_key is MISSING and options.end_key is MISSING):
        raise QueryParseError("`keys` is incompatible with `key`, `start_key` and `end_key`")
    if not reducing and level != 0:
        raise QueryParseError("Invalid use of grouping on a map view.")
    if reducing and options.include_docs:
        raise QueryParseError("`include_docs` is invalid for reduce")
    if reducing and options.conflicts is not None:
        raise QueryParseError("`conflicts` is invalid for reduce views.")


def check_all_docs(options: ViewOptions) -> None:
    """The same for ``_all_docs`` and its kin. ``all_keys`` must be a list or None by now: its error texts differ."""
    check(replace(options, keys=None), reducing=False)
    keys, ends = options.all_keys, (options.start_key, options.end_key)
    if keys and ends != (MISSING, MISSING) and [*ends] != [*keys, *keys]:  # one key is both ends
        raise QueryParseError("`keys` is incompatible with `key`, `start_key` and `end_key`")


def quoted(text: str) -> str:
    """A text as Erlang writes the list of its bytes: ``"x"``, ``[]``, or the bytes where not all are printable."""
    codes = text.encode("utf-8", "surrogateescape")
    if not codes:
        return "[]"
    if all(32 <= code < 127 or code >= 160 or code in _ESCAPES for code in codes):
        inner = "".join(_ESCAPES.get(code, chr(code)) for code in codes)
        return '"' + inner.encode("latin-1").decode("utf-8", "replace") + '"'
    return "[" + ",".join(map(str, codes)) + "]"


_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 27: "\\e", 34: '\\"', 92: "\\\\"}


def _text_boolean(text: str) -> bool:
    found = {"true": True, "false": False}.get(text.lower())
    if found is None:
        raise QueryParseError(f"Invalid boolean parameter: {quoted(text)}")
    return found


def _json_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text_boolean(value)
    if isinstance(value, (int, list)):
        raise QueryParseError(f"Invalid boolean parameter: {format_term(value)}")
    raise ServerError("function_clause")


def _text_integer(text: str) -> int:
    try:
        number = int(text) if INTEGER.fullmatch(text) else None
    except ValueError:  # more digits than Python reads
        number = None
    if number is None:
        raise QueryParseError(f"Invalid value for integer: {quoted(text)}")
    if number < 0:
        raise QueryParseError(f"Invalid value for positive integer: {quoted(text)}")
    return number


def _json_integer(value: Any) -> int:
    if type(value) is not int:
        raise QueryParseError(f"Invalid value for integer: {format_term(value)}")
    if value < 0:
        raise QueryParseError(f"Invalid value for positive integer: {value}")
    return value


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else format_term(value)


_Read: TypeAlias = Callable[[Any], dict[str, Any]]


def _into(name: str, read: Callable[[Any], Any]) -> _Read:
    return lambda value: {name: read(value)}


def _key(read: Callable[[Any], Any]) -> _Read:
    def into_both(value: Any) -> dict[str, Any]:
        key = read(value)
        return {"start_key": key, "end_key": key}

    return into_both


def _keys(read: Callable[[Any], Any]) -> _Read:
    def keys(value: Any) -> dict[str, Any]:
        given = read(value)
        if isinstance(given, list) and len(given) == 1:
            return {"keys": None, "all_keys": given, "start_key": given[0], "end_key": given[0]}
        return {"keys": _NULL if given is None else given, "all_keys": _NULL if given is None else given}

    return keys


class _Null:
    """``keys=null``, which is not an array; None means that there were no keys."""

    def __repr__(self) -> str:
        return "null"


_NULL = _Null()


def _flag(name: str, read: Callable[[Any], bool]) -> _Read:
    """A flag that can be put up, not taken back."""
    return lambda value: {name: True} if read(value) else {}


def _stale(value: Any) -> dict[str, Any]:
    if value in ("ok", "update_after"):
        return {"stable": True, "update": False if value == "ok" else "lazy"}
    raise QueryParseError("Invalid value for `stale`.")


def _word(name: str, words: Mapping[str, Any]) -> _Read:
    def read(value: Any) -> dict[str, Any]:
        if isinstance(value, bool) and value in words.values():
            return {name: value}
        if isinstance(value, str) and value in words:
            return {name: words[value]}
        raise QueryParseError(f"Invalid value for `{name}`.")

    return read


def _readers(
    json_value: Callable[[Any], Any], boolean: Callable[[Any], bool], integer: Callable[[Any], int]
) -> dict[str, _Read]:
    return {
        "key": _key(json_value),
        "keys": _keys(json_value),
        **dict.fromkeys(("startkey", "start_key"), _into("start_key", json_value)),
        **dict.fromkeys(("endkey", "end_key"), _into("end_key", json_value)),
        **dict.fromkeys(("startkey_docid", "start_key_doc_id"), _into("start_key_docid", _to_text)),
        **dict.fromkeys(("endkey_docid", "end_key_doc_id"), _into("end_key_docid", _to_text)),
        "limit": _into("limit", integer),
        "skip": _into("skip", lambda value: min(integer(value), MAX_LIMIT)),  # beyond all rows in any case
        "group_level": _into("group_level", integer),
        "stale": _stale,
        "stable": _word("stable", {"true": True, "false": False}),
        "update": _word("update", {"true": True, "false": False, "lazy": "lazy"}),
        "attachments": _flag("attachments", boolean),
        "att_encoding_info": _flag("att_encoding_info", boolean),
        "partition": _into("partition", lambda value: check_partition(_to_text(value))),
        **{
            name: _into(name, boolean)
            for name in (
                "descending",
                "inclusive_end",
                "reduce",
                "group",
                "include_docs",
                "conflicts",
                "update_seq",
                "sorted",
            )
        },
    }


_QUERY: Final[Mapping[str, _Read]] = _readers(read_json, _text_boolean, _text_integer)
_BODY: Final[Mapping[str, _Read]] = _readers(lambda value: value, _json_boolean, _json_integer)
