"""The order of JSON values in views.

null < false < true < numbers < strings < arrays < objects; strings by the Unicode collation algorithm as ICU's root
locale has it, arrays element by element, objects member by member in the order of their members.
Source: CouchDB documentation, "Views Collation", and the server's ``couch_ejson_compare``.

A value is turned into ``bytes`` once; from then on comparing is ``memcmp``, whatever the value's type and depth. The
encoding of one value is never a prefix of another's, so encodings can be joined: a row's key goes before its document
id, and the first N elements of an array key are a prefix of the whole key's encoding, less the byte that ends it.

``raw`` is the other order that a view can ask for: Erlang's own term order, numbers < false < null < true < objects
< arrays < strings, strings in UTF-8 byte order. It also orders what else is equal (rows of one document).
"""

from __future__ import annotations

import math
import struct
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any, Final

END = b"\x00"
"""Ends strings, arrays and objects: lower than anything that could follow."""

HIGHEST = b"\xff"
"""Above every encoding, also when it is put after one."""


class _Highest:
    """A key above all JSON values, for the upper ends of ranges: ``["x", MAX_KEY]``."""

    def __repr__(self) -> str:
        return "MAX_KEY"


MAX_KEY: Final = _Highest()

_NULL, _FALSE, _TRUE, _NUMBER, _STRING, _ARRAY, _OBJECT = (bytes((n,)) for n in range(1, 8))
_RAW_NUMBER, _RAW_FALSE, _RAW_NULL, _RAW_TRUE, _RAW_OBJECT, _RAW_ARRAY, _RAW_STRING = (bytes((n,)) for n in range(1, 8))

_MAX = b"\x08"
_CACHED = 1 << 16
_CACHED_LENGTH = 64
_EXACT = 1 << 53
_LARGEST_FLOAT = int(math.ldexp(1 - 2**-53, 1024))
_SIGN = 1 << 63
_ALL = (1 << 64) - 1

_as_bits = struct.Struct(">Q").unpack
_as_float = struct.Struct(">d").pack
_number = struct.Struct(">BQB").pack


def _number_key(value: float) -> bytes:
    """Integers and floats on one line, exactly: a double that is not above the value, then what it misses."""
    if type(value) is int and not -_EXACT <= value <= _EXACT:
        return _big_integer_key(value)
    (bits,) = _as_bits(_as_float(value + 0.0))  # + 0.0 makes one zero of two
    return _number(_NUMBER[0], bits ^ _ALL if bits & _SIGN else bits | _SIGN, 1)


def _big_integer_key(value: int) -> bytes:
    if value < -_LARGEST_FLOAT:
        size = (value.bit_length() + 7) // 8
        head = _NUMBER + bytes(8) + struct.pack(">BI", 2, _ALL >> 32 ^ size)
        return head + (value + (1 << size * 8)).to_bytes(size, "big")
    below = math.inf if value > _LARGEST_FLOAT else float(value)
    if below == math.inf:
        below, missing = float(_LARGEST_FLOAT), value - _LARGEST_FLOAT
    else:
        if int(below) > value:
            below = math.nextafter(below, -math.inf)
        missing = value - int(below)
    key = _number_key(below)
    if not missing:
        return key
    size = (missing.bit_length() + 7) // 8
    return key[:-1] + struct.pack(">BI", 2, size) + missing.to_bytes(size, "big")


def text_key(text: str) -> bytes:
    """UTF-8 order, made so that something can follow: document ids, strings in raw order."""
    return text.encode("utf-8", "surrogatepass").replace(b"\x00", b"\x00\xff") + b"\x00\x00"


def raw_sort_key(value: Any) -> bytes:
    """The encoding whose byte order is Erlang's order of terms (``1`` and ``1.0`` are equal)."""
    parts: list[bytes] = []
    rest: list[Any] = [value]
    while rest:
        value = rest.pop()
        kind = type(value)
        if kind is bytes:
            parts.append(value)
        elif kind is str:
            parts.append(_RAW_STRING + text_key(value))
        elif kind is int or kind is float:
            parts.append(_RAW_NUMBER + _number_key(value))
        elif value is None:
            parts.append(_RAW_NULL)
        elif kind is bool:
            parts.append(_RAW_TRUE if value else _RAW_FALSE)
        elif isinstance(value, dict):
            parts.append(_RAW_OBJECT)
            rest.append(END)
            for name, member in reversed(value.items()):
                rest += (member, b"\x01" + text_key(name))
        else:
            parts.append(_RAW_ARRAY)
            rest.append(END)
            rest += reversed(value)
    return b"".join(parts)


