"""The functions of views at work: map functions of a design document, and custom reduce functions.

Every function has a script of its own, so its globals are its own. Those of map functions live as long as the session,
which is one run of the indexer; a batch of documents goes into a script as one JSON text. ``views.reduce`` has the
built-in reducers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from couchfake.query_server import answers
from couchfake.query_server.answers import dumps
from couchfake.query_server.compiled import CompiledFunction, Runtime
from couchfake.query_server.source import as_program, traits

SLICE = "250"  # milliseconds after which a batch's call ends early, so that the time limit is one of single documents
BATCH_SIZE = 1_000_000  # characters of documents in one text

Row = tuple[Any, Any]
"""A key and a value, as JSON has them after JavaScript."""


class MapFunction(NamedTuple):
    """``name`` is the view's, for the log."""

    name: str
    source: str


class MapSession:
    """Made by ``QueryServer.compile_map``. One thread at a time may use it."""

    def __init__(self, runtime: Runtime, ddoc_id: str, functions: Sequence[MapFunction], lib: Any) -> None:
        self._functions: list[CompiledFunction] = []
        for function in functions:
            beside = self._functions[0] if self._functions else None
            self._functions.append(_map_function(runtime, ddoc_id, function, lib, beside))
        self._origins = [_origin(function.source) for function in functions]

    @property
    def memory(self) -> int:
        """The bytes that the session's scripts hold, as last measured."""
        return sum(function.memory for function in self._functions)

    def open(self) -> None:
        """Compile all functions. Errors: 500 ``compilation_error``, 404 ``not_found`` for an empty source."""
        for function in self._functions:
            function.open()

    def close(self) -> None:
        for function in self._functions:
            function.close()

    def map_docs(self, docs: Sequence[bytes | str]) -> list[tuple[list[Row], ...]]:
        """Return for each document its rows, function by function: ``result[document][function][n] == [key, value]``.

        ``docs``: JSON texts of documents. A function that throws emits nothing for that document, which is logged.
        Errors: what a function throws as fatal, 500 ``os_process_error`` for one that does not end.
        """
        return self._submit(docs)()

    def map_batches(self, batches: Iterable[Sequence[bytes | str]]) -> Iterator[list[tuple[list[Row], ...]]]:
        """Yield ``map_docs`` of each batch; while the caller works on one, JavaScript works on the next."""
        waiting: Callable[[], list[tuple[list[Row], ...]]] | None = None
        for batch in batches:
            following = self._submit(batch)
            if waiting is not None:
                yield waiting()
            waiting = following
        if waiting is not None:
            yield waiting()

    def _submit(self, docs: Sequence[bytes | str]) -> Callable[[], list[tuple[list[Row], ...]]]:
        texts = [(_array(part), len(part)) for part in _batches(docs)]
        columns = [
            [self._submit_one(index, text, size) for text, size in texts] for index in range(len(self._functions))
        ]

        def result() -> list[tuple[list[Row], ...]]:
            rows = [[of_doc for wait in column for of_doc in wait()] for column in columns]
            return list(zip(*rows, strict=True)) if rows else [() for _ in docs]

        return result

    def _submit_one(self, index: int, text: str, size: int) -> Callable[[], list[list[Row]]]:
        function, origin = self._functions[index], self._origins[index]
        first = function.submit("views", "map_docs", text, "0", SLICE, origin, read=answers.mapped(0, size))

        def result() -> list[list[Row]]:
            done, rows = first()
            while done < size:
                read = answers.mapped(done, size)
                done, more = function.call("views", "map_docs", text, str(done), SLICE, origin, read=read)
                rows += more
            return rows  # type: ignore[no-any-return]  # answers.mapped has checked it

        return result


def _map_function(
    runtime: Runtime, ddoc_id: str, function: MapFunction, lib: Any, beside: CompiledFunction | None
) -> CompiledFunction:
    source = function.source
    opening = ("", "add_map", source, as_program(source), dumps(lib or None), _origin(source))
    return CompiledFunction(runtime, f"{ddoc_id}/_view/{function.name}", opening, indexing=True, beside=beside)


def _origin(source: str) -> str:
    return "" if traits(source).is_realm_insensitive else "foreign"


