"""Authentication by the cookie that a login gives, instead of a password with each request."""

from __future__ import annotations

import threading
from email.message import Message
from typing import TYPE_CHECKING, TypeAlias

from couchdb_client.conditions import Conditions
from couchdb_client.errors import ServerError

if TYPE_CHECKING:
    from couchdb_client.session import Session

__all__ = ["CookieLogin", "Credentials", "session_token"]


class CookieLogin:
    """A user's login at the server whose URL is ``url``: its cookie, made when first needed and again when it expires.

    The server sends a new cookie before the old one expires; it is kept too. May be used by many threads.
    """

    def __init__(self, url: str, name: str, password: str) -> None:
        self.url = url
        self.name = name
        self._password = password
        self._token: str | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def __getstate__(self) -> tuple[str, str, str]:
        return self.url, self.name, self._password

    def __setstate__(self, state: tuple[str, str, str]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def cookie(self, session: Session) -> str:
        """Return the value of the Cookie header, after a login through ``session`` if there is no token.

        Raise `Unauthorized` if name or password is wrong.
        """
        with self._lock:
            if self._token is None:
                body = {"name": self.name, "password": self._password}
                url = self.url.rstrip("/") + "/_session"
                _, headers, _ = session.request("POST", url, body, conditions=Conditions(cookies=False))
                self._token = session_token(headers)
            return f"AuthSession={self._token}"

    def expire(self, cookie: str) -> None:
        """Forget the token of ``cookie``, which the server has refused; one that is newer is kept."""
        with self._lock:
            if cookie == f"AuthSession={self._token}":
                self._token = None

    def renew(self, headers: Message) -> None:
        """Keep the token that an answer came with, if it did."""
        for cookie in headers.get_all("Set-Cookie", []):
            name, _, value = str(cookie).partition(";")[0].partition("=")
            if name.strip() == "AuthSession" and value.strip():
                with self._lock:
                    self._token = value.strip()


def session_token(headers: Message) -> str:
    """Return the value of the cookie AuthSession among an answer's headers. Raise `ServerError` if it is not there."""
    for cookie in headers.get_all("Set-Cookie", []):
        key, _, value = str(cookie).partition(";")[0].partition("=")
        if key.strip() == "AuthSession":
            return value.strip()
    raise ServerError((200, ("no_cookie", "The server's answer to the login has no AuthSession cookie.")))


#: How a resource authenticates: ``(name, password)``, a login, or not at all.
Credentials: TypeAlias = "tuple[str, str] | CookieLogin | None"
