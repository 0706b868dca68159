"""Turn a server's answer into the ``response`` of a step: what differs from run to run becomes ``{"$any": …}``.

Revisions, digests and error texts follow from the requests and are kept. Sequences, ids that the server chose, sizes,
times and tokens do not.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from couchfake.recordings.comparison import Reply, parse_body

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