def _array(docs: Sequence[bytes | str]) -> str:
    try:
        return (b"[" + b",".join(docs) + b"]").decode()  # type: ignore[arg-type]
    except TypeError:  # some are str
        return "[" + ",".join(doc if isinstance(doc, str) else doc.decode() for doc in docs) + "]"


def _batches(docs: Sequence[bytes | str]) -> Iterator[Sequence[bytes | str]]:
    if sum(map(len, docs)) <= BATCH_SIZE and docs:
        yield docs
        return
    start = size = 0
    for index, doc in enumerate(docs):
        size += len(doc)
        if size > BATCH_SIZE and index > start:
            yield docs[start:index]
            start, size = index, len(doc)
    if start < len(docs):
        yield docs[start:]


@dataclass(frozen=True, slots=True)
class ReduceOverflow:
    """The result in place of a reduction that did not shrink; its row has ``error`` and ``reason`` and no value."""

    reason: str
    error: str = "reduce_overflow_error"


@dataclass(frozen=True, slots=True)
class ReduceLimit:
    """[query_server_config]: ``action`` is reduce_limit (true, false, log), sizes are in characters of JSON."""

    action: str = "true"
    threshold: int = 4096
    ratio: float = 2.0


class Reducer:
    """One reduce function. Made by ``QueryServer.reducer``."""

    def __init__(self, runtime: Runtime, label: str, source: str, limit: Callable[[], ReduceLimit]) -> None:
        self._source = source
        self._label = label
        self._limit = limit
        self._log = runtime.log
        self._origin = "" if traits(source).is_realm_insensitive else "foreign"
        opening = ("", "add_reduce", source, as_program(source), self._origin)
        self._function = CompiledFunction(runtime, label, opening, indexing=True)

    @property
    def memory(self) -> int:
        """The bytes that the function's script holds, as last measured."""
        return self._function.memory

    def open(self) -> None:
        """Compile the function. Errors: 500 ``compilation_error``, 404 ``not_found`` for an empty source."""
        self._function.open()

    def close(self) -> None:
        self._function.close()

    def reduce(self, rows: Sequence[Any]) -> Any:
        """Return the reduction of rows ``([key, docid], value)``, which the function gets in that order.

        It is a JSON value, None if the function threw (which is logged), or a ReduceOverflow. Errors: what the function
        throws as fatal, 500 ``os_process_error``.
        """
        return self.reduce_many([rows])[0]

    def rereduce(self, values: Sequence[Any]) -> Any:
        """Return the reduction of reductions. If one of them is a ReduceOverflow, that is the result."""
        return self.rereduce_many([values])[0]

    def reduce_many(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Return ``reduce`` of each, in one call of the engine."""
        return self._call("reduce", calls) if calls else []

    def rereduce_many(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Return ``rereduce`` of each, in one call of the engine."""
        results: list[Any] = [next((v for v in values if isinstance(v, ReduceOverflow)), None) for values in calls]
        open_calls = [index for index, overflow in enumerate(results) if overflow is None]
        if open_calls:
            for index, value in zip(open_calls, self._call("rereduce", [calls[i] for i in open_calls]), strict=True):
                results[index] = value
        return results

    def _call(self, command: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        read = answers.reductions(len(calls))
        results = self._function.call("views", command, dumps(calls), self._origin, read=read)
        return [self._limited(command, call, *result) for call, result in zip(calls, results, strict=True)]

    def _limited(self, command: str, call: Sequence[Any], text: str, value: Any) -> Any:
        """Return the value, of which ``text`` is the JSON in a list, or an overflow if it is too long."""
        limit = self._limit()
        if len(text) > limit.threshold and limit.action in ("true", "log"):
            line = json.dumps([command, [], call], ensure_ascii=False, separators=(",", ":"))
            size = len(line) + len(json.dumps(self._source, ensure_ascii=False)) - len(self._source)
            if len(text) * limit.ratio > size:
                reason = f"Reduce output must shrink more rapidly: input size: {size} output size: {len(text)}"
                self._log("info", f"{self._label}: reduce_overflow_error: {reason}")
                if limit.action == "true":
                    return ReduceOverflow(reason)
        return value
