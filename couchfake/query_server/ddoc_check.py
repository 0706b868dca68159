"""The checks of a design document before it is saved. Source: ``couch_mrview:validate/2``."""

from __future__ import annotations

from typing import Any, Protocol

from couchfake.errors import CouchError
from couchfake.query_server.server import is_javascript


class Compiler(Protocol):
    """The part of a query server that the check uses."""

    def try_compile(self, source: str) -> None: ...


ANY = None  # matches every member's name in a path

# Members' paths, name by name, and the types that they may have, in the order of the checks.
_FIELDS: tuple[tuple[tuple[str | None, tuple[str, ...]], ...], ...] = (
    (("filters", ("object",)), (ANY, ("object", "string"))),
    (("language", ("string",)),),
    (("lists", ("object",)), (ANY, ("object", "string"))),
    (("options", ("object",)),),
    (("options", ("object",)), ("include_design", ("boolean",))),
    (("options", ("object",)), ("local_seq", ("boolean",))),
    (("options", ("object",)), ("partitioned", ("boolean",))),
    (("rewrites", ("string", "array")),),
    (("shows", ("object",)), (ANY, ("object", "string"))),
    (("updates", ("object",)), (ANY, ("object", "string"))),
    (("validate_doc_update", ("string",)),),
    (("views", ("object",)), ("lib", ("object",))),
    (("views", ("object",)), (ANY, ("object",)), ("map", ("map",))),
    (("views", ("object",)), (ANY, ("object",)), ("reduce", ("string",))),
)

_TYPES: dict[str, type[Any]] = {"object": dict, "array": list, "string": str, "boolean": bool}

_BUILTIN_REDUCERS = ("_sum", "_count", "_stats", "_approx_count_distinct", "_first", "_last")
_RANK_REDUCERS = ("_top_", "_bottom_")


def validate_ddoc(ddoc: dict[str, Any], compiler: Compiler, *, partitioned: bool = False) -> None:
    """Raise the first error in a design document's members and views.

    ``ddoc``: its members (those with underscores are ignored); ``partitioned``: whether the database is.
    Errors: 400 ``invalid_design_doc``, 400 ``compilation_error``, 404 ``not_found`` for an empty map or reduce source.
    """
    for path in _FIELDS:
        _check_field(ddoc, path, (), "object" if ddoc.get("language") == "query" else "string")
    for name, view in ddoc.get("views", {}).items():
        if name != "lib" and "map" not in view:
            raise _invalid(f"View `{name}` must contain map function")
    if ddoc.get("options", {}).get("partitioned") is True and not partitioned:
        raise _invalid("partitioned option cannot be true in a non-partitioned database.")
    if is_javascript(ddoc.get("language", "javascript")):
        _check_views(ddoc.get("views", {}), compiler)


def _check_field(
    value: dict[str, Any],
    path: tuple[tuple[str | None, tuple[str, ...]], ...],
    walked: tuple[str, ...],
    map_type: str,
) -> None:
    (wanted, types), *rest = path
    types = tuple(map_type if name == "map" else name for name in types)
    for name in list(value) if wanted is ANY else [wanted]:
        if name not in value:
            continue
        member = value[name]
        if not any(isinstance(member, _TYPES[known]) for known in types):
            raise _invalid(f"`{'.'.join((*walked, name))}` field must have {' or '.join(reversed(types))} type")
        if rest and isinstance(member, dict):
            _check_field(member, tuple(rest), (*walked, name), map_type)


def _check_views(views: dict[str, Any], compiler: Compiler) -> None:
    """Compile map and reduce functions: by map source, as the index groups views, with the reduces of each."""
    by_map: dict[str, list[str]] = {}
    for name, view in views.items():
        if name != "lib":
            by_map.setdefault(view["map"], []).append(name)
    for source in sorted(by_map, key=lambda text: text.encode("utf-8", "surrogatepass")):
        names = sorted(by_map[source], key=lambda name: ("reduce" in views[name], name))
        _try_compile(compiler, "map", names[0], source)
        for name in names:
            if "reduce" in views[name]:
                _check_reduce(compiler, name, views[name]["reduce"])


def _check_reduce(compiler: Compiler, name: str, source: str) -> None:
    if source.startswith(_BUILTIN_REDUCERS):
        return
    if source.startswith(_RANK_REDUCERS):
        _check_rank(source.split("_", 2)[2])
    elif source.startswith("_"):
        raise _invalid(f"`{source}` is not a supported reduce function.")
    else:
        _try_compile(compiler, "reduce", name, source)


def _check_rank(rank: str) -> None:
    try:
        number = int(rank)
    except ValueError:
        raise _invalid("invalid rank reducer") from None
    if not 1 <= number <= 100:
        raise _invalid("rank value must be between 1 and 100")


def _try_compile(compiler: Compiler, kind: str, name: str, source: str) -> None:
    try:
        compiler.try_compile(source)
    except CouchError as error:
        if error.error not in ("compilation_error", "os_process_error"):
            raise
        how = f"failed: {error.reason}"
        if error.error == "os_process_error":
            how = f"failed with exit status: {error.reason}"
        reason = f"Compilation of the {kind} function in the '{name}' view {how}"
        raise CouchError(400, "compilation_error", reason) from error


def _invalid(reason: str) -> CouchError:
    return CouchError(400, "invalid_design_doc", reason)
