"""Functions whose script is lost, or busy, while they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.query_server import answers
from couchfake.query_server.compiled import CompiledFunction, Runtime
from couchfake.query_server.engines import Script, ScriptBusy, ScriptError, ScriptLost, ScriptTimeout

OPENING = ("part", "compile", "source")


class Played:
    """A script that answers with its name, unless it has an error for its next call."""

    memory = 0

    def __init__(self, engine: Engine, name: int) -> None:
        self._engine = engine
        self._name = name
        self.closed = False

    def submit(self, timeout: float, part: str, command: str, *arguments: str) -> Callable[[], str]:
        error = self._engine.at_submit.pop(self._name, None)
        if command != "compile" and error is not None:
            raise error
        return lambda: self._answer(command)

    def _answer(self, command: str) -> str:
        error = None if command == "compile" else self._engine.at_wait.pop(self._name, None)
        if error is not None:
            raise error
        return f"[[],{self._name}]"

    def call(self, timeout: float, part: str, command: str, *arguments: str) -> str:
        return self._answer(command)

    def close(self) -> None:
        self.closed = True


class Engine:
    name = "played"
    can_freeze = False

    def __init__(self) -> None:
        self.scripts: list[Played] = []
        self.at_submit: dict[int, ScriptError] = {}
        self.at_wait: dict[int, ScriptError] = {}

    def new_script(self, busy_timeout: float | None = None, beside: Script | None = None) -> Played:
        self.scripts.append(Played(self, len(self.scripts)))
        return self.scripts[-1]

    def memory(self) -> int:
        return 0

    def close(self) -> None:
        pass


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def log() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def function(engine: Engine, log: list[tuple[str, str]]) -> Iterator[CompiledFunction]:
    function = CompiledFunction(Runtime(engine, lambda: 5.0, lambda *line: log.append(line)), "f", OPENING)
    yield function
    function.close()


def call(function: CompiledFunction) -> Any:
    return function.call("part", "run", read=answers.anything)


def test_a_script_that_is_lost_before_a_call_is_made_again(function: CompiledFunction, engine: Engine) -> None:
    engine.at_submit[0] = ScriptLost()
    assert [call(function), call(function)] == [1, 1]
    assert [each.closed for each in engine.scripts] == [True, False]


def test_a_script_that_is_lost_or_busy_during_a_call_is_made_again(function: CompiledFunction, engine: Engine) -> None:
    engine.at_wait = {0: ScriptLost()}
    assert [call(function), call(function)] == [1, 1]
    engine.at_wait = {1: ScriptBusy()}
    assert [call(function), call(function)] == [2, 2]
    assert [each.closed for each in engine.scripts] == [True, True, False]


def test_a_second_script_may_be_busy_too(function: CompiledFunction, engine: Engine) -> None:
    engine.at_wait = {0: ScriptBusy(), 1: ScriptBusy()}
    assert call(function) == 2


def test_a_second_script_may_fail(function: CompiledFunction, engine: Engine, log: list[tuple[str, str]]) -> None:
    engine.at_wait = {0: ScriptBusy(), 1: ScriptTimeout()}
    with pytest.raises(CouchError) as failed:
        call(function)
    assert (failed.value.error, failed.value.reason) == ("os_process_error", "OS process timed out.")
    assert log == [("error", "f: OS process timed out.")]
    assert engine.scripts[1].closed
    assert call(function) == 2


def test_calls_that_lose_the_same_script_share_the_next(function: CompiledFunction, engine: Engine) -> None:
    first, second = (function.submit("part", "run", read=answers.anything) for _ in range(2))
    engine.at_wait = {0: ScriptLost()}
    assert first() == 1
    engine.at_wait = {0: ScriptLost()}
    assert second() == 1
    assert len(engine.scripts) == 2
