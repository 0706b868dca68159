"""JSON with CouchDB's fidelity.

Python's own parser keeps what CouchDB keeps: integers of any size, ``1`` apart from ``1.0``, the order of members.
On top of it: of a repeated member the last one counts, what is not JSON to the server is refused, and numbers are
written as the server's ``jiffy`` writes them. What nests too deeply for the standard library is read and written here.
Source: CouchDB documentation, "API Basics: JSON Basics".
"""

from __future__ import annotations

import codecs
import json
import math
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from couchfake.errors import BadRequest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    # Of a repeated member the server keeps the last, where the last stood.
    last_first: dict[str, Any] = {}
    for name, member in reversed(pairs):
        last_first.setdefault(name, member)
    return dict(reversed(last_first.items()))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_INFINITE = (float("inf"), float("-inf"))
_SMALLEST = sys.float_info.min


def _finite(text: str) -> float:
    number = float(text)
    if number in _INFINITE:
        raise ValueError(f"{text} is out of range")
    if -_SMALLEST < number < _SMALLEST:
        return math.copysign(0.0, number)  # the server has no numbers this small
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
_LONE = re.compile("[\ud800-\udfff]")
_SURROGATES = re.compile(
    r"\\(?:[^u]|u(?P<high>[dD][89aAbB][0-9a-fA-F]{2})(?P<low>\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u(?P<lone>[dD][c-fC-F]))"
)


def loads(data: bytes | bytearray | str) -> Any:
    """Parse one JSON text. Raise ValueError if it is not valid.

    Bytes that are not UTF-8 are invalid, and so is a string made of such bytes, which has lone surrogates for them.
    """
    text = data if isinstance(data, str) else data.decode("utf-8")
    if text is data and not text.isascii() and _LONE.search(text):
        raise ValueError("not UTF-8")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        value = loads_deep(text, _DECODER, _object)
    if "\\" in text and "\\u" in text:  # one character is found ten times as fast as two
        _refuse_lone_surrogates(text)
    return value


def read_json(text: str | bytes) -> Any:
    """Return text of a client parsed as JSON. Raise BadRequest if it is not valid JSON."""
    try:
        return loads(text)
    except ValueError:
        raise BadRequest("invalid UTF-8 JSON") from None


def scan(text: str, start: int) -> tuple[Any, int]:
    """Parse the JSON value that begins at ``start`` and return it and where it ends. Raise ValueError."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.find("\\", start, end) >= 0 and text.find("\\u", start, end) >= 0:
        _refuse_lone_surrogates(text[start:end])
    return value, end


def _refuse_lone_surrogates(text: str) -> None:
    """Raise ValueError if the text escapes half a surrogate pair, as the server does."""
    for match in _SURROGATES.finditer(text):
        if match["lone"] or (match["high"] and not match["low"]):
            raise ValueError("lone surrogate")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)
_ODD_NUMBER = re.compile(r"(?:^|[:,\[])-?(?:\d(?:\.\d+)?e[+-]\d|0\.0(?!\d))")


_CONTROL = re.compile(r"\\(?:u00[01][a-f]|.)")

raw_quote: Callable[[str], str] = json.encoder.encode_basestring
"""Return a string as JSON, in its quotes, but with ``\\u001f`` where the server writes ``\\u001F``.

For JSON of many strings: ``with_capital_digits`` corrects it as a whole, if it has a backslash at all.
"""


def dumps(value: Any) -> str:
    """Return compact JSON, characters unescaped. Raise ValueError for what JSON cannot hold."""
    try:
        text = _ENCODER.encode(value)
    except RecursionError:
        return "".join(deep_pieces(value, _scalar))
    # Python and the server write most floats alike. If the text may hold one of the others, write it again.
    may_be_odd = ("+" in text and "e+" in text) or ("-" in text and ("e-" in text or "-0.0" in text))
    if may_be_odd and _ODD_NUMBER.search(text):
        return "".join(deep_pieces(value, _scalar))
    return with_capital_digits(text) if "\\" in text else text


def quote(text: str) -> str:
    """Return a string as JSON, in its quotes: what ``dumps`` gives for it, faster."""
    quoted = raw_quote(text)
    return with_capital_digits(quoted) if "\\" in quoted else quoted


def with_capital_digits(text: str) -> str:
    """Write the escapes of control characters as the server does: ``\\u001F``, not ``\\u001f``."""
    if "\\u00" not in text:
        return text
    return _CONTROL.sub(lambda match: "\\u00" + match[0][4:].upper() if len(match[0]) > 2 else match[0], text)


def encode(value: Any) -> bytes:
    """Return ``dumps`` as UTF-8 bytes, repaired."""
    return utf8(dumps(value))


def utf8(text: str) -> bytes:
    """Return JSON text as UTF-8 bytes, repaired."""
    try:
        return text.encode()  # with an error handler it takes half as long again
    except UnicodeEncodeError:
        return text.encode("utf-8", REPAIRED)


REPAIRED = "couchfake.repaired"
"""How to encode text that may hold bytes of a path that are not UTF-8 (as ``surrogateescape`` decodes them).

