"""The client's classes under the module's name that couchdb-python has for them."""

from __future__ import annotations

from couchdb_client import http, json, util
from couchdb_client.database import Database
from couchdb_client.document import Document
from couchdb_client.mango import FindResults, Indexes
from couchdb_client.server import Server
from couchdb_client.temporary_view import TemporaryView
from couchdb_client.urls import DEFAULT_BASE_URL
from couchdb_client.views import PermanentView, Row, View, ViewResults

__all__ = [
    "DEFAULT_BASE_URL",
    "Database",
    "Document",
    "FindResults",
    "Indexes",
    "PermanentView",
    "Row",
    "Server",
    "TemporaryView",
    "View",
    "ViewResults",
    "http",
    "json",
    "util",
]
