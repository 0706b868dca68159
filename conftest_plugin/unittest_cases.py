"""``couchfake.testing.CouchTestCase`` under pytest: it follows the run's settings as far as a fake can."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from conftest_plugin.settings import marker_of, marker_settings, with_marker

if TYPE_CHECKING:
    from conftest_plugin.run import Run
    from couchfake.testing import CouchTestCase


def prepare_case(item: pytest.Item, run: Run) -> None:
    """Give a ``CouchTestCase`` the run's JavaScript engine if it names none. On a real server, skip the test."""
    case, settings = _case_of(item), run.settings
    if case is None:
        return
    if settings.on_real_server:
        pytest.skip("CouchTestCase has a fake of its own, and cannot run on a real server: use the fixtures for that")
    if case.couch_js_engine is None:
        case.couch_js_engine = settings.js_engine.value
    case._before_undoing = [run.close_gates]


def follow_case(item: pytest.Item, run: Run) -> None:
    """Once the class is set up, let gates, reports and outputs have its server for the test."""
    case = _case_of(item)
    if case is not None:
        run.follow_case(case.couchfake, with_marker(run.settings, marker_settings(item), marker_of(item)))


def _case_of(item: Any) -> type[CouchTestCase] | None:
    """Return the test's class if it is such a case. If nothing has imported that class, it is not."""
    module = sys.modules.get("couchfake.testing.case")
    owner = getattr(item, "cls", None)
    return owner if module is not None and owner is not None and issubclass(owner, module.CouchTestCase) else None
