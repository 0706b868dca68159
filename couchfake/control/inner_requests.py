"""Requests of the test kit to its own server: with all rights, and neither logged nor subject to faults."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from couchfake.auth.context import SERVER, TRUSTED_KEY
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.errors import CouchError
from couchfake.node.node import Node
from couchfake.transports.wsgi import base_environ, header_items, make_environ


class InnerRequests:
    """Asks a node as the server itself does."""

    def __init__(self, node: Node, answer: Callable[[Request], Response]) -> None:
        self._node = node
        self._answer = answer

    def __call__(self, method: str, target: str, body: Any = None) -> Any:
        """Return the JSON of an answer. Raise CouchError for an error answer."""
        data = b"" if body is None else json.dumps(body).encode()
        fields = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Accept", "application/json"),
        ]
        environ = make_environ(base_environ("couchfake", 80), method, target, header_items(fields), io.BytesIO(data))
        environ[TRUSTED_KEY] = SERVER
        request = Request(environ, self._node, self._answer)
        response = self._answer(request)
        text = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        value: Any = json.loads(text) if text else None
        if response.status_code >= 400:
            raise CouchError(response.status_code, value["error"], value["reason"])
        return value
