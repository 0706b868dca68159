"""Checkpoints: both databases record in a local document how far a replication came.

CouchDB's and PouchDB's replicators use the same format, so that each can continue where another stopped.
Source: CouchDB documentation, "Replication Protocol: Retrieve Replication Logs from Source and Target".
"""

from __future__ import annotations

import hashlib
from typing import Any

from couchfake.replicator.endpoints import UpdateSequence
from couchfake.values import json

VERSION = 4
MAX_HISTORY = 50

Log = dict[str, Any]


def checkpoint_id(replication_id: str, code: str | None) -> str:
    """Return the id of the logs. It changes with the code of the filter function, so that the replication restarts."""
    if code is None:
        return replication_id
    return hashlib.md5(json.encode([replication_id, code]), usedforsecurity=False).hexdigest()


def common_ancestry(source: Log | None, target: Log | None) -> tuple[UpdateSequence, list[dict[str, Any]]]:
    """Return the last sequence that both logs record, and the history up to it; 0 and an empty list without one."""
    if not source or not target:
        return 0, []
    if source.get("session_id") == target.get("session_id"):
        return source.get("source_last_seq", 0), list(source.get("history", []))
    sessions = {entry.get("session_id") for entry in target.get("history", [])}
    history = source.get("history", [])
    for place, entry in enumerate(history):
        if entry.get("session_id") in sessions:
            return entry.get("recorded_seq", 0), history[place:]
    return 0, []


def new_log(entry: dict[str, Any], history: list[dict[str, Any]], extra: dict[str, Any]) -> Log:
    """Return the log after a session. ``entry`` replaces what the same session has recorded before."""
    older = [each for each in history if each.get("session_id") != entry["session_id"]]
    return {
        "session_id": entry["session_id"],
        "source_last_seq": entry["recorded_seq"],
        "replication_id_version": VERSION,
        **extra,
        "history": [entry, *older][:MAX_HISTORY],
    }
