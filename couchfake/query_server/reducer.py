"""Custom reduce functions; ``views.reduce`` has the built-in ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from couchfake.query_server import answers
from couchfake.query_server.answers import dumps
from couchfake.query_server.compiled import CompiledFunction, Runtime
from couchfake.query_server.source import as_program
from couchfake.query_server.traits import traits


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
