"""Make a recording from exchanges that were listened to: secrets masked, and what the server chose captured."""

from __future__ import annotations

import base64
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from couchfake.control.secrets import STARS, is_secret_path
from couchfake.recordings.comparison import Reply, parse_body
from couchfake.recordings.generalise import SEQUENCE, UUID, response_of
from couchfake.recordings.masking import Masking
from couchfake.recordings.senders import Headers

_DROPPED = frozenset((
    "host", "user-agent", "connection", "content-length", "keep-alive", "te", "upgrade", "via", "forwarded",
    "proxy-authorization", "proxy-connection", "transfer-encoding", "date", "expect", "x-request-id", "traceparent",
))  # fmt: skip
"""Request headers that say nothing about what is asked for."""

_REVISION = re.compile(r"\d+-[0-9a-f]{32}")
_SESSION = re.compile(r"(AuthSession=)([^;]+)")


class Exchange(NamedTuple):
    """A request as the client sent it, and the whole answer. ``path`` has the query; ``headers`` any spelling."""

    method: str
    path: str
    headers: Headers
    body: bytes
    reply: Reply


class Transcript:
    """Takes in exchanges in the order of their answers. ``admin`` is the login of the server's admin, or None."""

    def __init__(self, admin: str | None = None) -> None:
        self.steps: list[dict[str, Any]] = []
        self.databases: list[str] = []
        self._masking = Masking(admin)
        self._has_admin = admin is not None
        self._known: dict[str, tuple[int, str]] = {}  # what a server chose: the step that answered it, and where
        self._variables: dict[str, str] = {}

    def add(self, exchange: Exchange) -> None:
        """Record an exchange."""
        step = {"request": self._request(exchange), "response": self._response(exchange)}
        self._note_choices(exchange)
        self.steps.append(step)
        name = unquote(exchange.path.partition("?")[0].strip("/"))
        created = exchange.method == "PUT" and exchange.reply.status in (201, 202)
        if created and "/" not in name and not name.startswith("_") and name not in self.databases:
            self.databases.append(name)

    def recording(self, name: str, recorded_from: str) -> dict[str, Any]:
        """Return the recording, with one scenario."""
        scenario = {
            "name": name, "doc": f"Recorded from {recorded_from}", "databases": self.databases, "steps": self.steps
        }  # fmt: skip
        return {"area": name, "recorded_from": recorded_from, "scenarios": [scenario]}

    # ---- requests

    def _request(self, exchange: Exchange) -> dict[str, Any]:
        headers = {name: value for name, value in exchange.headers if name.lower() not in _DROPPED}
        request: dict[str, Any] = {
            "method": exchange.method, "path": self._with_variables(self._masking.text(exchange.path))
        }  # fmt: skip
        given = {name.lower(): value for name, value in headers.items()}
        if "accept" not in given:
            request["no_accept"] = True
        if self._is_anonymous(exchange, given):
            request["anonymous"] = True
        kept = {name: self._header(name, value) for name, value in headers.items()}
        kept = {name: value for name, value in kept.items() if value is not None}
        if kept:
            request["headers"] = kept
        self._add_body(request, exchange, given.get("content-type", ""))
        return request

    def _is_anonymous(self, exchange: Exchange, headers: dict[str, str]) -> bool:
        if "authorization" in headers or "cookie" in headers:
            return False
        is_login = exchange.path.startswith("/_session") and exchange.method != "GET"
        return is_login or exchange.reply.status == 401

    def _header(self, name: str, value: str) -> str | None:
        if name.lower() == "authorization":
            return self._masking.authorization(value)
        if name.lower() == "cookie":
            return _SESSION.sub(lambda match: match[1] + self._variable(match[2], STARS), value)
        if name.lower() in ("x-auth-couchdb-token", "x-auth-couchdb-username"):
            return STARS
        if name.lower() == "accept" and value == "application/json":
            return None
        return self._with_variables(value)

    def _add_body(self, request: dict[str, Any], exchange: Exchange, content_type: str) -> None:
        body = self._masking.body(exchange.body, exchange.path, content_type)
        if not body and exchange.method not in ("PUT", "POST"):
            return
        try:
            request["body"] = self._with_variables(body.decode())
        except UnicodeDecodeError:
            request["base64"] = base64.b64encode(body).decode("ascii")

    # ---- what the server chose

    def _note_choices(self, exchange: Exchange) -> None:
        for cookie in (value for name, value in exchange.reply.headers if name.lower() == "set-cookie"):
            match = _SESSION.match(cookie)
            if match:
                self._known.setdefault(match[2], (len(self.steps), "cookie:AuthSession"))
        kind, value = parse_body(exchange.reply, exchange.method)
        if kind == "json":
            self._note_values(value, "", exchange.path.startswith("/_users"))

    def _note_values(self, value: Any, pointer: str, revisions_vary: bool) -> None:
        if isinstance(value, dict):
            for name, member in value.items():
                place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
                self._note_values(member, place, revisions_vary)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                self._note_values(item, f"{pointer}/{number}", revisions_vary)
        elif isinstance(value, str) and _is_choice(value, revisions_vary):
            self._known.setdefault(value, (len(self.steps), pointer))

    def _with_variables(self, text: str) -> str:
        return _CHOICES.sub(lambda match: self._variable(match[0], match[0]), text)

    def _variable(self, value: str, otherwise: str) -> str:
        """Return the variable that has a value which a former step answered, or ``otherwise``."""
        if value not in self._known:
            return otherwise
        if value not in self._variables:
            self._variables[value] = f"v{len(self._variables) + 1}"
            number, where = self._known[value]
            self.steps[number].setdefault("capture", {})[self._variables[value]] = where
        return "{{" + self._variables[value] + "}}"

    # ---- answers

    def _response(self, exchange: Exchange) -> dict[str, Any]:
        response = response_of(exchange.reply, exchange.method, exchange.path)
        if is_secret_path(exchange.path):
            response["body"] = {"$any": "anything"}
        elif self._has_admin and exchange.path.startswith("/_session"):
            response["body"] = self._masking.any_admin(response["body"])
        else:
            response["body"] = self._masking.value(response["body"])
        return response


_CHOICES = re.compile(r"\d+-g[\w-]+|\d+-[0-9a-f]{32}|(?<![0-9a-f-])[0-9a-f]{32}(?![0-9a-f])")


def _is_choice(value: str, revisions_vary: bool) -> bool:
    if SEQUENCE.fullmatch(value) or UUID.fullmatch(value):
        return True
    return revisions_vary and _REVISION.fullmatch(value) is not None
