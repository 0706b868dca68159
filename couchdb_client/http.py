"""The HTTP layer under the names that couchdb-python has for it."""

from __future__ import annotations

from couchdb_client.cache import Cache
from couchdb_client.errors import (
    CertificateError,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionReset,
    Forbidden,
    HostNotFound,
    HTTPError,
    PreconditionFailed,
    RedirectLimit,
    ResourceConflict,
    ResourceNotFound,
    ServerError,
    TimedOut,
    TLSError,
    Unauthorized,
)
from couchdb_client.resource import Resource
from couchdb_client.session import DEFAULT_TIMEOUT, RETRYABLE_ERRORS, Exchange, Session
from couchdb_client.streams import CHUNK_SIZE, ResponseBody
from couchdb_client.urls import basic_auth, extract_credentials, quote, urlencode, urljoin

__all__ = [
    "CHUNK_SIZE",
    "DEFAULT_TIMEOUT",
    "RETRYABLE_ERRORS",
    "Cache",
    "CertificateError",
    "ConnectionFailed",
    "ConnectionRefused",
    "ConnectionReset",
    "Exchange",
    "Forbidden",
    "HTTPError",
    "HostNotFound",
    "PreconditionFailed",
    "RedirectLimit",
    "Resource",
    "ResourceConflict",
    "ResourceNotFound",
    "ResponseBody",
    "ServerError",
    "Session",
    "TLSError",
    "TimedOut",
    "Unauthorized",
    "basic_auth",
    "extract_credentials",
    "quote",
    "urlencode",
    "urljoin",
]
