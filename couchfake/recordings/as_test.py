"""Write a pytest test from recordings: the steps stand in the test, and the plugin's server answers them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from couchfake.recordings.player import label
from couchfake.recordings.replay import scenarios_of
from couchfake.recordings.writing import step_text

_HEAD = '''"""Made by couchfake from {names}: answers as they were recorded."""

import json

import pytest

from couchfake.recordings.player import play
from couchfake.recordings.target import Target

'''
_TEST = '''

@pytest.mark.couch(admins={{"adm": "pass"}})
def test_{name}(couch_url):
    """{doc}"""
    target = Target(couch_url)
    for step in play({constant}, target.send, target.user):
        assert step.grade in ("body", "exact"), (step.request, step.differences)
'''


def write_test(recordings: Iterable[Path], path: Path) -> None:
    """Write a test for each scenario of the recordings. Raise ReplayFailed, or OSError if it cannot be written."""
    recordings = list(recordings)
    scenarios = [scenario for recording in recordings for scenario in scenarios_of(recording)]
    names = ", ".join(recording.name for recording in recordings)
    parts = [_HEAD.format(names=names), *map(_data, scenarios), *map(_test, scenarios)]
    path.write_text("".join(parts), encoding="utf-8")


def _data(scenario: dict[str, Any]) -> str:
    """Return the assignment of a scenario: a line of JSON for each step, below a comment that says what it asks."""
    lines = [
        f'\n{_identifier(scenario).upper()} = {{\n    "databases": {scenario.get("databases", [])!r},\n    "steps": ['
    ]
    for step in scenario["steps"]:
        lines.append(f"        # {label(step)}")
        lines.append(f"        json.loads({step_text(step)!a}),")
    return "\n".join([*lines, "    ],\n}\n"])


def _test(scenario: dict[str, Any]) -> str:
    name = _identifier(scenario)
    doc = scenario.get("doc", "").replace("\\", "\\\\").replace('"', "'") or "Answers as they were recorded."
    return _TEST.format(name=name, constant=name.upper(), doc=doc)


def _identifier(scenario: dict[str, Any]) -> str:
    return re.sub(r"\W+", "_", scenario["name"].lower()).strip("_") or "recording"
