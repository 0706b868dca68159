"""The pauses of recorded scenarios: long polls that wait for nothing, which gave the recorded server time to settle."""

from __future__ import annotations

import re
from typing import Any

_TIMEOUT = re.compile(r"\btimeout=(\d+)")
SHORT = 20
"""Milliseconds of a shortened pause."""


def without_pauses(scenario: dict[str, Any]) -> dict[str, Any] | None:
    """Return the scenario with its pauses shortened, None if it has none."""
    steps = [_hurried(step) if _is_pause(step) else step for step in scenario["steps"]]
    return None if steps == scenario["steps"] else {**scenario, "steps": steps}


def settling_time(scenario: dict[str, Any]) -> float:
    """Return how many seconds to wait after a scenario that was played without its pauses.

    That is its longest pause if it changes the configuration, which a server may follow in the background, and 0 if it
    does not.
    """
    if not any(_writes_configuration(step["request"]) for step in scenario["steps"]):
        return 0
    found = [_TIMEOUT.search(step["request"]["path"]) for step in scenario["steps"] if _is_pause(step)]
    return max((int(match[1]) for match in found if match), default=0) / 1000


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
