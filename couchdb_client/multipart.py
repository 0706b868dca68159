r"""MIME multipart content, read and written part by part: the format of database dumps.

>>> from io import BytesIO
>>> file = BytesIO()
>>> envelope = write_multipart(file, boundary='sep')
>>> envelope.add('text/plain', 'Hello', {'Content-ID': 'greeting'})
>>> envelope.close()
>>> print(file.getvalue().decode().replace('\r\n', '\n'))
Content-Type: multipart/mixed; boundary="sep"
<BLANKLINE>
--sep
Content-ID: greeting
Content-Length: 5
Content-MD5: ixqZU8RhEpaoJ6v4xHgE1w==
Content-Type: text/plain;charset=utf-8
<BLANKLINE>
Hello
--sep--
<BLANKLINE>
>>> file = BytesIO(file.getvalue())
>>> [(headers['content-id'], payload) for headers, is_multipart, payload in read_multipart(file)]
[('greeting', b'Hello')]
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from hashlib import md5
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["MultipartWriter", "read_multipart", "write_multipart"]

_CRLF = b"\r\n"

#: ``(headers, is_multipart, payload)``
Part = tuple[dict[str, str], bool, Any]


def read_multipart(fileobj: BinaryIO, boundary: str | None = None) -> Iterator[Part]:
    """Yield ``(headers, is_multipart, payload)`` for each part of a multipart envelope.

    ``headers`` is a dictionary whose names are in lower case. ``payload`` is the part's content as bytes or, if the
    part is multipart itself, an iterator over its parts; what of these the caller does not read is skipped. Unless
    ``boundary`` gives the boundary, ``fileobj`` begins with the headers of the envelope. An empty file has no parts.

    Raise `ValueError` if headers are malformed or name no boundary, and after the last part if the closing boundary is
    missing.
    """
    if boundary is None:
        headers = _read_headers(fileobj)
        if not headers and not fileobj.read(1):
            return
        boundary = _boundary(headers)
        if boundary is None:
            raise ValueError("the content is not multipart: there is no Content-Type header with a boundary")
    delimiter = b"--" + boundary.encode("utf-8")
    _, last = _read_until(fileobj, delimiter)
    while last is False:
        headers = _read_headers(fileobj)
        nested = _boundary(headers)
        if nested is not None:
            parts = read_multipart(fileobj, nested)
            yield headers, True, parts
            for _ in parts:
                pass
            _, last = _read_until(fileobj, delimiter)
        else:
            payload, last = _read_until(fileobj, delimiter)
            yield headers, False, payload
    if last is None:
        raise ValueError("the multipart content ends before its closing boundary")


def _read_until(fileobj: BinaryIO, delimiter: bytes) -> tuple[bytes, bool | None]:
    """Return the content before the next delimiter, and whether that is the closing one; None if there is no more."""
    lines: list[bytes] = []
    for line in iter(fileobj.readline, b""):
        if line.startswith(delimiter):
            rest = line[len(delimiter) :].rstrip()
            if rest in (b"", b"--"):
                return _without_newline(b"".join(lines)), rest == b"--"
        lines.append(line)
    return _without_newline(b"".join(lines)), None


def _without_newline(content: bytes) -> bytes:
    """Return ``content`` without the line break at its end, which belongs to the delimiter."""
    return content.removesuffix(b"\n").removesuffix(b"\r") if content.endswith(_CRLF) else content.removesuffix(b"\n")


def _read_headers(fileobj: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in iter(fileobj.readline, b""):
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if not text:
            break
        if text[0] in " \t" and name:  # the previous header goes on
            headers[name] += " " + text.strip()
            continue
        name, colon, value = text.partition(":")
        if not colon:
            raise ValueError(f"not a header of multipart content: {text!r}")
        name = name.strip().lower()
        headers[name] = value.strip()
    return {name: _decoded(value) for name, value in headers.items()}


def _decoded(value: str) -> str:
    """Return the text of a header that may hold encoded words (RFC 2047)."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):  # no encoded word, though it looks like one
        return value


def _boundary(headers: Mapping[str, str]) -> str | None:
    """Return the boundary of multipart content, None if the content is of another type."""
    content_type = headers.get("content-type", "")
    return _parameter(content_type, "boundary") if content_type.lower().startswith("multipart/") else None


def _parameter(content_type: str, name: str) -> str | None:
    """Return a parameter of a media type, None if it is not there."""
    if name not in content_type.lower():
        return None
    message = Message()
    message["Content-Type"] = content_type
    value = message.get_param(name)
    return value if isinstance(value, str) else None


class MultipartWriter:
    """A multipart envelope that is being written; see `write_multipart`. A context manager that closes it."""

    def __init__(
        self,
        fileobj: BinaryIO,
        headers: Mapping[str, str] | None = None,
        subtype: str = "mixed",
        boundary: str | None = None,
    ) -> None:
        self.fileobj = fileobj
        self.boundary = boundary or f"=={uuid4().hex}=="
        self._write_headers({**(headers or {}), "Content-Type": f'multipart/{subtype}; boundary="{self.boundary}"'})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(
        self, headers: Mapping[str, str] | None = None, subtype: str = "mixed", boundary: str | None = None
    ) -> MultipartWriter:
        """Begin a part that is an envelope itself, and return that; close it before the next part."""
        self._write_delimiter()
        return MultipartWriter(self.fileobj, headers, subtype, boundary)

    def add(self, mimetype: str, content: str | bytes, headers: Mapping[str, str] | None = None) -> None:
        """Add a part. Text is encoded by the charset that ``mimetype`` names, else as UTF-8.

        Raise `UnicodeEncodeError` if the charset cannot represent the text.
        """
        if isinstance(content, str):
            charset = _parameter(mimetype, "charset")
            if charset is None:
                mimetype, charset = f"{mimetype};charset=utf-8", "utf-8"
            content = content.encode(charset)
        self._write_delimiter()
        self._write_headers({
            **(headers or {}),
            "Content-Type": mimetype,
            "Content-Length": str(len(content)),
            "Content-MD5": b64encode(md5(content, usedforsecurity=False).digest()).decode("ascii"),
        })  # fmt: skip
        if content:
            self.fileobj.write(content + _CRLF)

    def close(self) -> None:
        """Write the closing boundary. The file stays open."""
        self.fileobj.write(b"--" + self.boundary.encode("utf-8") + b"--" + _CRLF)

    def _write_delimiter(self) -> None:
        self.fileobj.write(b"--" + self.boundary.encode("utf-8") + _CRLF)

    def _write_headers(self, headers: Mapping[str, str]) -> None:
        lines = [f"{name}: {_encoded(headers[name])}\r\n" for name in sorted(headers)]
        self.fileobj.write("".join(lines).encode("ascii") + _CRLF)


def _encoded(value: str) -> str:
    """Return a header's text as ASCII on one line: as an encoded word (RFC 2047) unless it is plain."""
    if value.isascii() and value.isprintable() and value == value.strip() and "=?" not in value:
        return value
    return f"=?utf-8?b?{b64encode(value.encode('utf-8')).decode('ascii')}?="


def write_multipart(fileobj: BinaryIO, subtype: str = "mixed", boundary: str | None = None) -> MultipartWriter:
    """Begin a multipart envelope in a binary file. Return its writer: ``add`` and ``open`` parts, then ``close`` it.

    ``subtype`` is the second half of its media type. ``boundary`` must not occur in the content; by default it is
    random.
    """
    return MultipartWriter(fileobj, subtype=subtype, boundary=boundary)
