"""A fake on a socket for as long as a block runs, and the environment variables that contain its URL."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from couchfake.app import CouchFake

# ---- environment variables
#
# An entry is ``NAME`` (the server's URL), ``NAME=path`` (the URL of a database), or ``NAME=text`` in which ``{url}``,
# ``{admin_url}``, ``{host}`` and ``{port}`` are replaced.

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


# ---- the block


class running(contextlib.ContextDecorator):
    """A fake on a socket for as long as a block, or a decorated function, runs.

    ``env``: environment variables that hold its URL within the block: ``NAME``, ``NAME=path`` for a database's URL, or
    ``NAME=text`` with ``{url}``, ``{host}`` or ``{port}`` in it. ``intercept``: URLs such as
    ``http://couchdb:5984`` whose connections reach it. ``seed``: a path for ``CouchFake.load``. ``port`` 0 takes any
    free port. Other arguments are those of ``CouchFake``. The URL in the environment has the first admin's login.
    Raise ValueError for a wrong entry.
    """

    def __init__(
        self,
        *,
        env: str | Iterable[str] = (),
        intercept: str | Iterable[str] = (),
        seed: str | os.PathLike[str] | None = None,
        port: int = 0,
        **settings: Any,
    ) -> None:
        self._env = [variable_of(entry) for entry in ([env] if isinstance(env, str) else env)]
        self._intercept = [intercept] if isinstance(intercept, str) else list(intercept)
        self._seed = seed
        self._port = port
        self._settings = settings
        self._undo: list[contextlib.ExitStack] = []  # a decorated function may call itself

    def __enter__(self) -> CouchFake:
        with contextlib.ExitStack() as stack:
            fake = CouchFake(**self._settings)
            stack.callback(fake.close)
            if self._seed is not None:
                fake.load(self._seed)
            url = url_with_login(fake.start(self._port), self._settings.get("admins"))
            for variable in self._env:
                set_variable(stack, variable.name, variable.value(url, url))
            for each in self._intercept:
                stack.enter_context(fake.intercept(each))
            self._undo.append(stack.pop_all())
        return fake

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.pop().close()


def url_with_login(url: str, admins: Mapping[str, str] | None) -> str:
    """Return the URL with the first admin's name and password, or as it is without admins."""
    if not admins:
        return url
    name, password = next(iter(admins.items()))
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(name, safe='')}:{quote(password, safe='')}@{parts.netloc}"))
