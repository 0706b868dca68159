"""Play the scenarios of a recording."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from couchfake.recordings.comparison import Grade, Reply, judge
from couchfake.recordings.senders import Headers, Sender

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
