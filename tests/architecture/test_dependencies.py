"""Installing fails nowhere for want of a wheel: the markers of dependencies, against the wheels that exist.

``wheels.json`` has, for each package without a source distribution that installs everywhere, the Pythons and platforms
of its wheels. No marker knows the version of the C library: for glibc older than 2.27 ``docs/troubleshooting.md`` says
what to install.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest depends on it there

ROOT = Path(__file__).parents[2]
WHEELS: dict[str, Any] = json.loads((Path(__file__).parent / "wheels.json").read_text())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
PLATFORMS = [
    "linux x86_64",
    "linux aarch64",
    "linux i686",
    "linux armv7l",
    "linux ppc64le",
    "linux s390x",
    "darwin x86_64 22",
    "darwin x86_64 24",
    "darwin arm64 21",
    "darwin arm64 22",
    "darwin arm64 23",
    "darwin arm64 24",
    "win32 AMD64",
    "win32 ARM64",
    "win32 x86",
]
CASES = [
    (python, platform, implementation)
    for python in PYTHONS
    for platform in PLATFORMS
    for implementation in ("CPython", "PyPy")
]


def chosen(python: str, platform: str, implementation: str, requirements: list[str]) -> set[str]:
    """Return the names of the requirements whose markers hold there."""
    system, machine, *release = platform.split()
    version = f"Darwin Kernel Version {release[0]}.1.0: Mon Oct" if release else "#1 SMP"
    environment = {
        "python_version": python,
        "python_full_version": python + ".0",
        "sys_platform": system,
        "platform_machine": machine,
        "platform_version": version,
        "platform_release": f"{release[0]}.1.0" if release else "5.15.0-91-generic",
        "platform_python_implementation": implementation,
        "implementation_name": implementation.lower(),
        "extra": "",
    }
    found = [Requirement(text) for text in requirements]
    return {each.name for each in found if each.marker is None or each.marker.evaluate(environment)}


@pytest.mark.parametrize(("python", "platform", "implementation"), CASES)
def test_what_is_installed_has_a_wheel(python: str, platform: str, implementation: str) -> None:
    names = chosen(python, platform, implementation, PROJECT["dependencies"])
    for name, wheels in WHEELS.items():
        has_wheel = (
            implementation == wheels["implementation"]
            and python in wheels["pythons"]
            and platform in wheels["platforms"]
        )
        assert (name in names) == has_wheel
    assert ("pyuca" in names) == ("pyicu-wheels" not in names)


@pytest.mark.parametrize("python", PYTHONS)
def test_js2py_is_installed_on_request_only(python: str) -> None:
    assert not {"js2py", "js2py-wheel"} & chosen(python, "linux x86_64", "CPython", PROJECT["dependencies"])
    extra = chosen(python, "linux x86_64", "CPython", PROJECT["optional-dependencies"]["js2py"])
    assert extra == ({"js2py"} if python in ("3.10", "3.11") else {"js2py-wheel"})


def test_what_to_install_by_hand_on_an_old_c_library_is_everything_but_icu() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    line = next(line for line in page.splitlines() if line.startswith("$ pip install pytest "))
    by_hand = {Requirement(each.strip('"')).name for each in line.removeprefix("$ pip install ").split()}
    needed = chosen("3.11", "linux x86_64", "CPython", PROJECT["dependencies"])
    assert by_hand == needed - {"pyicu-wheels", "urllib3"} | {"pyuca"}  # requests brings urllib3
