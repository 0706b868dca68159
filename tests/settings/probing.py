"""A probe of a setting: a request whose answer differs when the setting has another value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from couchfake.app import CouchFake
from couchfake.settings import Setting

ADMIN = ("adm", "pass")
ANN = ("ann", "pw")
NOBODY = None
Login = tuple[str, str] | None
Sections = Mapping[str, Mapping[str, str]]


class Server:
    """A server whose clock is set by hand. Requests are those of its admin unless ``login`` says otherwise."""

    def __init__(self, config: Sections) -> None:
        self.now = 1_700_000_000.0
        self.fake = CouchFake(admins={"adm": "pass"}, config=config, clock=lambda: self.now)
        self._session = self.fake.session()

    def __call__(
        self, method: str, path: str, json: Any = None, login: Login = ADMIN, **more: Any
    ) -> requests.Response:
        self._session.auth = login
        self._session.cookies.clear()
        more.setdefault("allow_redirects", False)
        return self._session.request(method, self.fake.url.rstrip("/") + path, json=json, timeout=60, **more)

    def json(self, method: str, path: str, json: Any = None, login: Login = ADMIN, **more: Any) -> Any:
        return self(method, path, json, login, **more).json()

    def status(self, method: str, path: str, json: Any = None, login: Login = ADMIN, **more: Any) -> int:
        return self(method, path, json, login, **more).status_code

    def header(self, name: str, method: str, path: str, login: Login = ADMIN, **more: Any) -> str | None:
        return self(method, path, login=login, **more).headers.get(name)

    def made(self, *paths: str, json: Any = None) -> Server:
        """PUT each path: databases, or documents with the given body."""
        for path in paths:
            assert self.status("PUT", path, json) == 201, path
        return self

    def with_user(self, **members: Any) -> Server:
        """Write the document of the user ``ann``."""
        body = {"name": "ann", "type": "user", "roles": [], "password": "pw", **members}
        return self.made("/_users/org.couchdb.user:ann", json=body)

    def set(self, setting: Setting[Any], value: str) -> None:
        """Change a setting as clients do."""
        path = f"/_node/_local/_config/{setting.section}/{setting.key}"
        assert self.status("PUT", path, value) == 200


@dataclass(frozen=True)
class Probe:
    """What ``observe`` returns with the setting's default and with ``value``, on a server with ``given`` settings."""

    setting: Setting[Any]
    value: str
    observe: Callable[[Server], Any]
    default: Any
    changed: Any
    given: Sections = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.setting.section}/{self.setting.key}"
