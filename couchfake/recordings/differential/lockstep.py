"""Two servers that are sent the same requests, one after the other, and whose answers are compared."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from couchfake.recordings.comparison import Verdict, judge
from couchfake.recordings.differential.world import Step, World
from couchfake.recordings.generalise import response_of
from couchfake.recordings.player import Conversation
from couchfake.recordings.target import CONNECTION_ERRORS, ReplayFailed, Target

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
            raise ReplayFailed(f"the server does not answer: {error}") from error
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
