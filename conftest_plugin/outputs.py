"""The files of ``--couch-trace`` and ``--couch-html``, written at the end of a run and tried at its start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest_plugin.html_report import write_report
from conftest_plugin.run import Run
from conftest_plugin.trace import write_trace


def check_outputs(config: pytest.Config, run: Run) -> None:
    """Raise pytest.UsageError for a file that cannot be written, before the tests have run for nothing."""
    for option, name, path in _files(config, run):
        is_new = not path.exists()
        try:
            path.open("ab").close()
            if is_new:
                path.unlink()
        except OSError as error:
            raise pytest.UsageError(_sentence(option, name, error)) from None


def write_outputs(config: pytest.Config, run: Run) -> list[str]:
    """Write the files. Return a sentence for each that could not be written."""
    problems = []
    for option, name, path in _files(config, run):
        try:
            if option == "--couch-trace" and run.trace is not None:
                write_trace(config, run.trace, path)
            elif run.html is not None:
                write_report(config, run.html, path)
        except OSError as error:
            problems.append(_sentence(option, name, error))
    return problems


def _files(config: pytest.Config, run: Run) -> Iterator[tuple[str, str, Path]]:
    for option, name in (("--couch-trace", run.settings.trace), ("--couch-html", run.settings.html)):
        if name:
            yield option, name, config.invocation_params.dir / name


def _sentence(option: str, name: str, error: OSError) -> str:
    return f"{option}: cannot write {name}: {error.strerror}"
