"""The query server of one CouchDB node: compiles design functions and keeps those that may be kept."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.query_server import answers
from couchfake.query_server.answers import dumps
from couchfake.query_server.compiled import CompiledFunction, PureFunction, Runtime, SharedScript
from couchfake.query_server.design_functions import DesignFunctions
from couchfake.query_server.engines import EngineFactory, choose_engine
from couchfake.query_server.source import as_program, is_one_function, traits
from couchfake.query_server.view_functions import MapFunction, MapSession, ReduceLimit, Reducer
from couchfake.settings import OS_PROCESS_TIMEOUT, REDUCE_LIMIT, REDUCE_LIMIT_RATIO, REDUCE_LIMIT_THRESHOLD


class Closable(Protocol):
    @property
    def memory(self) -> int: ...

    def close(self) -> None: ...


_Kept = TypeVar("_Kept", bound=Closable)


class LRUCache(Generic[_Kept]):
    """At most ``size`` things by key. The one that was used least recently is dropped first, and closed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._things: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable, make: Callable[[], _Kept]) -> _Kept:
        """Return what is kept under ``key``; if there is nothing, keep and return what ``make`` returns."""
        with self._lock:
            thing = self._things.pop(key, None)
            if thing is None:
                thing = make()
            self._things[key] = thing
            dropped = self._things.popitem(last=False)[1] if len(self._things) > self._size else None
        if dropped is not None:
            dropped.close()
        return thing

    def take(self, key: Hashable) -> _Kept | None:
        """Remove and return what is kept under ``key``, so that nobody else gets it; None if there is nothing."""
        with self._lock:
            return self._things.pop(key, None)

    def put(self, key: Hashable, thing: _Kept) -> None:
        """Keep a thing; close what was kept under ``key`` before."""
        with self._lock:
            dropped = [self._things.pop(key)] if key in self._things else []
            self._things[key] = thing
            if len(self._things) > self._size:
                dropped.append(self._things.popitem(last=False)[1])
        for old in dropped:
            old.close()

    def free(self, memory: int) -> int:
        """Drop the least recently used things, until ``memory`` bytes are free. Return how many are."""
        freed = 0
        with self._lock:
            dropped = []
            for key, thing in list(self._things.items()):
                if freed >= memory:
                    break
                size = thing.memory
                if size:
                    freed += size
                    dropped.append(self._things.pop(key))
        for thing in dropped:
            thing.close()
        return freed

    def discard(self, is_dropped: Callable[[Hashable], bool]) -> None:
        """Close what is kept under the keys that ``is_dropped`` accepts."""
        if not self._things:
            return
        with self._lock:
            dropped = [self._things.pop(key) for key in list(self._things) if is_dropped(key)]
        for thing in dropped:
            thing.close()

    def clear(self) -> None:
        """Close everything."""
        with self._lock:
            things, self._things = list(self._things.values()), OrderedDict()
        for thing in things:
            thing.close()


KEPT = 128  # map sessions and reduce functions that are kept for the next request
KEPT_DDOCS = 2048  # design documents whose functions are kept
MEMORY_OF_ALL = 512 * 1024 * 1024  # bytes that all scripts of a server may hold between calls

OWN_SCRIPTS = 64  # design documents above which pure validation functions share a script

BUSY_TIMEOUT = 0.1  # seconds that a call of a design function waits for another one before it gets a script of its own

LANGUAGES = ("javascript", "coffeescript")  # the real server runs both as JavaScript


class _DesignWorld:
    """The compiled functions of one design document, by path."""

    def __init__(self) -> None:
        self.functions: dict[tuple[str, ...], CompiledFunction] = {}

    @property
    def memory(self) -> int:
        return sum(function.memory for function in list(self.functions.values()))

    def close(self) -> None:
        """Drop all scripts; the functions compile again when they are called."""
        for function in list(self.functions.values()):
            function.close()


