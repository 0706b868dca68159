"""Fields and selectors: how fields are named, which of them an answer has, and selectors in their normalised form.

``a.b`` is member b of member a, ``a.0`` the first element, ``a\\.b`` one name.

In a selector as clients send it much is implied: several members mean ``$and``, a bare value ``$eq``, nested objects
join into dotted names. ``normalise`` writes all of it out, so that code that reads selectors meets one form only:
objects of one member, ``{"$and": […]}``, ``{"$or": […]}`` or ``{name: {operator: argument}}``. It is the form that
``_explain`` shows. Negations are moved to the conditions and merged with them if the operator has an opposite;
inside ``$elemMatch``, ``$allMatch`` and ``$keyMapMatch`` they stay as they are.

Source: CouchDB documentation, "Selector Syntax", and the server's ``mango_selector``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeGuard

from couchfake.mango import errors
from couchfake.mango.errors import bad_request, crash, invalid_field_name
from couchfake.mango.pcre import is_valid_pattern
from couchfake.values.erlang import INTEGER, read_integer, write_term
from couchfake.values.recursion import Steps, of_any_depth


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


@lru_cache(4096)
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


# ---- selectors

Selector = dict[str, Any]

UNSUPPORTED = frozenset({"$where", "$geoWithin", "$geoIntersects", "$near", "$nearSphere"})
COMPARISONS = frozenset({"$lt", "$lte", "$eq", "$ne", "$gte", "$gt"})
COMBINATIONS = frozenset({"$and", "$or", "$nor"})
ELEMENTS = frozenset({"$elemMatch", "$allMatch", "$keyMapMatch"})
OPPOSITES = {
    "$lt": "$gte",
    "$lte": "$gt",
    "$eq": "$ne",
    "$ne": "$eq",
    "$gte": "$lt",
    "$gt": "$lte",
    "$in": "$nin",
    "$nin": "$in",
}


def normalise(selector: Selector) -> Selector:
    """Return the normalised form. Raise a CouchError (400) if the selector is wrong."""
    if not selector:
        return {}
    normal = _comparisons(selector) or norm_negations(norm_fields(norm_ops(selector), ""))
    if "" in normal:
        raise errors.missing_field_name()
    return normal


def _comparisons(selector: Selector) -> Selector | None:
    """Return the normal form if each field is compared with one value, as in most selectors, otherwise None."""
    members = []
    for field, argument in selector.items():
        if field.startswith("$"):
            return None
        if not isinstance(argument, dict):
            argument = {"$eq": argument}
        elif len(argument) != 1 or COMPARISONS.isdisjoint(argument):
            return None
        members.append({field: argument})
    return members[0] if len(members) == 1 else {"$and": members}


# ---- operators


@of_any_depth
def norm_ops(condition: Any) -> Steps[Selector]:
    """Write out what is implied, and check the operators' arguments."""
    if not isinstance(condition, dict) or not condition:
        return {"$eq": condition}
    if len(condition) > 1:
        members = [{name: member} for name, member in condition.items()]
        return {"$and": (yield _each(norm_ops, members))}
    ((name, argument),) = condition.items()
    if not name.startswith("$"):
        return {name: (yield norm_ops.step(argument))}
    if name in COMBINATIONS and isinstance(argument, list):
        return {name: (yield _each(norm_ops, argument))}
    if (name in ELEMENTS or name == "$not") and isinstance(argument, dict):
        return {name: (yield norm_ops.step(argument))}
    return _operator(name, argument)


def _each(function: of_any_depth[[Any], Selector], conditions: list[Any]) -> Steps[list[Selector]]:
    normal = []
    for each in conditions:
        normal.append((yield function.step(each)))
    return normal


def _operator(name: str, argument: Any) -> Selector:
    """Check an operator without nested conditions."""
    if name in COMPARISONS or name == "$default":  # $default is what $text becomes: the normal form passes unchanged
        return {name: argument}
    if name in UNSUPPORTED:
        raise errors.not_supported(name)
    check = _ARGUMENTS.get(name)
    if name in ("$regex", "$beginsWith") and not isinstance(argument, str):
        check = None  # to the server these two are not operators then
    if check is None:
        known = name in COMBINATIONS or name in ELEMENTS or name == "$not"
        raise errors.bad_arg(name, argument) if known else errors.invalid_operator(name)
    if not check(argument):
        raise errors.bad_arg(name, argument)
    return {"$default": {name: argument}} if name == "$text" else {name: argument}


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_integer(value: Any) -> TypeGuard[int]:
    return type(value) is int


