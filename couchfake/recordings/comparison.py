"""How far an answer agrees with a recorded one."""

from __future__ import annotations

import base64
import email.parser
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Grade = Literal["none", "status", "body", "exact"]

_SEQUENCE = re.compile(r"(\d+)-\S+")
_REVISION = re.compile(r"(\d+)-[0-9a-f]{32}")
_UUID = re.compile(r"[0-9a-f]{32}")


class Reply(NamedTuple):
    """What a server answered: status, headers in order, body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each.lower() == name.lower()), None)


@dataclass
class Verdict:
    """``differences`` are strings that begin with the place in the body; ``in_order`` is about members of objects."""

    differences: list[str] = field(default_factory=list)
    in_order: bool = True
    grade: Grade = "none"


def judge(wanted: dict[str, Any], reply: Reply, method: str) -> Verdict:
    """Compare a reply with the ``response`` of a step."""
    verdict = Verdict()
    if reply.status != wanted["status"]:
        verdict.differences.append(f"status: want {wanted['status']}, got {reply.status} {reply.body[:300]!r}")
        return verdict
    for name, value in wanted.get("headers", {}).items():
        _compare_header(name, value, reply.header(name), verdict)
    kind, value = parse_body(reply, method)
    if kind != wanted["kind"]:
        verdict.differences.append(f"body: want {wanted['kind']}, got {kind} {reply.body[:300]!r}")
    else:
        _compare(wanted["body"], value, "", verdict)
    verdict.grade = "status" if verdict.differences else "exact" if verdict.in_order else "body"
    return verdict


def _compare_header(name: str, wanted: Any, got: str | None, verdict: Verdict) -> None:
    if isinstance(wanted, dict):
        agrees = got is not None and ("re" not in wanted or re.fullmatch(wanted["re"], got) is not None)
    elif name.lower() == "location" and wanted and got:
        agrees = urllib.parse.urlsplit(got).path == wanted
    else:
        agrees = got == wanted
    if not agrees:
        verdict.differences.append(f"header {name}: want {wanted!r}, got {got!r}")


# ---- bodies


def parse_body(reply: Reply, method: str) -> tuple[str, Any]:
    """The kind of a body (json, jsonlines, text, base64, multipart, sse, none) and its value."""
    content_type = reply.header("Content-Type") or ""
    if method == "HEAD" or not reply.body:
        return "none", None
    if content_type.startswith("multipart/") and "boundary=" in content_type:
        return "multipart", _parts(content_type, reply.body)
    if content_type.startswith("text/event-stream"):
        return "sse", reply.body.decode("utf-8", "replace").split("\n")
    if content_type.startswith(("application/json", "text/plain")):
        for kind, parse in (("json", json.loads), ("jsonlines", _json_lines)):
            try:
                return kind, parse(reply.body)
            except ValueError:
                continue
    try:
        return "text", reply.body.decode("utf-8")
    except UnicodeDecodeError:
        return "base64", base64.b64encode(reply.body).decode("ascii")


def _json_lines(body: bytes) -> list[Any]:
    return [json.loads(line) if line.strip() else "" for line in body.decode("utf-8", "replace").split("\n")]


def _parts(content_type: str, body: bytes) -> list[dict[str, Any]]:
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    assert match is not None
    parts = []
    for chunk in body.split(b"--" + match[1].encode())[1:]:
        if chunk.startswith(b"--"):
            break
        head, _, data = chunk.lstrip(b"\r\n").partition(b"\r\n\r\n")
        message = email.parser.BytesParser().parsebytes(head + b"\r\n\r\n", headersonly=True)
        parts.append(_part(message, data.removesuffix(b"\r\n")))
    return parts


def _part(message: Any, data: bytes) -> dict[str, Any]:
    kind = message.get("Content-Type", "")
    content: Any
    if kind.startswith("multipart/"):
        content, kind = _parts(kind, data), kind.split(";")[0]
    else:
        try:
            content = json.loads(data)
        except ValueError:
            content = {"base64": base64.b64encode(data).decode("ascii")}
    headers = {name: value for name, value in message.items() if name.lower() != "content-type"}
    return {"content_type": kind, "headers": headers, "body": content}


# ---- values


def _compare(wanted: Any, got: Any, place: str, verdict: Verdict) -> None:
    if isinstance(wanted, dict) and "$any" in wanted:
        agrees = _is_one_of(wanted, got)
    elif _type(wanted) != _type(got):
        agrees = False
    elif isinstance(wanted, dict):
        _compare_members(wanted, got, place, verdict)
        return
    elif isinstance(wanted, list) and len(wanted) == len(got):
        for number, (each, other) in enumerate(zip(wanted, got)):
            _compare(each, other, f"{place}/{number}", verdict)
        return
    else:
        agrees = bool(wanted == got) and type(wanted) is type(got)
    if not agrees:
        verdict.differences.append(f"{place}: want {json.dumps(wanted)[:300]}, got {json.dumps(got)[:300]}")


def _compare_members(wanted: dict[str, Any], got: dict[str, Any], place: str, verdict: Verdict) -> None:
    for name, value in wanted.items():
        if name in got:
            _compare(value, got[name], f"{place}/{name}", verdict)
        else:
            verdict.differences.append(f"{place}/{name}: missing, want {json.dumps(value)[:200]}")
    for name in got.keys() - wanted.keys():
        verdict.differences.append(f"{place}/{name}: not in the recording, got {json.dumps(got[name])[:200]}")
    if list(wanted) != list(got):
        verdict.in_order = False


def _is_one_of(wanted: dict[str, Any], got: Any) -> bool:
    """``{"$any": kind}`` stands for values that differ from run to run."""
    kind = wanted["$any"]
    if kind == "anything":
        return True
    if kind == "unordered":
        return _same_in_any_order(wanted["of"], got)
    pattern = {"uuid": _UUID, "seq": _SEQUENCE, "rev": _REVISION}.get(kind)
    if pattern is None:
        return bool(_type(got) == kind)
    match = pattern.fullmatch(got) if isinstance(got, str) else None
    return match is not None and ("n" not in wanted or int(match[1]) == wanted["n"])


def _same_in_any_order(wanted: list[Any], got: Any) -> bool:
    if not isinstance(got, list) or len(got) != len(wanted):
        return False
    rest = list(got)
    for each in wanted:
        for number, other in enumerate(rest):
            verdict = Verdict()
            _compare(each, other, "", verdict)
            if not verdict.differences:
                del rest[number]
                break
    return not rest


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
