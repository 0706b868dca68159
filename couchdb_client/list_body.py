"""The body of a list function's answer.

couchdb-python documents the body as a file, but returns the decoded value if the answer's type is JSON, which is also
the type of any answer whose function does not set one. Programs rely on either: so an object or array is returned
decoded *and* readable, and everything else as the file that it is.
"""

from __future__ import annotations

from email.message import Message
from io import BytesIO
from typing import Any

from couchdb_client import json

__all__ = ["ReadableDict", "ReadableList", "list_body"]


class _Readable:
    """The reading half of a file, over the text that a value was decoded from."""

    _file: BytesIO

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


class ReadableDict(_Readable, dict[str, Any]):
    """A JSON object, with `read` and `close`."""


class ReadableList(_Readable, list[Any]):
    """A JSON array, with `read` and `close`."""


def list_body(headers: Message, body: Any) -> Any:
    """Return ``body`` (a file), decoded as well if it holds a JSON object or array."""
    if "application/json" not in headers.get("Content-Type", ""):
        return body
    text = body.read()
    try:
        value = json.decode(text.decode("utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, (dict, list)):
        return BytesIO(text)
    readable: Any = ReadableDict(value) if isinstance(value, dict) else ReadableList(value)
    readable._file = BytesIO(text)
    return readable
