"""Take secrets out of recorded exchanges, so that what is recorded can still be played.

The admin's login becomes the login of whoever plays the recording: its requests lose their ``Authorization`` header,
and its name and password elsewhere become ``{{admin_name}}`` and ``{{admin_password}}``. Other passwords become
``secret1``, ``secret2``, …, the same one wherever a password occurs, so that a user who is created can still log in.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from couchfake.control.secrets import STARS, is_secret_path

_LOGIN_IN_URL = re.compile(r"://([^/\s\"@:]*):([^/\s\"@]*)@")
_PASSWORDS = ("password", "passwd")
_FORM = "application/x-www-form-urlencoded"


class Masking:
    """One recording's passwords. ``admin`` is the login ``name:password`` of the server's admin, or None."""

    def __init__(self, admin: str | None) -> None:
        self._admin = admin
        self._admin_name, _, self._admin_password = (admin or "").partition(":")
        self._replacements: dict[str, str] = {}

    def password(self, value: str) -> str:
        """Return what stands for a password."""
        if self._admin and value == self._admin_password:
            return "{{admin_password}}"
        if not value or value in self._replacements.values():
            return value
        return self._replacements.setdefault(value, f"secret{len(self._replacements) + 1}")

    def authorization(self, value: str) -> str | None:
        """Return what stands for an ``Authorization`` header, None for the admin's."""
        kind, _, credentials = value.partition(" ")
        if kind.lower() != "basic":
            return f"{kind} {STARS}"
        try:
            name, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return f"{kind} {STARS}"
        if not colon:
            return value
        if f"{name}:{password}" == self._admin:
            return None
        masked = self.password(password)
        if masked.startswith("{{"):  # the admin's password with another name: never the right one
            masked = STARS
        return f"Basic {base64.b64encode(f'{name}:{masked}'.encode()).decode()}"

    def body(self, body: bytes, path: str, content_type: str) -> bytes:
        """Return a request's body with its passwords replaced. As for the server, JSON needs no type that says so."""
        if not body:
            return body
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return self._form(body) if content_type.startswith(_FORM) else body
        if isinstance(value, str) and is_secret_path(path):
            return json.dumps(self.password(value)).encode()
        masked_value = self.value(value)
        return body if masked_value == value else json.dumps(masked_value, ensure_ascii=False).encode()

    def _form(self, body: bytes) -> bytes:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        masked = [(name, self._value(name, value, dict(pairs))) for name, value in pairs]
        return urlencode(masked, safe="{}").encode()

    def value(self, value: Any) -> Any:
        """Return a JSON value with passwords, and logins in URLs, replaced."""
        if isinstance(value, dict):
            return {name: self._value(name, member, value) for name, member in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _value(self, name: str, value: Any, siblings: dict[str, Any]) -> Any:
        if isinstance(value, str):
            if name in _PASSWORDS:
                return self.password(value)
            is_login = any(siblings.get(each) == self._admin_password for each in _PASSWORDS)
            if self._admin and is_login and name in ("name", "username") and value == self._admin_name:
                return "{{admin_name}}"
            if name.lower() in ("authorization", "cookie", "x-auth-couchdb-token"):
                return (self.authorization(value) or STARS) if name.lower() == "authorization" else STARS
        return self.value(value)

    def text(self, text: str) -> str:
        """Return a text with the passwords of logins in URLs replaced."""
        return _LOGIN_IN_URL.sub(self._login, text)

    def _login(self, match: re.Match[str]) -> str:
        if self._admin and match[1] == self._admin_name and match[2] == self._admin_password:
            return "://{{admin_name}}:{{admin_password}}@"
        return f"://{match[1]}:{self.password(match[2])}@"

    def any_admin(self, value: Any) -> Any:
        """Return the body of an answer of ``/_session`` in which the admin's name may be any."""
        if isinstance(value, dict):
            return {name: self.any_admin(member) for name, member in value.items()}
        return {"$any": "string"} if value == self._admin_name else value
