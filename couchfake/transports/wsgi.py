"""WSGI as its caller sees it: the environment of a request, and one call of an application.

The socket server, the in-process adapter, played recordings, the fuzz and rewritten requests all build environments
with :func:`make_environ` and call applications through :class:`Answer`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from werkzeug.http import http_date

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LINE_LIMIT = 8192
"""Bytes of the longest request line or header line that a server accepts (mochiweb's limit)."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


# ---- the environment


def base_environ(host: str, port: int | str, client: str = "127.0.0.1", client_port: int | str = "") -> dict[str, Any]:
    """Return the part of an environment that all requests of one connection share.

    ``wsgi.input_terminated`` is set: the input stream of every request ends where the body ends.
    """
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": client,
        "REMOTE_PORT": str(client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def make_environ(
    base: Mapping[str, Any], method: str, target: str, headers: Mapping[str, str], stream: Any
) -> dict[str, Any]:
    """Return the environment of a request: ``base`` with the rest filled in.

    ``target`` is the path and query as sent, escapes included; ``headers`` has environment keys (see
    :func:`header_items`); ``stream`` is a file that ends where the body ends.
    """
    environ = dict(base)
    environ.update(headers)
    environ["REQUEST_METHOD"] = method
    environ["REQUEST_URI"] = target
    environ["PATH_INFO"], environ["QUERY_STRING"] = split_target(target)
    environ["wsgi.input"] = stream
    return environ


def header_items(fields: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return header fields by their environment keys. A repeated field is joined; values may be bytes."""
    headers: dict[str, str] = {}
    for name, value in fields:
        key = environ_key(name)
        if key is None:
            continue
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if key in headers:
            value = headers[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        headers[key] = value
    return headers


@lru_cache(maxsize=512)
def environ_key(name: str) -> str | None:
    """Return the environment key of a header. None for a name with an underscore, which could pose as a hyphen."""
    if "_" in name:
        return None
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


def split_target(target: str) -> tuple[str, str]:
    """Return (PATH_INFO, QUERY_STRING) of a request target: the path unquoted, its bytes as Latin-1 characters."""
    path, _, query = target.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return path, query


def within_limits(
    application: WSGIApplication, method: str, target: str, fields: Iterable[tuple[str, Any]]
) -> WSGIApplication:
    """Return the application that answers a request which never was on a wire.

    That is ``application``, or one that refuses the request as a server refuses a line above ``LINE_LIMIT``.
    """
    if len(method) + len(target) > LINE_LIMIT - len("  HTTP/1.1"):
        return _refuse
    for name, value in fields:  # runs for each in-process request; any() takes twice as long
        if len(name) + len(value) + len(": ") > LINE_LIMIT:
            return _refuse
    return application


def _refuse(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("400 Bad Request", [("Content-Length", "0"), ("Connection", "close")])
    return []


# ---- the call


class Answer:
    """One call of an application, and its answer: the head, and the chunks of the body.

    The constructor runs the application up to its first chunk, with which a server sends the head, and raises whatever
    the application raises. It does not ask for a chunk where no body may follow.

    ``status`` is the code, ``reason`` its phrase, ``headers`` the pairs that the application gave. ``whole`` is the
    body if all of it is there already, else None; ``bodiless`` is True where no body may be sent (HEAD, 1xx, 204, 304).
    """

    __slots__ = ("_ahead", "_begun", "_chunks", "_iterable", "_written", "bodiless", "headers", "reason", "status",
                 "whole")  # fmt: skip

    def __init__(self, application: WSGIApplication, environ: dict[str, Any]) -> None:
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []
        self.whole: bytes | None = None
        self.bodiless = False
        self._begun = False
        self._written: list[bytes] = []
        self._chunks: Iterator[bytes] | None = None
        self._ahead: bytes | None = None
        self._iterable: Iterable[bytes] = application(environ, self._start_response)
        try:
            self._begin(environ["REQUEST_METHOD"] == "HEAD")
        except BaseException:
            self.close()
            raise

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and self._begun and exc_info[1] is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.status and exc_info is None:
            raise RuntimeError("start_response was called twice")
        code, _, self.reason = status.partition(" ")
        self.status = int(code)
        self.headers = headers
        return self._written.append

    def _begin(self, head_only: bool) -> None:
        iterable = self._iterable
        if isinstance(iterable, (list, tuple)):
            self.whole = iterable[0] if len(iterable) == 1 else b"".join(iterable)
            if self._written:
                self.whole = b"".join(self._written) + self.whole
        elif not self.status or not (head_only or has_no_body(self.status)):
            self._chunks = iter(iterable)
            self._ahead = self.next_chunk()
            if self._ahead is None:
                self.whole = b""
        if not self.status:
            raise RuntimeError("the application did not call start_response")
        self._begun = True
        self.bodiless = head_only or has_no_body(self.status)

    def next_chunk(self) -> bytes | None:
        """Return the next chunk of a body that is not whole, perhaps an empty one; None at the end."""
        if self._ahead is not None:
            chunk, self._ahead = self._ahead, None
            return chunk
        following = None if self._chunks is None else next(self._chunks, None)
        if self._written:  # through the callable that start_response gives
            following = b"".join(self._written) + (following or b"")
            self._written.clear()
        return following

    def read(self) -> bytes:
        """Return all of the body that is sent, and close the answer."""
        try:
            if self.bodiless:
                return b""
            return b"".join(iter(self.next_chunk, None)) if self.whole is None else self.whole
        finally:
            self.close()

    def close(self) -> None:
        """End the application's generator. May be called again, and from another thread than the reader's."""
        with contextlib.suppress(ValueError):  # the generator is running in another thread, which ends it itself
            close_iterable(self._iterable)


def has_no_body(status: int) -> bool:
    """Return whether answers of this status never have a body."""
    return status in (204, 304) or status < 200


def close_iterable(iterable: object) -> None:
    """Call ``close()`` of a WSGI iterable, if it has one."""
    close = getattr(iterable, "close", None)
    if close is not None:
        close()


class DateHeader:
    """Returns, when called, the value of a ``Date`` header, which it formats once a second."""

    __slots__ = ("_formatted",)

    def __init__(self) -> None:
        self._formatted = (0, "")

    def __call__(self) -> str:
        now = int(time.time())
        formatted = self._formatted
        if formatted[0] != now:
            formatted = self._formatted = (now, http_date(now))
        return formatted[1]
