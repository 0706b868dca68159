"""Erlang terms of JSON values: the external format, read and written, and the notation in texts; integers.

The real server holds JSON as Erlang terms: an object is ``{[{Name, Value}, …]}``, a string a binary, ``true``,
``false`` and ``null`` atoms. Revisions are hashed from the external form, bookmarks consist of it.
Source: Erlang's "External Term Format", minor version 1.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

from couchfake.values.recursion import Steps, run

VERSION = b"\x83"
"""The byte that a term in external form begins with."""

_pack_float = struct.Struct(">cd").pack
_pack_int = struct.Struct(">i").pack
_pack_length = struct.Struct(">I").pack
_TEXT_HEADS = tuple(b"m" + _pack_length(size) for size in range(256))
_SMALL = tuple(b"a" + bytes([n]) for n in range(256))
_pack_short = struct.Struct(">H").pack
_ATOMS = {True: b"d\x00\x04true", False: b"d\x00\x05false", None: b"d\x00\x04null"}


def term_to_binary(value: Any) -> bytes:
    """The external form of a JSON value, version byte included."""
    return VERSION + external(value)


def external(value: Any) -> bytes:
    """The external form without the version byte."""
    try:
        return _external(value)
    except RecursionError:
        return _external_of_deep(value)


def _external(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        return _external_text(value)
    if kind is int:
        return _SMALL[value] if 0 <= value < 256 else external_integer(value)
    if kind is dict:
        return _external_object(value)
    if kind is list:
        head = _list_head(value)
        return b"".join([head, *map(_external, value), b"j"]) if head[:1] == b"l" else head
    return _pack_float(b"F", value) if kind is float else _ATOMS[value]


def _external_text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    size = len(data)
    return (_TEXT_HEADS[size] if size < 256 else b"m" + _pack_length(size)) + data


def _external_object(value: dict[str, Any]) -> bytes:
    if not value:
        return b"h\x01j"
    out = [b"h\x01l", _pack_length(len(value))]
    put = out.append
    for name, member in value.items():
        put(_external_name(name))
        kind = type(member)
        if kind is str:  # written out for the two commonest kinds: every document that is written comes through here
            data = member.encode("utf-8")
            size = len(data)
            put(_TEXT_HEADS[size] if size < 256 else b"m" + _pack_length(size))
            put(data)
        elif kind is float:
            put(_pack_float(b"F", member))
        else:
            put(_external(member))
    put(b"j")
    return b"".join(out)


@lru_cache(4096)
def _external_name(name: str) -> bytes:
    """The head of a pair and its name; documents repeat their names."""
    return b"h\x02" + _external_text(name)


def _external_of_deep(value: Any) -> bytes:
    """The same with a stack of our own, for documents that nest more deeply than Python recurses."""
    out: list[bytes] = []
    todo: list[Any] = [value]  # what is still to be written, last first; bytes are written as they are
    while todo:
        value = todo.pop()
        if isinstance(value, bytes):
            out.append(value)
        elif isinstance(value, list):
            head = _list_head(value)
            out.append(head)
            if head[:1] == b"l":
                todo += [b"j", *reversed(value)]
        elif isinstance(value, dict) and value:
            out.append(b"h\x01l" + _pack_length(len(value)))
            todo.append(b"j")
            for name, member in reversed(value.items()):
                todo += [member, _external_name(name)]
        else:
            out.append(_external(value))
    return b"".join(out)


def _list_head(value: list[Any]) -> bytes:
    if not value:
        return b"j"
    if len(value) < 65536 and type(value[0]) is int and all(type(item) is int and 0 <= item < 256 for item in value):
        # To Erlang such a list is a string, and is written as one.
        return b"k" + _pack_short(len(value)) + bytes(value)
    return b"l" + _pack_length(len(value))


def external_atom(name: str) -> bytes:
    """Return the external form of an atom with an ASCII name."""
    return b"d" + _pack_short(len(name)) + name.encode("ascii")


def external_tuple(*parts: bytes) -> bytes:
    """Return the external form of a tuple of at most 255 terms, which are in that form already."""
    return b"h" + bytes([len(parts)]) + b"".join(parts)


def external_list(parts: Collection[bytes]) -> bytes:
    """Return the external form of a list of terms, which are in that form already."""
    return b"l" + _pack_length(len(parts)) + b"".join(parts) + b"j" if parts else b"j"


def external_binary(data: bytes) -> bytes:
    return b"m" + _pack_length(len(data)) + data


def external_integer(number: int) -> bytes:
    if 0 <= number < 256:
        return _SMALL[number]
    if -0x80000000 <= number <= 0x7FFFFFFF:
        return b"b" + _pack_int(number)
    digits = abs(number).to_bytes((number.bit_length() + 7) // 8, "little")
    sign = b"\x01" if number < 0 else b"\x00"
    if len(digits) < 256:
        return b"n" + bytes([len(digits)]) + sign + digits
    return b"o" + _pack_length(len(digits)) + sign + digits


def format_term(value: Any) -> str:
    """Return a JSON value in Erlang's notation, as error reasons quote it: ``<<"3">>``, ``{[{<<"a">>,1}]}``, ``[]``."""
    return _notation(value, _format_binary, _format_string)


