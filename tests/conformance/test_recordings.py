"""Every recorded exchange with a real CouchDB is answered the same, save what docs/divergences.md lists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.recordings.player import play
from couchfake.recordings.senders import in_process
from couchfake.recordings.shipped import area_names, load_area

DIVERGENCES = Path(__file__).parents[2] / "docs" / "divergences.md"
_ROW = re.compile(r"\| `(?P<scenario>[a-z_]+/\w+)` \| (?P<steps>[0-9, -]+) \|")


@cache
def scenarios(area: str) -> dict[str, dict[str, Any]]:
    return {scenario["name"]: scenario for scenario in load_area(area)["scenarios"]}


@cache
def documented() -> dict[str, set[int]]:
    """Of each scenario the steps that the documentation says differ."""
    listed: dict[str, set[int]] = {}
    for match in _ROW.finditer(DIVERGENCES.read_text(encoding="utf-8")):
        steps = listed.setdefault(match["scenario"], set())
        for part in match["steps"].split(","):
            first, _, last = part.strip().partition("-")
            steps.update(range(int(first), int(last or first) + 1))
    return listed


def names() -> list[str]:
    return [f"{area}/{name}" for area in area_names() for name in scenarios(area)]


@pytest.mark.parametrize("name", names())
def test_a_recorded_scenario_is_answered_as_the_real_server_answered_it(name: str) -> None:
    area, scenario = name.split("/")
    fake = CouchFake(admins={"adm": "pass"})
    played = list(play(scenarios(area)[scenario], in_process(fake.wsgi)))
    differing = {step.number: step for step in played if step.grade != "exact"}
    expected = documented().get(name, set())
    unexpected = [
        f"step {step.number} {step.request} [{step.grade}] " + "; ".join(step.differences[:3])
        for step in differing.values()
        if step.number not in expected
    ]
    assert not unexpected, "\n".join(unexpected)
    assert set(differing) == expected, "these steps agree now: take them off the list of divergences"


def test_the_list_of_divergences_names_scenarios_that_exist() -> None:
    assert set(documented()) <= set(names())
