"""Ids and names as file names: with percent escapes for what not every file system can hold."""

from __future__ import annotations

from urllib.parse import quote, unquote

_LONGEST = 200


def file_name(name: str) -> str | None:
    """Return the file name for an id or a name; None if it would be too long."""
    escaped = quote(name, safe=" @+,=()$!&'")
    if escaped.startswith(".") or escaped.endswith((".", " ")) or escaped != escaped.strip():
        escaped = "".join(f"%{byte:02X}" for byte in name.encode("utf-8"))
    return escaped if len(escaped) <= _LONGEST else None


def name_of(file_name: str) -> str:
    """Return what ``file_name`` was made of."""
    return unquote(file_name)