def write_term(value: Any) -> str:
    """Return a JSON value in Erlang's plainest notation, strings as bytes: ``<<51>>``, ``{[{<<97>>,1}]}``."""
    return _notation(value, _write_binary, lambda items: None)


def _notation(value: Any, binary: Callable[[str], str], string: Callable[[list[Any]], str | None]) -> str:
    """Write a value. ``binary`` writes strings; ``string`` writes lists that Erlang shows as strings."""
    out: list[str] = []
    rest: list[tuple[bool, Any]] = [(True, value)]  # (is it a value, else a text), last first
    while rest:
        is_value, value = rest.pop()
        if not is_value:
            out.append(value)
        elif value is True or value is False or value is None:
            out.append("null" if value is None else "true" if value else "false")
        elif isinstance(value, str):
            out.append(binary(value))
        elif isinstance(value, dict):
            rest.append((False, "]}"))
            for n, (name, member) in reversed(list(enumerate(value.items()))):
                rest += (False, "}"), (True, member), (False, f"{',' if n else ''}{{{binary(name)},")
            out.append("{[")
        elif isinstance(value, list):
            text = string(value)
            if text is not None:
                out.append(text)
                continue
            rest.append((False, "]"))
            for n, item in reversed(list(enumerate(value))):
                rest += (True, item), (False, "," if n else "")
            out.append("[")
        else:
            out.append(_format_float(value) if isinstance(value, float) else str(value))
    return "".join(out)


def _format_string(items: list[Any]) -> str | None:
    """Return a list of printable characters' codes as a string, None for any other list."""
    if items and all(type(item) is int and (32 <= item < 127 or item in (9, 10, 13)) for item in items):
        return '"' + _escape("".join(map(chr, items))) + '"'
    return None


def _write_binary(text: str) -> str:
    return "<<" + ",".join(map(str, text.encode("utf-8"))) + ">>"


def _escape(text: str) -> str:
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(char, escape)
    return text


def _format_binary(text: str) -> str:
    if not text:
        return "<<>>"
    if all(char in "\n\r\t" or " " <= char <= "~" for char in text):
        return f'<<"{_escape(text)}">>'
    if text.isprintable():
        return f'<<"{_escape(text)}"/utf8>>'
    return _write_binary(text)


def _format_float(number: float) -> str:
    """Erlang writes the shorter of ``1000000.0`` and ``1.0e6``; of equal length the one without exponent."""
    sign, text = ("-", repr(-number)) if number < 0 else ("", repr(number))
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    place = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))  # of the point among the digits
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0.0"
    scientific = f"{digits[0]}.{digits[1:] or '0'}e{place - 1}"
    if place <= 0:
        plain = f"0.{'0' * -place}{digits}"
    elif place >= len(digits):
        plain = f"{digits}{'0' * (place - len(digits))}.0"
    else:
        return f"{sign}{digits[:place]}.{digits[place:]}"
    return sign + (plain if len(plain) <= len(scientific) else scientific)


