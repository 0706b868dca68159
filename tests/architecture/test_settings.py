"""Settings are declared in one table, read through it, and listed on a page that is generated from it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from couchfake import settings
from couchfake.settings import SECTIONS, SETTINGS, STORED_ONLY, Section, Setting

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "couchfake"
TABLE = PACKAGE / "settings.py"
SECTION_NAMES = {each.section for each in (*SETTINGS, *STORED_ONLY)} | {each.name for each in SECTIONS} | {"httpd"}
NAMES = {name: value for name, value in vars(settings).items() if isinstance(value, Setting | Section)}
NOT_READ = {"CORS_OF_HOST", "FEATURE_FLAGS"}  # sections: one is read by Config.for_host, the other is only stored


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != TABLE:
            yield path, ast.parse(path.read_text("utf-8"))


def names_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id


def test_every_declared_setting_is_read_somewhere() -> None:
    used = {name for _, tree in sources() for name in names_in(tree)}
    assert set(NAMES) - used - NOT_READ == set()


def test_no_setting_is_named_by_two_strings() -> None:
    pairs = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and [type(each) for each in node.args[:2]] == [ast.Constant, ast.Constant]
        if (node.args[0].value in SECTION_NAMES and isinstance(node.args[1].value, str))  # type: ignore[attr-defined]
    ]
    assert pairs == []


def test_every_read_of_the_configuration_is_of_a_declared_setting() -> None:
    """``config[X]``: X is a name of the table, or a parameter whose type is Setting."""
    undeclared = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("config")
        for name in {each.id for each in ast.walk(node.slice) if isinstance(each, ast.Name) and each.id.isupper()}
        if name not in NAMES
    ]
    assert undeclared == []


def test_no_setting_is_declared_twice() -> None:
    places = [(each.section, each.key) for each in (*SETTINGS, *STORED_ONLY)]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: f"{each.section}/{each.key}")
def test_a_default_is_of_its_type(setting: Setting[Any]) -> None:
    assert setting.type(setting.default_text) == setting.default


def test_the_page_of_settings_is_current() -> None:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs" / "settings.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == module.page(), "run: python docs/settings.py"
