"""The one address of a test run: a socket that every test's fake is put behind.

There is one for each process (each xdist worker). It opens when a test asks for ``couch_url`` or ``couch_address``, or
at the start of the run if ``couch_env`` or ``couch_intercept`` is set.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest

if TYPE_CHECKING:
    from couchfake.control.shared_server import SharedServer


class Address:
    """The socket of this process, opened when it is first needed and closed at the end of the run."""

    def __init__(self) -> None:
        self._shared: SharedServer | None = None

    @property
    def is_open(self) -> bool:
        return self._shared is not None

    def open(self) -> SharedServer:
        """Return the server at the address, listening."""
        if self._shared is None:
            from couchfake.control.shared_server import SharedServer

            self._shared = SharedServer().start()
        return self._shared

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT/``."""
        return self.open().url + "/"

    def close(self) -> None:
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.stop()


def set_environment(entries: Iterable[str], url: str) -> contextlib.ExitStack:
    """Set the environment variables of ``couch_env``; closing the result puts the old values back.

    An entry is ``NAME`` (the server's URL), ``NAME=path`` (the URL of a database), or ``NAME=text`` in which ``{url}``,
    ``{host}`` and ``{port}`` are replaced. Raise pytest.UsageError for anything else.
    """
    undo = contextlib.ExitStack()
    for entry in entries:
        name, separator, value = entry.partition("=")
        if not name.strip() or (separator and not value.strip()):
            raise pytest.UsageError(f"ini couch_env: {entry!r} is not NAME, NAME=path or NAME=text with {{url}}")
        _set(undo, name.strip(), _expanded(entry, value.strip(), url))
    return undo


def _expanded(entry: str, value: str, url: str) -> str:
    if "{" not in value:
        return url + value.lstrip("/")
    parts = urlsplit(url)
    try:
        return value.format(url=url, host=parts.hostname, port=parts.port or {"http": 80, "https": 443}[parts.scheme])
    except (KeyError, IndexError, ValueError):
        raise pytest.UsageError(f"ini couch_env: {entry!r}: only {{url}}, {{host}} and {{port}} are replaced") from None


def name_databases(entries: Iterable[str], url: str, names: Mapping[str, str]) -> contextlib.ExitStack:
    """Put the names that databases have on a real server into the variables of ``couch_env``.

    Only entries ``NAME=path`` whose path begins with one of ``names`` change. Closing the result puts the old values
    back.
    """
    undo = contextlib.ExitStack()
    for entry in entries:
        variable, _, path = entry.partition("=")
        name, slash, rest = path.strip().lstrip("/").partition("/")
        if name in names:
            _set(undo, variable.strip(), url + quote(names[name], safe="") + slash + rest)
    return undo


def _set(undo: contextlib.ExitStack, name: str, value: str) -> None:
    old = os.environ.get(name)
    os.environ[name] = value
    undo.callback(_put_back, name, old)


def _put_back(name: str, old: str | None) -> None:
    if old is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = old


def intercept_all(urls: Iterable[str], address: Address) -> contextlib.ExitStack:
    """Send connections to these URLs to the address; closing the result ends it. Raise pytest.UsageError."""
    from couchfake.control.interception import InterceptionError, intercept

    undo = contextlib.ExitStack()
    shared = address.open()
    for url in urls:
        try:
            undo.enter_context(intercept(url, shared.application, (shared.host, shared.port)))
        except InterceptionError as error:
            undo.close()
            raise pytest.UsageError(f"couch_intercept: {error}") from None
    return undo
