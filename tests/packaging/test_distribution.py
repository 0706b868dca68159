"""The wheel and the source distribution. Building takes a while: ``pytest tests/packaging -m packaging``."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import couchfake

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
PACKAGES = ("couchfake", "couchdb_client", "conftest_plugin")
VERSION = couchfake.__version__


def build(folder: Path) -> tuple[Path, Path]:
    """Build both distributions and return their paths: the wheel and the source distribution."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    return folder / f"couchfake-{VERSION}-py3-none-any.whl", folder / f"couchfake-{VERSION}.tar.gz"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


def test_the_description_is_accepted_by_the_package_index(built: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_the_wheel_holds_the_packages_and_nothing_else(built: tuple[Path, Path]) -> None:
    names = set(zipfile.ZipFile(built[0]).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*PACKAGES, f"couchfake-{VERSION}.dist-info"}
    sources = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")} | {
        f"{package}/py.typed" for package in PACKAGES
    }
    assert sources <= names
    assert f"couchfake-{VERSION}.dist-info/licenses/LICENSE" in names
    assert [name for name in names if "__pycache__" in name or "/tests/" in name] == []


def test_the_source_distribution_holds_the_tests_and_the_documentation(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "docs/index.md", "conftest.py"} <= names
    assert any(name.startswith("couchfake/recordings/corpus/") for name in names)
    assert any(name.startswith("examples/shop/") for name in names)
    assert [name for name in names if name.startswith((".ci", ".github", "build/"))] == []


def test_two_builds_are_equal_byte_by_byte(built: tuple[Path, Path], tmp_path: Path) -> None:
    again = build(tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in built]


def test_the_wheel_works_in_a_fresh_environment(built: tuple[Path, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    test = tmp_path / "test_smoke.py"
    test.write_text("def test_it(couch_db):\n    couch_db['tea'] = {}\n    assert list(couch_db) == ['tea']\n", "utf-8")
    for command in (
        ["python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(built[0])],
        ["couchfake", "--version"],
        ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
    ):
        words = [str(scripts / command[0]), *command[1:]]
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
