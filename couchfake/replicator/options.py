"""How a client wants a replication to be run: the members beside ``source`` and ``target``.

They are looked at in the order in which the client wrote them; the first wrong one is what is complained of.
Source: CouchDB documentation, "Replication: Replication document fields" and ``couch_replicator_parse``.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from couchfake.changes.filters import Selector
from couchfake.errors import BadRequest
from couchfake.replicator import refusals
from couchfake.replicator.endpoints import SourceFilter
from couchfake.replicator.transfer import Options
from couchfake.values.collation import Collator

_BOOLEANS = ("cancel", "create_target", "winning_revs_only", "continuous", "use_bulk_get")
_INTEGERS = (
    "worker_processes", "worker_batch_size", "http_connections", "connection_timeout", "retries_per_request",
    "checkpoint_interval",
)  # fmt: skip
_IDS = ("_local_id", "replication_id", "id")
_OBJECTS = {"create_target_params": "a JSON object", "query_params": "an object", "selector": "a JSON object"}
_INTEGER = re.compile(r"[+-]?[0-9]+")


def read_members(body: dict[str, Any]) -> dict[str, Any]:
    """The members that say how, each as it is meant. Raises Refused."""
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
    if not _INTEGER.fullmatch(value):
        raise refusals.crash("badarg")
    return int(value)


def _id(value: Any) -> str:
    """The name of a running replication. A plus sign arrives as a space where it was taken for a form's."""
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
    """Refused for a filter or selector that cannot be one, wherever the source is."""
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


def read_options(given: dict[str, Any]) -> Options:
    """From the members that ``read_members`` gave. Intervals come in milliseconds."""
    query = SourceFilter(
        doc_ids=given.get("doc_ids"),
        selector=given.get("selector"),
        filter=given.get("filter"),
        query_params=given.get("query_params", {}),
        winning_revs_only=given.get("winning_revs_only", False),
    )
    batch, interval = given.get("worker_batch_size", 500), given.get("checkpoint_interval", 30000)
    return Options(
        query=query,
        since_seq=given.get("since_seq"),
        continuous=given.get("continuous", False),
        create_target=given.get("create_target", False),
        create_target_params=given.get("create_target_params", {}),
        use_checkpoints=given.get("use_checkpoints", True) is not False,
        use_bulk_get=given.get("use_bulk_get", True),
        batch_size=batch if batch > 0 else 500,
        checkpoint_interval=interval / 1000 if interval > 0 else 30.0,
    )
