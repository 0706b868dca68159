"""Requests about a database, about the rows of its documents, views and queries, and about its design functions."""

from __future__ import annotations

import json
from typing import Any

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


# ---- all documents, views and design functions

_KEYS = tuple(map(json.dumps, ("a", "b", "d", "é", 1, 2, 10, None, True, [], [1], {}, "\ufff0")))
_ROWS: dict[str, tuple[Any, ...]] = {
    "include_docs": (True, True, False), "descending": (True,), "limit": (0, 1, 2, 5), "skip": (0, 1, 3),
    "inclusive_end": (True, False), "conflicts": (True,), "update_seq": (True,), "startkey": _KEYS, "endkey": _KEYS,
    "key": _KEYS, "sorted": (False,), "start_key": _KEYS, "end_key": _KEYS, "attachments": (True,),
}  # fmt: skip
_REDUCING: dict[str, tuple[Any, ...]] = {
    "reduce": (True, False), "group": (True,), "group_level": (0, 1, 2), "startkey": _KEYS, "endkey": _KEYS,
    "descending": (True,), "limit": (1, 2), "skip": (1,), "keys": ("[1,2]", '["a","b"]'), "key": _KEYS,
}  # fmt: skip
_MAPS = (
    "function(doc) { emit(doc.n, null); }",
    "function(doc) { emit(doc._id, doc.s); }",
    "function(doc) { emit([doc.t, doc.n], 1); }",
    "function(doc) { (doc.tags || []).forEach(function(tag) { emit(tag, doc.n); }); }",
    "function(doc) { if (typeof doc.n === 'number') emit(doc.n, doc.n); }",
)
_REDUCES = ("_count", "_sum", "_stats", None, None, "function(keys, values, rereduce) { return values.length; }")
DESIGN: dict[str, Any] = {
    "views": {
        "n": {"map": _MAPS[0]}, "id": {"map": _MAPS[1]}, "tn": {"map": _MAPS[2], "reduce": "_count"},
        "tags": {"map": _MAPS[3], "reduce": "_count"}, "sum": {"map": _MAPS[4], "reduce": "_sum"},
        "stats": {"map": _MAPS[4], "reduce": "_stats"},
    },
    "shows": {"s": "function(doc, req) { return {json: {id: doc && doc._id, q: req.query}}; }"},
    "lists": {"l": "function(head, req) { var row; while (row = getRow()) send(toJSON(row.key) + '\\n'); }"},
    "updates": {"u": "function(doc, req) { return [{_id: req.id || 'made', n: 7}, 'written']; }"},
    "filters": {"f": "function(doc, req) { return doc.n > 3; }"},
    "validate_doc_update": "function(doc) { if (doc.k === 10) throw {forbidden: 'ten'}; }",
}  # fmt: skip
"""The design document ``_design/d`` of scenarios about views, design functions and feeds."""

_VIEWS: tuple[str, ...] = tuple(DESIGN["views"])


def put_design(world: World) -> Step:
    return world.step("PUT", world.path("_design/d"), DESIGN)


def change_design(world: World) -> Step:
    """Write another design document with a view, or a faulty one."""
    view: dict[str, Any] = {"map": world.one((*_MAPS, "function(doc) {", "1", ""))}
    reduce = world.one(_REDUCES)
    if reduce:
        view["reduce"] = reduce
    body: dict[str, Any] = {"views": {"v": view}}
    known = world.revisions.get("_design/e")
    if known:
        body["_rev"] = known[-1]
    return world.step("PUT", world.path("_design/e"), body)


def all_docs(world: World) -> Step:
    path = world.path(world.one(("_all_docs", "_all_docs", "_design_docs")))
    if world.chance(0.25):
        return world.step("POST", path + world.query(_ROWS, 1), {"keys": [world.id(), json.loads(world.one(_KEYS))]})
    return world.step("GET", path + world.query(_ROWS))


def queries(world: World) -> Step:
    queries = [{"limit": world.random.randrange(3), "include_docs": world.chance(0.5)} for _ in range(2)]
    return world.step("POST", world.path("_all_docs/queries"), {"queries": queries})


