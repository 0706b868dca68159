"""``Accept``, ``Accept-Encoding`` and ``Range``, as the real server's HTTP layer (mochiweb) reads them.

That is not quite RFC 9110, so werkzeug's parsers do not fit: they skip elements that they cannot read, where mochiweb
refuses the whole header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from couchfake.errors import RangeNotSatisfiable
from couchfake.values.erlang import INTEGER, read_integer

# ``Accept`` and ``Accept-Encoding``


_PARAMETER = re.compile(r"([^=]+)=([^=]+)")
_QUALITY = re.compile(r"[01](?:\.[0-9]{1,3})?")


def qvalues(header: str) -> list[tuple[str, float]]:
    """Return ``name[;parameters]`` and quality of each element, in lower case. Raise ValueError for a bad one."""
    return [_qvalue(element) for element in header.lower().split(",") if element]


def _qvalue(element: str) -> tuple[str, float]:
    name, *parameters = [part for part in element.split(";") if part] or [""]
    parameters = ["".join(parameter.split()) for parameter in parameters]
    for place, parameter in enumerate(parameters):
        match = _PARAMETER.fullmatch(parameter)
        if match is None or not name:
            raise ValueError(element)
        if match[1] == "q":
            if not _QUALITY.fullmatch(match[2]) or float(match[2]) > 1:
                raise ValueError(element)
            others = parameters[:place] + parameters[place + 1 :]
            return ";".join([name.strip(), *others]), float(match[2])
    if not name:
        raise ValueError(element)
    return ";".join([name.strip(), *parameters]), 1.0


def accepts(header: str | None, mimetype: str) -> bool:
    """Return whether an ``Accept`` header allows a type; None allows any. Raise ValueError for a bad header."""
    if header is None or header == "*/*":
        return True
    family = mimetype.partition("/")[0] + "/*"
    pairs = qvalues(header)
    refused = (mimetype, 0.0) in pairs or (family, 0.0) in pairs
    return not refused and any(quality > 0 and name in (mimetype, family, "*/*") for name, quality in pairs)


def accepted_encodings(header: str | None, supported: Sequence[str] = ("gzip", "identity")) -> set[str]:
    """Return which of the supported content codings an ``Accept-Encoding`` header allows; None allows identity only.

    Identity is allowed unless it is refused, by name or by ``*;q=0``. Raise ValueError for a bad header.
    """
    pairs = qvalues(header or "")
    named = {name for name, quality in pairs if quality > 0}
    refused = {name for name, quality in pairs if quality == 0}
    if "*" in refused:
        refused |= set(supported) - named
    if "*" in named:
        named |= set(supported) - refused
    return {name for name in supported if name in named | {"identity"} and name not in refused}


# ``Range``, and the body of a response to it
#
# An unreadable header is ignored, but a range outside the body is refused even if the body will be sent whole; ten
# ranges or more are ignored; a suffix longer than the body loses its first byte.
# Source: CouchDB documentation, "Document API: Attachments, HTTP Range Requests".


Range = tuple[int, int]
"""First and last byte, both included."""

MOST_RANGES = 9


def ranges_of(header: str | None, length: int) -> list[Range] | None:
    """Return the ranges of a ``Range`` header in a body of ``length`` bytes, or None to send it whole.

    Raise RangeNotSatisfiable for an empty range. The list is empty for the header ``bytes=``, whose answer is a
    multipart body without parts.
    """
    requested = _parse_ranges(header)
    if requested is None or (0, None) in requested:
        return None
    ranges = [_range_within(first, last, length) for first, last in requested]
    return ranges if len(ranges) <= MOST_RANGES else None


def _range_within(first: int | None, last: int | None, length: int) -> Range:
    """Return a range within the body: ``first-last``, ``first-`` or, without ``first``, the ``last`` bytes."""
    if first is not None and last is not None and last < first:
        raise RangeNotSatisfiable
    if last is None or last >= length:
        last = length - 1  # for a suffix too, where the real server is one byte short
    start, end = (length - last, length - 1) if first is None else (first, last)
    if end < start:
        raise RangeNotSatisfiable
    return start, end


def _parse_ranges(header: str | None) -> list[tuple[int | None, int | None]] | None:
    """Return each ``(first, last)``, None for an omitted one; None if the header is missing or unreadable."""
    if header is None or not header.startswith("bytes="):
        return None
    try:
        return [_parse_range(text) for part in header[6:].split(",") if (text := part.strip(" "))]
    except ValueError:
        return None


def _parse_range(text: str) -> tuple[int | None, int | None]:
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
