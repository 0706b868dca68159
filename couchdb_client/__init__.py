"""A client for CouchDB with the interface of couchdb-python 1.2's ``couchdb.client``, on requests.

import couchdb_client as couchdb

server = couchdb.Server("http://name:password@localhost:5984/")
db = server.create("people")
db["john"] = {"type": "person", "name": "John Doe"}
"""

from __future__ import annotations

from couchdb_client import client, http
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

__all__ = [
    "Database", "Document", "Forbidden", "HTTPError", "Indexes", "PreconditionFailed", "Resource", "ResourceConflict",
    "ResourceNotFound", "Row", "Server", "ServerError", "Session", "Unauthorized", "ViewResults", "client", "http",
]  # fmt: skip
