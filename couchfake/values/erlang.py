"""Erlang terms of JSON values: the external format that revisions are hashed from, and the notation in texts.

The real server holds JSON as Erlang terms: an object is ``{[{Name, Value}, …]}``, a string a binary, ``true``,
``false`` and ``null`` atoms. Source: Erlang's "External Term Format", minor version 1.
"""

from __future__ import annotations

import struct
from typing import Any

_pack_double = struct.Struct(">d").pack
_pack_int = struct.Struct(">i").pack
_pack_length = struct.Struct(">I").pack
_SMALL = tuple(b"a" + bytes([n]) for n in range(256))
_TRUE, _FALSE, _NULL = b"d\x00\x04true", b"d\x00\x05false", b"d\x00\x04null"


def term_to_binary(value: Any) -> bytes:
    """The external form of a JSON value, version byte included."""
    return b"\x83" + external(value)


def external(value: Any) -> bytes:
    """The external form without the version byte."""
    out: list[bytes] = []
    _write(value, out.append)
    return b"".join(out)


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


def _write(value: Any, put: Any) -> None:
    kind = type(value)
    if kind is str:
        data = value.encode("utf-8")
        put(b"m" + _pack_length(len(data)) + data)
    elif kind is int:
        put(_SMALL[value] if 0 <= value < 256 else external_integer(value))
    elif kind is float:
        put(b"F" + _pack_double(value))
    elif kind is list:
        _write_list(value, put)
    elif value is True:
        put(_TRUE)
    elif value is False:
        put(_FALSE)
    elif value is None:
        put(_NULL)
    else:
        _write_object(value, put)


def _write_object(value: Any, put: Any) -> None:
    if not value:
        put(b"h\x01j")
        return
    items = value.items()
    put(b"h\x01l" + _pack_length(len(items)))
    for name, member in items:
        data = name.encode("utf-8")
        put(b"h\x02m" + _pack_length(len(data)) + data)
        kind = type(member)  # the two commonest kinds here, for speed
        if kind is str:
            data = member.encode("utf-8")
            put(b"m" + _pack_length(len(data)) + data)
        elif kind is float:
            put(b"F" + _pack_double(member))
        else:
            _write(member, put)
    put(b"j")


def _write_list(value: list[Any], put: Any) -> None:
    if not value:
        put(b"j")
        return
    if len(value) < 65536 and type(value[0]) is int and all(type(item) is int and 0 <= item < 256 for item in value):
        # Erlang cannot tell such a list from a string, and writes it as one.
        put(b"k" + struct.pack(">H", len(value)) + bytes(value))
        return
    put(b"l" + _pack_length(len(value)))
    for item in value:
        _write(item, put)
    put(b"j")


def format_term(value: Any) -> str:
    """A JSON value in Erlang's notation, as error reasons quote it: ``<<"3">>``, ``{[{<<"a">>,1}]}``, ``[]``."""
    if value is True or value is False or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return _format_binary(value)
    if isinstance(value, dict):
        members = ",".join(f"{{{_format_binary(name)},{format_term(member)}}}" for name, member in value.items())
        return f"{{[{members}]}}"
    if isinstance(value, list):
        if value and all(type(item) is int and (32 <= item < 127 or item in (9, 10, 13)) for item in value):
            return '"' + _escape("".join(map(chr, value))) + '"'
        return "[" + ",".join(format_term(item) for item in value) + "]"
    return _format_float(value) if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(char, escape)
    return text


def _format_binary(text: str) -> str:
    if all(char in "\n\r\t" or " " <= char <= "~" for char in text):
        return f'<<"{_escape(text)}">>'
    if text.isprintable():
        return f'<<"{_escape(text)}"/utf8>>'
    return "<<" + ",".join(map(str, text.encode("utf-8"))) + ">>"


def _format_float(number: float) -> str:
    text = repr(number)
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent)}"
    return text
