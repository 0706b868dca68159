"""The other JavaScript engine answers the same recordings, save where its known gaps show."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.query_server import KNOWN_GAPS
from couchfake.recordings import load_area
from couchfake.recordings.player import in_process, play

SCENARIOS: dict[str, dict[str, Any]] = {
    f"{area}/{scenario['name']}": scenario
    for area in ("views", "reduce", "collation", "random_views", "design_functions")
    for scenario in load_area(area)["scenarios"]
}
GAPS_THAT_SHOW = {
    "views/text_functions_that_are_missing": "es6_library",
    "views/emit_values_outside_json": "es6_library",
    "views/globals_of_map_functions": "es6_library",
    "views/ways_to_write_a_function": "es6",
    "views/es6_syntax_in_map_functions": "es6",
    "views/source_with_declarations_before_the_function": "es6",
    "views/string_functions_in_map_functions": "es6",
    "views/more_ways_to_write_a_function": "syntax_corners",
    "views/map_source_that_does_not_compile": "syntax_corners",
    "views/es5_style_map_functions": "with",
    "views/documents_come_from_another_realm": "own_realm",
    "views/lone_surrogates_from_a_map_function": "astral_length",
    "reduce/word_counts": "es6",
    "reduce/reduce_without_regard_to_rereduce": "es6",
    "reduce/custom_reduce_functions": "es6",
    "design_functions/show_strings_and_objects": "es6",
}
"""Scenarios that are answered otherwise, and the gap that is the reason."""

pytestmark = pytest.mark.skipif(importlib.util.find_spec("js2py") is None, reason="js2py is not installed")


@pytest.fixture(scope="module")
def fake() -> Iterator[CouchFake]:
    fake = CouchFake(admins={"adm": "pass"}, js_engine="js2py")
    yield fake
    fake.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recorded_scenario_is_answered_as_the_real_server_answered_it(
    fake: CouchFake, name: str, request: pytest.FixtureRequest
) -> None:
    gap = GAPS_THAT_SHOW.get(name)
    if gap is not None:
        request.applymarker(pytest.mark.xfail(reason=KNOWN_GAPS["js2py"][gap], strict=True))
    played = play(SCENARIOS[name], in_process(fake.wsgi))
    differing = [
        f"step {step.number} {step.request} {step.differences[:3]}" for step in played if step.grade != "exact"
    ]
    assert not differing
