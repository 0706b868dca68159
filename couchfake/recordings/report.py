"""What playing recordings found out, and the report of it: lines for a terminal, and a page of one file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from couchfake.recordings.player import Played

# ---- results

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


@dataclass(frozen=True)
class Outcome:
    """A finished check. ``server`` is what it says it is, ``recorded_from`` the server that the recordings are of.

    ``refused`` names settings of the recorded server that this one did not take, a line each.
    """

    url: str
    server: str
    recorded_from: str
    areas: list[AreaResult]
    seconds: float
    refused: list[str]

    @property
    def agrees(self) -> bool:
        """Whether every step of every area agrees at least in its body."""
        return all(area.agrees for area in self.areas)


# ---- the report

_PLACES = 3


def summary(outcome: Outcome) -> list[str]:
    """Return lines that say what differs, the most frequent difference of each area first."""
    return [*outcome.refused, *what_differs(outcome.areas)]


def what_differs(areas: Iterable[AreaResult]) -> list[str]:
    """Return a line for each difference of each area, the most frequent first, and one that says where it occurs."""
    lines = []
    for area in areas:
        for text, differences in groups(area):
            places = ", ".join(f"{each.scenario} step {each.step.number}" for each in differences[:_PLACES])
            more = f" and {len(differences) - _PLACES} more" if len(differences) > _PLACES else ""
            lines.append(f"{area.name}: {text}")
            lines.append(f"    {places}{more}")
        lines += [f"{area.name}: not played: {reason}" for reason in area.skipped]
    return lines


def groups(area: AreaResult) -> list[tuple[str, list[Difference]]]:
    """Return the steps that differ by the first difference of each, the most frequent one first."""
    found: dict[str, list[Difference]] = defaultdict(list)
    for difference in area.differences:
        found[difference.lines()[1].strip()].append(difference)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def write_page(outcome: Outcome, path: Path) -> None:
    """Write the outcome as one HTML file without links to others. Raise OSError if it cannot be written."""
    path.write_text(page(outcome), encoding="utf-8")


def page(outcome: Outcome) -> str:
    """Return the outcome as an HTML page that needs no other file; it follows the reader's light or dark theme."""
    everything = total(outcome.areas)
    title = f"{outcome.server} at {outcome.url}"
    differ = _steps_that_differ(everything)
    verdict = "Every step agrees." if everything.agrees else f"{differ} in status or body."
    facts = (
        f"{share(everything.body, everything.steps)}% of {everything.steps} steps in {everything.scenarios} scenarios"
        f" are answered like {outcome.recorded_from}. The check took {outcome.seconds:.0f} seconds."
    )
    refused = "".join(f"<p>{escape(line)}</p>\n" for line in outcome.refused)
    rows = "".join(_row(area) for area in [*outcome.areas, everything])
    details = "".join(_details(area) for area in outcome.areas if area.differences or area.skipped)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n<p><strong>{verdict}</strong> {escape(facts)}</p>\n{refused}"
        f'<div class="wide"><table>\n<thead><tr>{_HEADS}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
        f"{details}<footer>Made by couchfake check. <em>Status</em>: the status alone agrees. <em>Body</em>: status,"
        " the recorded headers, and the body as values. <em>Exact</em>: the members of every object in the recorded"
        " order as well.</footer>\n</main>\n</body>\n</html>\n"
    )


def _steps_that_differ(area: AreaResult) -> str:
    count = area.steps - area.body
    return "1 step differs" if count == 1 else f"{count} steps differ"


def _row(area: AreaResult) -> str:
    name = f'<a href="#{escape(area.name)}">{escape(area.name)}</a>' if area.differences else escape(area.name)
    shares = "".join(_cell(count, area.steps) for count in (area.status, area.body, area.exact))
    kind = ' class="total"' if area.name == "TOTAL" else ""
    return (
        f"<tr{kind}><th scope='row'>{name}</th><td>{area.agreeing}/{area.scenarios}</td><td>{area.steps}</td>"
        f"{shares}</tr>\n"
    )


def _cell(count: int, of: int) -> str:
    kind = "good" if count == of else "fair" if count >= 0.95 * of else "bad"
    return f'<td class="{kind}">{share(count, of)}%</td>'


def _details(area: AreaResult) -> str:
    parts = [_group(text, differences) for text, differences in groups(area)]
    parts += [f"<p>Not played: {escape(reason)}</p>\n" for reason in area.skipped]
    return f'<section id="{escape(area.name)}">\n<h2>{escape(area.name)}</h2>\n{"".join(parts)}</section>\n'


def _group(text: str, differences: list[Difference]) -> str:
    count = f"{len(differences)} steps" if len(differences) > 1 else "1 step"
    items = "".join(_items(differences))
    return (
        f"<details><summary><span>{count}</span> <code>{escape(text)}</code></summary>\n<ul>\n{items}</ul></details>\n"
    )


def _items(differences: Iterable[Difference]) -> Iterable[str]:
    for difference in differences:
        step = difference.step
        lines = "\n".join(line.strip() for line in difference.lines()[1:])
        yield (
            f"<li><strong>{escape(difference.scenario)}</strong>, step {step.number}:"
            f" <code>{escape(step.request)}</code> <small>{escape(difference.doc)}</small>"
            f"<pre>{escape(lines)}</pre></li>\n"
        )


_HEADS = "".join(f"<th scope='col'>{name}</th>" for name in ("Area", "Scenarios", "Steps", "Status", "Body", "Exact"))
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fff; --line: #d9dde2; --soft: #f4f6f8; --link: #0b5cad;
  --good: #157347; --fair: #8a5a00; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #14171a; --line: #33393f; --soft: #1e2327;
  --link: #79b8ff; --good: #5fd39a; --fair: #f0b849; --bad: #ff8f85; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
a { color: var(--link); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; } tbody th { font-weight: normal; }
.total > * { font-weight: 600; border-bottom: 0; }
.good { color: var(--good); } .fair { color: var(--fair); } .bad { color: var(--bad); font-weight: 600; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; background: var(--soft); }
summary { padding: .4rem .7rem; cursor: pointer; overflow-wrap: anywhere; } summary span { font-weight: 600; }
ul { margin: 0; padding: .2rem .7rem .6rem 2rem; } li { margin: .4rem 0; overflow-wrap: anywhere; }
pre { margin: .3rem 0; padding: .5rem; overflow-x: auto; background: var(--paper); border: 1px solid var(--line);
  border-radius: 4px; white-space: pre-wrap; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; } small { display: block; opacity: .8; }
footer { margin-top: 2.5rem; font-size: .85rem; opacity: .8; }
"""
