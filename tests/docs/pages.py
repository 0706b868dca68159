"""The pages of the documentation, and the blocks of code in them.

- A Python block that defines tests runs under pytest. The blocks of one section (from a heading of the first or second
  level to the next) share a folder.
- A block with a title (```` ```python title="conftest.py" ````) is a file in that folder. If its title begins with
  ``examples/`` it must be equal to that file.
- Any other Python block runs as a program, with ``COUCHDB_URL`` set to the URL of an empty server.
- A comment ``<!-- needs: flask -->`` in a section names a module without which the section is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sybil import Document
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    if path.name not in ("CHANGELOG.md",)
)
_HEADING = re.compile(r"^(##?) (.+)$", re.MULTILINE)
_NEEDS = re.compile(r"^<!-- needs: (\S+) -->$", re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A fenced block of code. ``line`` is where it begins, counted from 1."""

    language: str
    title: str | None
    source: str
    line: int

    @property
    def is_tests(self) -> bool:
        """Whether pytest has something to collect in it."""
        return (
            self.language == "python"
            and re.search(r"^( {4})?(async )?def test_", self.source, re.MULTILINE) is not None
        )

    @property
    def is_program(self) -> bool:
        return self.language == "python" and self.title is None and not self.is_tests


@dataclass
class Section:
    """A section of a page, with its blocks."""

    page: Path
    heading: str
    needs: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.heading}"

    @property
    def has_tests(self) -> bool:
        return any(block.is_tests for block in self.blocks)

    def files(self) -> Iterator[tuple[str, str]]:
        """The names and contents of the section's files, those that pytest is to run on."""
        for block in self.blocks:
            if block.title is not None and not block.title.startswith("examples/"):
                yield block.title, block.source
            elif block.title is None and block.is_tests:
                yield f"test_line_{block.line}.py", block.source


def sections() -> list[Section]:
    """The sections of all pages."""
    return [section for page in PAGES for section in _sections_of(page)]


def _sections_of(page: Path) -> Iterator[Section]:
    text = page.read_text("utf-8")
    regions = sorted(FencedCodeBlockLexer(r".+")(Document(text, str(page))), key=lambda region: region.start)
    fenced = [(region.start, region.end) for region in regions]
    starts = [match for match in _HEADING.finditer(text) if not any(a <= match.start() < b for a, b in fenced)]
    edges = [0, *(match.start() for match in starts), len(text)]
    names = [page.stem, *(match[2] for match in starts)]
    for name, start, end in zip(names, edges, edges[1:], strict=False):
        section = Section(page, name, _NEEDS.findall(text[start:end]))
        for region in regions:
            if start <= region.start < end:
                info = str(region.lexemes["language"])
                title = _TITLE.search(info)
                line = text.count("\n", 0, region.start) + 1
                source = str(region.lexemes["source"])
                section.blocks.append(Block(info.split()[0], title[1] if title else None, source, line))
        if section.blocks:
            yield section
