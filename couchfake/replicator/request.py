"""Requests for replications: the body of ``_replicate``, or a ``_replicator`` document.

Source: CouchDB documentation, "Replication: Replication document fields" and ``couch_replicator_parse``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from couchfake.node.node import Node
from couchfake.replicator import refusals
from couchfake.replicator.http_client import basic_user
from couchfake.replicator.options import check_filter, read_members, read_options
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
        """The parts that distinguish replications: no passwords, and the user however the login is written."""
        user = self.auth[0] if self.auth else None
        headers = []
        for name, value in self.headers:
            if name.lower() == "authorization" and (login := basic_user(value)) is not None:
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


def read_request(body: dict[str, Any], node: Node, local: bool = True) -> ReplicationRequest:
    """Read a replication object. Raise Refused if it is malformed.

    ``local``: a name means a database of this server, as in ``_replicate``; documents know URLs only.
    """
    proxies = _proxies(body)
    given = read_members(body)
    options = read_options(given, node.config)
    source, target = (
        _read_endpoint(body, side, proxy, local) for side, proxy in zip(("source", "target"), proxies, strict=True)
    )
    check_filter(given, node.collator)
    query = options.query
    identity = [node.uuid, source.identity, target.identity]
    identity += [[query.doc_ids, query.selector, query.filter, query.query_params, query.winning_revs_only]]
    digest = hashlib.md5(json.encode(identity), usedforsecurity=False).hexdigest()
    return ReplicationRequest(digest, source, target, options)


def job_to_cancel(body: dict[str, Any], node: Node) -> str | None:
    """Return the id of the job that a ``_replicate`` body cancels, None if it starts one. Raise Refused."""
    _proxies(body)
    given = read_members(body)
    if not given.get("cancel"):
        return None
    if "id" in given:
        return str(given["id"])
    return read_request(body, node).job_id


def _proxies(body: dict[str, Any]) -> tuple[Any, Any]:
    """Return the proxies of source and target. They are checked, but not used."""
    proxy = body.get("proxy", "")
    both = body.get("source_proxy", ""), body.get("target_proxy", "")
    if proxy == "":
        return both
    for name, other in zip(("source_proxy", "target_proxy"), both, strict=True):
        if other != "":
            raise refusals.exclusive(f"`proxy` is mutually exclusive with `{name}`")
    return proxy, proxy


def _read_endpoint(body: dict[str, Any], side: str, proxy: Any, local: bool) -> Endpoint:
    if side not in body:
        raise refusals.error("Missing replicator database")
    value = body[side]
    name = _local_name(value)
    if name is not None and local:
        return Endpoint(name=name)
    if isinstance(value, str):
        if name is not None:
            raise refusals.error("local_endpoints_not_supported")
        value = {"url": value}
    if not isinstance(value, dict):
        raise refusals.crash("function_clause")
    endpoint = _by_url(value.get("url"))
    _check_proxy(proxy)
    auth, headers = value.get("auth", {}), value.get("headers", {})
    for members in (auth, headers):
        if not isinstance(members, dict):
            raise refusals.bad_match(members)
    if not all(isinstance(text, str) for text in headers.values()):
        raise refusals.crash("badarg")
    endpoint.headers = tuple(headers.items())
    basic = auth.get("basic")
    login = (basic.get("username"), basic.get("password")) if isinstance(basic, dict) else (None, None)
    if isinstance(login[0], str) and isinstance(login[1], str):
        endpoint.auth = (login[0], login[1])
    return endpoint


def _local_name(value: Any) -> str | None:
    """The database of this server that is meant; None for an URL, or for an object that names none."""
    if isinstance(value, dict):
        if "url" not in value:
            return None
        value = value["url"]
    if isinstance(value, str):
        return None if value.startswith(("http://", "https://")) else value
    return json.dumps(value) if isinstance(value, (bool, int, float)) or value is None else ""


def _check_proxy(proxy: Any) -> None:
    if proxy == "":
        return
    if not isinstance(proxy, str):
        raise refusals.crash("function_clause")
    if not _is_url(proxy, ("http", "https", "socks5")):
        raise refusals.invalid_url("proxy")


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _by_url(text: Any) -> Endpoint:
    if not isinstance(text, str) or not _is_url(text, ("http", "https")):
        raise refusals.invalid_url("endpoint")
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else None
    return Endpoint(url=urlunsplit((parts.scheme, host, parts.path, "", "")), auth=auth)


def shown_url(endpoint: Any) -> str | None:
    """Return the URL of a document's source or target without credentials, None if it is malformed."""
    url = endpoint.get("url") if isinstance(endpoint, dict) else endpoint
    if isinstance(endpoint, str) and not endpoint.startswith(("http://", "https://")):
        return endpoint
    try:
        shown = _by_url(url).url
    except refusals.Refused:
        return None
    return None if shown is None else shown.rstrip("/") + "/"