def view(world: World) -> Step:
    name = world.one((*_VIEWS, "missing"))
    return world.step("GET", world.path(f"_design/d/_view/{name}") + world.query(_ROWS | {"reduce": (False,)}, 4))


def changed_view(world: World) -> Step:
    return world.step("GET", world.path("_design/e/_view/v") + world.query(_ROWS | _REDUCING))


def reduced_view(world: World) -> Step:
    name = world.one(("tn", "tags", "sum", "stats"))
    if world.chance(0.15):
        keys = [json.loads(world.one(_KEYS)), world.value(1)]
        return world.step("POST", world.path(f"_design/d/_view/{name}") + world.query(_REDUCING, 1), {"keys": keys})
    return world.step("GET", world.path(f"_design/d/_view/{name}") + world.query(_REDUCING))


def show(world: World) -> Step:
    return world.step("GET", world.path("_design/d/_show/s", world.id()) + world.query({"x": ("a", 1)}, 1))


def list_(world: World) -> Step:
    name = world.one(_VIEWS)
    return world.step("GET", world.path(f"_design/d/_list/l/{name}") + world.query(_ROWS | {"reduce": (False,)}, 2))


def update(world: World) -> Step:
    return world.step("PUT", world.path("_design/d/_update/u", world.id()))


# ---- Mango


def selector(world: World, depth: int = 2) -> dict[str, Any]:
    """Return a selector, now and then a wrong one."""
    field = world.one(("n", "s", "t", "k", "tags", "o.p", "_id", "missing"))
    kind = world.random.randrange(8 if depth else 5)
    if kind < 2:
        return {field: world.value(1)}
    if kind < 5:
        return {field: {world.one(_OPERATORS): _argument(world)}}
    if kind == 5:
        return {"$not": selector(world, depth - 1)}
    if kind == 6:
        return {world.one(("$and", "$or", "$nor")): [selector(world, depth - 1) for _ in range(2)]}
    return {**selector(world, depth - 1), **selector(world, depth - 1)}


_OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type", "$size", "$mod", "$regex",
              "$all", "$elemMatch", "$beginsWith", "$x")  # fmt: skip
_ARGUMENTS: tuple[Any, ...] = (
    1,
    "a",
    "",
    None,
    True,
    [1, 2],
    ["a", "b"],
    {"$gt": 1},
    "number",
    "string",
    [2, 1],
    "^a",
    2,
    {},
    [],
)


def _argument(world: World) -> Any:
    return world.one(_ARGUMENTS) if world.chance(0.7) else world.value(1)


def find(world: World) -> Step:
    query: dict[str, Any] = {"selector": selector(world)}
    options: dict[str, tuple[Any, ...]] = {
        "fields": (["_id"], ["n", "s"], ["o.p"], [], ["_id", "tags"]), "limit": (0, 1, 3, 100), "skip": (0, 1),
        "sort": (["n"], [{"n": "desc"}], ["_id"], ["t", "n"], [{"n": "x"}]), "use_index": ("by-n", "missing"),
        "conflicts": (True,), "execution_stats": (True,), "r": (1,), "bookmark": ("nil", "x"), "update": (True,),
    }  # fmt: skip
    for name in world.some(sorted(options), 3):
        query[name] = world.one(options[name])
    return world.step("POST", world.path(world.one(("_find", "_find", "_find", "_explain"))), query)


def put_index(world: World) -> Step:
    fields = world.one((["n"], ["t", "n"], [{"n": "desc"}], ["s"], [], ["o.p"]))
    index: dict[str, Any] = {"index": {"fields": fields}, "type": "json"}
    if world.chance(0.6):
        index |= {"ddoc": world.one(("by-n", "_design/by-t")), "name": world.one(("by-n", "other"))}
    if world.chance(0.2):
        index["index"]["partial_filter_selector"] = selector(world, 0)
    return world.step("POST", world.path("_index"), index)


def indexes(world: World) -> Step:
    if world.chance(0.3):
        return world.step("DELETE", world.path("_index/_design/by-n/json/by-n"))
    return world.step("GET", world.path("_index") + world.query({"limit": (1, 2), "skip": (1,)}, 1))
