"""The project's own plugin, for test runs in a source tree that is not installed."""

from __future__ import annotations

import importlib.metadata

_installed = any(point.name == "couchfake" for point in importlib.metadata.entry_points(group="pytest11"))
pytest_plugins = [] if _installed else ["conftest_plugin"]
