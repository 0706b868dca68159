"""JSON as it travels: the standard library's parser, so that integers of any size and the order of members survive."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["decode", "encode"]


def decode(text: str | bytes) -> Any:
    """The Python value of a JSON text (bytes are UTF-8). Raises `ValueError` if it is none."""
    return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)


def encode(value: Any) -> str:
    """``value`` as JSON text. Raises `TypeError` for what JSON cannot hold, `ValueError` for NaN and the infinities."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
