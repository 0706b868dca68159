"""A CouchDB 3.5 that lives inside your test run."""

from couchfake.app import CouchFake

__all__ = ["CouchFake"]
__version__ = "0.1.0"
