"""The exceptions of the client.

An answer with a status of 400 or above raises a subclass of `HTTPError`. Its ``args`` are those of couchdb-python:

===============================  ==========================================================================
`Unauthorized` (401)             ``(error, reason)``, the two members of CouchDB's JSON error object,
`Forbidden` (403)                or ``''`` after a HEAD request, which has no body,
`ResourceNotFound` (404)         or the body's bytes if it is not a JSON object (a proxy's page, say)
`ResourceConflict` (409)
`PreconditionFailed` (412)
`ServerError` (any other)        ``(status, that same argument)``
===============================  ==========================================================================

So ``except ResourceConflict as exc: error, reason = exc.args[0]`` works. Every exception also has the attributes
``status``, ``error``, ``reason``, ``method``, ``url`` (without credentials) and ``docid``; each is None if it does not
apply.

A connection that cannot be made, breaks, or stays silent for too long raises `ConnectionFailed` or `TimedOut`. Both
are an ``OSError`` (programs written for couchdb-python catch ``socket.error``; `TimedOut` is also a
``socket.timeout``) and the exception of requests with the same meaning. Subclasses of `ConnectionFailed` say what
happened:

============================  ====================================================================================
`ConnectionRefused`           nothing listens there; also a ``ConnectionRefusedError``
`ConnectionReset`             the peer broke the connection; also a ``ConnectionResetError``
`HostNotFound`                the host's name does not resolve; also a ``socket.gaierror``
`TLSError`                    no secure connection; also an ``ssl.SSLError`` and requests' ``SSLError``
`CertificateError`            its subclass for a certificate that is not trusted; also an
                              ``ssl.SSLCertVerificationError``
============================  ====================================================================================
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from urllib3.exceptions import NewConnectionError  # a refused connection, though its base class says time-out

__all__ = [
    "CertificateError",
    "ConnectionFailed",
    "ConnectionRefused",
    "ConnectionReset",
    "Forbidden",
    "HTTPError",
    "HostNotFound",
    "PreconditionFailed",
    "RedirectLimit",
    "ResourceConflict",
    "ResourceNotFound",
    "ServerError",
    "TLSError",
    "TimedOut",
    "Unauthorized",
    "connection_error",
    "http_error",
    "in_request",
    "is_unsent",
    "refusal",
]


class _InRequest:
    """The request that an exception belongs to."""

    #: The HTTP method of the request.
    method: str | None = None
    #: The URL of the request, without credentials.
    url: str | None = None
    #: The ID of the document that the request is about.
    docid: str | None = None

    def _request_line(self) -> str | None:
        """``METHOD /path``, None if the request is not known."""
        if self.method is None or self.url is None:
            return None
        return f"{self.method} {urlsplit(self.url).path or '/'}"


class HTTPError(_InRequest, Exception):
    """Base class of the errors for responses with status 400 or above."""

    _status: int | None = None
    #: The error of a document that a bulk update refused, which is not among the arguments.
    _error: str | None = None

    @property
    def status(self) -> int | None:
        """The status of the answer."""
        return self._status

    @property
    def error(self) -> str | None:
        """CouchDB's name for the error, like ``'conflict'``."""
        detail = self._detail()
        return detail[0] if isinstance(detail, tuple) and len(detail) == 2 else self._error

    @property
    def reason(self) -> str | None:
        """CouchDB's description of the error; for an answer that is not CouchDB's, the text of its body."""
        detail = self._detail()
        if isinstance(detail, tuple) and len(detail) == 2:
            reason: str | None = detail[1]
            return reason
        if isinstance(detail, bytes):
            detail = detail.decode("utf-8", "replace")
        return detail if isinstance(detail, str) and detail else None

    def _detail(self) -> Any:
        return self.args[0] if len(self.args) == 1 else None

    def __str__(self) -> str:
        line = self._request_line()
        if line is None:
            return super().__str__()
        words = [line, self.error, self.reason]
        if self.error is None:
            words.insert(1, None if self.status is None else str(self.status))
        return ": ".join(str(word) for word in words if word is not None)


class PreconditionFailed(HTTPError):
    """412: a database of that name exists already, or a condition in the request's headers does not hold."""

    _status = 412


class ResourceNotFound(HTTPError):
    """404: no such database, document, revision, attachment, view or function."""

    _status = 404


class ResourceConflict(HTTPError):
    """409: the document was updated since the revision that the request names."""

    _status = 409


class ServerError(HTTPError):
    """Any other status; the argument is ``(status, detail)``. In a bulk update: why one document was refused."""

    @property
    def status(self) -> int | None:
        """The status of the answer; None for a document that a bulk update refused."""
        argument = super()._detail()
        return argument[0] if isinstance(argument, tuple) and len(argument) == 2 else None

    def _detail(self) -> Any:
        argument = super()._detail()
        return argument[1] if isinstance(argument, tuple) and len(argument) == 2 else argument

    def __str__(self) -> str:
        if self._request_line() is None or self.status is None or self.error is None:
            return super().__str__()
        return f"{self._request_line()}: {self.status}: {self.error}: {self.reason}"


class Unauthorized(HTTPError):
    """401: credentials are missing or wrong, or a login is needed for this request."""

    _status = 401


class Forbidden(HTTPError):
    """403: the user may not do this, or a ``validate_doc_update`` function refused the document."""

    _status = 403


