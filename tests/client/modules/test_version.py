"""The version that command lines show."""

from __future__ import annotations

import importlib.metadata

import pytest

from couchdb_client import version


def test_the_version_is_that_of_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "version", lambda name: {"couchfake": "1.2.3"}[name])
    assert version.distribution_version() == "1.2.3"


def test_a_source_tree_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", not_installed)
    assert version.distribution_version() == "unknown"
