"""Building the distribution takes a while, so it is done only where ``-m packaging`` asks for it."""

from __future__ import annotations

import pytest

OPTIONAL = "packaging"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the slow group unless its marker is asked for."""
    if OPTIONAL in config.getoption("markexpr"):
        return
    deselected = [item for item in items if item.get_closest_marker(OPTIONAL)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not item.get_closest_marker(OPTIONAL)]
