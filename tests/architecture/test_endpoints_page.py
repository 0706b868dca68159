"""``docs/endpoints.md`` is the URL table in words: it can name no path that is not there, and forget none."""

from __future__ import annotations

import re
from pathlib import Path

from couchfake.api.routing import ROUTES

PAGE = Path(__file__).parents[2] / "docs" / "endpoints.md"


def test_the_page_of_endpoints_lists_every_path_that_is_answered() -> None:
    listed = re.findall(r"^\| `(/[^`]*)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(each.path for each in ROUTES)


def test_the_page_of_endpoints_tells_the_methods_that_are_allowed() -> None:
    lines = PAGE.read_text("utf-8")
    for each in ROUTES:
        methods = each.allow.replace(",", " ") or "any"
        assert f"| `{each.path}` | {methods} |" in lines
