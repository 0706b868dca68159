"""Play the scenarios of a recording against a server, over a socket or in this process.

A request is sent byte by byte as it was recorded.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from couchfake.recordings.comparison import Grade, Reply, judge
from couchfake.transports.wsgi import Answer, base_environ, header_items, make_environ, within_limits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


# ---- sending a request

Headers = list[tuple[str, str]]
Sender = Callable[[str, str, Headers, "bytes | None"], Reply]
"""``send(method, path, headers, body)``; the path with its query, escaped as recorded."""


def over_socket(url: str, timeout: float = 30) -> Sender:
    """Send to the server at a URL, each request on a new connection. Raise OSError if it does not answer."""

    def send(method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        connection = connect(url, timeout)
        try:
            return exchange(connection, method, path, headers, body)
        finally:
            connection.close()

    return send


def connect(url: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not opened yet, to the server at a URL (http or https)."""
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Headers, body: bytes | None
) -> Reply:
    """Send a request on a connection, and return the whole answer."""
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    names = {name.lower() for name, _ in headers}
    framed = names & {"content-length", "transfer-encoding"}
    if not framed and (body is not None or method in ("POST", "PUT")):
        connection.putheader("Content-Length", str(len(body or b"")))
    connection.endheaders(body)
    response = connection.getresponse()
    return Reply(response.status, response.getheaders(), response.read())


def in_process(application: WSGIApplication, host: str = "127.0.0.1:5984") -> Sender:
    """Call a WSGI application directly."""

    def send(method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        environ = _environ(method, path, headers, body, host)
        answer = Answer(within_limits(application, method, path, headers), environ)
        return Reply(answer.status, answer.headers, answer.read())

    return send


def _environ(method: str, path: str, headers: Headers, body: bytes | None, host: str) -> dict[str, Any]:
    fields = header_items((name, value.encode()) for name, value in headers)
    fields.setdefault("HTTP_HOST", host)
    data = body or b""
    if fields.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        data = _dechunked(data)
    elif body is not None or method in ("POST", "PUT"):
        fields.setdefault("CONTENT_LENGTH", str(len(data)))
    name, _, port = host.partition(":")
    return make_environ(base_environ(name, port or "80"), method, path, fields, io.BytesIO(data))


def _dechunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        out, data = out + data[:length], data[length + 2 :]
    return out


# ---- playing a scenario

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_UNESCAPED = "%/?&=+:@!$'()*,;~#[]\"{}|\\^`<>"


class Played(NamedTuple):
    """One step: its number in the scenario, ``METHOD path``, its grade, and what differed."""

    number: int
    request: str
    grade: Grade
    differences: list[str]


class Conversation:
    """One server's side of a scenario: how to send to it, and the values captured from its answers so far.

    ``user`` is the login ``name:password`` of requests that have no login of their own; empty if there is none.
    """

    def __init__(self, send: Sender, user: str = "adm:pass") -> None:
        self.send = send
        name, _, password = user.partition(":")
        self.captured: dict[str, Any] = {"admin_name": name, "admin_password": password}
        self.login: Headers = []
        if user:
            self.login.append(("Authorization", "Basic " + base64.b64encode(user.encode()).decode("ascii")))

    def ask(self, step: dict[str, Any]) -> Reply:
        """Send a step's request, and capture what the step says."""
        request = step["request"]
        path, headers, body = _prepared(request, self.captured, self.login)
        reply = self.send(request["method"], path, headers, body)
        for name, where in step.get("capture", {}).items():
            self.captured[name] = pick(where, reply)
        return reply

    def delete(self, databases: Iterable[str]) -> None:
        """Delete databases; those that do not exist are ignored."""
        for name in databases:
            self.send("DELETE", "/" + urllib.parse.quote(name, safe=""), self.login, None)


def play(scenario: dict[str, Any], send: Sender, user: str = "adm:pass") -> Iterator[Played]:
    """Play a scenario; its databases are deleted before and after it. ``user`` is sent where a step names none."""
    conversation = Conversation(send, user)
    databases = scenario.get("databases", [])
    conversation.delete(databases)
    try:
        for number, step in enumerate(scenario["steps"]):
            verdict = judge(step["response"], conversation.ask(step), step["request"]["method"])
            yield Played(number, label(step), verdict.grade, verdict.differences)
    finally:
        conversation.delete(databases)


def label(step: dict[str, Any]) -> str:
    """Return ``METHOD path`` of a step."""
    return f"{step['request']['method']} {step['request']['path']}"


def _prepared(request: dict[str, Any], captured: dict[str, Any], login: Headers) -> tuple[str, Headers, bytes | None]:
    headers = [(name, _filled(value, captured)) for name, value in request.get("headers", {}).items()]
    names = {name.lower() for name, _ in headers}
    body: bytes | None = None
    if "json" in request:
        body = json.dumps(_filled_in(request["json"], captured), ensure_ascii=False).encode()
        if "content-type" not in names:
            headers.append(("Content-Type", "application/json"))
    elif "body" in request:
        body = _filled(request["body"], captured).encode()
    elif "base64" in request:
        body = base64.b64decode(request["base64"])
    if not names & {"authorization", "cookie"} and not request.get("anonymous"):
        headers += login
    if "accept" not in names and not request.get("no_accept"):
        headers.append(("Accept", "application/json"))
    path = _filled(request["path"], captured)
    if any(ord(char) > 126 or char == " " for char in request["path"]):
        path = urllib.parse.quote(path, safe=_UNESCAPED)
    return path, headers, body


def _filled(text: str, captured: dict[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda match: str(captured.get(match[1], match[0])), text)


def _filled_in(value: Any, captured: dict[str, Any]) -> Any:
    if isinstance(value, str):
        match = _PLACEHOLDER.fullmatch(value)
        return captured[match[1]] if match and match[1] in captured else _filled(value, captured)
    if isinstance(value, list):
        return [_filled_in(item, captured) for item in value]
    if isinstance(value, dict):
        return {_filled(name, captured): _filled_in(member, captured) for name, member in value.items()}
    return value


def pick(where: str, reply: Reply) -> Any:
    """Return a value of a reply: ``header:Name``, ``cookie:Name``, ``line:N/pointer`` or a JSON pointer, or None."""
    kind, _, name = where.partition(":")
    if kind == "header":
        return reply.header(name)
    if kind == "cookie":
        cookies = [value for header, value in reply.headers if header.lower() == "set-cookie"]
        return next((c.split("=", 1)[1].split(";", 1)[0] for c in cookies if c.startswith(name + "=")), None)
    text, pointer = reply.body, where
    if kind == "line":
        line, _, pointer = name.partition("/")
        text, pointer = text.split(b"\n")[int(line)], "/" + pointer
    try:
        value = json.loads(text)
        for token in pointer.split("/")[1:]:
            token = token.replace("~1", "/").replace("~0", "~")
            value = value[int(token)] if isinstance(value, list) else value[token]
    except (ValueError, LookupError, TypeError):
        return None  # the step itself differs then
    return value
