"""Random requests against a server and a fake, side by side: ``couchfake compare``.

``world`` chooses values and remembers what the server answered; ``documents`` and ``databases`` write requests. Both
servers are sent the same requests, one after the other (``Lockstep``), up to the first that is answered differently.
Such a scenario is made as short as it can be (``shrink``), and what differs is written as a recording.
"""

from __future__ import annotations

import copy
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from couchfake import CouchFake
from couchfake.recordings import as_text, write_recording
from couchfake.recordings.comparison import Verdict, judge
from couchfake.recordings.differential import databases, documents
from couchfake.recordings.differential.world import Step, World
from couchfake.recordings.player import Conversation, in_process
from couchfake.recordings.target import CONNECTION_ERRORS, ReplayFailed, Target, WrongArguments, databases_of
from couchfake.recordings.transcript import response_of

# ---- two servers in step

_NUMBER = re.compile(r"(?<=/)[0-9]+(?=/|$)")


class Divergence(NamedTuple):
    """The steps up to the first that the servers answer differently, each with the server's answer."""

    steps: list[dict[str, Any]]
    verdict: Verdict

    @property
    def kind(self) -> tuple[str, str]:
        """The last request's method, and the statuses or the place that differ: what makes two of them look alike.

        Numbers in a place count as one: the row that differs is another when there are fewer rows.
        """
        first = self.verdict.differences[0] if self.verdict.differences else "order"
        if first.startswith("status:"):
            where = first.partition(" b'")[0]
        else:
            place, colon, what = first.partition(": want")[0].partition(": ")
            where = _NUMBER.sub("*", place) + colon + what
        return self.steps[-1]["request"]["method"], where


class Lockstep:
    """A server, whose answers are right, and a fake. ``requests`` counts what each of them was sent."""

    def __init__(self, server: Target, fake: Target) -> None:
        self.server = server
        self.fake = fake
        self.requests = 0

    def play(self, database: str, steps: Iterable[Step], world: World | None = None) -> Divergence | None:
        """Play steps up to the first difference, on a database that is deleted before and after. Raise ReplayFailed.

        ``world`` learns from the server's answers.
        """
        sides = [Conversation(target.send, target.user) for target in (self.server, self.fake)]
        for side in sides:
            side.delete([database])
        try:
            return self._until_difference(sides, steps, world)
        except CONNECTION_ERRORS as error:
            raise self.server.unanswered(error) from error
        finally:
            for side in sides:
                side.delete([database])

    def _until_difference(
        self, sides: list[Conversation], steps: Iterable[Step], world: World | None
    ) -> Divergence | None:
        played = []
        for step in steps:
            self.requests += 1
            replies = [side.ask(step) for side in sides]
            method, path = step["request"]["method"], step["request"]["path"]
            answered = copy.deepcopy(step) | {"response": response_of(replies[0], method, path)}
            played.append(answered)
            verdict = judge(answered["response"], replies[1], method)
            if verdict.grade != "exact":
                return Divergence(played, verdict)
            if world is not None:
                world.learn(step, replies[0])
        return None


Play = Callable[[list[Step]], "Divergence | None"]
"""Plays steps and returns the divergence, if there is one."""


def shrink(found: Divergence, play: Play, limit: int = 500) -> Divergence:
    """Return the smallest divergence of the same kind that is found with at most ``limit`` plays.

    Leave out steps, the longest runs first; then members of bodies, headers and parameters, one by one. The kind (the
    request's method, and the place of the first difference) stays, so that another difference does not take its place.
    """
    shrinking = _Shrinking(found, play, limit)
    shrinking.leave_out_steps()
    while shrinking.simplify():
        shrinking.leave_out_steps()
    return shrinking.best


