"""What keeps a check from harming a server: nothing that exists is deleted, and settings are put back.

A scenario begins by making its databases and ends by deleting them, so it may be played only where none of them
exists. Users and replications are documents of databases that belong to the server: they may not exist either.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from couchfake.recordings.target import ReplayFailed, Target

_SETTING = re.compile(r"/_node/[^/{]+/_config/[^/{]+/[^/{]+|/_(?:users|replicator)/_security")
_DOCUMENT = re.compile(r"/(_users|_replicator)/([^_/{][^/{]*)")
_EDITABLE = "/_node/_local/_config/couchdb/users_db_security_editable"
_SHOWN = 5


def refuse_to_overwrite(scenarios: Iterable[dict[str, Any]], target: Target) -> None:
    """Raise ReplayFailed if the server has a database, user or replication that a scenario makes and deletes."""
    scenarios = list(scenarios)
    existing = set(databases_of(target))
    wanted = {name for scenario in scenarios for name in scenario.get("databases", []) if not name.startswith("_")}
    taken = [f"the database {name}" for name in sorted(wanted & existing)]
    for database, ids in _documents_made(scenarios).items():
        if database in existing:
            taken += [f"{database}/{each}" for each in _existing(target, database, sorted(ids))]
    if taken:
        more = f" and {len(taken) - _SHOWN} more" if len(taken) > _SHOWN else ""
        raise ReplayFailed(
            f"{target.name} has {', '.join(taken[:_SHOWN])}{more}, which the recordings make and delete."
            " Nothing was changed. If an interrupted run left them behind, delete them and start again"
        )


def databases_in_the_way(scenario: dict[str, Any], target: Target) -> list[str]:
    """Return which of the databases that a scenario makes and deletes exist.

    They are the server's own (``_global_changes``), or were made since ``refuse_to_overwrite`` looked.
    """
    return [name for name in scenario.get("databases", []) if target.get("/" + quote(name, safe=""))[0] != 404]


def databases_of(target: Target) -> list[str]:
    """Return the names of all databases. Raise ReplayFailed if the server does not list them."""
    status, names = target.get("/_all_dbs")
    if status != 200 or not isinstance(names, list):
        raise ReplayFailed(
            f"{target.name} does not list its databases to this login: GET /_all_dbs is answered with {status};"
            " the URL needs an admin's name and password"
        )
    return names


def _documents_made(scenarios: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    made = defaultdict(set)
    for scenario in scenarios:
        for step in scenario["steps"]:
            match = _DOCUMENT.fullmatch(step["request"]["path"].partition("?")[0])
            if match and step["request"]["method"] == "PUT" and step["response"]["status"] == 201:
                made[match[1]].add(unquote(match[2]))
    return made


def _existing(target: Target, database: str, ids: list[str]) -> list[str]:
    status, answer = target.request("POST", f"/{database}/_all_docs", {"keys": ids})
    if status != 200 or not isinstance(answer, dict):
        return []
    rows = [row for row in answer.get("rows", []) if isinstance(row, dict)]
    return [row["id"] for row in rows if "id" in row and not (row.get("value") or {}).get("deleted")]


@contextlib.contextmanager
def settings_kept(scenario: dict[str, Any], target: Target) -> Iterator[None]:
    """Put the configuration and the security objects that a scenario changes back as they were before it."""
    paths = {
        step["request"]["path"].partition("?")[0]
        for step in scenario["steps"]
        if step["request"]["method"] in ("PUT", "DELETE")
    }
    before = {path: target.get(path) for path in sorted(paths) if _SETTING.fullmatch(path)}
    security = {path: answer for path, answer in before.items() if path.endswith("/_security")}
    if security:
        before[_EDITABLE] = target.get(_EDITABLE)
    try:
        yield
    finally:
        for path, answer in security.items():
            if target.get(path) != answer:
                target.request("PUT", _EDITABLE, "true")
                target.request("PUT", path, answer[1])
        for path in before.keys() - security.keys():
            _put_back(target, path, *before[path])


def _put_back(target: Target, path: str, status: int, value: Any) -> None:
    if status == 200 and target.get(path) != (status, value):
        target.request("PUT", path, value)
    elif status == 404 and target.get(path)[0] == 200:
        target.request("DELETE", path)
