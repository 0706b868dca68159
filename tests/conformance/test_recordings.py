"""Every recorded exchange with a real CouchDB is answered the same, except for what docs/divergences.md lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.recordings import area_names, load_area
from couchfake.recordings.player import Played, in_process, play

DIVERGENCES = Path(__file__).parents[2] / "docs" / "divergences.md"
ORDER = "order"
"""Stands for the order of members among the places where an answer differs."""

SOMETIMES = "sometimes: "
"""Begins the reason of a difference that depends on which of two threads is faster."""

_ROW = re.compile(r"\| `(?P<scenario>[a-z_]+/\w+)` \| (?P<steps>[0-9, -]+) \| (?P<places>[^|]+) \| (?P<why>[^|]+) \|")
_EVERYWHERE = re.compile(r"\| all \| all \| members `(?P<member>\w+)` that are `(?P<value>\d+)` \| (?P<why>[^|]+) \|")
"""A row for a value of the real server's own choice, which differs wherever it occurs."""


@cache
def scenarios(area: str) -> dict[str, dict[str, Any]]:
    return {scenario["name"]: scenario for scenario in load_area(area)["scenarios"]}


@cache
def documented(*, sometimes: bool = False) -> dict[str, dict[int, set[str]]]:
    """Return, for each scenario, the steps that the documentation lists and the places where they differ.

    ``sometimes``: those that differ in some runs, instead of those that differ in all.
    """
    listed: dict[str, dict[int, set[str]]] = {}
    for match in _ROW.finditer(DIVERGENCES.read_text(encoding="utf-8")):
        if match["why"].startswith(SOMETIMES) is not sometimes:
            continue
        steps = listed.setdefault(match["scenario"], {})
        places = set(re.findall("`([^`]+)`", match["places"]))
        for part in match["steps"].split(","):
            first, _, last = part.strip().partition("-")
            steps.update(dict.fromkeys(range(int(first), int(last or first) + 1), places))
    if not sometimes:
        for match in _EVERYWHERE.finditer(DIVERGENCES.read_text(encoding="utf-8")):
            for scenario, number, pointer in chosen_by_server(match["member"], int(match["value"])):
                steps = listed.setdefault(scenario, {})
                steps[number] = steps.get(number, set()) | {pointer}
    return listed


def chosen_by_server(member: str, value: int) -> Iterator[tuple[str, int, str]]:
    """Yield the scenario, step and JSON pointer of each recorded ``member`` with this value that no request gave."""
    for name in names():
        area, scenario = name.split("/")
        steps = scenarios(area)[scenario]["steps"]
        if any(str(value) in json.dumps(step["request"]) for step in steps):
            continue
        for number, step in enumerate(steps):
            for pointer, found in leaves(step["response"].get("body")):
                if found == value and pointer.endswith("/" + member):
                    yield name, number, pointer


def leaves(body: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the JSON pointer and the value of everything in a body that is neither an object nor an array."""
    if isinstance(body, dict | list):
        for key, value in body.items() if isinstance(body, dict) else enumerate(body):
            yield from leaves(value, f"{at}/{key}")
    else:
        yield at, body


def names() -> list[str]:
    return [f"{area}/{name}" for area in area_names() for name in scenarios(area)]


def places(step: Played) -> set[str]:
    """Return where an answer differs: JSON pointers into the body, ``status``, ``header NAME``, ``body``, ``order``."""
    found = {difference.partition(": ")[0] for difference in step.differences}
    return found or ({ORDER} if step.grade != "exact" else set())


def differing(name: str, fake: CouchFake) -> list[tuple[Played, set[str]]]:
    area, scenario = name.split("/")
    steps = list(play(scenarios(area)[scenario], in_process(fake.wsgi)))
    return [(step, places(step)) for step in steps if places(step)]


def grouped(found: set[str], listed: set[str]) -> set[str]:
    """Return the places that were found, those below ``/x`` as ``/x/*`` if that is listed."""
    groups = [place for place in listed if place.endswith("/*")]
    return {next((group for group in groups if place.startswith(group[:-1])), place) for place in found}


def in_words(step: Played) -> str:
    return f"step {step.number} {step.request} [{step.grade}] " + "; ".join(step.differences[:3])


@pytest.mark.parametrize("name", names())
def test_a_recorded_scenario_is_answered_as_the_real_server_answered_it(name: str) -> None:
    in_some_runs = documented(sometimes=True).get(name, {})
    expected = documented().get(name, {})
    steps = differing(name, CouchFake(admins={"adm": "pass"}))
    found = [
        (step, grouped(where, expected.get(step.number, set())))
        for step, where in steps
        if not where <= in_some_runs.get(step.number, set())
    ]
    unexpected = [in_words(step) for step, where in found if not where <= expected.get(step.number, set())]
    assert not unexpected, "\n".join(unexpected)
    assert {step.number: where for step, where in found} == expected, "take what agrees now off the list of divergences"


def test_the_list_of_divergences_names_scenarios_that_exist() -> None:
    assert documented().keys() | documented(sometimes=True).keys() <= set(names())


@pytest.mark.real_rounds
@pytest.mark.parametrize("name", [name for name in names() if name.startswith(("auth/", "security/"))])
def test_with_the_real_number_of_rounds_users_and_rights_agree_entirely(name: str) -> None:
    fake = CouchFake(admins={"adm": "pass"}, config={"chttpd_auth": {"iterations": "600000"}})
    assert not [in_words(step) for step, _ in differing(name, fake)]
