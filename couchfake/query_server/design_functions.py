"""The functions of one design document: validation, filters, shows, lists, updates, rewrites.

Documents and request objects are those of the real server (see ``api/function_request.py``). Each function has a
script of its own, in which the design document is ``this`` and the root of ``require``. After any error of one of them
all begin again with fresh globals and modules, as the real server stops the process that runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from couchfake.errors import CouchError, Forbidden, NotFound, ServerError, Unauthorized
from couchfake.query_server import answers
from couchfake.query_server.answers import clause_error, dumps, protocol_error
from couchfake.query_server.compiled import CompiledFunction
from couchfake.query_server.responses import ListResponse, parse_list
from couchfake.values.erlang import format_term
from couchfake.values.json import nested_value, repaired

Compile = Callable[[tuple[str, ...], str], CompiledFunction]

_T = TypeVar("_T")


class DesignFunctions:
    """Made by ``QueryServer.design_functions``. Any thread may use it."""

    def __init__(self, ddoc: dict[str, Any], compile_function: Compile, forget: Callable[[], None]) -> None:
        self._ddoc = ddoc
        self._compile = compile_function
        self._forget = forget

    def source(self, *path: str) -> Any:
        """Return what is at a path of the design document, functions above all.

        Raise NotFound if there is nothing.
        """
        try:
            return nested_value(self._ddoc, path)
        except LookupError as error:
            raise NotFound(str(error)) from None

    def validate_doc_update(self, new_doc: Any, old_doc: Any, user_ctx: Any, security: Any) -> None:
        """Raise Forbidden, Unauthorized or another CouchError if the function refuses the document.

        ``new_doc`` has ``_id``, ``_revisions`` and the like as JSON values, ``old_doc`` is such a document or None,
        ``user_ctx`` is ``{"db", "name", "roles"}``, ``security`` the security object.
        """
        path = ("validate_doc_update",)
        verdict = self._call(path, "validate", [new_doc, old_doc, user_ctx, security], answers.anything)
        if verdict is True or (verdict == 1 and not isinstance(verdict, bool)):
            return
        if isinstance(verdict, dict) and len(verdict) == 1:
            ((name, message),) = verdict.items()
            if name == "forbidden":
                raise Forbidden(message)
            if name == "unauthorized":
                raise Unauthorized(message)
        self._forget()
        raise _thrown(verdict)

    def filter_docs(self, name: str, docs: Sequence[Any], req: Any) -> list[bool]:
        """Return for each document whether the filter accepts it. Errors: NotFound, and what the function throws."""
        docs = list(docs)
        return self._call(("filters", name), "filter", [docs, req], answers.booleans(len(docs)))

    def filter_view(self, name: str, docs: Sequence[Any]) -> list[bool]:
        """Return for each document whether a view's map function emits anything. Errors: as of ``filter_docs``."""
        docs = list(docs)
        return self._call(("views", name, "map"), "filter_view", [docs], answers.booleans(len(docs)))

    def show(self, name: str, doc: Any, req: Any) -> dict[str, Any]:
        """Return the response object of a show (see ``responses.parse_response``); ``doc`` is a document or None."""
        answer = self._call(("shows", name), "show", [doc, req], answers.tagged("resp", size=2))
        if len(answer) < 2 or not isinstance(answer[1], dict):
            raise ServerError("function_clause")
        return answer[1]

    def update(self, name: str, doc: Any, req: Any) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """Return an update function's document, None if there is nothing to write, and its response object."""
        answer = self._call(("updates", name), "update", [doc, req], answers.tagged("up", size=3))
        if len(answer) < 3 or not isinstance(answer[2], dict):
            raise clause_error("case_clause", answer)
        return answer[1] if isinstance(answer[1], dict) else None, answer[2]

    def list(self, name: str, head: Any, req: Any, rows: Iterable[str]) -> ListResponse:
        """Run a list over all ``rows``, of which it may read as many as it likes.

        Each row is a JSON text, of ``{"id", "key", "value"(, "doc")}``.
        """
        function = self._compiled(("lists", name))
        arguments = repaired(f"[{dumps(head)},{dumps(req)},[{','.join(rows)}]]")
        events, failure, ended = function.call("render", "list", arguments, read=answers.list_events)
        if failure is not None:
            self._forget()
        return parse_list(events, failure, ended)

    def rewrite(self, req: Any) -> dict[str, Any] | None:
        """Return what a rewrite function answers: ``path``, ``method``, ``query``, ``headers``, ``body``, ``code``.

        None if it has no rule for the request. Errors: 500 ``rewrite_error`` for members of the wrong type.
        """
        answer = self._call(("rewrites",), "rewrite", [req], answers.tagged("ok", "no_dispatch_rule", size=2))
        if answer[0] == "no_dispatch_rule":
            return None
        if len(answer) < 2 or not isinstance(answer[1], dict):
            raise _rewrite_error("bad rewrite")
        for name, value in answer[1].items():
            _check_rewrite(name, value)
        return answer[1]

    def _call(self, path: tuple[str, ...], command: str, arguments: Sequence[Any], read: Callable[[Any], _T]) -> _T:
        return self._compiled(path).call("render", command, dumps(arguments), read=read)

    def _compiled(self, path: tuple[str, ...]) -> CompiledFunction:
        source = self.source(*path)
        return self._compile(path, source if isinstance(source, str) else dumps(source))


def _thrown(value: Any) -> CouchError:
    """What a validation function throws that is neither a refusal nor an Error: the real server expects neither."""
    if isinstance(value, dict) and len(value) == 1:
        return protocol_error("unknown_error", next(iter(value.values())))
    if isinstance(value, str):
        return protocol_error("unknown_error", value)
    if isinstance(value, list) and len(value) == 3 and value[0] in ("error", "fatal"):
        return protocol_error(value[1], value[2])
    return CouchError(500, "error", "internal_server_error")


def _check_rewrite(name: str, value: Any) -> None:
    if name in ("method", "path", "body"):
        if not isinstance(value, str):
            raise _rewrite_error(f"bad {name}")
    elif name in ("headers", "query"):
        if not isinstance(value, dict):
            raise _rewrite_error(f"bad {name}")
        for key, text in value.items():
            if not isinstance(text, str):
                raise _rewrite_error(f"object key/value must be strings {format_term(key)}={format_term(text)}")
    elif name == "code" and not (isinstance(value, int) and not isinstance(value, bool) and 200 <= value < 600):
        raise _rewrite_error("bad code")


def _rewrite_error(reason: str) -> CouchError:
    return CouchError(500, "rewrite_error", reason)
