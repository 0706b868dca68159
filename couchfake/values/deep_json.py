"""JSON that nests too deeply for the standard library, which gives up at about a thousand levels.

Slow, and only used where ``values.json`` met a RecursionError. The grammar is that of the standard decoder, whose own
parser reads the strings and numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_BLANKS = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r'"|[-0-9]|true|false|null')


def loads(text: str, decoder: json.JSONDecoder, make_object: Callable[[list[tuple[str, Any]]], Any]) -> Any:
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
                place = _name(text, place, decoder, names) if is_object else place
                continue
            value, place = _close(open_values, make_object), place + 1
        else:
            if not _SCALAR.match(text, place):
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
                place = _name(text, place, decoder, names) if is_object else place
                break
            if mark != ("}" if is_object else "]"):
                raise ValueError(f"unclosed value at {place}")
            value = _close(open_values, make_object)


def _skip(text: str, place: int) -> int:
    match = _BLANKS.match(text, place)
    assert match is not None
    return match.end()


def _name(text: str, place: int, decoder: json.JSONDecoder, names: list[str]) -> int:
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


def pieces(value: Any, scalar: Callable[[Any], str]) -> list[str]:
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
