"""The hooks of the site: files "in the repository" are links where the address of the repository is known."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

HOOKS = Path(__file__).parents[2] / "docs" / "hooks.py"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (
            "https://example.org/couchfake",
            "See [`SECURITY.md`](https://example.org/couchfake/blob/HEAD/SECURITY.md) in",
        ),
        (None, "See `SECURITY.md` in"),
    ],
)
def test_a_file_in_the_repository_is_a_link_where_its_address_is_known(address: str | None, expected: str) -> None:
    hook = runpy.run_path(str(HOOKS))["on_page_markdown"]
    text = hook("See `SECURITY.md` in the repository.", config=SimpleNamespace(repo_url=address), page=None, files=None)
    assert text == f"{expected} the repository."
