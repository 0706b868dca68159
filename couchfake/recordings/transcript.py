"""Make a recording from exchanges that were listened to, so that it can be played against any server.

Secrets are masked (``Masking``), what the server chose in a request is captured from a former answer (``Transcript``),
and what differs from run to run in an answer becomes ``{"$any": …}`` (``response_of``).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from couchfake.control.secrets import STARS, is_secret_path
from couchfake.recordings.comparison import Reply, parse_body
from couchfake.recordings.player import Headers

# ---- secrets
#
# The admin's login becomes the login of whoever plays the recording: its requests lose their ``Authorization`` header,
# and its name and password elsewhere become ``{{admin_name}}`` and ``{{admin_password}}``. Other passwords become
# ``secret1``, ``secret2``, …, the same one wherever a password occurs, so that a user who is created can still log in.

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
        """Return the placeholder of a password."""
        if self._admin and value == self._admin_password:
            return "{{admin_password}}"
        if not value or value in self._replacements.values():
            return value
        return self._replacements.setdefault(value, f"secret{len(self._replacements) + 1}")

    def authorization(self, value: str) -> str | None:
        """Return the placeholder of an ``Authorization`` header, None for the admin's."""
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
        """Return a string with the passwords of logins in URLs replaced."""
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


# ---- answers
#
# Revisions, digests and error texts follow from the requests and are kept. Sequences, ids that the server chose, sizes,
# times and tokens do not.

HEADERS = (
    "Content-Type", "Cache-Control", "ETag", "Location", "Content-Security-Policy", "Accept-Ranges", "Allow", "Vary",
    "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers", "Access-Control-Max-Age", "Access-Control-Allow-Credentials", "Set-Cookie",
    "Content-Encoding", "Content-Range", "X-Couch-Update-NewRev", "X-Couch-Id", "WWW-Authenticate",
    "X-Frame-Options", "Content-Disposition",
)  # fmt: skip
"""The headers of an answer that are recorded."""

VARYING = frozenset((
    "instance_start_time", "ref", "sizes", "props", "cluster", "git_sha", "session_id", "start_time", "end_time",
    "execution_time_ms", "signature", "collator_versions", "waiting_commit", "last_updated", "started_on",
    "updated_on", "pid", "node", "process_status", "changes_pending", "all_nodes", "cluster_nodes", "seeds",
    "checkpointed_source_seq", "through_seq", "source_seq", "compact_running", "update_options", "replication_id",
    "_local_id",
))  # fmt: skip
"""Members, outside documents, whose values differ from run to run or from server to server."""

SEQUENCE = re.compile(r"(\d+)-g[\w-]+")
UUID = re.compile(r"[0-9a-f]{32}")
_SYSTEM = ("/_users", "/_replicator")
_REPLICATION = re.compile(r"[0-9a-f]{32}\+continuous|_local/[0-9a-f]{32}")
_BOUNDARY = re.compile(r'boundary="[^"]+"')
_MEASURED = re.compile(r"/(_node/[^/]+/)?_(stats|system|prometheus|versions)\b|/_active_tasks")
_REVISION = re.compile(r"(\d+)-[0-9a-f]{32}")
_STABLE_ETAG = re.compile(r'"(\d+-[0-9a-f]{32}|[A-Za-z0-9+/]{22}==)"')


def response_of(reply: Reply, method: str, path: str) -> dict[str, Any]:
    """Return the ``response`` that ``comparison.judge`` compares other replies with."""
    kind, body = parse_body(reply, method)
    if _MEASURED.match(path) and reply.status == 200:
        body = {"$any": "anything"}
    elif kind in ("json", "jsonlines", "multipart"):
        body = _Body(reply.status, path).generalised(body)
    elif kind == "sse":
        body = [_event(line) for line in body]
    return {"status": reply.status, "headers": _headers(reply, path), "kind": kind, "body": body}


def _event(line: str) -> Any:
    return {"$any": "string"} if SEQUENCE.search(line) else line


def _headers(reply: Reply, path: str) -> dict[str, Any]:
    return {name: _header(name, value, path) for name in HEADERS if (value := reply.header(name)) is not None}


def _header(name: str, value: str, path: str) -> Any:
    if name == "Set-Cookie":
        return {"re": "; ".join(_as_pattern(part) for part in value.split("; "))}
    if name == "ETag":
        return value if _STABLE_ETAG.fullmatch(value) and not path.startswith(_SYSTEM) else {"re": ".+"}
    if name == "Location":
        value = urlsplit(value).path or value
        return {"re": ".*" + UUID.sub("[0-9a-f]{32}", re.escape(value))} if UUID.search(value) else value
    if name == "X-Couch-Id" and UUID.fullmatch(value):
        return {"re": UUID.pattern}
    if _BOUNDARY.search(value):
        return {"re": _BOUNDARY.sub('boundary="[^"]+"', value.replace("+", "[+]"))}
    return value


def _as_pattern(part: str) -> str:
    name, _, value = part.partition("=")
    if value and name in ("AuthSession", "Expires"):
        return f"{name}=[^;]+"
    return re.escape(part)


class _Body:
    """One answer's body. In ``_users`` and ``_replicator`` revisions vary too: the server adds salts and times."""

    def __init__(self, status: int, path: str) -> None:
        self.crashed = status >= 500
        self.revisions_vary = path.startswith(_SYSTEM)
        self.is_uuids = path.startswith("/_uuids")

    def generalised(self, value: Any, name: str = "", is_document: bool = False) -> Any:
        """Return a value with ``$any`` in the place of what varies. ``name`` is the member that it is, or is within."""
        if isinstance(value, dict):
            is_document = is_document or "_id" in value or name in ("doc", "key", "value")
            return {key: self._member(key, member, is_document) for key, member in value.items()}
        if isinstance(value, list):
            return [self.generalised(item, name, is_document) for item in value]
        return self._scalar(value, name, is_document) if isinstance(value, str) else value

    def _member(self, name: str, value: Any, is_document: bool) -> Any:
        if not is_document and (name in VARYING or (name == "reason" and self.crashed)):
            return {"$any": "anything"}
        if name == "bookmark" and value != "nil" and not is_document:
            return {"$any": "anything"}
        if self.revisions_vary and name in ("salt", "derived_key"):
            return {"$any": "string"}
        return self.generalised(value, name, is_document)

    def _scalar(self, value: str, name: str, is_document: bool) -> Any:
        sequence = SEQUENCE.fullmatch(value)
        if sequence:
            return {"$any": "seq", "n": int(sequence[1])}
        if name in ("id", "_id", "key") and _REPLICATION.fullmatch(value):
            return {"$any": "string"}
        if self._is_chosen_by_server(name) and UUID.fullmatch(value):
            return {"$any": "uuid"}
        revision = _REVISION.fullmatch(value) if self.revisions_vary else None
        if revision:
            return {"$any": "rev", "n": int(revision[1])}
        return value

    def _is_chosen_by_server(self, name: str) -> bool:
        return self.is_uuids or name in ("id", "_id", "key", "uuid") or (self.revisions_vary and name == "ids")


# ---- exchanges

_DROPPED = frozenset((
    "host", "user-agent", "connection", "content-length", "keep-alive", "te", "upgrade", "via", "forwarded",
    "proxy-authorization", "proxy-connection", "transfer-encoding", "date", "expect", "x-request-id", "traceparent",
))  # fmt: skip
"""Request headers that say nothing about what is asked for."""

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
