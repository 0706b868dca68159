"""Libraries and programs that import ``couchdb``, with the client under that name, each in a process of its own."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.foreign

PROGRAMS = Path(__file__).parent / "programs"


def run(program: str, *arguments: str) -> None:
    """Run one of the programs; they check for themselves what they get."""
    command = [sys.executable, str(PROGRAMS / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def needs(package: str, module: str) -> pytest.MarkDecorator:
    reason = f"{package} is not installed: it is in the dependency group clients"
    return pytest.mark.skipif(find_spec(module.partition(".")[0]) is None, reason=reason)


@pytest.fixture
def admin_url(url: str) -> str:
    return url.replace("//", "//adm:pass@") + "/"


@needs("Flask-CouchDB", "flaskext")
@needs("Flask", "flask")
def test_a_flask_application_with_flask_couchdb(admin_url: str) -> None:
    run("flask_blog.py", admin_url)


@needs("couchdb-schematics", "couchdb_schematics")
def test_models_of_couchdb_schematics(admin_url: str) -> None:
    run("schematics_models.py", admin_url)


@needs("picas", "picas")
def test_a_pool_of_jobs_with_picas(url: str) -> None:
    run("picas_jobs.py", url, "adm", "pass")


def test_a_backup_with_the_tools(admin_url: str) -> None:
    run("backup.py", admin_url)


def test_the_calls_that_couchable_makes(admin_url: str) -> None:
    run("couchable_calls.py", admin_url)


def test_every_name_that_couchable_uses_exists() -> None:
    """It cannot be imported: its source is Python 2 (``import cPickle``, ``except Exception, e``)."""
    try:
        files = importlib.metadata.files("couchable") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("couchable is not installed: it is in the dependency group clients")
    [source] = [file for file in files if file.name == "core.py"]
    lines = [line for line in source.read_text().splitlines() if not line.lstrip().startswith("#")]
    names = {name for line in lines for name in re.findall(r"\bcouchdb\.(\w+(?:\.\w+)*)\(?", line)}
    assert {"Server", "client.Row", "design.ViewDefinition", "http.ResourceConflict", "json.encode"} <= names
    for name in names:
        head, _, tail = name.partition(".")
        owner = import_module("couchdb_client")
        if find_spec(f"couchdb_client.{head}"):
            owner, head = import_module(f"couchdb_client.{head}"), tail
        assert not head or hasattr(owner, head), name
