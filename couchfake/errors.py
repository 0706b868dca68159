"""What can go wrong, by the names CouchDB gives it.

One table for the whole house: each class below fixes the HTTP status and the ``error`` member of the answer;
the place that knows the fact raises it with the ``reason``. Rendering happens once, in ``couchfake.app``.
Source: CouchDB documentation, "API Basics: HTTP Status Codes", and ``chttpd:error_info/1`` of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CouchError(Exception):
    """An answer that is not a success: ``status`` (int), ``error`` and ``reason`` (mostly str), extra ``headers``."""

    def __init__(self, status: int, error: str, reason: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, error, reason)
        self.status = status
        self.error = error
        self.reason = reason
        self.headers: dict[str, str] = dict(headers or {})


class _Named(CouchError):
    """A CouchError whose status and error name follow from its class."""

    STATUS = 500
    ERROR = "unknown_error"
    REASON: Any = None

    def __init__(self, reason: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.STATUS, self.ERROR, self.REASON if reason is None else reason, headers)


class BadRequest(_Named):
    STATUS, ERROR = 400, "bad_request"


class QueryParseError(_Named):
    STATUS, ERROR = 400, "query_parse_error"


class IllegalDocid(_Named):
    STATUS, ERROR = 400, "illegal_docid"


class DocValidation(_Named):
    """A structurally invalid document (an unknown underscore member, say)."""

    STATUS, ERROR = 400, "doc_validation"


class Unauthorized(_Named):
    STATUS, ERROR, REASON = 401, "unauthorized", "You are not authorized to access this db."


class Forbidden(_Named):
    STATUS, ERROR = 403, "forbidden"


class NotFound(_Named):
    STATUS, ERROR, REASON = 404, "not_found", "missing"


class MethodNotAllowed(_Named):
    """405; ``allow`` lists the methods of the ``Allow`` header, comma-separated as the real server writes them."""

    STATUS, ERROR = 405, "method_not_allowed"

    def __init__(self, allow: str) -> None:
        super().__init__(f"Only {allow} allowed", {"Allow": allow})


class Conflict(_Named):
    STATUS, ERROR, REASON = 409, "conflict", "Document update conflict."


class PreconditionFailed(_Named):
    STATUS, ERROR = 412, "precondition_failed"


class MissingStub(_Named):
    """An attachment stub that matches no attachment of the document's earlier revisions."""

    STATUS, ERROR = 412, "missing_stub"


class TooLarge(_Named):
    STATUS, ERROR = 413, "too_large"


class BadContentType(_Named):
    STATUS, ERROR = 415, "bad_content_type"


class RangeNotSatisfiable(_Named):
    STATUS, ERROR, REASON = 416, "requested_range_not_satisfiable", "Requested range not satisfiable"


class ServerError(_Named):
    """A crash of the real server; its answer has a ``ref`` beside error and reason, which numbers the crash."""

    STATUS, ERROR = 500, "unknown_error"
    ref: int | None = None


class Crash(ServerError):
    """A crash that answers with an error name of its own; ``ref`` where it is the same number each time."""

    def __init__(self, error: str, reason: Any, status: int = 500, ref: int | None = None) -> None:
        CouchError.__init__(self, status, error, reason)
        self.ref = ref


class NotSupported(_Named):
    """What the real server can do and this one does not: it says so and names itself."""

    STATUS, ERROR = 501, "not_implemented"
