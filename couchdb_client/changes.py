"""The changes feed of a database."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from couchdb_client import json
from couchdb_client.resource import Resource

__all__ = ["changes"]

#: Seconds of silence of a feed that waits, where the request does not say: the server's default for both its settings.
DEFAULT_SILENCE = 60.0


def changes(database: Resource, options: Mapping[str, Any]) -> Any:
    """The answer's dictionary; for a feed that goes on (``continuous``, ``eventsource``) a generator of changes."""
    if options.get("feed") in ("continuous", "eventsource"):
        return _follow(database, options)
    return _request(database, options, decoded=True)


def _follow(database: Resource, options: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
    """Each change as it comes; a continuous feed that ends says ``{"last_seq": …}`` last.

    Closing the generator closes the connection.
    """
    prefix = b"data:" if options["feed"] == "eventsource" else b""
    with _request(database, options, decoded=False) as body:
        for line in body:
            text = line.strip()
            if not text.removeprefix(prefix) or not text.startswith(prefix):
                continue  # a heartbeat, or another field of an event
            change = json.decode(text.removeprefix(prefix))
            if "last_seq" in change:
                body.read()  # to the end, so that the connection can be used again
            yield change


def _request(database: Resource, options: Mapping[str, Any], *, decoded: bool) -> Any:
    """The data of a request for the feed. What ``_doc_ids`` and ``_selector`` filter by travels in a POST's body."""
    parameters = dict(options)
    body = None
    if parameters.get("filter") == "_selector" and ("_selector" in parameters or "selector" in parameters):
        selector = parameters.pop("selector", None)
        body = parameters.pop("_selector", {"selector": selector})
    elif isinstance(parameters.get("doc_ids"), (list, tuple, set, frozenset)):
        body = {"doc_ids": list(parameters.pop("doc_ids"))}
        parameters.setdefault("filter", "_doc_ids")
    if isinstance(parameters.get("since"), (list, tuple)):
        parameters["since"] = json.encode(parameters["since"])
    resource = database.adjusted(wait=_silence(parameters))
    if body is None:
        return (resource.get_json if decoded else resource.get)("_changes", **parameters)[2]
    return (resource.post_json if decoded else resource.post)("_changes", body, **parameters)[2]


def _silence(parameters: Mapping[str, Any]) -> float:
    """For how many seconds the server may keep silent by agreement."""
    if parameters.get("feed") not in ("longpoll", "continuous", "eventsource"):
        return 0
    asked = [str(parameters.get(name)) for name in ("heartbeat", "timeout")]
    seconds = [int(milliseconds) / 1000 for milliseconds in asked if milliseconds.isdecimal()]
    return max(seconds, default=DEFAULT_SILENCE)
