"""What environment variables contain, through which an application finds its server.

An entry is ``NAME`` (the server's URL), ``NAME=path`` (the URL of a database), or ``NAME=text`` in which ``{url}``,
``{admin_url}``, ``{host}`` and ``{port}`` are replaced.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WITH_ADMIN = "{admin_url}"


class Variable(NamedTuple):
    """An entry: the variable's name, and the text from which its value is made."""

    name: str
    text: str

    def value(self, url: str, admin_url: str, names: Mapping[str, str] | None = None) -> str:
        """Return the value for a server with these URLs, which end in a slash, without and with an admin's login.

        ``names``: what databases are called on the server. Raise ValueError for an unknown placeholder.
        """
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        try:
            return self._with_names(names or {}).format(url=url, admin_url=admin_url, host=parts.hostname, port=port)
        except (KeyError, IndexError, ValueError):
            placeholders = "{url}, {admin_url}, {host} and {port}"
            raise ValueError(f"'{self.name}={self.text}': only {placeholders} are replaced") from None

    def _with_names(self, names: Mapping[str, str]) -> str:
        """Return the text with the name that its database has on the server."""
        for start in ("{url}", _WITH_ADMIN):
            name, slash, rest = self.text.removeprefix(start).partition("/")
            if self.text.startswith(start) and name in names:
                return start + quote(names[name], safe="") + slash + rest
        return self.text


def variable_of(entry: str) -> Variable:
    """Return the variable that an entry describes. Raise ValueError."""
    name, separator, text = (part.strip() for part in entry.partition("="))
    if not _NAME.fullmatch(name) or (separator and not text):
        raise ValueError(f"{entry!r} is not NAME, NAME=path or NAME=text with {{url}}, NAME being that of a variable")
    return Variable(name, text if "{" in text else "{url}" + text.lstrip("/"))


def set_variable(undo: contextlib.ExitStack, name: str, value: str) -> None:
    """Set an environment variable; closing ``undo`` puts the old value back."""
    undo.callback(_put_back, name, os.environ.get(name))
    os.environ[name] = value


def _put_back(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