class QueryServer:
    """JavaScript for one server. Any thread may call it.

    ``engine``: a factory as ``choose_engine`` returns it, or an engine's name; nothing starts before it is needed.
    ``config``: the live configuration, of which [couchdb] os_process_timeout (milliseconds) and
    [query_server_config] reduce_limit, reduce_limit_threshold and reduce_limit_ratio are read.
    ``log(level, message)``: gets what functions log (``info``) and how they fail (``error``), with the design
    document, the function and the line.
    """

    def __init__(
        self,
        engine: EngineFactory | str | None = None,
        *,
        config: Config | None = None,
        log: Callable[[str, str], None] | None = None,
    ) -> None:
        self._config = config or Config()
        self._engine = (engine if callable(engine) else choose_engine(engine))()
        self._runtime = Runtime(self._engine, self._timeout, log or (lambda level, message: None))
        self._ddocs: LRUCache[_DesignWorld] = LRUCache(KEPT_DDOCS)
        self._sessions: LRUCache[MapSession] = LRUCache(KEPT)
        self._reducers: LRUCache[Reducer] = LRUCache(KEPT)
        self._checker = CompiledFunction(self._runtime, "", busy_timeout=BUSY_TIMEOUT)
        self._pure = SharedScript(("", "freeze"))

    @property
    def engine_name(self) -> str:
        return self._engine.name

    def reload(self) -> None:
        """Drop all scripts. Functions compile again, with fresh globals, when they are called next."""
        for cache in (self._ddocs, self._sessions, self._reducers):
            cache.clear()
        self._checker.close()
        self._pure.close()

    def forget(self, database: str) -> None:
        """Drop the scripts of a database that is gone."""
        for cache in (self._ddocs, self._sessions, self._reducers):
            cache.discard(lambda key: isinstance(key, tuple) and key[0] == database)

    def close(self) -> None:
        """End the engine's threads and processes and drop all scripts. A later call starts them again."""
        self.reload()
        self._engine.close()

    def compile_map(
        self,
        functions: Sequence[MapFunction | tuple[str, str]],
        lib: Any = None,
        *,
        language: str = "javascript",
        ddoc_id: str = "",
        database: str = "",
    ) -> MapSession:
        """Return a session for one run of the indexer, with its functions compiled. ``lib``: the member ``views.lib``.

        ``database`` identifies the database whose documents are mapped. Give the session back with ``release`` after
        the run. Errors: 500 ``compilation_error``, ``unknown_query_language``.
        """
        check_language(language)
        self._bound_memory()
        named = [MapFunction(*function) for function in functions]
        session = self._sessions.take(_session_key(database, ddoc_id, named, lib))
        if session is None:
            session = MapSession(self._runtime, ddoc_id, named, lib)
        session.open()
        return session

    def release(
        self,
        session: MapSession,
        functions: Sequence[MapFunction | tuple[str, str]],
        lib: Any = None,
        *,
        ddoc_id: str = "",
        database: str = "",
    ) -> None:
        """Take a session back. Functions that cannot have kept any state serve the next run of the same database."""
        named = [MapFunction(*function) for function in functions]
        if all(traits(function.source).keeps_no_state for function in named):
            self._sessions.put(_session_key(database, ddoc_id, named, lib), session)
        else:
            session.close()

    def reducer(
        self, source: str, *, language: str = "javascript", label: str = "reduce", database: str = ""
    ) -> Reducer:
        """Return a custom reduce function, kept between calls; ``label`` names it in the log."""
        check_language(language)
        self._bound_memory()
        key = (database, label, source)
        return self._reducers.get(key, lambda: Reducer(self._runtime, label, source, self._reduce_limit))

    def design_functions(self, ddoc: dict[str, Any] | bytes, *, database: str = "") -> DesignFunctions:
        """Return the functions of a design document, with its ``_id`` and ``_rev``; JSON text is a little cheaper.

        Functions of the same document in another ``database`` are others. Errors: those of the functions, and 500
        ``unknown_query_language`` when one is called.
        """
        text = ddoc.decode() if isinstance(ddoc, bytes) else dumps(ddoc)
        if isinstance(ddoc, bytes):
            ddoc = json.loads(text)
            assert isinstance(ddoc, dict)
        language = ddoc.get("language", "javascript")
        ddoc_id = str(ddoc.get("_id", ""))

        def world() -> _DesignWorld:
            return self._ddocs.get((database, text), _DesignWorld)

        def forget() -> None:
            world().close()

        def compile_function(path: tuple[str, ...], source: str) -> CompiledFunction:
            check_language(language)
            self._bound_memory()
            functions = world().functions
            if path not in functions:
                label = "/".join((ddoc_id, *path))
                runtime = self._runtime
                if path == ("validate_doc_update",) and self._shares_script(source):
                    functions[path] = PureFunction(
                        runtime, label, source, self._pure, on_error=forget, busy_timeout=BUSY_TIMEOUT
                    )
                else:
                    opening = ("", "add_ddoc", text, dumps(list(path)), as_program(source))
                    functions[path] = CompiledFunction(
                        runtime, label, opening, on_error=forget, busy_timeout=BUSY_TIMEOUT
                    )
            return functions[path]

        return DesignFunctions(ddoc, compile_function, forget)

    def try_compile(self, source: str) -> None:
        """Compile a map or reduce function and forget it. Errors: 500 ``compilation_error``, 404 ``not_found``."""
        program = as_program(source)
        if is_one_function(program):  # which leaves no trace: one script serves all of them
            self._checker.call("", "check", source, program, read=answers.anything)
            return
        function = CompiledFunction(self._runtime, "", ("", "add_map", source, program, "null", ""))
        try:
            function.open()
        finally:
            function.close()

    def _shares_script(self, source: str) -> bool:
        """Return whether a validation function runs in the script of the pure ones: a script of its own takes 0.3 MB
        and 3 ms."""
        return len(self._ddocs) > OWN_SCRIPTS and self._engine.can_freeze and traits(source).is_pure

    def _bound_memory(self) -> None:
        excess = self._engine.memory() - MEMORY_OF_ALL
        for cache in (self._ddocs, self._reducers, self._sessions):
            if excess > 0:
                excess -= cache.free(excess)

    def _timeout(self) -> float:
        return self._config[OS_PROCESS_TIMEOUT] / 1000

    def _reduce_limit(self) -> ReduceLimit:
        config = self._config
        return ReduceLimit(config[REDUCE_LIMIT], config[REDUCE_LIMIT_THRESHOLD], config[REDUCE_LIMIT_RATIO])


def is_javascript(language: Any) -> bool:
    """Return whether design functions of that language run here. Case does not matter."""
    return isinstance(language, str) and language.lower() in LANGUAGES


def check_language(language: Any) -> None:
    """Raise the real server's error if it has no query server for a language."""
    if not is_javascript(language):
        raise CouchError(500, "unknown_query_language", language)


def _session_key(database: str, ddoc_id: str, functions: Sequence[MapFunction], lib: Any) -> Hashable:
    return (database, ddoc_id, tuple(functions), dumps(lib) if lib else "")
