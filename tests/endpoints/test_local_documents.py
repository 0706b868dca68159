"""Local documents."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("body", "etag"),
    [
        ({}, "A4Q262OE0BOPODSYG6Z2A449"),
        ({"v": 1}, "9AWLEV1DR848O59YNVBVDNKYN"),
        ({"local": True}, "QR5UDP655NHFRCDQ6WFWGB0P"),
    ],
)
def test_the_etag_of_a_local_document_is_the_real_server_s(party: Any, body: dict[str, object], etag: str) -> None:
    party("PUT", "/db")
    assert party("PUT", "/db/_local/x", json=body).headers["ETag"] == f'"{etag}"'
    assert party("GET", "/db/_local/x").headers["ETag"] == f'"{etag}"'
    assert party("GET", "/db/_local/x", headers={"If-None-Match": f'"{etag}"'}).status_code == 304
    assert party("DELETE", "/db/_local/x").headers["ETag"] == '"43HM270EG3OXEF9UN3JUUQVJD"'
