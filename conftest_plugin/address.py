"""The one address of a test run: a socket that every test's fake is put behind.

There is one for each process (each xdist worker). It opens when a test asks for ``couch_url`` or ``couch_address``, or
at the start of the run if ``couch_env`` or ``couch_intercept`` is set.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from couchfake import CouchFake
    from couchfake.control.addresses import SharedServer


class Address:
    """The socket of this process, opened when it is first needed and closed at the end of the run."""

    def __init__(self) -> None:
        self._shared: SharedServer | None = None
        self.environment: Environment | None = None
        """The variables of ``couch_env``, if there are any."""

    def attach(self, fake: CouchFake, login: tuple[str, str] | None) -> None:
        """Put a fake behind the address, before all others."""
        self.open().attach(fake.wsgi)
        if self.environment is not None:
            self.environment.attached(fake, login)

    def left_by(self, fake: CouchFake) -> None:
        """The fake is no longer behind the address."""
        if self.environment is not None:
            self.environment.detached(fake)

    @property
    def is_open(self) -> bool:
        return self._shared is not None

    def open(self) -> SharedServer:
        """Return the server at the address, listening."""
        if self._shared is None:
            from couchfake.control.addresses import SharedServer

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


class Environment:
    """The variables of ``couch_env``, and what their values depend on."""

    def __init__(self, entries: Iterable[str], url: str, login: tuple[str, str] | None) -> None:
        """Set the variables. ``login``: that of the real server's URL. Raise pytest.UsageError for a wrong entry."""
        from couchfake.testing.block import set_variable, variable_of

        self._url = url
        self._logins: list[tuple[object, tuple[str, str] | None]] = [(None, login)]
        self._names: list[Mapping[str, str]] = []
        self._undo = contextlib.ExitStack()
        try:
            self._variables = [variable_of(entry) for entry in entries]
            self._values = self._current()
        except ValueError as error:
            raise pytest.UsageError(f"ini couch_env: {error}") from None
        for name, value in self._values.items():
            set_variable(self._undo, name, value)

    def _current(self) -> dict[str, str]:
        from couchfake.testing.block import url_with_login

        login = self._logins[-1][1]
        with_login = url_with_login(self._url, None if login is None else {login[0]: login[1]})
        names = {name: there for each in self._names for name, there in each.items()}
        return {each.name: each.value(self._url, with_login, names) for each in self._variables}

    def _update(self) -> None:
        """Set the variables whose values are others than before; a test may have changed the rest."""
        current = self._current()
        os.environ.update({name: value for name, value in current.items() if value != self._values[name]})
        self._values = current

    def attached(self, server: object, login: tuple[str, str] | None) -> None:
        """The server at the address is this one, with the login of its first admin."""
        self._logins = [each for each in self._logins if each[0] is not server] + [(server, login)]
        self._update()

    def detached(self, server: object) -> None:
        """The server is no longer at the address."""
        self._logins = [each for each in self._logins if each[0] is not server]
        self._update()

    def name_databases(self, names: Mapping[str, str]) -> contextlib.ExitStack:
        """Use the names that databases have on a real server until the result is closed."""
        self._names.append(names)
        self._update()
        undo = contextlib.ExitStack()
        undo.callback(self._forget, names)
        return undo

    def _forget(self, names: Mapping[str, str]) -> None:
        self._names = [each for each in self._names if each is not names]
        self._update()

    def close(self) -> None:
        """Put the old values back."""
        self._undo.close()


def intercept_all(urls: Iterable[str], address: Address) -> contextlib.ExitStack:
    """Send connections to these URLs to the address; closing the result ends it. Raise pytest.UsageError."""
    from couchfake.control.addresses import InterceptionError, intercept

    undo = contextlib.ExitStack()
    shared = address.open()
    for url in urls:
        try:
            undo.enter_context(intercept(url, shared.application, (shared.host, shared.port)))
        except InterceptionError as error:
            undo.close()
            raise pytest.UsageError(f"couch_intercept: {error}") from None
    return undo
