"""Play the scenarios of a recording."""

from __future__ import annotations

import base64
import gzip
import json
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
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


def load(path: Path) -> dict[str, Any]:
    """A recording, ``{"area", "recorded_from", "scenarios"}``, plain or gzipped."""
    data = path.read_bytes()
    recording: dict[str, Any] = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return recording


def play(scenario: dict[str, Any], send: Sender, user: str = "adm:pass") -> Iterator[Played]:
    """Play a scenario; its databases are deleted before and after it. ``user`` is sent where a step names none."""
    login = [("Authorization", "Basic " + base64.b64encode(user.encode()).decode("ascii"))] if user else []
    captured: dict[str, Any] = {}
    _wipe(scenario, send, login)
    try:
        for number, step in enumerate(scenario["steps"]):
            request, label = step["request"], f"{step['request']['method']} {step['request']['path']}"
            path, headers, body = _prepared(request, captured, login)
            reply = send(request["method"], path, headers, body)
            verdict = judge(step["response"], reply, request["method"])
            yield Played(number, label, verdict.grade, verdict.differences)
            for name, where in step.get("capture", {}).items():
                captured[name] = _pick(where, reply)
    finally:
        _wipe(scenario, send, login)


def _wipe(scenario: dict[str, Any], send: Sender, login: Headers) -> None:
    for name in scenario.get("databases", []):
        send("DELETE", "/" + urllib.parse.quote(name, safe=""), login, None)


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


def _pick(where: str, reply: Reply) -> Any:
    """A value of a reply: ``header:Name``, ``cookie:Name``, ``line:N/pointer`` or a JSON pointer; None if missing."""
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
        return None  # the step itself has told what is wrong
    return value
