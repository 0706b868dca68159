"""``couchfake check``: play the recordings that ship with couchfake against a server, and leave it as it was."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from couchfake.recordings import area_names, load_area
from couchfake.recordings.comparison import Reply
from couchfake.recordings.player import Headers, Played, Sender, play
from couchfake.recordings.report import AreaResult, Outcome
from couchfake.recordings.target import (
    CONNECTION_ERRORS,
    Target,
    WrongArguments,
    databases_in_the_way,
    documents_removed,
    refuse_to_overwrite,
    settings_as_recorded,
    settings_kept,
)

NO_ANSWER = 0
"""The status that stands for a connection which the server closed, or on which it did not answer in time."""


class Check:
    """The recordings that are to be played against ``target``. Raise ReplayFailed if one cannot be, before the first.

    ``areas`` names areas, all by default; ``chosen`` is part of the scenarios' names.
    """

    def __init__(
        self,
        target: Target,
        areas: Iterable[str] = (),
        chosen: str = "",
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.target = target
        self._sleep = sleep
        self._refused: list[str] = []
        names = list(areas) or area_names()
        unknown = sorted(set(names) - set(area_names()))
        if unknown:
            raise WrongArguments(f"there is no area {unknown[0]}; there are {', '.join(area_names())}")
        recordings = [load_area(name) for name in names]
        self.recorded_from: str = recordings[0]["recorded_from"]
        self.areas = {
            recording["area"]: [each for each in recording["scenarios"] if chosen in each["name"]]
            for recording in recordings
        }
        if not self.scenarios:
            raise WrongArguments(f"no scenario has {chosen!r} in its name")
        self.server = target.about()
        refuse_to_overwrite(self.scenarios, target)

    @property
    def scenarios(self) -> list[dict[str, Any]]:
        return [scenario for scenarios in self.areas.values() for scenario in scenarios]

    def run(self, played: Callable[[], object] = lambda: None) -> Iterator[AreaResult]:
        """Play area by area. Call ``played`` after each scenario. Raise ReplayFailed if the server goes away.

        The server has the settings of the recorded one meanwhile.
        """
        with settings_as_recorded(self.target) as self._refused:
            for name, scenarios in self.areas.items():
                if not scenarios:
                    continue
                result = AreaResult(name)
                for scenario in scenarios:
                    self._play(scenario, result)
                    played()
                yield result

    def outcome(self, results: list[AreaResult], started: float) -> Outcome:
        """Return the outcome of a run that began at ``started``, a time of ``time.monotonic``."""
        seconds = time.monotonic() - started
        return Outcome(self.target.name, self.server, self.recorded_from, results, seconds, self._refused)

    def _play(self, scenario: dict[str, Any], result: AreaResult) -> None:
        in_the_way = databases_in_the_way(scenario, self.target)
        if in_the_way:
            result.skipped.append(f"{scenario['name']}: it makes and deletes {in_the_way[0]}, which the server has")
            return
        with settings_kept(scenario, self.target), documents_removed(scenario, self.target):
            result.add(scenario, self._steps(scenario))

    def _steps(self, scenario: dict[str, Any]) -> list[Played]:
        """Play a scenario without its pauses. If a step differs then, the server may need them: play it with them."""
        send = patient(self.target)
        hurried = without_pauses(scenario)
        if hurried is not None:
            steps = list(play(hurried, send, self.target.user))
            self._sleep(settling_time(scenario))
            if all(step.grade == "exact" for step in steps):
                return steps
        return list(play(scenario, send, self.target.user))


def patient(target: Target) -> Sender:
    """Return a sender for which a request that gets no answer is a difference, not the end, while others get one."""

    def send(method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        try:
            return target.send(method, path, headers, body)
        except CONNECTION_ERRORS as error:
            target.get("/")  # raises ReplayFailed if the server is not there any more
            return Reply(NO_ANSWER, [], f"no answer: {error}".encode())

    return send


# The pauses of recorded scenarios: long polls that wait for nothing, which gave the recorded server time to settle.

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
