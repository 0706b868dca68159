"""``couchfake replay``: play recorded exchanges against a server and say how far its answers agree.

Recordings can also be written as a pytest test: it contains the steps, and the server of the plugin answers them.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from couchfake.recordings import load, step_text
from couchfake.recordings.player import label, play
from couchfake.recordings.report import HEADING, AreaResult, total, what_differs
from couchfake.recordings.target import (
    CONNECTION_ERRORS,
    Target,
    WrongArguments,
    documents_removed,
    refuse_to_overwrite,
)


def replay(
    paths: Iterable[Path], url: str | None = None, chosen: str = "", verbose: bool = False, force: bool = False
) -> bool:
    """Play the scenarios of ``paths`` whose names contain ``chosen`` against the server at ``url``, or a fresh fake.

    Print a line for each recording: its scenarios that agree entirely, and the shares of steps that agree in status,
    in body and exactly; then what differs. Return True if every step agrees at least in its body. Raise ReplayFailed,
    without ``force`` also if the server has a database that a scenario makes and deletes.
    """
    target = Target(url)
    recordings = {path: [each for each in scenarios_of(path) if chosen in each["name"]] for path in paths}
    if not any(recordings.values()):
        raise WrongArguments(f"no scenario has {chosen!r} in its name" if chosen else "there is no scenario to play")
    if url is not None and not force:
        refuse_to_overwrite(itertools.chain(*recordings.values()), target, "; --force deletes the databases first")
    print(HEADING)
    results = []
    for path, scenarios in recordings.items():
        result = AreaResult(path.name.partition(".")[0])
        for scenario in scenarios:
            play_into(result, scenario, target)
        if result.scenarios:
            results.append(result)
            print(result)
        if verbose:
            print_differences(result)
    everything = total(results)
    print(everything)
    differing = what_differs(results)
    if differing:
        print("", "What differs:", *differing, sep="\n")
    return everything.agrees


def scenarios_of(path: Path) -> list[dict[str, Any]]:
    """Return the scenarios of a file. Raise WrongArguments if it is not a recording."""
    try:
        recording: Any = load(path)
    except (OSError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongArguments(f"{path} cannot be read as a recording: {reason}") from error
    scenarios = recording.get("scenarios") if isinstance(recording, dict) else None
    if not isinstance(scenarios, list):
        raise WrongArguments(f'{path} cannot be read as a recording: it is not an object with a list "scenarios"')
    for number, scenario in enumerate(scenarios):
        problem = _problem(scenario)
        if problem:
            raise WrongArguments(f"{path} cannot be read as a recording: scenario {number} {problem}")
    return scenarios


def _problem(scenario: Any) -> str | None:
    if not isinstance(scenario, dict):
        return "is not an object"
    if not isinstance(scenario.get("name"), str):
        return 'has no "name"'
    steps = scenario.get("steps")
    if not isinstance(steps, list):
        return 'has no list "steps"'
    if not all(isinstance(step, dict) and {"request", "response"} <= step.keys() for step in steps):
        return 'has a step without "request" or "response"'
    return None


def play_into(result: AreaResult, scenario: dict[str, Any], target: Target) -> None:
    """Play a scenario and add it to the counts. Raise ReplayFailed if the server does not answer."""
    with documents_removed(scenario, target):
        try:
            result.add(scenario, play(scenario, target.send, target.user))
        except CONNECTION_ERRORS as error:
            raise target.unanswered(error) from error


def print_differences(result: AreaResult) -> None:
    """Write the steps that differ to standard error."""
    for difference in result.differences:
        print(*difference.lines(), sep="\n", file=sys.stderr)


# Recordings as a pytest test.

_HEAD = '''"""Made by couchfake from {names}: answers as they were recorded."""

import json

import pytest

from couchfake.recordings.player import play
from couchfake.recordings.target import Target, documents_removed

'''
_TEST = '''

@pytest.mark.couch(admins={{"adm": "pass"}})
def test_{name}(couch_url):
    """{doc}"""
    target = Target(couch_url)
    with documents_removed({constant}, target):
        for step in play({constant}, target.send, target.user):
            assert step.grade in ("body", "exact"), (step.request, step.differences)
'''


def write_test(recordings: Iterable[Path], path: Path) -> None:
    """Write a test for each scenario of the recordings. Raise WrongArguments, or OSError if it cannot be written."""
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
