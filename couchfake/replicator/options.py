"""How a replication is to run: the members beside ``source`` and ``target``.

They are checked in the order in which the client wrote them; the error is about the first wrong one.
Source: CouchDB documentation, "Replication: Replication document fields" and ``couch_replicator_parse``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from couchfake.changes.filters import Selector
from couchfake.config import Config
from couchfake.errors import BadRequest
from couchfake.replicator import refusals
from couchfake.replicator.endpoints import SourceFilter
from couchfake.replicator.transfer import Options
from couchfake.settings import (
    REPLICATOR_CHECKPOINT_INTERVAL,
    REPLICATOR_CONNECTION_TIMEOUT,
    REPLICATOR_MAX_DOCUMENT_ID_LENGTH,
    REPLICATOR_RETRIES_PER_REQUEST,
    REPLICATOR_USE_CHECKPOINTS,
    REPLICATOR_WORKER_BATCH_SIZE,
    Setting,
)
from couchfake.values.collation import Collator
from couchfake.values.erlang import INTEGER

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
            raise refusals.bad_request(f"parameter `{name}` must be a boolean")
        if name in _OBJECTS and not isinstance(value, dict):
            raise refusals.bad_request(f"parameter `{name}` must be {_OBJECTS[name]}")
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
        raise refusals.exclusive("`doc_ids`,`filter`,`selector` are mutually exclusive")
    return given


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if not isinstance(value, str):
        raise refusals.crash("function_clause")
    if not INTEGER.fullmatch(value):
        raise refusals.crash("badarg")
    return int(value)


def _id(value: Any) -> str:
    """The id of a running replication. A plus sign may have been decoded to a space."""
    if not isinstance(value, str):
        raise refusals.crash("function_clause")
    return value.replace(" ", "+")


def _docids(value: Any) -> list[str]:
    """Ids may be escaped as in URLs."""
    if not isinstance(value, list):
        raise refusals.bad_request("parameter `doc_ids` must be an array")
    if not all(isinstance(docid, str) for docid in value):
        raise refusals.crash("function_clause")
    return sorted({unquote_plus(docid) for docid in value})


def check_filter(given: dict[str, Any], collator: Collator) -> None:
    """Raise Refused for a malformed filter or selector, wherever the source is."""
    if "selector" in given:
        try:
            Selector(given["selector"], None, collator)
        except BadRequest as error:
            raise refusals.bad_selector(str(error.reason)) from None
    if "filter" not in given:
        return
    name = given["filter"]
    if name == "_view":
        view = given.get("query_params", {}).get("view")
        if not isinstance(view, str):
            raise refusals.crash("badarg")
        if view.count("/") != 1:
            raise refusals.bad_request("Invalid `view` parameter.")
    if not isinstance(name, str):
        raise refusals.crash("badarg")
    if not name.startswith("_") and "/" not in name:
        raise refusals.error("Invalid filter. Must match `ddocname/filtername`.")


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
