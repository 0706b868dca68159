"""A CouchDB 3.5 that lives inside your test run."""

from couchfake.app import CouchFake
from couchfake.testing.running import running

__all__ = ["CouchFake", "running"]
__version__ = "0.1.0"