# Reading the external format, as far as terms made of JSON go.

LARGEST_UNPACKED = 1 << 20
"""Bytes of a compressed term that are unpacked at most; no bookmark is longer."""


class TermError(ValueError):
    """The bytes are not a term that JSON is made of."""


def read_term(data: bytes) -> Any:
    """Return the term as a Python value. Raise TermError for other bytes.

    Binaries and atoms become strings, but true, false and null; ``{[…]}`` becomes a dict, another tuple a tuple.
    """
    data = _body(data)
    try:
        return run(_Reader(data).term())
    except (IndexError, struct.error, TypeError, ValueError, OverflowError):
        raise TermError("no term") from None


def is_list(data: bytes) -> bool:
    """Return whether bytes are a list of at least one element, by how they begin and end alone."""
    try:
        data = _body(data)
    except TermError:
        return False
    return data[:1] == b"l" and data[-1:] == b"j"


def _body(data: bytes) -> bytes:
    """Return what follows the version byte, uncompressed."""
    if data[:1] != VERSION:
        raise TermError("no version byte")
    return _unpacked(data) if data[1:2] == b"P" else data[1:]


def _unpacked(data: bytes) -> bytes:
    (size,) = struct.unpack(">I", data[2:6].rjust(4, b"\x00"))
    if size > LARGEST_UNPACKED:
        raise TermError("too large")
    try:
        unpacked = zlib.decompressobj().decompress(data[6:], size + 1)
    except zlib.error:
        raise TermError("not compressed") from None
    if len(unpacked) != size:
        raise TermError("wrong size")
    return unpacked


_CONSTANTS = {"true": True, "false": False, "null": None}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        if len(part) < size:
            raise TermError("cut off")
        self.at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def term(self) -> Steps[Any]:
        """Read one term."""
        tag = self.take(1)
        if tag in b"dsvw":
            name = self.take(self.number(2 if tag in b"dv" else 1)).decode("utf-8")
            return _CONSTANTS.get(name, name)
        if tag == b"m":
            return self.take(self.number(4)).decode("utf-8", "surrogateescape")
        if tag == b"j":
            return []
        if tag == b"k":
            return list(self.take(self.number(2)))
        if tag == b"l":
            items = yield self.items(self.number(4))
            yield self.term()  # the tail
            return items
        if tag in b"hi":
            items = yield self.items(self.number(1 if tag == b"h" else 4))
            return dict(items[0]) if len(items) == 1 and isinstance(items[0], list) else tuple(items)
        return self.numeric(tag)

    def items(self, size: int) -> Steps[list[Any]]:
        items = []
        for _ in range(size):
            items.append((yield self.term()))
        return items

    def numeric(self, tag: bytes) -> int | float:
        if tag == b"a":
            return self.number(1)
        if tag == b"b":
            return int.from_bytes(self.take(4), "big", signed=True)
        if tag in b"no":
            size = self.number(1 if tag == b"n" else 4)
            negative = self.take(1) != b"\x00"
            digits = int.from_bytes(self.take(size), "little")
            return -digits if negative else digits
        if tag == b"F":
            (number,) = struct.unpack(">d", self.take(8))
            return float(number)
        raise TermError("unknown tag")


# Integers of any length, as requests and settings write them and Erlang reads them.

INTEGER = re.compile(r"[+-]?[0-9]+")
"""An integer as the server reads one."""

_DIGITS = 4000  # Python reads at most 4,300 digits; the real server has no limit


def read_integer(text: str) -> int:
    """Parse an integer. One longer than Python accepts is clamped. Raise ValueError if the text is not an integer."""
    return int(text if len(text) <= _DIGITS else text[:_DIGITS])
