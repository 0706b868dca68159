"""What is said to a request for a replication that cannot be understood.

The real server throws inside one function for ``_replicate`` and for the documents of ``_replicator``, and each of
the two shows what was thrown in its own way: as an error of its own kind, or as a 403 that quotes Erlang.
Source: ``couch_replicator_parse`` and ``couch_replicator_docs:before_doc_update``.
"""

from __future__ import annotations

from typing import Any

from couchfake.errors import CouchError, Crash, Forbidden
from couchfake.values.erlang import format_term


class Refused(Exception):
    """``answer`` is for ``_replicate``; ``told`` is the reason that a document is refused with."""

    def __init__(self, answer: CouchError, told: str) -> None:
        super().__init__(answer, told)
        self.answer = answer
        self.told = told

    def forbidden(self) -> Forbidden:
        return Forbidden(self.told)


def error(reason: str) -> Refused:
    """What the server has words for."""
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
    """A selector that Mango refuses: nothing was made to expect that, so ``_replicate`` crashes."""
    words, _, operator = reason.rpartition(": ")
    names = {"Invalid operator": "invalid_operator", "Unsupported operator": "not_supported"}
    term = f"{{{names[words]},{format_term(operator)}}}" if words in names else format_term(reason)
    return Refused(Crash("case_clause", reason), f"{{throw,{{mango_error,mango_selector,{term}}}}}")
