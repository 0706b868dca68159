"""Read Erlang's external term format, as far as terms made of JSON go.

Source: Erlang's "External Term Format".
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from couchfake.values.erlang import VERSION
from couchfake.values.recursion import Steps, run

LARGEST = 1 << 20
"""Bytes of a compressed term that are unpacked at most; no bookmark is longer."""


class TermError(ValueError):
    """The bytes are not a term that JSON is made of."""


def read_term(data: bytes) -> Any:
    """Return the term as a Python value. Raise TermError for other bytes.

    Binaries and atoms become strings, but true, false and null; ``{[…]}`` becomes a dict, another tuple a tuple.
    """
    if data[:1] != VERSION:
        raise TermError("no version byte")
    if data[1:2] == b"P":
        data = _unpacked(data)
    else:
        data = data[1:]
    try:
        return run(_Reader(data).term())
    except (IndexError, struct.error, TypeError, ValueError, OverflowError):
        raise TermError("no term") from None


def _unpacked(data: bytes) -> bytes:
    (size,) = struct.unpack(">I", data[2:6].rjust(4, b"\x00"))
    if size > LARGEST:
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
