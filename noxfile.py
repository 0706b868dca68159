"""``nox``: what CI runs, on every Python that is supported and installed here."""

from __future__ import annotations

import json
import random
from pathlib import Path

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
PROJECT = nox.project.load_toml("pyproject.toml")

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests"]


def install(session: nox.Session, *groups: str) -> None:
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The test suite; arguments after ``--`` go to pytest."""
    install(session, "test")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The test suite with its coverage; fails below the floor in pyproject.toml."""
    install(session, "test")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "2", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def mutation(session: nox.Session) -> None:
    """Whether the tests notice changed code. After ``--``: the number of changes, 300 by default, and a seed."""
    install(session, "test", "mutation")
    session.run(
        "mutmut", "run", "--max-children", "2", "couchfake.values.recursion.*"
    )  # makes all, and times the tests
    notes = [json.loads(path.read_text("utf-8")) for path in Path("mutants").rglob("*.py.meta")]
    names = sorted(name for note in notes for name in note["exit_code_by_key"])
    wanted, seed = map(int, [*session.posargs, *("300", "1")[len(session.posargs) :]])
    session.run("mutmut", "run", "--max-children", "2", *random.Random(seed).sample(names, min(wanted, len(names))))
    session.run("mutmut", "results")


@nox.session
def examples(session: nox.Session) -> None:
    """What a new user sees: the distribution alone, and the examples."""
    session.install(".")
    session.run("python", "-m", "pytest", "examples", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and directions of import."""
    install(session, "test", "lint", "clients")
    session.install("nox")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("python", "-m", "pytest", "tests/packaging/test_workflows.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation: its code runs, and the site builds without a warning."""
    install(session, "test", "docs")
    session.run("python", "-m", "pytest", "tests/docs", *session.posargs)
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(python=["3.10", "3.14"])
def packaging(session: nox.Session) -> None:
    """The distribution: its contents, whether it can be reproduced, and whether the wheel works."""
    install(session, "test", "packaging")
    session.run("python", "-m", "pytest", "tests/packaging", "-m", "packaging", *session.posargs)
