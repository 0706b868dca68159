"""Byte ranges of a response, as the real server reads and answers them.

This is not quite RFC 9110, which is why werkzeug's parser does not fit: an unreadable header is ignored, but a range
outside the body is refused even if the body will be sent whole; ten ranges or more are ignored; a suffix longer than
the body loses its first byte.
Source: CouchDB documentation, "Document API: Attachments, HTTP Range Requests".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from couchfake.errors import RangeNotSatisfiable
from couchfake.values.erlang import INTEGER, read_integer

Range = tuple[int, int]
"""First and last byte, both included."""

MOST_RANGES = 9


def ranges_of(header: str | None, length: int) -> list[Range] | None:
    """Return the ranges of a ``Range`` header in a body of ``length`` bytes, or None to send it whole.

    Raise RangeNotSatisfiable for an empty range. The list is empty for the header ``bytes=``, whose answer is a
    multipart body without parts.
    """
    requested = _parse(header)
    if requested is None or (0, None) in requested:
        return None
    ranges = [_within(first, last, length) for first, last in requested]
    return ranges if len(ranges) <= MOST_RANGES else None


def _within(first: int | None, last: int | None, length: int) -> Range:
    """Return a range within the body: ``first-last``, ``first-`` or, without ``first``, the ``last`` bytes."""
    if first is not None and last is not None and last < first:
        raise RangeNotSatisfiable
    if last is None or last >= length:
        last = length - 1  # for a suffix too, where the real server is one byte short
    start, end = (length - last, length - 1) if first is None else (first, last)
    if end < start:
        raise RangeNotSatisfiable
    return start, end


def _parse(header: str | None) -> list[tuple[int | None, int | None]] | None:
    """Return each ``(first, last)``, None for an omitted one; None if the header is missing or unreadable."""
    if header is None or not header.startswith("bytes="):
        return None
    try:
        return [_parse_one(text) for part in header[6:].split(",") if (text := part.strip(" "))]
    except ValueError:
        return None


def _parse_one(text: str) -> tuple[int | None, int | None]:
    if text.startswith("-"):
        return None, _integer(text[1:])
    numbers = [_integer(part) for part in text.split("-") if part]
    if len(numbers) not in (1, 2):
        raise ValueError(text)
    return numbers[0], numbers[1] if len(numbers) == 2 else None


def _integer(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise ValueError(text)
    return read_integer(text)


def content_range(one: Range, length: int) -> str:
    """Return the ``Content-Range`` of one range."""
    return f"bytes {one[0]}-{one[1]}/{length}"


def byteranges(data: bytes, content_type: str, ranges: Sequence[Range], boundary: str) -> Iterator[bytes]:
    """Yield a ``multipart/byteranges`` body in pieces."""
    delimiter = b"--" + boundary.encode("ascii")
    yield delimiter
    for one in ranges:
        head = f"\r\nContent-Type: {content_type}\r\nContent-Range: {content_range(one, len(data))}\r\n\r\n"
        yield b"".join((head.encode("utf-8"), data[one[0] : one[1] + 1], b"\r\n", delimiter))
    yield b"--"
