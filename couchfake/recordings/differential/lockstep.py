"""Two servers that are sent the same requests, one after the other, and whose answers are compared.

A scenario whose last step is answered differently is made as short as it can be (``shrink``).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from couchfake.recordings.comparison import Verdict, judge
from couchfake.recordings.differential.world import Step, World
from couchfake.recordings.generalise import response_of
from couchfake.recordings.player import Conversation
from couchfake.recordings.target import CONNECTION_ERRORS, Target

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
