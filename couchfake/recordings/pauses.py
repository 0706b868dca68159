"""The pauses of recorded scenarios: long polls that wait for nothing, which gave the recorded server time to settle."""

from __future__ import annotations

import re
from typing import Any

_TIMEOUT = re.compile(r"\btimeout=\d+")
SHORT = 20
"""Milliseconds of a shortened pause."""


def without_pauses(scenario: dict[str, Any]) -> dict[str, Any] | None:
    """Return the scenario with its pauses shortened, None if it has none.

    None too if it changes the configuration: what a server does in the background follows that after a time, and would
    reach into what is played next.
    """
    if any(_writes_configuration(step["request"]) for step in scenario["steps"]):
        return None
    steps = [_hurried(step) if _is_pause(step) else step for step in scenario["steps"]]
    return None if steps == scenario["steps"] else {**scenario, "steps": steps}


def _writes_configuration(request: dict[str, Any]) -> bool:
    return "/_config/" in request["path"] and request["method"] in ("PUT", "DELETE")


def _is_pause(step: dict[str, Any]) -> bool:
    path, body = step["request"]["path"], step["response"]["body"]
    if "feed=longpoll" not in path or not _TIMEOUT.search(path) or not isinstance(body, dict):
        return False
    return body == {"$any": "anything"} or body.get("results") == []


def _hurried(step: dict[str, Any]) -> dict[str, Any]:
    path = _TIMEOUT.sub(f"timeout={SHORT}", step["request"]["path"])
    return {**step, "request": {**step["request"], "path": path}}
