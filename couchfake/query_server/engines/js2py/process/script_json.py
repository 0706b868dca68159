"""JSON.parse and JSON.stringify for js2py, whose own lose null members and members with an empty name.

Source: ECMAScript 5.1, 15.12.
"""

from __future__ import annotations

import json
import re
from typing import Any

from js2py import base
from js2py.base import Js, MakeError

from couchfake.query_server.engines.js2py.process.native import define

_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")


def install(script_json: Any) -> None:
    """Put both in the place of js2py's."""
    define(script_json, "parse", parse)
    define(script_json, "stringify", stringify)


def parse(text: Any, reviver: Any) -> Any:
    """JavaScript's value of a JSON text."""
    try:
        value = json.loads(text.to_string().value, parse_int=_number, parse_constant=_no_constant)
    except ValueError as error:
        raise MakeError("SyntaxError", str(error)) from error
    parsed = from_json(value)
    if reviver.is_callable():
        return _revived(Js({"": parsed}), "", reviver)
    return parsed


def _number(digits: str) -> float:
    number = int(digits)
    return number if -_EXACT <= number <= _EXACT else float(number)


def _no_constant(name: str) -> Any:
    raise ValueError(f"unexpected token {name}")


def from_json(value: Any) -> Any:
    """A JavaScript value of what ``json.loads`` gives; integer-like names come first, as engines order them."""
    if value is None:
        return base.null
    if isinstance(value, dict):
        made = base.PyJsObject(prototype=base.ObjectPrototype)
        for name in member_order(value):
            made.own[name] = _member(from_json(value[name]))
        return made
    if isinstance(value, list):
        return base.PyJsArray([from_json(item) for item in value], base.ArrayPrototype)
    return Js(value)


def _member(value: Any) -> dict[str, Any]:
    return {"value": value, "writable": True, "enumerable": True, "configurable": True}


def member_order(names: Any) -> list[str]:
    """Names of members in the order in which JavaScript goes through them."""
    listed = list(names)
    numbers = [name for name in listed if name.isdigit() and (name == "0" or name[0] != "0")]
    if not numbers:
        return listed
    numeric = frozenset(numbers)
    return [*sorted(numbers, key=int), *(name for name in listed if name not in numeric)]


def _revived(holder: Any, name: str, reviver: Any) -> Any:
    value = holder.get(name)
    if value.is_object():
        names = [str(index) for index in range(len(value))] if value.Class == "Array" else list(value.own)
        for member in names:
            revived = _revived(value, member, reviver)
            if revived.is_undefined():
                value.delete(member)
            else:
                value.put(member, revived)
    return reviver.call(holder, (Js(name), value))


def stringify(value: Any, replacer: Any, space: Any) -> Any:
    """The JSON text of a value, or undefined."""
    text = _Writer(replacer, space).text(Js({"": value}), "")
    return base.undefined if text is None else Js(text)


class _Writer:
    def __init__(self, replacer: Any, space: Any) -> None:
        self._replace = replacer if replacer.is_callable() else None
        self._names: list[str] | None = None
        if self._replace is None and replacer.is_object() and replacer.Class == "Array":
            listed = [replacer.get(str(index)) for index in range(len(replacer))]
            self._names = list(dict.fromkeys(item.to_string().value for item in listed if not item.is_undefined()))
        self._gap = _gap(space)
        self._stack: list[Any] = []

    def text(self, holder: Any, name: str) -> str | None:
        value = holder.get(name)
        if value.is_object():
            to_json = value.get("toJSON")
            if to_json.is_callable():
                value = to_json.call(value, (Js(name),))
        if self._replace is not None:
            value = self._replace.call(holder, (Js(name), value))
        if value.is_object() and value.Class in ("Number", "String", "Boolean"):
            value = value.value if isinstance(value.value, base.PyJs) else Js(value.value)
        return self._text_of(value)

    def _text_of(self, value: Any) -> str | None:
        if value.is_null():
            return "null"
        if value.TYPE == "Boolean":
            return "true" if value.value else "false"
        if value.TYPE == "String":
            return quoted(value.value)
        if value.TYPE == "Number":
            return "null" if value.is_infinity() or value.is_nan() else str(value.to_string().value)
        if not value.is_object() or value.is_callable():
            return None
        if any(value is outer for outer in self._stack):
            raise MakeError("TypeError", "circular reference")
        self._stack.append(value)
        if value.Class == "Array":
            items = [self.text(value, str(index)) or "null" for index in range(len(value))]
            text = self._enclosed("[", items, "]")
        else:
            text = self._enclosed("{", self._members(value), "}")
        self._stack.pop()
        return text

    def _members(self, value: Any) -> list[str]:
        names = self._names
        if names is None:
            names = member_order(name for name, member in value.own.items() if member.get("enumerable"))
        members = []
        for name in names:
            text = self.text(value, name)
            if text is not None:
                members.append(f"{quoted(name)}:{' ' if self._gap else ''}{text}")
        return members

    def _enclosed(self, opening: str, items: list[str], closing: str) -> str:
        if not items:
            return opening + closing
        if not self._gap:
            return opening + ",".join(items) + closing
        indent = "\n" + self._gap * len(self._stack)
        return opening + indent + ("," + indent).join(items) + indent[: -len(self._gap)] + closing


def quoted(text: str) -> str:
    """A string as JSON; halves of surrogate pairs are escaped."""
    return _SURROGATE.sub(lambda half: f"\\u{ord(half.group()):04x}", json.dumps(text, ensure_ascii=False))


def _gap(space: Any) -> str:
    if space.is_object() and space.Class in ("Number", "String"):
        space = space.to_number() if space.Class == "Number" else space.to_string()
    if space.TYPE == "Number":
        return " " * max(0, min(10, int(space.value)))
    return str(space.value)[:10] if space.TYPE == "String" else ""
