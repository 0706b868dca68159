"""Selectors, normalised.

A selector as clients send it leaves much unsaid: several members mean ``$and``, a bare value ``$eq``, nested objects
join into dotted names. ``normalise`` says it all, so that whatever reads selectors afterwards meets one form only:
objects of one member, ``{"$and": […]}``, ``{"$or": […]}`` or ``{name: {operator: argument}}``. It is the form that
``_explain`` shows. Negations are moved to the conditions and merged with them where the operator has an opposite;
inside ``$elemMatch`` and its kin they stay as they are.

Source: CouchDB documentation, "Selector Syntax", and the server's ``mango_selector``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from couchfake.mango import errors
from couchfake.mango.pcre.regex import is_valid_pattern

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
    """The normalised form; a CouchError (400) where the selector is wrong."""
    if not selector:
        return {}
    normal = norm_negations(norm_fields(norm_ops(selector), ""))
    if "" in normal:
        raise errors.missing_field_name()
    return normal


# ---- operators


def norm_ops(condition: Any) -> Selector:
    """Write out what is implied, and check the operators' arguments."""
    if not isinstance(condition, dict) or not condition:
        return {"$eq": condition}
    if len(condition) > 1:
        return {"$and": [norm_ops({name: member}) for name, member in condition.items()]}
    ((name, argument),) = condition.items()
    if not name.startswith("$"):
        return {name: norm_ops(argument)}
    return _operator(name, argument)


def _operator(name: str, argument: Any) -> Selector:
    if name in COMPARISONS or name == "$default":  # $default is what $text becomes: the normal form passes unchanged
        return {name: argument}
    if name in COMBINATIONS and isinstance(argument, list):
        return {name: [norm_ops(each) for each in argument]}
    if (name in ELEMENTS or name == "$not") and isinstance(argument, dict):
        return {name: norm_ops(argument)}
    if name in UNSUPPORTED:
        raise errors.not_supported(name)
    check = _ARGUMENTS.get(name)
    if name in ("$regex", "$beginsWith") and not isinstance(argument, str):
        check = None  # to the server these two are no operators then
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


def norm_fields(condition: Selector, path: str) -> Selector:
    """Carry names inwards to the conditions: ``{"a": {"b": …}}`` becomes ``{"a.b": …}``."""
    ((name, argument),) = condition.items()
    if name in COMBINATIONS:
        return {name: [norm_fields(each, path) for each in argument]}
    if name == "$not":
        return {name: norm_fields(argument, path)}
    if name in ELEMENTS:
        return {path: {name: norm_fields(argument, "")}}
    if name == "$default":
        if path or not (isinstance(argument, dict) and list(argument) == ["$text"]):
            raise errors.bad_field(condition)
        return condition
    if name.startswith("$"):
        return {path: condition}
    return norm_fields(argument, f"{path}.{name}" if path else name)


# ---- negations


def norm_negations(condition: Selector) -> Selector:
    ((name, argument),) = condition.items()
    if name == "$not":
        return _negated(argument)
    if name == "$nor":
        return {"$and": [_negated(each) for each in argument]}
    if name in ("$and", "$or"):
        return {name: [norm_negations(each) for each in argument]}
    return condition


def _negated(condition: Selector) -> Selector:
    ((name, argument),) = condition.items()
    if name == "$not":
        return norm_negations(argument)
    if name == "$nor":
        return {"$or": [norm_negations(each) for each in argument]}
    if name in ("$and", "$or"):
        return {"$or" if name == "$and" else "$and": [_negated(each) for each in argument]}
    if name == "$default":
        raise errors.bad_arg("$not", condition)
    if name in OPPOSITES:
        return {OPPOSITES[name]: argument}
    if name == "$exists":
        return {name: not argument}
    if name.startswith("$"):
        return {"$not": condition}
    return {name: _negated(argument)}


# ---- questions about normalised selectors


def field_names(selector: Selector) -> list[str]:
    """The names that conditions stand for, in their order, repetitions and all."""
    if not selector:
        return []
    ((name, argument),) = selector.items()
    if name.startswith("$") and isinstance(argument, list):
        return [field for each in argument for field in field_names(each)]
    return [name]


def unrequired(selectors: list[Selector], fields: list[str]) -> list[str]:
    """Those of ``fields`` that documents may lack and yet match all of ``selectors``.

    An ``$or`` requires what each branch requires; one without branches, to the server, requires everything.
    """
    for selector in selectors:
        if not fields:
            return []
        if not selector:
            continue
        ((name, argument),) = selector.items()
        if name == "$and" and isinstance(argument, list):
            fields = unrequired(argument, fields)
        elif name == "$or" and isinstance(argument, list):
            fields = sorted({field for each in argument for field in unrequired([each], fields)})
        elif argument != {"$exists": False} and name in fields:
            fields = [field for field in fields if field != name]
    return fields


def is_constant(selector: Selector, field: str) -> bool:
    """Whether the selector fixes the field to one value."""
    if not selector:
        return False
    ((name, argument),) = selector.items()
    if name == "$and" and isinstance(argument, list):
        return any(is_constant(each, field) for each in argument)
    return name == field and list(argument) == ["$eq"]
