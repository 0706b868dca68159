"""Requests about databases: information, security, limits, partitions and changes; and a few about the server."""

from __future__ import annotations

from typing import Any

from couchfake.recordings.differential.queries import selector
from couchfake.recordings.differential.world import Step, World

_SECURITY: tuple[Any, ...] = (
    {}, {"admins": {"names": [], "roles": ["_admin"]}, "members": {"names": [], "roles": []}},
    {"members": {"names": ["somebody"], "roles": []}}, {"members": {"roles": ["staff"]}}, {"admins": 1}, [], {"x": "y"},
    {"admins": {"names": [1], "roles": []}},
)  # fmt: skip


def info(world: World) -> Step:
    return world.step(world.one(("GET", "HEAD")), world.path())


def security(world: World) -> Step:
    if world.chance(0.5):
        return world.step("GET", world.path("_security"))
    return world.step("PUT", world.path("_security"), world.one(_SECURITY))


def as_nobody(world: World) -> Step:
    """Read or write without a login."""
    path = world.path(world.one((world.id(), "_all_docs", "_security", "_design/x", "_changes", "_local_docs")))
    method = world.one(("GET", "GET", "PUT", "DELETE"))
    return world.step(method, path, {"n": 1} if method == "PUT" else None, anonymous=True)


def limits(world: World) -> Step:
    path = world.path(world.one(("_revs_limit", "_purged_infos_limit")))
    if world.chance(0.4):
        return world.step("GET", path)
    return world.step("PUT", path, body=world.one(("3", "1", "1000", "0", "-1", '"2"', "x", "")))


def other_methods(world: World) -> Step:
    path = world.path(world.one(("_all_docs", "_bulk_docs", "_changes", "_find", "_security", "_view_cleanup", "_x")))
    return world.step(world.one(("DELETE", "PATCH", "OPTIONS", "COPY", "PUT")), path)


def small_posts(world: World) -> Step:
    return world.step("POST", world.path(world.one(("_ensure_full_commit", "_view_cleanup"))), {})


def create(world: World) -> Step:
    """Create the database again, which is refused."""
    return world.step("PUT", world.path() + world.query({"q": (1, 0, "x"), "n": (1,), "partitioned": (True,)}, 1))


# ---- partitions


def partition(world: World) -> Step:
    path = world.path("_partition", world.one(("p", "q", "missing", "_x", "é")))
    kind = world.random.randrange(4)
    if kind == 0:
        return world.step("GET", path)
    if kind == 1:
        options = {"include_docs": (True,), "limit": (1,), "startkey": ('"p:b"', '"q"'), "descending": (True,)}
        return world.step("GET", f"{path}/_all_docs{world.query(options)}")
    if kind == 2:
        return world.step("GET", f"{path}/_design/d/_view/{world.one(('n', 'tags'))}?reduce=false")
    return world.step("POST", f"{path}/{world.one(('_find', '_explain'))}", {"selector": selector(world)})


def put_partitioned_design(world: World) -> Step:
    views = {"n": {"map": "function(doc) { emit(doc.n, null); }"}, "tags": {"map": "function(doc) { emit(doc.tags); }"}}
    return world.step("PUT", world.path("_design/d"), {"views": views})


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
