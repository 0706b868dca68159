"""``--couch-trace FILE``: the requests of the whole run as an HTTP archive (HAR), which browsers' tools open.

Source of the format: HAR 1.2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from couchfake.control.request_log import LoggedRequest

WORKER_OUTPUT = "couch_trace"


class Trace:
    """The entries of one process. With pytest-xdist the controller writes those of all workers."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, logged: LoggedRequest) -> None:
        self.entries.append(entry_of(logged))

    def write(self, path: Path) -> None:
        """Write the archive, its pages being the tests. Raise OSError if the file cannot be written."""
        self.entries.sort(key=lambda entry: str(entry["startedDateTime"]))
        pages: dict[str, str] = {}
        for entry in self.entries:
            pages.setdefault(entry["pageref"], entry["startedDateTime"])
        log = {
            "version": "1.2",
            "creator": {"name": "couchfake", "version": _version()},
            "pages": [
                {"id": test, "title": test, "startedDateTime": at, "pageTimings": {}} for test, at in pages.items()
            ],
            "entries": self.entries,
        }
        path.write_text(json.dumps({"log": log}, indent=1), "utf-8")


def write_trace(config: pytest.Config, trace: Trace, path: Path) -> None:
    """Write the file; in an xdist worker, hand the entries to the controller. Raise OSError if it fails."""
    workeroutput = getattr(config, "workeroutput", None)
    if workeroutput is not None:
        workeroutput[WORKER_OUTPUT] = trace.entries
    else:
        trace.write(path)


def _version() -> str:
    from couchfake import __version__

    return __version__


def entry_of(logged: LoggedRequest) -> dict[str, Any]:
    """Return one request as an entry of the archive. Secrets are stars already."""
    milliseconds = round(logged.seconds * 1000, 3)
    started = datetime.fromtimestamp(logged.at - logged.seconds, timezone.utc)
    request: dict[str, Any] = {
        "method": logged.method,
        "url": f"http://{logged.headers.get('Host', 'couchfake')}{logged.url}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(logged.headers.items()),
        "queryString": _pairs(logged.query.items()),
        "headersSize": -1,
        "bodySize": len(logged.body),
    }
    if logged.body:
        kind = logged.headers.get("Content-Type", "")
        request["postData"] = {"mimeType": kind, "text": logged.body.decode("utf-8", "replace")}
    return {
        "pageref": logged.test or "between tests",
        "startedDateTime": started.isoformat(),
        "time": milliseconds,
        "request": request,
        "response": {
            "status": logged.status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(logged.answer_headers.items()),
            "content": {
                "size": len(logged.answer),
                "mimeType": logged.answer_headers.get("Content-Type", ""),
                "text": logged.answer.decode("utf-8", "replace"),
            },
            "redirectURL": logged.answer_headers.get("Location", ""),
            "headersSize": -1,
            "bodySize": len(logged.answer),
        },
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
    }


def _pairs(items: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in items]
