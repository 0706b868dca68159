"""Errors of malformed requests for replications.

The real server throws inside one function for ``_replicate`` and for the documents of ``_replicator``, and each of
the two shows what was thrown in its own way: as an error of its own kind, or as a 403 that quotes Erlang.
Source: ``couch_replicator_parse`` and ``couch_replicator_docs:before_doc_update``.
"""

from __future__ import annotations

from typing import Any

from couchfake.errors import CouchError, Crash, Forbidden
from couchfake.values.erlang import format_term


class Refused(Exception):
    """``answer`` is the error of ``_replicate``; ``reason`` is that of a 403 for a document."""

    def __init__(self, answer: CouchError, reason: str) -> None:
        super().__init__(answer, reason)
        self.answer = answer
        self.reason = reason

    def forbidden(self) -> Forbidden:
        """The error for a document."""
        return Forbidden(self.reason)


def error(reason: str) -> Refused:
    """An error with a message."""
    return Refused(CouchError(500, "error", reason), reason)


def invalid_url(kind: str) -> Refused:
    """``kind``: endpoint or proxy."""
    reason = f"{kind} has an invalid url"
    return Refused(CouchError(400, "invalid_replication", reason), reason)


def bad_request(reason: str) -> Refused:
    return Refused(CouchError(400, "bad_request", reason), f"{{throw,{{bad_request,{format_term(reason)}}}}}")


def exclusive(reason: str) -> Refused:
    """The same, of members that exclude each other: to the server this text is a list of characters."""
    return Refused(
        CouchError(400, "bad_request", reason), f"{{throw,{{bad_request,{format_term(list(map(ord, reason)))}}}}}"
    )


def crash(name: str) -> Refused:
    """A value of a type that the server does not expect."""
    return Refused(Crash("unknown_error", name), f"{{error,{name}}}")


def bad_match(value: Any) -> Refused:
    return Refused(Crash("badmatch", format_term(value)), f"{{error,{{badmatch,{format_term(value)}}}}}")


def bad_selector(reason: str) -> Refused:
    """A selector that Mango refuses. The real server does not expect it, so ``_replicate`` crashes."""
    words, _, operator = reason.rpartition(": ")
    names = {"Invalid operator": "invalid_operator", "Unsupported operator": "not_supported"}
    term = f"{{{names[words]},{format_term(operator)}}}" if words in names else format_term(reason)
    return Refused(Crash("case_clause", reason), f"{{throw,{{mango_error,mango_selector,{term}}}}}")
