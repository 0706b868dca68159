"""This package under the name of couchdb-python, for libraries that import ``couchdb`` themselves."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

__all__ = ["install_as_couchdb"]


def install_as_couchdb() -> None:
    """Make ``import couchdb`` import this package, in the whole process, with all its modules.

    Call it before anything imports ``couchdb``, for the first time at the top of the program. Further calls do nothing.
    couchdb-python may be installed or not; if it is imported already, raise `ImportError`, because objects of both
    packages would meet then.
    """
    package = sys.modules[__package__ or ""]
    names = [name for name in sys.modules if name == "couchdb" or name.startswith("couchdb.")]
    others = [name for name in names if not sys.modules[name].__name__.startswith(package.__name__)]
    if others:
        origin = getattr(sys.modules[others[0]], "__file__", None) or "an unknown place"
        raise ImportError(
            f"cannot install couchdb_client as couchdb: {others[0]} is imported already, from {origin}; "
            "call install_as_couchdb() before anything imports it"
        )
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package.__name__}.")]:
        sys.modules["couchdb" + name.removeprefix(package.__name__)] = sys.modules[name]
