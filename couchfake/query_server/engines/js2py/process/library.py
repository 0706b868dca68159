"""Functions of the standard library that js2py gets wrong.

Source: ECMAScript 5.1, 15.1, 15.2.3.14, 15.4.4, 15.5.4, 15.8, 15.12 and annex B.2.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import js2py.pyjs
from js2py import base
from js2py.base import Js, MakeError
from js2py.prototypes.jsstring import replacement_template

from couchfake.query_server.engines.js2py.process.native import Native, define
from couchfake.query_server.engines.js2py.process.numbers_and_dates import as_float

_NUMBER = re.compile(r"[+-]?(?:Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_NOT_ESCAPED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@*_+-./")
_ESCAPED = re.compile(r"%u([0-9a-fA-F]{4})|%([0-9a-fA-F]{2})")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+|%")
_RESERVED = ";/?:@&=+$,#"


def install() -> None:
    """Patch the built-ins that js2py lacks or gets wrong."""
    _install_texts()
    _install_arrays()
    _install_math(js2py.pyjs.Math)
    define(js2py.pyjs.Object, "keys", _keys)
    define(js2py.pyjs.Object, "getOwnPropertyNames", _own_names)
    base.PyJsString.to_number = _number_of_text
    for name, function in (
        ("escape", _escape),
        ("unescape", _unescape),
        ("decodeURI", lambda text: _decoded(text, _RESERVED)),
        ("decodeURIComponent", lambda text: _decoded(text, "")),
        ("parseFloat", _parse_float),
    ):
        js2py.pyjs.JS_BUILTINS[name] = Native(function, 1)


# ---- texts


def _install_texts() -> None:
    prototype = base.StringPrototype
    prototype.own.pop("localeCompare", None)  # which CouchDB's engine has not
    define(prototype, "replace", _replace, method=True)
    split = prototype.get("split")

    def split_text(this: Any, separator: Any, limit: Any) -> Any:
        nothing = not this.is_undefined() and not this.is_null() and not this.to_string().value
        if nothing and not separator.is_undefined() and (limit.is_undefined() or limit.to_uint32()):
            pattern = separator.pat if separator.Class == "RegExp" else re.compile(re.escape(_text(separator)))
            return Js([] if pattern.match("") else [""])
        return split.call(this, (separator, limit))

    define(prototype, "split", split_text, method=True)
    base.PyJsString.__iter__ = lambda self: (Js(str(index)) for index in range(len(self.value)))


def _text(value: Any) -> str:
    return str(value.to_string().value)


def _replace(this: Any, pattern: Any, replacement: Any) -> Any:
    this.cok()
    text = _text(this)
    if pattern.Class == "RegExp":
        matches = pattern.pat.finditer(text) if pattern.glob else filter(None, [pattern.pat.search(text)])
        found = [(match.span(), match.groups()) for match in matches]
    else:
        wanted = _text(pattern)
        start = text.find(wanted)
        found = [] if start < 0 else [((start, start + len(wanted)), ())]
    template = None if replacement.is_callable() else _text(replacement)
    result, end = [], 0
    for span, groups in found:
        result.append(text[end : span[0]])
        end = span[1]
        if template is None:
            arguments = (text[span[0] : end], *groups, span[0], text)
            result.append(_text(replacement.call(base.undefined, tuple(Js(item) for item in arguments))))
        else:
            result.append(replacement_template(template, text, span, groups))
    return Js("".join(result) + text[end:])


def _number_of_text(self: Any) -> Any:
    text = self.value.strip()
    if not text:
        return Js(0)
    if _RADIX.fullmatch(text):
        return Js(int(text, 0))
    return Js(_plain_number(text)) if _NUMBER.fullmatch(text) else base.NaN


def _plain_number(text: str) -> float:
    return int(text) if text.isdigit() and len(text) < 16 else float(text)


def _parse_float(text: Any) -> Any:
    match = _NUMBER.match(_text(text).strip())
    return Js(_plain_number(match[0])) if match else base.NaN


def _escape(text: Any) -> Any:
    units = memoryview(_text(text).encode("utf-16-le", "surrogatepass")).cast("H")
    return Js("".join(map(_escaped, units)))


def _escaped(unit: int) -> str:
    if chr(unit) in _NOT_ESCAPED:
        return chr(unit)
    return f"%{unit:02X}" if unit < 256 else f"%u{unit:04X}"


def _unescape(text: Any) -> Any:
    plain = _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), _text(text))
    return Js(plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass"))


def _decoded(text: Any, kept: str) -> Any:
    def decoded(match: re.Match[str]) -> str:
        try:
            plain = unquote(match[0], errors="strict") if len(match[0]) > 1 else ""
        except UnicodeDecodeError:
            plain = ""
        if not plain:
            raise MakeError("URIError", "malformed URI sequence")
        return "".join(f"%{ord(character):02X}" if character in kept else character for character in plain)

    return Js(_PERCENT.sub(decoded, _text(text)))


# ---- arrays and objects


def _install_arrays() -> None:
    prototype = base.ArrayPrototype
    for name in ("push", "pop", "shift", "unshift", "splice", "sort", "reverse"):
        _guard(prototype.get(name), name)


def _guard(method: Any, name: str) -> None:
    """Let a method that changes arrays refuse frozen ones, and ``splice`` take a single argument."""
    plain = method.call

    def call(this: Any, args: Any = ()) -> Any:
        if this.is_object() and not this.extensible:
            raise MakeError("TypeError", "object is not extensible")
        if name == "splice" and len(args) == 1:
            args = (args[0], this.get("length"))
        return plain(this, args)

    method.call = call


def _keys(thing: Any) -> Any:
    if thing.is_undefined() or thing.is_null():
        raise MakeError("TypeError", "cannot convert to object")
    if thing.TYPE == "String":
        return Js([str(index) for index in range(len(thing.value))])
    if not thing.is_object():
        return Js([])
    return Js(member_order(name for name, member in thing.own.items() if member.get("enumerable")))


def _own_names(thing: Any) -> Any:
    if not thing.is_object():
        raise MakeError("TypeError", "Object.getOwnPropertyNames called on non-object")
    return Js(member_order(thing.own))


# ---- Math


def _install_math(script_math: Any) -> None:
    for name in ("acos", "asin", "atan", "cos", "exp", "log", "sin", "sqrt", "tan"):
        define(script_math, name, _real(getattr(math, name)))
    define(script_math, "floor", _real(_integral(math.floor)))
    define(script_math, "ceil", _real(_integral(math.ceil)))
    define(script_math, "log", _real(lambda number: math.log(number) if number else -math.inf))
    define(script_math, "atan2", lambda y, x: Js(math.atan2(_number(y), _number(x))))
    define(script_math, "pow", lambda number, power: Js(_power(_number(number), _number(power))))


def _number(value: Any) -> float:
    return as_float(value.to_number().value)


def _real(function: Callable[[float], float]) -> Callable[[Any], Any]:
    def method(value: Any) -> Any:
        try:
            return Js(function(_number(value)))
        except ValueError:
            return base.NaN
        except OverflowError:
            return base.Infinity

    return method


def _integral(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda number: function(number) if math.isfinite(number) else number


def _power(number: float, power: float) -> float:
    if math.isnan(power) or (abs(number) == 1 and math.isinf(power)):
        return math.nan
    try:
        return math.pow(number, power)
    except ValueError:
        return math.inf if number == 0 else math.nan
    except OverflowError:
        return -math.inf if number < 0 and power % 2 == 1 else math.inf


# ---- JSON: js2py loses null members and members with an empty name

_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")


def install_json(script_json: Any) -> None:
    """Put both in the place of js2py's."""
    define(script_json, "parse", parse)
    define(script_json, "stringify", stringify)


def parse(text: Any, reviver: Any) -> Any:
    """JavaScript's value of a JSON text."""
    try:
        value = json.loads(text.to_string().value, parse_int=_json_number, parse_constant=_no_constant)
    except ValueError as error:
        raise MakeError("SyntaxError", str(error)) from error
    parsed = from_json(value)
    if reviver.is_callable():
        return _revived(Js({"": parsed}), "", reviver)
    return parsed


def _json_number(digits: str) -> float:
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
