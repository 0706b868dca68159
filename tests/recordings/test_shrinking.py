"""Scenarios are made as short as they can be while the same difference stays."""

from __future__ import annotations

from typing import Any

from couchfake.recordings.comparison import Verdict
from couchfake.recordings.differential import Divergence, shrink, smaller_requests, smaller_values


def step(path: str, **request: Any) -> dict[str, Any]:
    return {"request": {"method": "GET", "path": path, **request}}


def divergence(steps: list[dict[str, Any]], difference: str = "/n: want 1, got 2") -> Divergence:
    return Divergence(steps, Verdict([difference]))


def paths(found: Divergence) -> list[str]:
    return [each["request"]["path"] for each in found.steps]


def test_only_the_steps_that_are_needed_stay() -> None:
    def play(steps: list[dict[str, Any]]) -> Divergence | None:
        asked = [each["request"]["path"] for each in steps]
        return divergence(steps) if {"/3", "/7", "/last"} <= set(asked) else None

    steps = [step(f"/{number}") for number in range(12)] + [step("/last")]
    assert paths(shrink(divergence(steps), play)) == ["/3", "/7", "/last"]


def test_a_step_that_is_needed_only_by_another_goes_with_it() -> None:
    def play(steps: list[dict[str, Any]]) -> Divergence | None:
        asked = [each["request"]["path"] for each in steps]
        fine = "/a" in asked or "/b" not in asked  # without the former, the latter is in the way
        return divergence(steps) if fine else None

    assert paths(shrink(divergence([step("/a"), step("/b"), step("/last")]), play)) == ["/last"]


def test_a_step_that_only_a_member_needs_goes_with_the_member() -> None:
    def play(steps: list[dict[str, Any]]) -> Divergence | None:
        first_is_needed = "_rev" in steps[-1]["request"]["json"]
        return None if first_is_needed and len(steps) == 1 else divergence(steps)

    found = shrink(divergence([step("/a"), step("/last", json={"_rev": "1-a"})]), play)
    assert paths(found) == ["/last"] and found.steps[0]["request"]["json"] == {}


def test_another_difference_does_not_take_its_place() -> None:
    def play(steps: list[dict[str, Any]]) -> Divergence | None:
        return divergence(steps, "/n: want 1, got 2" if len(steps) > 1 else "status: want 200, got 404 b'x'")

    assert paths(shrink(divergence([step("/a"), step("/b"), step("/last")]), play)) == ["/b", "/last"]


def test_the_same_difference_may_move_to_another_row() -> None:
    def play(steps: list[dict[str, Any]]) -> Divergence | None:
        return divergence(steps, f"/rows/{len(steps) - 1}/deleted: not in the recording, got true")

    steps = [step("/a"), step("/b"), step("/last")]
    found = divergence(steps, "/rows/2/deleted: not in the recording, got true")
    assert paths(shrink(found, play)) == ["/last"]


def test_parameters_headers_and_members_are_left_out() -> None:
    def play(steps: list[dict[str, Any]]) -> Divergence | None:
        request = steps[0]["request"]
        needed = "b=2" in request["path"] and request["json"].get("x", {}).get("y") == [2]
        return divergence(steps) if needed or request["json"].get("x", {}).get("y", [])[-1:] == [2] else None

    first = step("/x?a=1&b=2", headers={"Accept": "*/*"}, json={"x": {"y": [1, 2], "z": 3}, "w": 4})
    found = shrink(divergence([first]), play).steps[0]["request"]
    assert found["json"] == {"x": {"y": [2]}}
    assert found["headers"] == {} and "a=1" not in found["path"]


def test_it_gives_up_after_a_number_of_plays() -> None:
    played = []

    def play(steps: list[dict[str, Any]]) -> Divergence | None:
        played.append(steps)
        return None

    steps = [step(f"/{number}") for number in range(100)]
    assert len(shrink(divergence(steps), play, limit=7).steps) == 100
    assert len(played) == 7


def test_each_smaller_form_lacks_one_thing() -> None:
    request = {"method": "GET", "path": "/x?a=1&b=2", "headers": {"A": "1"}, "body": "text"}
    assert list(smaller_requests(request)) == [
        {**request, "path": "/x?b=2"}, {**request, "path": "/x?a=1"}, {**request, "headers": {}},
        {**request, "body": ""},
    ]  # fmt: skip
    assert list(smaller_values({"a": [1], "b": 2})) == [{"b": 2}, {"a": [1]}, {"a": [], "b": 2}]