class Collator:
    """View order, by the best source of string weights at hand; ``name`` says which one it is, ``version`` of which
    release.

    ``icu`` (the server's own library, from the package ``pyicu-wheels``) is exact. ``pyuca`` (pure Python) has the
    weights of the Unicode collation algorithm without the root locale's changes: spaces, punctuation and symbols
    sort in another order among themselves, and rare characters may differ. ``basic``, without either package, takes
    letters apart into base letter, marks and case, and orders base letters by code point.
    """

    def __init__(self, source: str | None = None) -> None:
        self.name, self.version, self._weights = _choose_weights(source)
        self._cache: dict[str | float, bytes] = {}  # of short strings and of numbers: 1 and 1.0 are equal here too

    raw_sort_key = staticmethod(raw_sort_key)

    def sort_key(self, value: Any) -> bytes:
        """The encoding of a JSON value whose byte order is the order of views."""
        kind = type(value)
        if kind is list or kind is dict:
            return self._nested(value)
        return self._scalar(kind, value)

    def string_key(self, text: str) -> bytes:
        """``sort_key`` of what is known to be a string."""
        return self._cache.get(text) or self._new(str, text)

    def _scalar(self, kind: type, value: Any) -> bytes:
        if kind is str or kind is int or kind is float:
            return self._cache.get(value) or self._new(kind, value)
        if value is None:
            return _NULL
        if kind is bool:
            return _TRUE if value else _FALSE
        if value is MAX_KEY:
            return _MAX
        raise TypeError(f"{kind.__name__} is not a type of JSON values")

    def _new(self, kind: type, value: Any) -> bytes:
        key = _STRING + self._weights(value) if kind is str else _number_key(value)
        if kind is not str or len(value) <= _CACHED_LENGTH:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[value] = key
        return key

    def _nested(self, value: Any) -> bytes:
        parts: list[bytes] = []
        rest: list[Any] = [value]
        while rest:
            value = rest.pop()
            kind = type(value)
            if kind is bytes:
                parts.append(value)
            elif kind is dict:
                parts.append(_OBJECT)
                rest.append(END)
                for name, member in reversed(value.items()):
                    rest += (member, self.string_key(name))
            elif kind is not list:
                parts.append(self._scalar(kind, value))
            else:
                parts.append(_ARRAY)
                for n, item in enumerate(value):
                    kind = type(item)
                    if kind is list or kind is dict:
                        rest.append(END)
                        rest += reversed(value[n:])
                        break
                    parts.append(self._scalar(kind, item))
                else:
                    parts.append(END)
        return b"".join(parts)


_Weights = Callable[[str], bytes]
"""From a string to bytes in its order, of which none begins another: a zero ends them."""


def _choose_weights(source: str | None) -> tuple[str, str, _Weights]:
    makers: dict[str, Callable[[], tuple[str, _Weights]]] = {
        "icu": _icu_weights,
        "pyuca": _pyuca_weights,
        "basic": _basic_weights,
    }
    if source is not None:
        return source, *makers[source]()
    for name, make in makers.items():
        try:
            return name, *make()
        except ImportError:
            continue
    raise AssertionError("unreachable")  # pragma: no cover


def _icu_weights() -> tuple[str, _Weights]:
    import icu

    get_sort_key: _Weights = icu.Collator.createInstance(icu.Locale.getRoot()).getSortKey
    return icu.ICU_VERSION, get_sort_key  # a key ends with its only zero byte


def _pyuca_weights() -> tuple[str, _Weights]:
    import pyuca

    sort_key = _made_once(pyuca.Collator).sort_key

    def weights(text: str) -> bytes:
        levels = tuple(sort_key(text))  # three of them, a zero after each: no key is another's prefix
        return struct.pack(f">{len(levels)}H", *levels)

    return unicodedata.unidata_version, weights


@cache
def _made_once(make: Callable[[], Any]) -> Any:
    """Reading pyuca's table takes half a second, and nothing changes it."""
    return make()


def _basic_weights() -> tuple[str, _Weights]:
    def weights(text: str) -> bytes:
        letters = unicodedata.normalize("NFD", text)
        base = "".join(c for c in letters if not unicodedata.combining(c) and c >= " ")
        marks = "".join(c for c in letters if unicodedata.combining(c))
        case = "".join("B" if c.isupper() else "A" for c in base)
        return b"\x01".join(part.encode("utf-8", "surrogatepass") for part in (base.casefold(), marks, case)) + END

    return unicodedata.unidata_version, weights
