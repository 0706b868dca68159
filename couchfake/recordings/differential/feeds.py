"""Requests to the changes feed that end by themselves."""

from __future__ import annotations

from typing import Any

from couchfake.recordings.differential.queries import selector
from couchfake.recordings.differential.world import Step, World

_OPTIONS: dict[str, tuple[Any, ...]] = {
    "include_docs": (True,), "descending": (True,), "limit": (0, 1, 2, 100), "style": ("all_docs", "main_only"),
    "conflicts": (True,), "attachments": (True,), "seq_interval": (2,), "filter": ("d/f", "_design", "d/missing"),
}  # fmt: skip


def changes(world: World) -> Step:
    """Read changes, and capture the last sequence for later requests."""
    query = world.query(_OPTIONS)
    joined = f"{query}&" if query else "?"
    step = world.step("GET", f"{world.path('_changes')}{joined}since={world.since()}")
    if "descending" not in query and "limit" not in query:
        step["capture"] = {f"s{len(world.captures)}": "/last_seq"}
    return step


def chosen_changes(world: World) -> Step:
    """Read the changes that a selector or a list of ids chooses."""
    if world.chance(0.5):
        return world.step("POST", world.path("_changes") + "?filter=_doc_ids", {"doc_ids": [world.id(), world.id()]})
    return world.step("POST", world.path("_changes") + "?filter=_selector", {"selector": selector(world, 1)})


def other_feed(world: World) -> Step:
    """Read a feed of another form, which ends after a moment without changes."""
    feed = world.one(("longpoll", "continuous", "eventsource", "x"))
    since = "0" if feed == "longpoll" else world.since()
    query = world.query({"include_docs": (True,), "style": ("all_docs",)}, 1)
    joined = f"{query}&" if query else "?"
    return world.step("GET", f"{world.path('_changes')}{joined}feed={feed}&since={since}&timeout=50")
