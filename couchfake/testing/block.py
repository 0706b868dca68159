"""A fake on a socket for as long as a block runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from couchfake.app import CouchFake


class running(contextlib.ContextDecorator):
    """A fake on a socket for as long as a block, or a decorated function, runs.

    ``env``: names of environment variables that hold its URL within the block. ``intercept``: URLs such as
    ``http://couchdb:5984`` whose connections reach it. ``seed``: a path for ``CouchFake.load``. ``port`` 0 takes any
    free port. Other arguments are those of ``CouchFake``. The URL in the environment has the first admin's login.
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
        self._env = [env] if isinstance(env, str) else list(env)
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
            for name in self._env:
                stack.callback(_put_back, name, os.environ.get(name))
                os.environ[name] = url
            for each in self._intercept:
                stack.enter_context(fake.intercept(each))
            self._undo.append(stack.pop_all())
        return fake

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.pop().close()


def _put_back(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def url_with_login(url: str, admins: Mapping[str, str] | None) -> str:
    """Return the URL with the first admin's name and password, or as it is without admins."""
    if not admins:
        return url
    name, password = next(iter(admins.items()))
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(name, safe='')}:{quote(password, safe='')}@{parts.netloc}"))
