"""The ``Accept`` and ``Accept-Encoding`` headers, as the real server's HTTP layer (mochiweb) reads them.

werkzeug's parser does not fit: it skips elements that it cannot read, where mochiweb refuses the whole header.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
