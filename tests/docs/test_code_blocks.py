"""Each block of code in the documentation runs as it is written."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest_plugin.settings import FLAGS, OPTIONS, option
from couchfake import CouchFake, cli

from .pages import PAGES, ROOT, Block, Section, sections

SECTIONS = sections()
PYTEST_OPTIONS = {option(name) for name in (*OPTIONS, *FLAGS)}
CONSOLE = ("sh", "console", "bash")
OTHER_LANGUAGES = {
    "ini",
    "toml",
    "yaml",
    "json",
    "text",
    "js",
    "javascript",
    "java",
    "go",
    "dockerfile",
    "html",
    "mermaid",
}
"""Languages of blocks that do not run; ``json`` and ``toml`` are parsed, and files of ``examples/`` compared."""


def with_tests() -> Iterator[object]:
    for section in SECTIONS:
        if section.has_tests:
            yield pytest.param(section, id=section.id)


def blocks(*languages: str, programs_only: bool = False) -> Iterator[object]:
    for section in SECTIONS:
        for block in section.blocks:
            if block.language in languages and (block.is_program or not programs_only):
                yield pytest.param(section, block, id=f"{section.page.relative_to(ROOT).as_posix()}:{block.line}")


def skip_without(needs: list[str]) -> None:
    for name in needs:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("section", list(with_tests()))
def test_the_tests_of_a_section_pass(
    section: Section, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without(section.needs)
    for name in ("COUCHDB_URL", *(name for name in os.environ if name.startswith("COUCHFAKE_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "")  # a page sets it; restored at the end
    files = list(section.files())
    assert len(dict(files)) == len(files), "two blocks of the section have one title"
    for name, text in files:
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.syspath_prepend(str(pytester.path))
    plugins = ["-p", "anyio.pytest_plugin"] if "anyio" in section.needs else []
    options = ("-p", "conftest_plugin", *plugins, "-p", "no:cacheprovider", "-W", "error", "--tb=short")
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()


@pytest.mark.parametrize(("section", "block"), list(blocks("python", programs_only=True)))
def test_a_program_runs(section: Section, block: Block, tmp_path: Path) -> None:
    skip_without(section.needs)
    with CouchFake() as fake:
        environment = {
            **os.environ, "COUCHDB_URL": fake.url, "PYTHONWARNINGS": "error", "PYTHONPATH": str(ROOT)
        }  # fmt: skip
        (tmp_path / "program.py").write_text(block.source, "utf-8")
        command = [sys.executable, "program.py"]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("section", "block"), list(blocks(*CONSOLE)))
def test_commands_have_the_options_that_are_shown(section: Section, block: Block) -> None:
    if (block.title or "").startswith("examples/"):
        return  # it runs as a whole
    for command in commands_in(block.source):
        words = [word for n, word in enumerate(command) if not re.match(r"[A-Z_]+=", word) or n]
        if not words:
            continue
        if words[0] == "couchfake":
            check_couchfake(words[1:])
        elif words[0] == "pytest":
            used = {word.partition("=")[0] for word in words if word.startswith("--couch")}
            assert used <= PYTEST_OPTIONS


def commands_in(source: str) -> Iterator[list[str]]:
    """The commands of a block: all lines, or those behind ``$`` where there are such."""
    lines = source.replace("\\\n", " ").splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    for line in prompted or lines:
        for part in re.split(r"\s(?:&&|\||&|;)(?:\s|$)", line.partition("  #")[0]):
            words = shlex.split(part, comments=True) if "$(" not in part else part.split()
            if words:
                yield words


def check_couchfake(words: list[str]) -> None:
    """Fail if the command line does not know an option."""
    parser = cli._parser()
    try:
        parser.parse_args(words)
    except SystemExit as ended:
        pytest.fail(f"couchfake {' '.join(words)}: exit status {ended.code}")


def test_every_block_has_a_language_that_is_checked() -> None:
    known = {"python", *CONSOLE, *OTHER_LANGUAGES}
    unknown = [f"{s.id} {b.language}" for s in SECTIONS for b in s.blocks if b.language not in known]
    assert unknown == []


@pytest.mark.parametrize(("section", "block"), list(blocks("json")))
def test_json_is_json(section: Section, block: Block) -> None:
    json.loads(block.source)


def test_files_of_the_examples_are_shown_as_they_are() -> None:
    shown = [block for section in SECTIONS for block in section.blocks if (block.title or "").startswith("examples/")]
    differing = [block.title for block in shown if block.source != (ROOT / str(block.title)).read_text("utf-8")]
    assert shown
    assert differing == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = target.partition("#")[0]
            if path and "://" not in path and not path.startswith("mailto:") and not (page.parent / path).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
