"""Requests for replications: the body of ``_replicate``, or a ``_replicator`` document.

Source: CouchDB documentation, "Replication: Replication document fields" and ``couch_replicator_parse``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit, urlunsplit

from couchfake.config import Config
from couchfake.errors import BadRequest
from couchfake.node import Node
from couchfake.replicator import errors
from couchfake.replicator.transfer import Options, SourceFilter
from couchfake.settings import (
    REPLICATOR_CHECKPOINT_INTERVAL,
    REPLICATOR_CONNECTION_TIMEOUT,
    REPLICATOR_MAX_DOCUMENT_ID_LENGTH,
    REPLICATOR_RETRIES_PER_REQUEST,
    REPLICATOR_USE_CHECKPOINTS,
    REPLICATOR_WORKER_BATCH_SIZE,
    Setting,
)
from couchfake.values import json
from couchfake.values.collation import Collator
from couchfake.values.erlang import INTEGER


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
            raise errors.exclusive(f"`proxy` is mutually exclusive with `{name}`")
    return proxy, proxy


def _read_endpoint(body: dict[str, Any], side: str, proxy: Any, local: bool) -> Endpoint:
    if side not in body:
        raise errors.refused("Missing replicator database")
    value = body[side]
    name = _local_name(value)
    if name is not None and local:
        return Endpoint(name=name)
    if isinstance(value, str):
        if name is not None:
            raise errors.refused("local_endpoints_not_supported")
        value = {"url": value}
    if not isinstance(value, dict):
        raise errors.crash("function_clause")
    endpoint = _by_url(value.get("url"))
    _check_proxy(proxy)
    auth, headers = value.get("auth", {}), value.get("headers", {})
    for members in (auth, headers):
        if not isinstance(members, dict):
            raise errors.bad_match(members)
    if not all(isinstance(text, str) for text in headers.values()):
        raise errors.crash("badarg")
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
        raise errors.crash("function_clause")
    if not _is_url(proxy, ("http", "https", "socks5")):
        raise errors.invalid_url("proxy")


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def basic_user(header: str) -> str | None:
    """Return the user of a Basic Authorization header, None for other headers."""
    scheme, _, data = header.partition(" ")
    try:
        login = base64.b64decode(data, validate=True).decode("utf-8") if scheme.lower() == "basic" else ""
    except ValueError:
        return None
    user, colon, _ = login.partition(":")
    return user if colon else None


def _by_url(text: Any) -> Endpoint:
    if not isinstance(text, str) or not _is_url(text, ("http", "https")):
        raise errors.invalid_url("endpoint")
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
    except errors.Refused:
        return None
    return None if shown is None else shown.rstrip("/") + "/"


# How a replication is to run: the members beside ``source`` and ``target``
#
# They are checked in the order in which the client wrote them; the error is about the first wrong one.
# Source: CouchDB documentation, "Replication: Replication document fields" and ``couch_replicator_parse``.


_BOOLEANS = ("cancel", "create_target", "winning_revs_only", "continuous", "use_bulk_get")
_INTEGERS = (
    "worker_processes", "worker_batch_size", "http_connections", "connection_timeout", "retries_per_request",
    "checkpoint_interval",
)  # fmt: skip
_IDS = ("_local_id", "replication_id", "id")
_OBJECTS = {"create_target_params": "a JSON object", "query_params": "an object", "selector": "a JSON object"}


def read_members(body: dict[str, Any]) -> dict[str, Any]:
    """Return the known members, converted and checked. Raise Refused for the first wrong one."""
    given: dict[str, Any] = {}
    for name, value in body.items():
        if name in _BOOLEANS and not isinstance(value, bool):
            raise errors.bad_request(f"parameter `{name}` must be a boolean")
        if name in _OBJECTS and not isinstance(value, dict):
            raise errors.bad_request(f"parameter `{name}` must be {_OBJECTS[name]}")
        if name in _INTEGERS:
            value = _integer(value)
        elif name in _IDS:
            name, value = "id", _id(value)
        elif name == "doc_ids":
            if value is None:
                continue
            value = _docids(value)
        given.setdefault(name, value)
    if sum(name in given for name in ("doc_ids", "filter", "selector")) > 1:
        raise errors.exclusive("`doc_ids`,`filter`,`selector` are mutually exclusive")
    return given


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if not isinstance(value, str):
        raise errors.crash("function_clause")
    if not INTEGER.fullmatch(value):
        raise errors.crash("badarg")
    return int(value)


def _id(value: Any) -> str:
    """The id of a running replication. A plus sign may have been decoded to a space."""
    if not isinstance(value, str):
        raise errors.crash("function_clause")
    return value.replace(" ", "+")


def _docids(value: Any) -> list[str]:
    """Ids may be escaped as in URLs."""
    if not isinstance(value, list):
        raise errors.bad_request("parameter `doc_ids` must be an array")
    if not all(isinstance(docid, str) for docid in value):
        raise errors.crash("function_clause")
    return sorted({unquote_plus(docid) for docid in value})


def check_filter(given: dict[str, Any], collator: Collator) -> None:
    """Raise Refused for a malformed filter or selector, wherever the source is."""
    if "selector" in given:
        from couchfake.changes.filters import Selector  # Mango: few servers need it

        try:
            Selector(given["selector"], None, collator)
        except BadRequest as error:
            raise errors.bad_selector(str(error.reason)) from None
    if "filter" not in given:
        return
    name = given["filter"]
    if name == "_view":
        view = given.get("query_params", {}).get("view")
        if not isinstance(view, str):
            raise errors.crash("badarg")
        if view.count("/") != 1:
            raise errors.bad_request("Invalid `view` parameter.")
    if not isinstance(name, str):
        raise errors.crash("badarg")
    if not name.startswith("_") and "/" not in name:
        raise errors.refused("Invalid filter. Must match `ddocname/filtername`.")


def read_options(given: dict[str, Any], config: Config) -> Options:
    """Build options from the members that ``read_members`` returned, and ``[replicator]`` for those not given."""
    query = SourceFilter(
        doc_ids=given.get("doc_ids"),
        selector=given.get("selector"),
        filter=given.get("filter"),
        query_params=given.get("query_params", {}),
        winning_revs_only=given.get("winning_revs_only", False),
    )
    return Options(
        query=query,
        since_seq=given.get("since_seq"),
        continuous=given.get("continuous", False),
        create_target=given.get("create_target", False),
        create_target_params=given.get("create_target_params", {}),
        use_checkpoints=given.get("use_checkpoints", config[REPLICATOR_USE_CHECKPOINTS]) is not False,
        use_bulk_get=given.get("use_bulk_get", True),
        batch_size=_positive(given, REPLICATOR_WORKER_BATCH_SIZE, config),
        checkpoint_interval=_positive(given, REPLICATOR_CHECKPOINT_INTERVAL, config) / 1000,
        connection_timeout=_positive(given, REPLICATOR_CONNECTION_TIMEOUT, config) / 1000,
        retries=max(0, given.get("retries_per_request", config[REPLICATOR_RETRIES_PER_REQUEST])),
        max_docid_length=config[REPLICATOR_MAX_DOCUMENT_ID_LENGTH],
    )


def _positive(given: dict[str, Any], setting: Setting[int], config: Config) -> int:
    """The member of a setting's name if it is positive, else the setting, else its default."""
    values = given.get(setting.key, 0), config[setting], setting.default
    return next(value for value in values if value > 0)
