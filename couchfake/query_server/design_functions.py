"""The functions of one design document: validation, filters, shows, lists, updates, rewrites.

Documents and request objects go in as the real server hands them in (see ``endpoints/function_request.py``); each
function has a script of its own, in which the design document is ``this`` and the root of ``require``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from couchfake.errors import CouchError, Forbidden, NotFound, ServerError, Unauthorized
from couchfake.query_server.compiled import CompiledFunction, dumps
from couchfake.query_server.protocol_errors import clause_error, protocol_error
from couchfake.query_server.responses import FunctionResponse, ListResponse, parse_list, parse_response
from couchfake.values.erlang import format_term

Compile = Callable[[tuple[str, ...], str], CompiledFunction]


class DesignFunctions:
    """Made by ``QueryServer.design_functions``. Any thread may use it."""

    def __init__(self, ddoc: dict[str, Any], compile_function: Compile) -> None:
        self._ddoc = ddoc
        self._compile = compile_function

    def has(self, *path: str) -> bool:
        """Whether there is something at a path: ``has("shows", "name")``, ``has("validate_doc_update")``."""
        try:
            self.source(*path)
        except NotFound:
            return False
        return True

    def source(self, *path: str) -> Any:
        """What is at a path, functions above all. Raises NotFound in ``couch_util:get_nested_json_value/2``'s words."""
        value: Any = self._ddoc
        for name in path:
            if not isinstance(value, dict):
                raise NotFound("json_mismatch")
            if name not in value:
                raise NotFound(f"missing json key: {name}")
            value = value[name]
        return value

    def validate_doc_update(self, new_doc: Any, old_doc: Any, user_ctx: Any, security: Any) -> None:
        """Raise what the function says: Forbidden, Unauthorized, or another CouchError.

        ``new_doc`` with ``_id``, ``_revisions`` and the like as JSON values, ``old_doc`` such a document or None,
        ``user_ctx`` ``{"db", "name", "roles"}``, ``security`` the security object.
        """
        verdict = self._call(("validate_doc_update",), "validate", [new_doc, old_doc, user_ctx, security])
        if verdict is True or (verdict == 1 and not isinstance(verdict, bool)):
            return
        if isinstance(verdict, dict) and len(verdict) == 1:
            ((name, message),) = verdict.items()
            if name == "forbidden":
                raise Forbidden(message)
            if name == "unauthorized":
                raise Unauthorized(message)
            raise protocol_error("unknown_error", message)
        if isinstance(verdict, str):
            raise protocol_error("unknown_error", verdict)
        if isinstance(verdict, list) and len(verdict) == 3 and verdict[0] in ("error", "fatal"):
            raise protocol_error(verdict[1], verdict[2])
        raise clause_error("case_clause", verdict)

    def filter_docs(self, name: str, docs: Sequence[Any], req: Any) -> list[bool]:
        """Which documents the filter lets through. Errors: NotFound, and what the function throws."""
        return list(self._call(("filters", name), "filter", [list(docs), req]))

    def filter_view(self, name: str, docs: Sequence[Any]) -> list[bool]:
        """For which documents the view's map function emits anything. Errors: NotFound, what the function throws."""
        return list(self._call(("views", name, "map"), "filter_view", [list(docs)]))

    def show(self, name: str, doc: Any, req: Any) -> dict[str, Any]:
        """The response object of a show (see ``responses.parse_response``); ``doc`` is a document or None."""
        answer = self._call(("shows", name), "show", [doc, req])
        if not isinstance(answer[1], dict):
            raise ServerError("function_clause")
        return answer[1]

    def update(self, name: str, doc: Any, req: Any) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """An update function's document, None when there is nothing to write, and its response object."""
        answer = self._call(("updates", name), "update", [doc, req])
        if not isinstance(answer[2], dict):
            raise clause_error("case_clause", answer)
        return answer[1] if isinstance(answer[1], dict) else None, answer[2]

    def list(self, name: str, head: Any, req: Any, rows: Iterable[str]) -> ListResponse:
        """A list over all ``rows``, of which it may read as many as it likes; each is a JSON text, of
        ``{"id", "key", "value"(, "doc")}``."""
        function = self._compiled(("lists", name))
        arguments = f"[{dumps(head)},{dumps(req)},[{','.join(rows)}]]"
        return parse_list(function.call("render", "list", arguments))

    def rewrite(self, req: Any) -> dict[str, Any] | None:
        """What a rewrite function answers, checked: ``path``, ``method``, ``query``, ``headers``, ``body``, ``code``;
        None when it knows no way. Errors: 500 ``rewrite_error``."""
        answer = self._call(("rewrites",), "rewrite", [req])
        if answer[0] == "no_dispatch_rule":
            return None
        if not isinstance(answer[1], dict):
            raise _rewrite_error("bad rewrite")
        for name, value in answer[1].items():
            _check_rewrite(name, value)
        return answer[1]

    def respond(self, response: dict[str, Any]) -> FunctionResponse:
        """A response object's meaning (``responses.parse_response``)."""
        return parse_response(response)

    def _call(self, path: tuple[str, ...], command: str, arguments: Sequence[Any]) -> Any:
        return self._compiled(path).call("render", command, dumps(arguments))

    def _compiled(self, path: tuple[str, ...]) -> CompiledFunction:
        return self._compile(path, str(self.source(*path)))


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