_ARGUMENTS: dict[str, Callable[[Any], bool]] = {
    "$in": _is_list,
    "$nin": _is_list,
    "$all": _is_list,
    "$exists": lambda value: isinstance(value, bool),
    "$type": lambda value: isinstance(value, str),
    "$mod": lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_integer, value)),
    "$regex": is_valid_pattern,
    "$size": lambda value: _is_integer(value) and value >= 0,
    "$text": lambda value: isinstance(value, (str, int, float)),
    "$beginsWith": lambda value: isinstance(value, str),
}


# ---- names


@of_any_depth
def norm_fields(condition: Selector, path: str) -> Steps[Selector]:
    """Carry names inwards to the conditions: ``{"a": {"b": …}}`` becomes ``{"a.b": …}``."""
    ((name, argument),) = condition.items()
    if name in COMBINATIONS:
        normal = []
        for each in argument:
            normal.append((yield norm_fields.step(each, path)))
        return {name: normal}
    if name == "$not":
        return {name: (yield norm_fields.step(argument, path))}
    if name in ELEMENTS:
        return {path: {name: (yield norm_fields.step(argument, ""))}}
    if name == "$default":
        if path or not (isinstance(argument, dict) and list(argument) == ["$text"]):
            raise errors.bad_field(condition)
        return condition
    if name.startswith("$"):
        return {path: condition}
    result: Selector = yield norm_fields.step(argument, f"{path}.{name}" if path else name)
    return result


# ---- negations


@of_any_depth
def norm_negations(condition: Selector) -> Steps[Selector]:
    """Move negations to the conditions, and merge them with the operators that have an opposite."""
    ((name, argument),) = condition.items()
    if name == "$not":
        result: Selector = yield _negated.step(argument)
        return result
    if name == "$nor":
        return {"$and": (yield _each(_negated, argument))}
    if name in ("$and", "$or"):
        return {name: (yield _each(norm_negations, argument))}
    return condition


@of_any_depth
def _negated(condition: Selector) -> Steps[Selector]:
    ((name, argument),) = condition.items()
    if name == "$not":
        result: Selector = yield norm_negations.step(argument)
        return result
    if name == "$nor":
        return {"$or": (yield _each(norm_negations, argument))}
    if name in ("$and", "$or"):
        return {"$or" if name == "$and" else "$and": (yield _each(_negated, argument))}
    if name == "$default":
        raise errors.bad_arg("$not", condition)
    if name in OPPOSITES:
        return {OPPOSITES[name]: argument}
    if name == "$exists":
        return {name: not argument}
    if name.startswith("$"):
        return {"$not": condition}
    return {name: (yield _negated.step(argument))}


# ---- questions about normalised selectors


def conditions(selector: Selector, *combinations: str) -> list[tuple[str, Any]]:
    """Return the names and arguments of the conditions below these combinations, from left to right."""
    found = []
    rest = [selector]
    while rest:
        selector = rest.pop()
        if selector:
            ((name, argument),) = selector.items()
            if name in combinations and isinstance(argument, list):
                rest += reversed(argument)
            else:
                found.append((name, argument))
    return found


def field_names(selector: Selector) -> list[str]:
    """Return the names of the fields that conditions are about, in their order, with repetitions."""
    return [name for name, _ in conditions(selector, *COMBINATIONS)]


@of_any_depth
def unrequired(selectors: list[Selector], fields: list[str]) -> Steps[list[str]]:
    """Return those of ``fields`` that documents may lack and yet match all of ``selectors``.

    An ``$or`` requires what each branch requires; one without branches, to the server, requires everything.
    """
    rest = [*selectors]
    while rest and fields:
        selector = rest.pop()
        if not selector:
            continue
        ((name, argument),) = selector.items()
        if name == "$and" and isinstance(argument, list):
            rest += argument
        elif name == "$or" and isinstance(argument, list):
            lacking: set[str] = set()
            for each in argument:
                lacking.update((yield unrequired.step([each], fields)))
            fields = sorted(lacking)
        elif argument != {"$exists": False} and name in fields:
            fields = [field for field in fields if field != name]
    return fields


def is_constant(selector: Selector, field: str) -> bool:
    """Return whether the selector fixes the field to one value."""
    return any(name == field and list(argument) == ["$eq"] for name, argument in conditions(selector, "$and"))
