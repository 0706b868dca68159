"""``couchfake compare``: agreement is silent, a difference is found, shortened, and can be played again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main
from couchfake.recordings.differential import AREAS, Lockstep, steps, world_of
from couchfake.recordings.target import Target


def test_servers_that_agree_print_nothing(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", url, "--seed", "7", "--requests", "600"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("area", AREAS)
def test_two_fakes_agree_in_every_area(area: str) -> None:
    lockstep = Lockstep(Target(None), Target(None))
    for number in range(3):
        world = world_of(AREAS[area], area, 11, number)
        assert lockstep.play(world.database, steps(AREAS[area], world, 25), world) is None
    assert lockstep.requests >= 75


@pytest.mark.parametrize("area", AREAS)
def test_most_requests_of_an_area_mean_something(area: str) -> None:
    class Counting(Target):
        good = every = 0

    target = Counting(None)
    send = target.send

    def counting(*request: object) -> object:
        reply = send(*request)  # type: ignore[arg-type]
        target.every += 1
        target.good += reply.status < 400
        return reply

    target.send = counting  # type: ignore[assignment]
    lockstep = Lockstep(target, Target(None))
    for number in range(4):
        world = world_of(AREAS[area], area, 3, number)
        lockstep.play(world.database, steps(AREAS[area], world, 25), world)
    assert target.good > target.every * 0.3


def test_the_same_seed_gives_the_same_requests() -> None:
    def made(seed: int) -> list[str]:
        world = world_of(AREAS["mango"], "mango", seed, 0)
        return [json.dumps(step) for step in steps(AREAS["mango"], world, 20)]

    assert made(1) == made(1)
    assert [each.replace("-2-0", "") for each in made(2)] != [each.replace("-1-0", "") for each in made(1)]


def test_a_difference_is_the_shortest_scenario_that_shows_it(
    served: CouchFake, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "differences.json"
    with served.faults.refuse(503, method="GET", path="/*/_design/d/_view/sum"):
        assert main(["compare", url, "--area", "views", "--requests", "400", "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads(out.read_text(encoding="utf-8"))
    assert "GET /couchfake-compare-views-0-" in captured.err and "want 503, got 200" in captured.err
    scenarios = json.loads(captured.out)["scenarios"]
    shortest = next(each["steps"] for each in scenarios if len(each["steps"]) == 3)
    database, design, view = [step["request"] for step in shortest]  # what the fake needs to answer with 200
    assert database["method"] == "PUT" and design["path"].endswith("/_design/d")
    assert list(design["json"]) == ["views"] and list(design["json"]["views"]) == ["sum"]
    assert view["path"].endswith("/_design/d/_view/sum")


def test_what_differs_can_be_replayed(served: CouchFake, url: str, tmp_path: Path) -> None:
    out = tmp_path / "differences.json.gz"
    with served.faults.refuse(507, method="POST", path="/*/_bulk_docs"):
        assert main(["compare", url, "--area", "bulk", "--requests", "60", "--out", str(out)]) == 1
        assert main(["replay", str(out), "--url", url]) == 0, "the server itself answers so"
    assert main(["replay", str(out)]) == 1, "a fake does not"


def test_a_changed_setting_is_found(served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    requests.put(url + "_node/_local/_config/couchdb/max_document_size", json="40", timeout=10).raise_for_status()
    assert main(["compare", url, "--area", "documents", "--requests", "100"]) == 1
    assert "413" in capsys.readouterr().err


def test_a_difference_that_does_not_repeat_is_kept_as_it_was_found(
    served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with served.faults.refuse(503, method="GET", path="/*/_all_docs", times=1):
        assert main(["compare", url, "--area", "all_docs", "--requests", "100"]) == 1
    scenario = json.loads(capsys.readouterr().out)["scenarios"][0]
    assert scenario["doc"].endswith("it did not when it was played again.")
    assert scenario["steps"][-1]["response"]["status"] == 503


def test_no_database_of_another_is_touched(served: CouchFake, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    database = world_of(AREAS["views"], "views", 0, 0).database
    requests.put(f"{url}{database}", timeout=10).raise_for_status()
    assert main(["compare", url, "--area", "views", "--requests", "30"]) == 1
    assert f"has a database {database}" in capsys.readouterr().err
    assert database in served.node.databases


def test_an_unknown_area_is_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", url, "--area", "nonsense"]) == 2
    assert capsys.readouterr().err.startswith("couchfake: there is no area nonsense; there are documents, ")
