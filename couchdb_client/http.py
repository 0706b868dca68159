"""The HTTP layer under the names that couchdb-python has for it."""

from __future__ import annotations

from couchdb_client.cache import Cache
from couchdb_client.errors import (
    ConnectionFailed,
    Forbidden,
    HTTPError,
    PreconditionFailed,
    RedirectLimit,
    ResourceConflict,
    ResourceNotFound,
    ServerError,
    TimedOut,
    Unauthorized,
)
from couchdb_client.resource import Resource
from couchdb_client.session import DEFAULT_TIMEOUT, RETRYABLE_ERRORS, Session
from couchdb_client.streams import CHUNK_SIZE, ResponseBody
from couchdb_client.urls import basic_auth, extract_credentials, quote, urlencode, urljoin

__all__ = [
    "CHUNK_SIZE",
    "DEFAULT_TIMEOUT",
    "RETRYABLE_ERRORS",
    "Cache",
    "ConnectionFailed",
    "Forbidden",
    "HTTPError",
    "PreconditionFailed",
    "RedirectLimit",
    "Resource",
    "ResourceConflict",
    "ResourceNotFound",
    "ResponseBody",
    "ServerError",
    "Session",
    "TimedOut",
    "Unauthorized",
    "basic_auth",
    "extract_credentials",
    "quote",
    "urlencode",
    "urljoin",
]
