"""``couchfake compare``: random scenarios on a server and a fake, and a recording of what differs.

``AREAS`` are the areas of random requests, with what scenarios of each consist of.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from couchfake import CouchFake
from couchfake.recordings.differential import databases, documents, queries
from couchfake.recordings.differential.lockstep import Divergence, Lockstep, shrink
from couchfake.recordings.differential.world import Step, World
from couchfake.recordings.files import as_text, write_recording
from couchfake.recordings.senders import in_process
from couchfake.recordings.target import ReplayFailed, Target, WrongArguments, databases_of

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
    "bulk": Area((documents.bulk_docs, documents.bulk_docs, documents.bulk_get, documents.revs_diff, queries.all_docs)),
    "attachments": Area((documents.put_attachment, documents.get_attachment, documents.get_attachment,
                         documents.delete_attachment, documents.put_inline, documents.get_with_attachments,
                         documents.multipart)),
    "changes": Area((databases.changes, databases.changes, databases.chosen_changes, databases.other_feed),
                    (queries.put_design,)),
    "all_docs": Area((queries.all_docs, queries.all_docs, queries.queries)),
    "views": Area((queries.view, queries.view, queries.reduced_view, queries.change_design, queries.changed_view),
                  (queries.put_design, queries.change_design)),
    "design_functions": Area((queries.show, queries.list_, queries.update), (queries.put_design,)),
    "mango": Area((queries.find, queries.find, queries.find, queries.put_index, queries.indexes)),
    "partitions": Area((databases.partition,), (databases.put_partitioned_design,), partitioned=True),
    "security": Area((databases.security, databases.as_nobody)),
    "local": Area((documents.local,)),
    "purge": Area((documents.purge, documents.get, databases.changes, queries.all_docs)),
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
