"""The changes feed of a database."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from couchdb_client import json
from couchdb_client.conditions import Conditions
from couchdb_client.options import Change
from couchdb_client.resource import Resource
from couchdb_client.streams import ResponseBody

__all__ = ["changes", "open_feed", "read_change"]

#: Seconds of silence of a feed that waits, where the request does not say: the server's default for both its settings.
DEFAULT_SILENCE = 60.0

#: Longer lines than this are not heartbeats.
_SHORTEST = 3


def changes(database: Resource, options: Mapping[str, Any]) -> Any:
    """Return the answer's dictionary; for a feed that goes on (continuous or eventsource) a generator of changes."""
    if options.get("feed") in ("continuous", "eventsource"):
        return _follow(database, options)
    return _request(database, options, decoded=True)


def _follow(database: Resource, options: Mapping[str, Any]) -> Generator[Change, None, None]:
    """Yield each change as it comes; a continuous feed that ends says ``{"last_seq": …}`` last.

    Closing the generator closes the connection.
    """
    read = _read_events if options["feed"] == "eventsource" else _read_lines
    with open_feed(database, options) as body:
        for lines in body.line_batches():
            for change in read(lines):
                if "id" not in change:
                    body.read()  # to the end, so that the connection can be used again
                yield change


def open_feed(database: Resource, options: Mapping[str, Any]) -> ResponseBody:
    """Return the body of a feed that goes on, to be read line by line."""
    body: ResponseBody = _request(database, options, decoded=False)
    return body


def read_change(line: bytes) -> Change | None:
    """Return the change in a line of a continuous feed; None for a heartbeat."""
    found = _read_lines([line])
    return found[0] if found else None


def _read_lines(lines: list[bytes]) -> list[Change]:
    """Return the changes in lines of a continuous feed, decoded at once: one call for many costs less."""
    texts = [line for line in lines if len(line) >= _SHORTEST]
    changes: list[Change] = json.decode(f"[{str(b','.join(texts), 'utf-8')}]")
    return changes


def _read_events(lines: list[bytes]) -> list[Change]:
    """Return the changes in lines of an eventsource feed, which are the fields of its events."""
    data = [line.strip().removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    return _read_lines(data)


def _request(database: Resource, options: Mapping[str, Any], *, decoded: bool) -> Any:
    """Return the data of a request for the feed. What ``_doc_ids`` and ``_selector`` filter by is a POST's body."""
    parameters = dict(options)
    body = None
    if parameters.get("filter") == "_selector" and ("_selector" in parameters or "selector" in parameters):
        selector = parameters.pop("selector", None)
        body = parameters.pop("_selector", {"selector": selector})
    elif not isinstance(parameters.get("doc_ids", ""), str):
        body = {"doc_ids": list(parameters.pop("doc_ids"))}
        parameters.setdefault("filter", "_doc_ids")
    if isinstance(parameters.get("since"), (list, tuple)):
        parameters["since"] = json.encode(parameters["since"])
    resource = database.under(Conditions(wait=_silence(parameters), builds=_is_at_once(parameters)))
    if body is None:
        return (resource.get_json if decoded else resource.get)("_changes", **parameters)[2]
    return (resource.post_json if decoded else resource.post)("_changes", body, **parameters)[2]


def _is_at_once(parameters: Mapping[str, Any]) -> bool:
    """Return whether the feed does not wait for changes; the server may still take long to filter those there are."""
    return parameters.get("feed") not in ("longpoll", "continuous", "eventsource")


def _silence(parameters: Mapping[str, Any]) -> float:
    """Return for how many seconds the server may be silent by agreement."""
    if _is_at_once(parameters):
        return 0
    given = [str(parameters.get(name)) for name in ("heartbeat", "timeout")]
    seconds = [int(milliseconds) / 1000 for milliseconds in given if milliseconds.isdecimal()]
    return max(seconds, default=DEFAULT_SILENCE)
