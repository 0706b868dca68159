"""The clock that libraries which freeze time do not replace."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from couchfake.transports.monotonic import choose_clock


def test_the_clock_is_the_systems_though_time_monotonic_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = choose_clock()
    monkeypatch.setattr(time, "monotonic", lambda: -1.0)
    first = clock()
    assert 0 <= first <= clock()


def test_without_a_system_clock_the_first_time_monotonic_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "clock_gettime", raising=False)  # Windows has none
    original: Callable[[], float] = time.monotonic
    clock = choose_clock()
    monkeypatch.setattr(time, "monotonic", lambda: -1.0)
    assert original() <= clock() <= original()