class RedirectLimit(_InRequest, Exception):
    """A request was redirected more often than the session allows."""

    status = error = reason = None


class _Failure(_InRequest, OSError):
    """What the exceptions about connections share."""

    status = error = None

    @property
    def reason(self) -> str | None:
        """What happened, in the system's words."""
        return self.strerror or (str(self.args[-1]) if self.args else None)

    def __str__(self) -> str:
        text = f"[Errno {self.errno}] {self.strerror}" if self.errno is not None else str(self.reason or "")
        return text if self.url is None else f"{self.method} {self.url}: {text}"


class ConnectionFailed(_Failure, requests.exceptions.ConnectionError, ConnectionError):
    """The server could not be reached, or the connection broke. ``errno`` is the system's code, if there is one."""


class ConnectionRefused(ConnectionFailed, ConnectionRefusedError):
    """Nothing accepts connections at the server's address."""


class ConnectionReset(ConnectionFailed, ConnectionResetError):
    """The server closed the connection before its response was complete."""


class HostNotFound(ConnectionFailed, socket.gaierror):
    """The name of the server's host does not resolve."""


class TLSError(ConnectionFailed, requests.exceptions.SSLError, ssl.SSLError):  # type: ignore[misc]  # its `reason`
    """A secure connection could not be made."""


class CertificateError(TLSError, ssl.SSLCertVerificationError):  # type: ignore[misc]  # its `reason`
    """The server's certificate is not trusted, or is another host's."""


class TimedOut(_Failure, requests.exceptions.Timeout, TimeoutError):
    """No connection, or no byte of the response, within the session's timeout."""


_BY_STATUS: dict[int, type[HTTPError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: ResourceNotFound,
    409: ResourceConflict,
    412: PreconditionFailed,
}


def http_error(status: int, detail: Any) -> HTTPError:
    """Return the exception for an answer of ``status``; ``detail`` is described in the module's docstring."""
    kind = _BY_STATUS.get(status)
    return ServerError((status, detail)) if kind is None else kind(detail)


def refusal(error: str, reason: Any, docid: str, url: str) -> HTTPError:
    """Return the exception for a document that the bulk update at ``url`` refused."""
    refused = (ResourceConflict if error == "conflict" else ServerError)(reason)
    refused._error = error
    refused.docid = docid
    in_request(refused, "POST", url)
    return refused


def in_request(exc: BaseException, method: str, url: str) -> None:
    """Note in ``exc`` the request that it belongs to, if it is an exception of the client without one."""
    if isinstance(exc, _InRequest) and exc.method is None:
        exc.method = method
        exc.url = re.sub(r"//[^/?#]*@", "//", url, count=1)


def connection_error(exc: BaseException) -> OSError | None:
    """Return the client's exception for ``exc``, raised by requests or urllib3; None if it is not about the connection.

    Errors of proxies keep requests' own exception.
    """
    if not isinstance(exc, _FAILURES) or isinstance(exc, requests.exceptions.ProxyError):
        return None
    causes = _causes(exc)
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return _tls_error(cause)
    if any(isinstance(cause, urllib3.exceptions.SSLError) for cause in causes):
        return TLSError(None, str(exc))
    if any(isinstance(cause, _TIMEOUTS) and not isinstance(cause, NewConnectionError) for cause in causes):
        return TimedOut("timed out")
    for cause in causes:
        if isinstance(cause, (http.client.BadStatusLine, http.client.IncompleteRead)):
            return ConnectionReset(errno.ECONNRESET, "the server closed the connection before its answer was complete")
        if isinstance(cause, OSError) and isinstance(cause.errno, int):
            return _failure_kind(cause)(cause.errno, cause.strerror or str(cause))
    return ConnectionFailed(None, str(exc))


def is_unsent(exc: BaseException) -> bool:
    """Return whether ``exc`` was raised before a connection was made, so that the server cannot have read anything."""
    return any(isinstance(cause, _UNSENT) for cause in _causes(exc))


def _tls_error(cause: ssl.SSLError) -> TLSError:
    kind = CertificateError if isinstance(cause, ssl.SSLCertVerificationError) else TLSError
    return kind(cause.errno, cause.strerror or str(cause))


def _failure_kind(cause: OSError) -> type[ConnectionFailed]:
    if isinstance(cause, socket.gaierror):
        return HostNotFound
    if isinstance(cause, ConnectionRefusedError):
        return ConnectionRefused
    return ConnectionReset if isinstance(cause, ConnectionResetError) else ConnectionFailed


_TIMEOUTS = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
_UNSENT = (urllib3.exceptions.ConnectTimeoutError, NewConnectionError, ConnectionRefusedError, socket.gaierror)
_FAILURES = (
    *_TIMEOUTS,
    ConnectionError,
    http.client.HTTPException,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    ssl.SSLError,
    urllib3.exceptions.SSLError,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.IncompleteRead,
)


def _causes(exc: BaseException) -> list[BaseException]:
    """Return ``exc`` and its causes: requests and urllib3 pass them as arguments as well as by ``raise from``.

    ``__context__`` does not count: the request may have been made while the program handled another exception.
    """
    found: list[BaseException] = []
    waiting: list[object] = [exc]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and not any(item is known for known in found):
            found.append(item)
            waiting += [*item.args, getattr(item, "reason", None), item.__cause__]
    return found
