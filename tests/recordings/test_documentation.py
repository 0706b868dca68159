"""The page about measuring servers: its commands exist, and so do the pages that it links to."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from couchfake.cli import _parser

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ couchfake (.+)$", TEXT, re.MULTILINE)


def test_each_tool_is_shown() -> None:
    assert {command.split()[0] for command in COMMANDS} == {"check", "record", "replay", "compare"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_shown_command_is_understood(command: str) -> None:
    assert callable(_parser().parse_args(shlex.split(command)).command)


def test_links_lead_to_pages_and_headings_that_exist() -> None:
    titles = [re.sub(r"[^\w -]", "", title) for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)]
    headings = {"#" + title.lower().replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert target in headings if target.startswith("#") else (PAGE.parent / target.partition("#")[0]).exists()


def test_every_option_of_the_tools_is_described() -> None:
    for tool in ("check", "record", "replay", "compare"):
        usage = _parser().parse_args([tool, *{"record": ["--upstream", "x", "--out", "y"]}.get(tool, ["x"])])
        options = {f"--{name.replace('_', '-')}" for name in vars(usage)} - {"--command", "--url", "--host", "--chosen"}
        missing = {each for each in options - {"--files", "--verbose"} if each not in TEXT}
        assert not missing
