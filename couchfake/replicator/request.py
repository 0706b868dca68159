"""What a client asked to be replicated, from a ``_replicate`` body or a ``_replicator`` document.

Source: CouchDB documentation, "Replication: Replication document fields" and ``couch_replicator_parse``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from couchfake.errors import CouchError
from couchfake.replicator.peers import ChangesQuery
from couchfake.replicator.transfer import Options
from couchfake.values import json


@dataclass
class Endpoint:
    """A source or target: a database of this server by ``name``, or of any server by ``url``."""

    name: str | None = None
    url: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    auth: tuple[str, str] | None = None

    @property
    def identity(self) -> list[Any]:
        """What of it tells one replication from another: no passwords, and a user however the login is written."""
        user = self.auth[0] if self.auth else None
        headers = []
        for name, value in self.headers:
            if name.lower() == "authorization" and (login := _basic_user(value)) is not None:
                user = user or login
            else:
                headers.append([name, value])
        return [self.name, self.url, user, headers]


@dataclass
class ReplicationRequest:
    """``id`` names the replication and its checkpoints; ``job_id`` also says how it runs."""

    id: str
    source: Endpoint
    target: Endpoint
    options: Options

    @property
    def job_id(self) -> str:
        suffix = "+continuous" if self.options.continuous else ""
        return self.id + suffix + ("+create_target" if self.options.create_target else "")


def read_request(body: dict[str, Any], server_uuid: str) -> ReplicationRequest:
    """Understand a replication object; CouchError where it cannot be one."""
    source, target = read_endpoint(body.get("source")), read_endpoint(body.get("target"))
    options = read_options(body)
    query = options.query
    identity = [server_uuid, source.identity, target.identity]
    identity += [[query.doc_ids, query.selector, query.filter, query.query_params, query.winning_revs_only]]
    digest = hashlib.md5(json.encode(identity), usedforsecurity=False).hexdigest()
    return ReplicationRequest(digest, source, target, options)


def read_endpoint(value: Any) -> Endpoint:
    if isinstance(value, str):
        return _by_url(value) if value.startswith(("http://", "https://")) else Endpoint(name=value.strip("/"))
    if not isinstance(value, dict):
        return Endpoint(name="")
    if not value:
        raise CouchError(400, "invalid_replication", "endpoint has an invalid url")
    url = value.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return Endpoint(name="")
    endpoint = _by_url(url)
    headers = value.get("headers", {})
    if isinstance(headers, dict):
        endpoint.headers = tuple((name, str(text)) for name, text in headers.items())
    basic = (value.get("auth") or {}).get("basic") if isinstance(value.get("auth"), dict) else None
    if isinstance(basic, dict):
        endpoint.auth = (str(basic.get("username", "")), str(basic.get("password", "")))
    return endpoint


def _basic_user(header: str) -> str | None:
    """The user of a Basic Authorization header; None where it is none."""
    scheme, _, data = header.partition(" ")
    try:
        login = base64.b64decode(data, validate=True).decode("utf-8") if scheme.lower() == "basic" else ""
    except ValueError:
        return None
    user, colon, _ = login.partition(":")
    return user if colon else None


def _by_url(text: str) -> Endpoint:
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else None
    return Endpoint(url=urlunsplit((parts.scheme, host, parts.path, "", "")), auth=auth)


def read_options(body: dict[str, Any]) -> Options:
    query = ChangesQuery(winning_revs_only=body.get("winning_revs_only") is True)
    given = [name for name in ("doc_ids", "filter", "selector") if body.get(name) is not None]
    if len(given) > 1:
        raise CouchError(400, "bad_request", "`doc_ids`,`filter`,`selector` are mutually exclusive")
    doc_ids = body.get("doc_ids")
    if isinstance(doc_ids, list):
        query.doc_ids = sorted({docid for docid in doc_ids if isinstance(docid, str)})
    if isinstance(body.get("selector"), dict):
        query.selector = body["selector"]
    if isinstance(body.get("filter"), str):
        query.filter = body["filter"]
    if isinstance(body.get("query_params"), dict):
        query.query_params = body["query_params"]
    batch, interval = body.get("worker_batch_size", 500), body.get("checkpoint_interval", 30000)
    params = body.get("create_target_params")
    return Options(
        query=query,
        since_seq=body.get("since_seq"),
        continuous=body.get("continuous") is True,
        create_target=body.get("create_target") is True,
        create_target_params=params if isinstance(params, dict) else {},
        use_checkpoints=body.get("use_checkpoints", True) is not False,
        use_bulk_get=body.get("use_bulk_get", True) is not False,
        batch_size=batch if isinstance(batch, int) and batch > 0 else 500,
        checkpoint_interval=interval / 1000 if isinstance(interval, int) and interval > 0 else 30.0,
    )
