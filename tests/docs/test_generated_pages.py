"""Pages that are generated from the code are current."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from .pages import ROOT


def load(name: str) -> ModuleType:
    """Import a program of ``docs/``."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = load("reference")


@pytest.mark.parametrize("name", REFERENCE.PAGES)
def test_a_page_of_the_reference_is_current(name: str) -> None:
    assert (ROOT / "docs" / "reference" / name).read_text("utf-8") == REFERENCE.PAGES[name]()


def test_the_listing_of_the_public_interface_is_current() -> None:
    pytest.importorskip("griffe")
    assert (ROOT / "docs" / "api.txt").read_text("utf-8") == load("api").listing()


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f" {page}\n" not in navigation] == []
