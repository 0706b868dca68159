"""The client under the name of couchdb-python, each time in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import couchdb_client
from couchdb_client import client, http, util


def python(code: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with ``path`` before everything else on its path."""
    prefix = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    command = [sys.executable, "-W", "error", "-c", prefix + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def old_client(tmp_path: Path) -> Path:
    """A folder with another package that is called couchdb."""
    package = tmp_path / "couchdb"
    package.mkdir()
    (package / "__init__.py").write_text("old = True")
    (package / "other.py").write_text("")
    return tmp_path


def test_every_module_is_the_clients_own(old_client: Path) -> None:
    done = python(
        """
import couchdb_client
couchdb_client.install_as_couchdb()
couchdb_client.install_as_couchdb()
import couchdb, couchdb.client, couchdb.http, couchdb.json, couchdb.mapping, couchdb.design, couchdb.multipart
import couchdb.loader, couchdb.util, couchdb.view, couchdb.tools.dump, couchdb.tools.load, couchdb.tools.replicate
from couchdb import Server, ResourceNotFound
from couchdb.http import ResourceConflict
assert couchdb is couchdb_client
assert couchdb.mapping.Document is __import__("couchdb_client.mapping").mapping.Document
for name, module in list(sys.modules.items()):
    if name == "couchdb" or name.startswith("couchdb."):
        assert module is sys.modules["couchdb_client" + name.removeprefix("couchdb")], name
try:
    import couchdb.other
except ModuleNotFoundError:
    print("fine")
""",
        old_client,
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")


@pytest.mark.parametrize("imported", ["couchdb", "couchdb.other"])
def test_another_couchdb_that_is_imported_already_is_an_error(old_client: Path, imported: str) -> None:
    done = python(f"import {imported}, couchdb_client; couchdb_client.install_as_couchdb()", old_client)
    *_, last = done.stderr.splitlines()
    assert last.startswith("ImportError: cannot install couchdb_client as couchdb: couchdb is imported already, from ")
    assert str(old_client) in last
    assert last.endswith("call install_as_couchdb() before anything imports it")


def test_the_version_is_that_of_the_interface() -> None:
    assert couchdb_client.__version__ == "1.2"


def test_modules_are_where_couchdb_python_has_them() -> None:
    assert (client.http, client.json, client.util) == (http, couchdb_client.client.json, util)
    assert util.StringIO(b"x").read() == b"x"
    assert isinstance("x", util.strbase)
    assert isinstance(b"x", util.strbase)
    assert util.funcode(python).co_name == "python"
    names: dict[str, object] = {}
    util.pyexec("x = y + 1", {"y": 1}, names)
    assert names == {"x": 2}
