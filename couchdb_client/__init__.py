"""A client for CouchDB with the interface of couchdb-python 1.2, on requests.

import couchdb_client as couchdb

server = couchdb.Server("http://name:password@localhost:5984/")
db = server.create("people")
db["john"] = {"type": "person", "name": "John Doe"}
"""

from __future__ import annotations

from couchdb_client import client, http
from couchdb_client.alias import install_as_couchdb
from couchdb_client.client import Database, Document, Indexes, Row, Server, ViewResults
from couchdb_client.http import (
    Forbidden,
    HTTPError,
    PreconditionFailed,
    Resource,
    ResourceConflict,
    ResourceNotFound,
    ServerError,
    Session,
    Unauthorized,
)

#: The version of couchdb-python whose interface this is: programs compare it.
__version__ = "1.2"

__all__ = [
    "Database", "Document", "Forbidden", "HTTPError", "Indexes", "PreconditionFailed", "Resource", "ResourceConflict",
    "ResourceNotFound", "Row", "Server", "ServerError", "Session", "Unauthorized", "ViewResults", "client", "http",
    "install_as_couchdb",
]  # fmt: skip
