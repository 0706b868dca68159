"""JSON encoding and decoding, with a codec that programs can replace.

The default is the standard library's `json`: integers of any size and the order of members survive, and NaN and the
infinities are refused. `use` replaces it for the whole process, for instance to save values that JSON has no type for:

>>> import json as stdlib
>>> from decimal import Decimal
>>> from couchdb_client import json
>>> json.use(decode=stdlib.loads, encode=lambda value: stdlib.dumps(value, default=str))
>>> json.encode({'price': Decimal('9.90')})
'{"price": "9.90"}'
>>> json.use('json')

The environment variable COUCHDB_PYTHON_JSON chooses the implementation that a process begins with: ``json``,
``simplejson`` or ``cjson``, as for couchdb-python. Any other value means the default.

Every call of this package encodes and decodes through `encode` and `decode`, which look up the codec when they are
called. Import the module, not the two functions, and call ``json.encode(value)`` and ``json.decode(text)``.
"""

from __future__ import annotations

import importlib
import json as _stdlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["decode", "encode", "encode_line", "use"]

Decode = Callable[[str], Any]
Encode = Callable[[Any], "str | bytes"]


class _Codec(NamedTuple):
    """The two halves of a JSON implementation."""

    decode: Decode
    encode: Encode


#: The modules that `use` accepts by name.
_NAMES = ("json", "simplejson", "cjson", "orjson", "rapidjson", "ujson")

_STANDARD = _Codec(
    _stdlib.loads, _stdlib.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
)

_spaced = _stdlib.JSONEncoder(allow_nan=False, ensure_ascii=False).encode


def decode(string: str | bytes) -> Any:
    """Return the Python value of a JSON text; bytes are UTF-8. Raise `ValueError` if it is not valid JSON."""
    return _codec.decode(string.decode("utf-8") if isinstance(string, bytes) else string)


def encode(obj: Any) -> str:
    """Return ``obj`` as JSON text.

    Unless `use` has chosen another encoder, raise `TypeError` for a value that JSON cannot represent, and `ValueError`
    for NaN and the infinities.
    """
    text = _codec.encode(obj)
    return text if isinstance(text, str) else text.decode("utf-8")


def encode_line(obj: Any) -> str:
    """Return ``obj`` as JSON text like `encode`, by the default codec with a space after each comma and colon."""
    return _spaced(obj) if _codec is _STANDARD else encode(obj)


def use(module: str | ModuleType | None = None, decode: Decode | None = None, encode: Encode | None = None) -> None:
    """Choose the JSON implementation for all requests of this process from now on.

    ``module`` is ``'json'`` (the default implementation), ``'simplejson'``, ``'cjson'``, ``'orjson'``, ``'rapidjson'``
    or ``'ujson'``, or a module object that has ``loads`` and ``dumps`` (or ``decode`` and ``encode``). Alternatively,
    ``decode`` is a function that takes a JSON string and returns a value, and ``encode`` a function that takes a value
    and returns a JSON string; their exceptions are not altered. If one of the two is missing, that half stays as it is.

    Raise `ImportError` if the named module is not installed, `ValueError` if its name is not supported, `TypeError` for
    any other wrong combination of arguments.
    """
    global _codec
    if module is not None:
        if decode is not None or encode is not None:
            raise TypeError("use() takes either a module or functions, not both")
        _codec = _codec_of(module)
    elif decode is None and encode is None:
        raise TypeError("use() needs a module, or at least one of decode and encode")
    else:
        for function in (decode, encode):
            if function is not None and not callable(function):
                raise TypeError(f"expected a function, got {type(function)}")
        _codec = _Codec(decode or _codec.decode, encode or _codec.encode)


def _codec_of(module: str | ModuleType) -> _Codec:
    if isinstance(module, str):
        if module not in _NAMES:
            raise ValueError(f"Unsupported JSON module {module}")
        module = importlib.import_module(module)
    if module is _stdlib:
        return _STANDARD
    if module.__name__ == "simplejson":
        encoder = module.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), use_decimal=True)
        return _Codec(module.loads, encoder.encode)
    for names in (("loads", "dumps"), ("decode", "encode")):
        functions = [getattr(module, name, None) for name in names]
        if all(map(callable, functions)):
            return _Codec(*functions)  # type: ignore[arg-type]  # callable, as just checked
    raise TypeError(f"the module {module.__name__} has neither loads and dumps nor decode and encode")


def _codec_of_environment() -> _Codec:
    """Return the codec that COUCHDB_PYTHON_JSON names. Raise `ImportError` if that module is not installed."""
    name = os.environ.get("COUCHDB_PYTHON_JSON")
    return _codec_of(name) if name in ("simplejson", "cjson") else _STANDARD


_codec = _codec_of_environment()  # of the process, as in couchdb-python; `use` rebinds it
