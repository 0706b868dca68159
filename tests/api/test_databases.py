"""Making databases."""

from __future__ import annotations

from typing import Any


def test_a_database_cannot_be_placed_in_a_zone_that_has_no_node(party: Any) -> None:
    assert party.refusal("PUT", "/db?placement=metro:1") == "500 unknown_error: no_nodes_in_zone"
    assert party("GET", "/db").status_code == 404
    assert party.refusal("PUT", "/Db?placement=metro:1").startswith("400 illegal_database_name")
    assert party.refusal("PUT", "/db?placement=metro").startswith("400 bad_request")
    party("PUT", "/db")
    assert party.refusal("PUT", "/db?placement=metro:1").startswith("412 file_exists")


def test_a_design_document_s_escaped_slash_is_repaired_anywhere_in_a_path(party: Any) -> None:
    party("PUT", "/db")
    for asked, plain in {
        "/db/_design%2Fa?rev=1": "/db/_design/a?rev=1",
        "/db/_design%2fa/b": "/db/_design/a/b",
        "/db/_design%2Fa%2F_design%2Fb": "/db/_design/a%2Fb",
    }.items():
        answer = party("GET", asked)
        assert answer.status_code == 301
        assert answer.headers["Location"].endswith(plain)
