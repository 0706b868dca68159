"""A server and clients of it, without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from couchfake.app import CouchFake


class Client:
    """Requests to one server, as one user (``auth``) or as nobody."""

    def __init__(self, fake: CouchFake, auth: tuple[str, str] | None = None) -> None:
        self.fake = fake
        self._session = fake.session()
        self._session.auth = auth

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("allow_redirects", False)
        self._session.cookies.clear()
        return self._session.request(method, self.fake.url.rstrip("/") + path, timeout=20, **options)

    def json(self, method: str, path: str, json: Any = None, status: int | None = None, **options: Any) -> Any:
        answer = self(method, path, json=json, **options)
        assert status is None or answer.status_code == status, answer.text
        return answer.json()

    def refusal(self, method: str, path: str, json: Any = None, **options: Any) -> str:
        """Status, error and reason in one line."""
        answer = self(method, path, json=json, **options)
        body = answer.json()
        return f"{answer.status_code} {body['error']}: {body['reason']}"

    def set(self, section: str, key: str, value: str) -> None:
        self.fake.node.config.set(section, key, value)


@pytest.fixture
def party() -> Client:
    """Nobody in particular, at a server without admins."""
    return Client(CouchFake())


@pytest.fixture
def fake() -> CouchFake:
    return CouchFake(admins={"adm": "pass"})


@pytest.fixture
def admin(fake: CouchFake) -> Client:
    return Client(fake, ("adm", "pass"))


@pytest.fixture
def anonymous(fake: CouchFake) -> Client:
    return Client(fake)


@pytest.fixture
def add_user(admin: Client) -> Callable[..., Client]:
    def add(name: str, password: str = "pw", roles: tuple[str, ...] = ()) -> Client:
        document = {"name": name, "type": "user", "roles": list(roles), "password": password}
        admin.json("PUT", f"/_users/org.couchdb.user:{name}", document, 201)
        return Client(admin.fake, (name, password))

    return add
