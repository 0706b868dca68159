"""Names that couchdb-python has for types and functions which differ between Python 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO as StringIO
from types import CodeType
from typing import Any
from urllib.parse import quote as urlquote
from urllib.parse import unquote as urlunquote
from urllib.parse import urlencode, urlparse, urlsplit, urlunsplit

__all__ = [
    "StringIO", "btype", "funcode", "ltype", "pyexec", "strbase", "urlencode", "urlparse", "urlquote", "urlsplit",
    "urlunquote", "urlunsplit", "utype",
]  # fmt: skip

#: Types to test with `isinstance`: text and bytes, text, bytes, integers of any size.
strbase = (str, bytes)
utype = str
btype = bytes
ltype = int


def funcode(function: Callable[..., Any]) -> CodeType:
    """Return the code object of a function."""
    code: CodeType = function.__code__
    return code


def pyexec(code: str | CodeType, gns: dict[str, Any], lns: dict[str, Any]) -> None:
    """Execute ``code`` with ``gns`` as its globals and ``lns`` as its locals."""
    exec(code, gns, lns)