Half of a surrogate pair becomes U+FFFD, two halves their character, and any other byte U+FFFD.
"""


_FIRST_OF_HALF = "\udced"  # all halves of surrogate pairs begin with this byte in UTF-8


def repaired(text: str) -> str:
    """Return the text as a client sees it if it holds ids with halves of surrogate pairs: see ``REPAIRED``."""
    return text.encode("utf-8", REPAIRED).decode("utf-8") if _FIRST_OF_HALF in text else text


def _repair(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    broken = error.object[error.start : error.end]
    try:
        halves = broken.encode("utf-8", "surrogateescape").decode("utf-8", "surrogatepass")
        text = halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    except UnicodeError:
        text = "\ufffd" * len(broken)
    return text.encode("utf-8"), error.end


codecs.register_error(REPAIRED, _repair)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return format_float(value)
    return quote(value) if isinstance(value, str) else _ENCODER.encode(value)


def format_float(number: float) -> str:
    """The shortest digits that give the number back, as JavaScript lays them out, but always with a point.

    ``1e16`` is ``10000000000000000.0``, ``1e21`` is ``1e+21``, ``1e-7`` is ``1e-7``, minus zero is ``0.0``.
    """
    if number == 0:
        return "0.0"
    text = repr(number)
    if "e" not in text:
        return text
    sign, text = ("-", text[1:]) if number < 0 else ("", text)
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent)
    digits = whole + fraction
    if 0 <= power < 21:  # repr has an exponent only from 1e16 on, and never more than 17 digits
        return f"{sign}{digits.ljust(power + 1, '0')}.0"
    if -7 < power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    return f"{sign}{mantissa}e{'+' if power > 0 else '-'}{abs(power)}"


# JSON that nests too deeply for the standard library, which gives up at about a thousand levels.
#
# Slow, and only used after a RecursionError. The grammar is that of the standard decoder, whose own parser reads the
# strings and numbers.

_BLANKS = re.compile(r"[ \t\n\r]*")
_SCALAR_START = re.compile(r'"|[-0-9]|true|false|null')


def loads_deep(text: str, decoder: json.JSONDecoder, make_object: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    """Parse one JSON text. Raise ValueError if it is not valid."""
    open_values: list[tuple[list[Any], bool]] = []  # the items (or pairs) so far, and whether it is an object
    names: list[str] = []
    place = _skip(text, 0)
    while True:
        if text[place : place + 1] in ("[", "{"):
            is_object = text[place] == "{"
            open_values.append(([], is_object))
            place = _skip(text, place + 1)
            if text[place : place + 1] != ("}" if is_object else "]"):
                place = _member_name(text, place, decoder, names) if is_object else place
                continue
            value, place = _close(open_values, make_object), place + 1
        else:
            if not _SCALAR_START.match(text, place):
                raise ValueError(f"no value at {place}")
            value, place = decoder.raw_decode(text, place)
        while True:
            place = _skip(text, place)
            if not open_values:
                if place != len(text):
                    raise ValueError(f"text after the value at {place}")
                return value
            items, is_object = open_values[-1]
            items.append((names.pop(), value) if is_object else value)
            mark = text[place : place + 1]
            place = _skip(text, place + 1)
            if mark == ",":
                place = _member_name(text, place, decoder, names) if is_object else place
                break
            if mark != ("}" if is_object else "]"):
                raise ValueError(f"unclosed value at {place}")
            value = _close(open_values, make_object)


def _skip(text: str, place: int) -> int:
    match = _BLANKS.match(text, place)
    assert match is not None
    return match.end()


def _member_name(text: str, place: int, decoder: json.JSONDecoder, names: list[str]) -> int:
    """Read a member's name and the colon behind it; the place of its value."""
    if text[place : place + 1] != '"':
        raise ValueError(f"no member name at {place}")
    name, place = decoder.raw_decode(text, place)
    place = _skip(text, place)
    if text[place : place + 1] != ":":
        raise ValueError(f"no colon at {place}")
    names.append(name)
    return _skip(text, place + 1)


def _close(open_values: list[tuple[list[Any], bool]], make_object: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    items, is_object = open_values.pop()
    return make_object(items) if is_object else items


def nested_value(value: Any, path: Iterable[str]) -> Any:
    """Return what is at a path of member names. Raise LookupError with the real server's reason if there is nothing.

    Source: ``couch_util:get_nested_json_value/2``.
    """
    for name in path:
        if not isinstance(value, dict):
            raise LookupError("json_mismatch")
        if name not in value:
            raise LookupError(f"missing json key: {name}")
        value = value[name]
    return value


def deep_pieces(value: Any, scalar: Callable[[Any], str]) -> list[str]:
    """The parts of a value's text; ``scalar`` writes strings, numbers and constants."""
    out: list[str] = []
    todo: list[tuple[bool, Any]] = [(True, value)]  # (is it a value, else a text), last first
    while todo:
        is_value, item = todo.pop()
        if not is_value:
            out.append(item)
        elif isinstance(item, dict):
            todo.append((False, "}"))
            for number, (name, member) in enumerate(reversed(item.items())):
                todo += ([] if number == 0 else [(False, ",")]) + [(True, member), (False, scalar(name) + ":")]
            out.append("{")
        elif isinstance(item, (list, tuple)):
            todo.append((False, "]"))
            for number, each in enumerate(reversed(item)):
                todo += ([] if number == 0 else [(False, ",")]) + [(True, each)]
            out.append("[")
        else:
            out.append(scalar(item))
    return out
