"""Custom reduce functions. The built-in ones never come here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from couchfake.query_server.compiled import CompiledFunction, Runtime, dumps, loads
from couchfake.query_server.source import as_program
from couchfake.query_server.traits import traits


@dataclass(frozen=True, slots=True)
class ReduceOverflow:
    """Stands in place of a reduction that hardly shrank; its row has ``error`` and ``reason`` and no value."""

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

    def __init__(self, around: Runtime, label: str, source: str, limit: Callable[[], ReduceLimit]) -> None:
        self._source = source
        self._label = label
        self._limit = limit
        self._log = around.log
        self._origin = "" if traits(source).is_realm_insensitive else "foreign"
        opening = ("add_reduce", source, as_program(source), self._origin)
        self._function = CompiledFunction(around, label, opening, indexing=True)

    def open(self) -> None:
        """Compile it now. Errors: 500 ``compilation_error``, 404 ``not_found`` for an empty source."""
        self._function.open()

    def close(self) -> None:
        self._function.close()

    def reduce(self, rows: Sequence[Any]) -> Any:
        """The reduction of rows ``([key, docid], value)``, in the order in which the function is to see them.

        A JSON value; null where the function threw (which is logged); ReduceOverflow. Errors: what it throws as fatal.
        """
        return self.reduce_many([rows])[0]

    def rereduce(self, values: Sequence[Any]) -> Any:
        """The reduction of reductions; one ReduceOverflow among them is the answer."""
        return self.rereduce_many([values])[0]

    def reduce_many(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """``reduce`` of each, in one go."""
        return self._call("reduce", calls) if calls else []

    def rereduce_many(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """``rereduce`` of each, in one go."""
        results: list[Any] = [next((v for v in values if isinstance(v, ReduceOverflow)), None) for values in calls]
        open_calls = [index for index, overflow in enumerate(results) if overflow is None]
        if open_calls:
            for index, value in zip(open_calls, self._call("rereduce", [calls[i] for i in open_calls]), strict=True):
                results[index] = value
        return results

    def _call(self, command: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        texts = self._function.call("views", command, dumps(calls), self._origin)
        return [self._judged(command, call, text) for call, text in zip(calls, texts, strict=True)]

    def _judged(self, command: str, call: Sequence[Any], text: str) -> Any:
        """The result in the one-element list that ``text`` is, or an overflow."""
        limit = self._limit()
        if len(text) > limit.threshold and limit.action in ("true", "log"):
            line = json.dumps([command, [], call], ensure_ascii=False, separators=(",", ":"))
            size = len(line) + len(json.dumps(self._source, ensure_ascii=False)) - len(self._source)
            if len(text) * limit.ratio > size:
                reason = f"Reduce output must shrink more rapidly: input size: {size} output size: {len(text)}"
                self._log("info", f"{self._label}: reduce_overflow_error: {reason}")
                if limit.action == "true":
                    return ReduceOverflow(reason)
        return loads(text)[0]
