"""JSONP: JSON responses as a script that calls a function of the page, if ``[chttpd] allow_jsonp`` is set.

CouchDB documentation, "HTTP Server: JSONP"; source: ``couch_httpd:initialize_jsonp/1``.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import JsonResponse, Response, error_response
from couchfake.errors import BadRequest
from couchfake.settings import ALLOW_JSONP
from couchfake.transports.wsgi import close_iterable

_CALLBACK = re.compile(r"[A-Za-z0-9._\[\]]+")


def as_script(request: Request, response: Response) -> Response:
    """Return the response as a call of the function that the parameter ``callback`` names."""
    if not isinstance(response, JsonResponse) or "callback" not in request.target[1]:
        return response
    try:
        callback = request.parameters.get("callback")
    except BadRequest:  # a broken escape, which the response reports already
        return response
    if not callback or not request.node.config[ALLOW_JSONP]:
        return response
    body = response.body
    if not _CALLBACK.fullmatch(callback):
        if not isinstance(body, bytes):
            close_iterable(body)
        return error_response(BadRequest("invalid_callback"))
    head = f"/* CouchDB */{callback}(".encode("ascii")
    if isinstance(body, bytes):
        response.body = head + body.removesuffix(b"\n") + b");\n"
    else:
        response.body = _call(head, body)
    response.headers["Content-Type"] = "application/javascript"
    return response


def _call(head: bytes, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the call. Each chunk's line end waits for the next chunk, because the call ends before the last one."""
    pending = head
    try:
        for chunk in chunks:
            text = pending + chunk
            pending = b"\n" if text.endswith(b"\n") else b""
            if len(text) > len(pending):
                yield text.removesuffix(b"\n")
        yield b");\n"
    finally:
        close_iterable(chunks)
