"""What a request can end in, as exceptions.

An answer of status 400 or above raises a subclass of `HTTPError` with one argument, as in couchdb-python:

===============================  ==========================================================================
`Unauthorized` (401)             ``(error, reason)``, the two members of CouchDB's JSON error object,
`Forbidden` (403)                or ``''`` after a HEAD request, which has no body,
`ResourceNotFound` (404)         or the body's bytes when it is no JSON object (a proxy's page, say)
`ResourceConflict` (409)
`PreconditionFailed` (412)
`ServerError` (any other)        ``(status, that same argument)``
===============================  ==========================================================================

So ``except ResourceConflict as exc: error, reason = exc.args[0]``.

A connection that could not be made, broke, or stayed silent for too long raises `ConnectionFailed` or `TimedOut`. Both
are an `OSError` (what programs written for couchdb-python catch as ``socket.error``, `TimedOut` also as
``socket.timeout``) and the exception of requests with the corresponding meaning.
"""

from __future__ import annotations

import errno
import http.client
from typing import Any

import requests
import urllib3.exceptions
from urllib3.exceptions import NewConnectionError  # a refused connection, though its base says time-out

__all__ = [
    "ConnectionFailed",
    "Forbidden",
    "HTTPError",
    "PreconditionFailed",
    "RedirectLimit",
    "ResourceConflict",
    "ResourceNotFound",
    "ServerError",
    "TimedOut",
    "Unauthorized",
]


class HTTPError(Exception):
    """Base class of the errors that an answer with a status of 400 or above raises."""


class PreconditionFailed(HTTPError):
    """412: a database of that name exists already, or a condition in the request's headers does not hold."""


class ResourceNotFound(HTTPError):
    """404: no such database, document, revision, attachment, view or function."""


class ResourceConflict(HTTPError):
    """409: the document was updated since the revision that the request names."""


class ServerError(HTTPError):
    """Any other status; the argument is ``(status, detail)``. In a bulk update, of a refused document: its reason."""


class Unauthorized(HTTPError):
    """401: credentials are missing or wrong, or a login is needed for this request."""


class Forbidden(HTTPError):
    """403: the user may not do this, or a ``validate_doc_update`` function refused the document."""


class RedirectLimit(Exception):
    """A request was redirected more often than the session allows."""


class ConnectionFailed(requests.exceptions.ConnectionError, ConnectionError):
    """The server could not be reached, or the connection broke. ``errno`` is the system's code, if there is one."""


class TimedOut(requests.exceptions.Timeout, TimeoutError):
    """No connection, or not a byte of the answer, within the session's timeout."""


_BY_STATUS: dict[int, type[HTTPError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: ResourceNotFound,
    409: ResourceConflict,
    412: PreconditionFailed,
}


def http_error(status: int, detail: Any) -> HTTPError:
    """The exception for an answer of ``status``; ``detail`` as the module's docstring has it."""
    kind = _BY_STATUS.get(status)
    return ServerError((status, detail)) if kind is None else kind(detail)


def connection_error(exc: BaseException) -> OSError | None:
    """What ``exc``, raised by requests or urllib3, means; None if it is not about the connection.

    Errors of TLS and of proxies keep requests' own exception: trying again or waiting longer would not help there.
    """
    if not isinstance(exc, _FAILURES) or isinstance(exc, _NOT_FAILURES):
        return None
    causes = _causes(exc)
    if any(isinstance(cause, _TIMEOUTS) and not isinstance(cause, NewConnectionError) for cause in causes):
        return TimedOut("timed out")
    for cause in causes:
        if isinstance(cause, (http.client.BadStatusLine, http.client.IncompleteRead)):
            return ConnectionFailed(errno.ECONNRESET, "the server closed the connection before its answer was complete")
        if isinstance(cause, OSError) and isinstance(cause.errno, int):
            return ConnectionFailed(cause.errno, cause.strerror or str(cause))
    return ConnectionFailed(None, str(exc))


_TIMEOUTS = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
_FAILURES = (
    *_TIMEOUTS,
    ConnectionError,
    http.client.HTTPException,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.ProtocolError,
)
_NOT_FAILURES = (requests.exceptions.SSLError, requests.exceptions.ProxyError)


def _causes(exc: BaseException) -> list[BaseException]:
    """``exc`` and what lies beneath it: requests and urllib3 pass causes as arguments as well as by ``raise from``.

    ``__context__`` is no cause: the request may have been made while the program handled some other exception.
    """
    found: list[BaseException] = []
    waiting: list[object] = [exc]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and not any(item is known for known in found):
            found.append(item)
            waiting += [*item.args, getattr(item, "reason", None), item.__cause__]
    return found
