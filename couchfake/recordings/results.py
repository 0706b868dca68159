"""What playing recordings found out: counts for each area, and the steps that differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from couchfake.recordings.player import Played

HEADING = f"{'area':<26}{'scenarios':>9}{'steps':>8}{'status':>9}{'body':>9}{'exact':>9}"


class Difference(NamedTuple):
    """A step that is not answered exactly as recorded. ``doc`` says what its scenario shows."""

    scenario: str
    doc: str
    step: Played

    def lines(self) -> list[str]:
        """Return the step in one line, and what differs in further, indented ones."""
        step = self.step
        heading = f"{self.scenario} step {step.number}: {step.request} [{step.grade}]"
        return [heading, *(f"    {difference}" for difference in step.differences or ["the order of members"])]


@dataclass
class AreaResult:
    """The counts of an area: scenarios, those that agree exactly, steps, and steps of each grade or a better one."""

    name: str
    scenarios: int = 0
    agreeing: int = 0
    steps: int = 0
    status: int = 0
    body: int = 0
    exact: int = 0
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Why scenarios were not played, a line for each."""

    def add(self, scenario: dict[str, Any], steps: Iterable[Played]) -> None:
        """Count a scenario that has been played."""
        played = list(steps)
        grades = [step.grade for step in played]
        self.scenarios += 1
        self.agreeing += grades.count("exact") == len(grades)
        self.steps += len(grades)
        self.exact += grades.count("exact")
        self.body += grades.count("exact") + grades.count("body")
        self.status += len(grades) - grades.count("none")
        doc = scenario.get("doc", "")
        self.differences += [Difference(scenario["name"], doc, step) for step in played if step.grade != "exact"]

    @property
    def agrees(self) -> bool:
        """Whether every step agrees at least in its body."""
        return self.body == self.steps

    def __str__(self) -> str:
        shares = "".join(f"{share(count, self.steps):>8}%" for count in (self.status, self.body, self.exact))
        return f"{self.name:<26}{self.agreeing:>5}/{self.scenarios:<5}{self.steps:>6}{shares}"


def total(areas: Iterable[AreaResult]) -> AreaResult:
    """Return the sum of the counts of areas, named TOTAL."""
    everything = AreaResult("TOTAL")
    for area in areas:
        for name in ("scenarios", "agreeing", "steps", "status", "body", "exact"):
            setattr(everything, name, getattr(everything, name) + getattr(area, name))
    return everything


def share(count: int, of: int) -> str:
    """Return a percentage with one decimal. One that is not whole never reads 100.0."""
    return f"{min(100 * count / max(1, of), 100.0 if count == of else 99.9):.1f}"
