"""What holds for all tests of this tree."""

from __future__ import annotations

import hypothesis
import pytest

# A machine may be busy and coverage.py may be measuring: no example fails because it took long.
hypothesis.settings.register_profile("couchfake", deadline=None)
hypothesis.settings.load_profile("couchfake")

OPTIONAL = ("packaging", "real_rounds")  # markers of slow groups


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the slow groups, except those that ``-m`` names."""
    unwanted = [marker for marker in OPTIONAL if marker not in config.getoption("markexpr")]
    kept: list[pytest.Item] = []
    deselected: list[pytest.Item] = []
    for item in items:
        (deselected if any(map(item.get_closest_marker, unwanted)) else kept).append(item)
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = kept
