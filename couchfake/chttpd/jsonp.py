"""JSONP: JSON answers as a script that calls a function of the page, where ``[chttpd] allow_jsonp`` is set.

CouchDB documentation, "HTTP Server: JSONP"; source: ``couch_httpd:initialize_jsonp/1``.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import JsonResponse, Response, error_response
from couchfake.errors import BadRequest
from couchfake.settings import ALLOW_JSONP

_CALLBACK = re.compile(r"[A-Za-z0-9._\[\]]+")


def as_script(request: Request, response: Response) -> Response:
    """The answer, as a call of the function that the parameter ``callback`` names."""
    if not isinstance(response, JsonResponse) or "callback" not in request.target[1]:
        return response
    callback = request.parameters.get("callback")
    if not callback or not request.node.config[ALLOW_JSONP]:
        return response
    body = response.body
    if not _CALLBACK.fullmatch(callback):
        if not isinstance(body, bytes):
            _close(body)
        return error_response(BadRequest("invalid_callback"))
    head = f"/* CouchDB */{callback}(".encode("ascii")
    if isinstance(body, bytes):
        response.body = head + body.removesuffix(b"\n") + b");\n"
    else:
        response.body = _call(head, body)
    response.headers["Content-Type"] = "application/javascript"
    return response


def _call(head: bytes, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """The line's end of each chunk waits for the next one, since the call is closed before the last of them."""
    held = head
    try:
        for chunk in chunks:
            text = held + chunk
            held = b"\n" if text.endswith(b"\n") else b""
            if len(text) > len(held):
                yield text.removesuffix(b"\n")
        yield b");\n"
    finally:
        _close(chunks)


def _close(chunks: Iterable[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
