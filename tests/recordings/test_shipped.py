"""The recordings in the package."""

from __future__ import annotations

from importlib import resources

import pytest

from couchfake.recordings import area_names, load_area


def test_each_area_names_itself_and_what_it_was_recorded_from() -> None:
    names = area_names()
    assert "documents" in names and "views" in names
    for name in names:
        recording = load_area(name)
        assert recording["area"] == name
        assert recording["recorded_from"].startswith("Apache CouchDB 3.5.0")
        assert recording["scenarios"]


def test_an_unknown_area_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        load_area("no-such-area")


def test_the_package_stays_small() -> None:
    folder = resources.files("couchfake.recordings") / "corpus"
    assert sum(len(file.read_bytes()) for file in folder.iterdir()) < 2_000_000


def test_no_two_scenarios_use_the_same_database() -> None:
    names = [
        name
        for area in area_names()
        for scenario in load_area(area)["scenarios"]
        for name in scenario.get("databases", [])
        if not name.startswith("_")
    ]
    assert len(names) == len(set(names))