class _Shrinking:
    def __init__(self, found: Divergence, play: Play, limit: int) -> None:
        self.best = found
        self._play = play
        self._left = limit

    def leave_out_steps(self) -> None:
        size = len(self.best.steps) - 1
        while size:
            smaller = self._leave_out(size)
            if size == 1 and not smaller:  # one that was needed may not be, once others are gone
                break
            size = max(1, size // 2)

    def _leave_out(self, size: int) -> bool:
        before = len(self.best.steps)
        start = 0
        while start + size < len(self.best.steps):  # the last step is the one that differs
            rest = self.best.steps[:start] + self.best.steps[start + size :]
            if not self._keeps(rest):
                start += size
        return len(self.best.steps) < before

    def simplify(self) -> bool:
        """Try each smaller form of each step. Return True if one was kept."""
        kept = False
        for number in range(len(self.best.steps) - 1, -1, -1):
            if number >= len(self.best.steps):
                continue
            for request in smaller_requests(self.best.steps[number]["request"]):
                steps = list(self.best.steps)
                steps[number] = {**steps[number], "request": request}
                if self._keeps(steps):
                    kept = True
                    break
        return kept

    def _keeps(self, steps: list[Step]) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        again = self._play(steps)
        if again is None or len(again.steps) < len(steps) or again.kind != self.best.kind:
            return False
        self.best = again
        return True


def smaller_requests(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Generate the requests with one parameter, header or part of the JSON body less, or with an empty body."""
    path, _, query = request["path"].partition("?")
    pairs = query.split("&") if query else []
    for number in range(len(pairs)):
        rest = "&".join(pairs[:number] + pairs[number + 1 :])
        yield {**request, "path": f"{path}?{rest}" if rest else path}
    for name in request.get("headers", {}):
        yield {**request, "headers": {key: value for key, value in request["headers"].items() if key != name}}
    for data in ("body", "base64"):
        if request.get(data):
            yield {**request, data: ""}
    if "json" in request:
        for value in smaller_values(request["json"]):
            yield {**request, "json": value}


def smaller_values(value: Any) -> Iterator[Any]:
    """Generate the values with one member or item less, at any depth, and with texts and numbers made plain."""
    if isinstance(value, dict):
        for name in value:
            yield {key: member for key, member in value.items() if key != name}
        for name, member in value.items():
            for smaller in smaller_values(member):
                yield {**value, name: smaller}
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield value[:number] + value[number + 1 :]
            for smaller in smaller_values(item):
                yield [*value[:number], copy.deepcopy(smaller), *value[number + 1 :]]


# ---- areas, and the command

Maker = Callable[[World], Step]


@dataclass(frozen=True)
class Area:
    """``makers`` make its requests, each as likely as the next; ``setup`` makes those that a scenario begins with."""

    makers: tuple[Maker, ...]
    setup: tuple[Maker, ...] = ()
    partitioned: bool = False


AREAS = {
    "documents": Area((documents.get, documents.put, documents.post, documents.delete, documents.copy)),
    "revisions": Area((documents.put_branch, documents.put_branch, documents.get, documents.get_open_revs,
                       documents.revs_diff, documents.delete, databases.limits)),
    "bulk": Area((documents.bulk_docs, documents.bulk_docs, documents.bulk_get, documents.revs_diff,
                  databases.all_docs)),
    "attachments": Area((documents.put_attachment, documents.get_attachment, documents.get_attachment,
                         documents.delete_attachment, documents.put_inline, documents.get_with_attachments,
                         documents.multipart)),
    "changes": Area((databases.changes, databases.changes, databases.chosen_changes, databases.other_feed),
                    (databases.put_design,)),
    "all_docs": Area((databases.all_docs, databases.all_docs, databases.queries)),
    "views": Area((databases.view, databases.view, databases.reduced_view, databases.change_design,
                   databases.changed_view),
                  (databases.put_design, databases.change_design)),
    "design_functions": Area((databases.show, databases.list_, databases.update), (databases.put_design,)),
    "mango": Area((databases.find, databases.find, databases.find, databases.put_index, databases.indexes)),
    "partitions": Area((databases.partition,), (databases.put_partitioned_design,), partitioned=True),
    "security": Area((databases.security, databases.as_nobody)),
    "local": Area((documents.local,)),
    "purge": Area((documents.purge, documents.get, databases.changes, databases.all_docs)),
    "headers": Area((documents.with_header,)),
    "malformed": Area((documents.malformed, databases.other_methods)),
    "databases": Area((databases.info, databases.limits, databases.create, databases.small_posts)),
}  # fmt: skip

_WRITERS: tuple[Maker, ...] = (documents.put, documents.put, documents.put_branch, documents.bulk_docs,
                               documents.delete, documents.put_attachment)  # fmt: skip
_WRITES = 0.3  # the share of writes between an area's own requests


def steps(area: Area, world: World, length: int) -> Iterator[Step]:
    """Generate the requests of a scenario. Each is made after the answer to the one before has been learnt."""
    yield world.step("PUT", world.path() + ("?q=1&partitioned=true" if area.partitioned else "?q=1"))
    for maker in (documents.bulk_docs, *area.setup):
        yield maker(world)
    for _ in range(length):
        yield world.one(_WRITERS if world.chance(_WRITES) else area.makers)(world)


def world_of(area: Area, name: str, seed: int, number: int) -> World:
    """Return the world of a seed's scenario with this number. The same arguments give the same requests."""
    database = f"couchfake-compare-{name.replace('_', '-')}-{seed}-{number}"
    return World(random.Random(f"{name} {seed} {number}"), database, area.partitioned)


LENGTH = 20
"""Requests of a scenario, besides those that prepare it."""


def compare_with_fake(url: str, seed: int, requests: int, areas: Iterable[str] = (), out: Path | None = None) -> bool:
    """Play ``requests`` random requests against the server at ``url`` and a fake. Return True if they agree.

    Print what differs as a recording, the server's answers as the right ones, and write it to ``out``. Raise
    ReplayFailed.
    """
    chosen = list(areas) or list(AREAS)
    unknown = sorted(set(chosen) - set(AREAS))
    if unknown:
        raise WrongArguments(f"there is no area {unknown[0]}; there are {', '.join(AREAS)}")
    server = Target(url)
    about = server.about()
    existing = set(databases_of(server))
    lockstep = Lockstep(server, fake_like(server))
    comparison = Comparison(lockstep, seed, existing)
    with tqdm(total=requests, unit="request", leave=False, disable=None) as bar:
        comparison.run(chosen, requests, bar.update)
    if not comparison.found:
        return True
    recording = comparison.recording(about)
    print(as_text(recording))
    for line in comparison.summary():
        print(line, file=sys.stderr)
    if out is not None:
        write_recording(recording, out)
    return False


def fake_like(server: Target) -> Target:
    """Return a fresh fake in this process with the server's admin."""
    name, _, password = server.user.partition(":")
    fake = Target(None)
    fake.user = server.user
    fake.send = in_process(CouchFake(admins={name: password}).wsgi)
    return fake


class Found(NamedTuple):
    """A divergence, as short as it gets, on a database; or as it was found, if it did not repeat."""

    database: str
    divergence: Divergence
    repeats: bool

    @property
    def scenario(self) -> str:
        return self.database.removeprefix("couchfake-compare-").replace("-", "_")

    @property
    def doc(self) -> str:
        return "The last step differs" + ("." if self.repeats else "; it did not when it was played again.")


class Comparison:
    """``found`` has one divergence for each kind in an area, with the number of scenarios that show it."""

    def __init__(self, lockstep: Lockstep, seed: int, existing: Iterable[str] = ()) -> None:
        self.lockstep = lockstep
        self.seed = seed
        self.existing = set(existing)
        self.found: dict[tuple[str, ...], Found] = {}
        self.counts: dict[tuple[str, ...], int] = {}

    def run(self, areas: list[str], requests: int, progress: Any = lambda count: None) -> None:
        """Play scenarios of the areas in turn until so many requests were made."""
        number = made = 0
        while made < requests:
            area = areas[number % len(areas)]
            count = self._play(area, number, requests - made)
            made += count
            number += 1
            progress(count)

    def _play(self, name: str, number: int, most: int) -> int:
        """Play one scenario, and shrink it if the servers differ. Return how many requests it had."""
        area = AREAS[name]
        world = world_of(area, name, self.seed, number)
        if world.database in self.existing:
            raise ReplayFailed(
                f"{self.lockstep.server.name} has a database {world.database}; nothing of it was changed"
            )
        before = self.lockstep.requests
        length = max(1, min(LENGTH, most))
        divergence = self.lockstep.play(world.database, steps(area, world, length), world)
        made = self.lockstep.requests - before
        if divergence is not None:
            self._keep(name, world.database, divergence)
        return made

    def _keep(self, area: str, database: str, divergence: Divergence) -> None:
        key = (area, *divergence.kind)
        self.counts[key] = self.counts.get(key, 0) + 1
        if key in self.found:
            return

        def play(again: list[Step]) -> Divergence | None:
            return self.lockstep.play(database, again)

        repeats = play(divergence.steps) is not None
        self.found[key] = Found(database, shrink(divergence, play) if repeats else divergence, repeats)

    def summary(self) -> list[str]:
        """Return a line for each kind of difference, and what differs in further ones."""
        lines = []
        for key, found in self.found.items():
            request = found.divergence.steps[-1]["request"]
            lines.append(f"{found.scenario}: {request['method']} {request['path']} ({_times(self.counts[key])})")
            lines += [f"    {text}" for text in found.divergence.verdict.differences or ["the order of members"]]
        return lines

    def recording(self, recorded_from: str) -> dict[str, Any]:
        """Return what was found as a recording, a scenario for each kind of difference."""
        scenarios = [
            {
                "name": found.scenario,
                "doc": f"From couchfake compare --seed {self.seed}. {found.doc}",
                "databases": [found.database],
                "steps": found.divergence.steps,
            }
            for found in self.found.values()
        ]
        return {"area": "compare", "recorded_from": recorded_from, "scenarios": scenarios}


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
