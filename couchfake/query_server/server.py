"""The query server of one CouchDB node: compiles design functions and keeps those that may be kept."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

from couchfake.errors import CouchError
from couchfake.query_server.compiled import CompiledFunction, Runtime, dumps
from couchfake.query_server.design_functions import DesignFunctions
from couchfake.query_server.engines.engine import EngineFactory, choose_engine
from couchfake.query_server.map_session import MapFunction, MapSession
from couchfake.query_server.reducer import ReduceLimit, Reducer
from couchfake.query_server.source import as_program
from couchfake.query_server.traits import traits

KEPT = 128  # compiled functions of each kind that are kept for the next request


class Closable(Protocol):
    def close(self) -> None: ...


_Kept = TypeVar("_Kept", bound=Closable)


class LRUCache:
    """The things used last, by key. What falls off is closed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._things: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _Kept]) -> _Kept:
        """What is kept under ``key``, else what ``make`` gives."""
        with self._lock:
            thing: _Kept | None = self._things.pop(key, None)
            if thing is None:
                thing = make()
            self._things[key] = thing
            fallen = self._things.popitem(last=False)[1] if len(self._things) > self._size else None
        if fallen is not None:
            fallen.close()
        return thing

    def take(self, key: Hashable) -> Any:
        """What is kept under ``key``, which nobody else gets from now on; or None."""
        with self._lock:
            return self._things.pop(key, None)

    def put(self, key: Hashable, thing: Closable) -> None:
        """Keep it; what was kept under ``key`` before is closed."""
        with self._lock:
            fallen = [self._things.pop(key)] if key in self._things else []
            self._things[key] = thing
            if len(self._things) > self._size:
                fallen.append(self._things.popitem(last=False)[1])
        for old in fallen:
            old.close()

    def clear(self) -> None:
        with self._lock:
            things, self._things = list(self._things.values()), OrderedDict()
        for thing in things:
            thing.close()


class QueryServer:
    """JavaScript for one server. Any thread may call it.

    ``engine``: a factory as ``choose_engine`` gives it, or an engine's name; nothing is started before it is needed.
    ``setting(section, key, default)``: the live configuration, of which [couchdb] os_process_timeout (milliseconds) and
    [query_server_config] reduce_limit, reduce_limit_threshold and reduce_limit_ratio are read.
    ``log(level, message)``: is told what functions log (``info``) and how they fail (``error``), with the design
    document, the function and the line.
    """

    def __init__(
        self,
        engine: EngineFactory | str | None = None,
        *,
        setting: Callable[[str, str, str], str] | None = None,
        log: Callable[[str, str], None] | None = None,
    ) -> None:
        self._setting = setting or (lambda section, key, default: default)
        self._engine = (engine if callable(engine) else choose_engine(engine))()
        self._around = Runtime(self._engine, self._timeout, log or (lambda level, message: None))
        self._functions = LRUCache(KEPT)
        self._sessions = LRUCache(KEPT)
        self._reducers = LRUCache(KEPT)

    @property
    def engine_name(self) -> str:
        return self._engine.name

    def close(self) -> None:
        """End the engine. Nothing that was made here works afterwards."""
        for shelf in (self._functions, self._sessions, self._reducers):
            shelf.clear()
        self._engine.close()

    def compile_map(
        self,
        functions: Sequence[MapFunction | tuple[str, str]],
        lib: Any = None,
        *,
        language: str = "javascript",
        ddoc_id: str = "",
    ) -> MapSession:
        """A session for one run of the indexer, with its functions compiled. ``lib``: the member ``views.lib``.

        Give it back with ``release`` after the run. Errors: 500 ``compilation_error``, ``unknown_query_language``.
        """
        check_language(language)
        named = [MapFunction(*function) for function in functions]
        session: MapSession | None = self._sessions.take(_session_key(ddoc_id, named, lib))
        if session is None:
            session = MapSession(self._around, ddoc_id, named, lib)
        session.open()
        return session

    def release(
        self,
        session: MapSession,
        functions: Sequence[MapFunction | tuple[str, str]],
        lib: Any = None,
        *,
        ddoc_id: str = "",
    ) -> None:
        """Take a session back. Functions that cannot have kept anything serve the next run as they are."""
        named = [MapFunction(*function) for function in functions]
        if all(traits(function.source).keeps_no_state for function in named):
            self._sessions.put(_session_key(ddoc_id, named, lib), session)
        else:
            session.close()

    def reducer(self, source: str, *, language: str = "javascript", label: str = "reduce") -> Reducer:
        """A custom reduce function, kept between calls; ``label`` names it in the log."""
        check_language(language)
        return self._reducers.get((label, source), lambda: Reducer(self._around, label, source, self._reduce_limit))

    def design_functions(self, ddoc: dict[str, Any] | bytes) -> DesignFunctions:
        """The functions of a design document, with its ``_id`` and ``_rev``; as JSON text it is a little cheaper.

        Errors: 500 ``unknown_query_language``.
        """
        text = ddoc.decode() if isinstance(ddoc, bytes) else dumps(ddoc)
        if isinstance(ddoc, bytes):
            ddoc = json.loads(text)
            assert isinstance(ddoc, dict)
        check_language(ddoc.get("language", "javascript"))
        ddoc_id = str(ddoc.get("_id", ""))

        def compile_function(path: tuple[str, ...], source: str) -> CompiledFunction:
            def make() -> CompiledFunction:
                opening = ("add_ddoc", text, dumps(list(path)), as_program(source))
                return CompiledFunction(self._around, "/".join((ddoc_id, *path)), opening)

            return self._functions.get((path, text), make)

        return DesignFunctions(ddoc, compile_function)

    def try_compile(self, source: str) -> None:
        """Compile a map or reduce function and forget it. Errors: 500 ``compilation_error``, 404 ``not_found``."""
        function = CompiledFunction(self._around, "", ("add_map", source, as_program(source), "null", ""))
        try:
            function.open()
        finally:
            function.close()

    def _timeout(self) -> float:
        return _number(self._setting("couchdb", "os_process_timeout", "5000"), 5000) / 1000

    def _reduce_limit(self) -> ReduceLimit:
        section = "query_server_config"
        return ReduceLimit(
            self._setting(section, "reduce_limit", "true"),
            int(_number(self._setting(section, "reduce_limit_threshold", "4096"), 4096)),
            _number(self._setting(section, "reduce_limit_ratio", "2.0"), 2.0),
        )


def check_language(language: Any) -> None:
    """Raise the real server's error where it has no query server for a language."""
    if language != "javascript":
        raise CouchError(500, "unknown_query_language", language)


def _session_key(ddoc_id: str, functions: Sequence[MapFunction], lib: Any) -> Hashable:
    return (ddoc_id, tuple(functions), dumps(lib) if lib else "")


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default
