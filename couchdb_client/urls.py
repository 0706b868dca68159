"""URLs: joining and quoting their parts, and the credentials in them."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, overload
from urllib.parse import quote as _quote
from urllib.parse import quote_plus, unquote, urlsplit, urlunsplit

__all__ = ["DEFAULT_BASE_URL", "basic_auth", "extract_credentials", "quote", "urlencode", "urljoin"]

#: Where `couchdb_client.Server()` connects to: the environment's COUCHDB_URL, read once, else the local server.
DEFAULT_BASE_URL = os.environ.get("COUCHDB_URL", "http://localhost:5984/")


_PLAIN = re.compile("[A-Za-z0-9_~-]+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")

#: How characters of ASCII appear in a path and in a parameter.
_IN_PATH = {code: f"%{code:02X}" for code in range(128) if chr(code) not in _UNRESERVED}
_IN_PARAMETER = {**_IN_PATH, ord(" "): "+"}


def quote(text: str | bytes, safe: str = "") -> str:
    """Return ``text`` as one segment of a path: slashes, plus and percent signs and all beyond ASCII are escaped.

    Segments of dots alone are escaped too, for else a client or a proxy on the way would take them for directories.
    """
    if isinstance(text, str) and text.isascii():
        if text.isalnum() or _PLAIN.fullmatch(text):
            return text
        quoted = _quote(text, safe) if safe else text.translate(_IN_PATH)
    else:
        quoted = _quote(text, safe)
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def urlencode(data: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Return ``data`` as a query string."""
    pairs = data.items() if isinstance(data, Mapping) else data
    return "&".join([f"{_quote_parameter(name)}={_quote_parameter(value)}" for name, value in pairs])


def _quote_parameter(value: Any) -> str:
    text = value if isinstance(value, (str, bytes)) else str(value)
    if isinstance(text, bytes) or not text.isascii():
        return quote_plus(text)
    return text if text.isalnum() else text.translate(_IN_PARAMETER)


def urljoin(base: str, *path: str | bytes, **query: Any) -> str:
    """Return ``base`` with segments of a path, each quoted, and parameters.

    A parameter that is a list or tuple is repeated, one that is None omitted; True and False become ``true`` and
    ``false``.

    >>> urljoin('http://example.org/', 'foo', 'a/b', rev='1-x', deleted=True)
    'http://example.org/foo/a%2Fb?rev=1-x&deleted=true'
    """
    url = "/".join([base.removesuffix("/"), *map(quote, path)])
    parameters: list[tuple[str, Any]] = []
    for name, value in query.items():
        if value is True or value is False:
            parameters.append((name, "true" if value else "false"))
        elif isinstance(value, (list, tuple)):
            parameters += [(name, _as_parameter(item)) for item in value if item is not None]
        elif value is not None:
            parameters.append((name, value))
    return f"{url}?{urlencode(parameters)}" if parameters else url


def _as_parameter(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def extract_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return ``url`` without its user information, and that as ``(name, password)`` or None.

    >>> extract_credentials('http://joe%40example.com:secret@localhost:5984/_config/')
    ('http://localhost:5984/_config/', ('joe@example.com', 'secret'))
    """
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, None
    userinfo, _, host = parts.netloc.rpartition("@")
    name, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(name), unquote(password))


@overload
def basic_auth(credentials: tuple[str, str]) -> str: ...


@overload
def basic_auth(credentials: tuple[()] | None) -> None: ...


def basic_auth(credentials: tuple[str, str] | tuple[()] | None) -> str | None:
    """Return the value of an Authorization header for ``(name, password)``, None for no credentials.

    CouchDB reads both as UTF-8.

    >>> basic_auth(('root', 'relax'))
    'Basic cm9vdDpyZWxheA=='
    """
    if not credentials:
        return None
    name, password = credentials
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode("ascii")
