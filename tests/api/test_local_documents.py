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


def test_a_replicated_local_document_tells_the_revision_that_was_sent(party: Any) -> None:
    party("PUT", "/db")
    assert party.json("PUT", "/db/_local/x?new_edits=false", {"_rev": "0-1"}, 201)["rev"] == "0-1"
    assert party.json("GET", "/db/_local/x")["_rev"] == "0-2"


def test_a_local_document_is_not_copied_by_revision(party: Any) -> None:
    party("PUT", "/db")
    party("PUT", "/db/_local/x", json={})
    assert party("COPY", "/db/_local/x", headers={"Destination": "y"}).status_code == 201
    copied = party("COPY", "/db/_local/x?rev=0-1", headers={"Destination": "z"})
    assert (copied.status_code, copied.json()["reason"]) == (404, "missing")
