"""The transcripts in the documentation are what the programs print now: ``python docs/transcripts.py`` writes them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .pages import ROOT


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transcripts", ROOT / "docs" / "transcripts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


TRANSCRIPTS = load()


@pytest.fixture(scope="module")
def ran() -> dict[str, str]:
    return {}


@pytest.mark.parametrize("page", list(TRANSCRIPTS.pages()), ids=lambda page: page.name)
def test_the_transcripts_of_a_page_are_current(page: Path, ran: dict[str, str]) -> None:
    text = page.read_text("utf-8")
    assert TRANSCRIPTS.with_transcripts(text, ran) == text


def test_every_transcript_is_on_a_page() -> None:
    shown = {
        name for page in TRANSCRIPTS.pages() for name in re.findall(r"<!-- transcript: (\w+)", page.read_text("utf-8"))
    }
    assert shown == set(TRANSCRIPTS.TRANSCRIPTS)
