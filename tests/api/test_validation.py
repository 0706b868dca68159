"""Validation functions over HTTP, where the recordings leave something open."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from couchfake import CouchFake

Party = Any

REFUSE_ALL = "function (doc) { throw {forbidden: JSON.stringify(doc)}; }"


def test_a_new_attachment_has_no_digest_and_revpos_0_in_a_validation_function(party: Party) -> None:
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/_design/d", {"validate_doc_update": REFUSE_ALL}, 201)
    attachments = {"a": {"content_type": "text/plain", "data": "aGk="}}
    answer = party.json("PUT", "/db/x", {"_attachments": attachments}, 403)
    stub = {"content_type": "text/plain", "revpos": 0, "length": 2, "stub": True}
    assert json.loads(answer["reason"])["_attachments"] == {"a": stub}


def test_replicated_documents_that_are_refused_come_back_by_id(party: Party) -> None:
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/_design/d", {"validate_doc_update": REFUSE_ALL}, 201)
    docs = [{"_id": name, "_rev": "1-" + "a" * 32} for name in ("z", "b", "m")]
    rows = party.json("POST", "/db/_bulk_docs", {"docs": docs, "new_edits": False}, 201)
    assert [row["id"] for row in rows] == ["b", "m", "z"]


def test_an_empty_validation_function_is_missing(party: Party) -> None:
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/_design/d", {"validate_doc_update": ""}, 201)
    assert (
        party.refusal("PUT", "/db/x", {})
        == "404 not_found: missing validate_doc_update function validate_doc_update on design doc _design/d"
    )


@pytest.mark.parametrize("path", ["/x", "/_all_docs", ""])
def test_readers_do_not_wait_for_a_validation_function(path: str) -> None:
    fake = CouchFake(js_engine="quickjs")
    session, url = fake.session(), fake.url
    session.put(url + "db")
    session.put(url + "db/x", json={})
    source = "function (doc) { if (doc.slow) { for (;;) {} } }"
    session.put(url + "db/_design/d", json={"validate_doc_update": source})
    answers: list[int] = []
    writer = threading.Thread(
        target=lambda: answers.append(fake.session().put(url + "db/slow", json={"slow": 1}).status_code)
    )
    writer.start()
    engine = fake.node.query_server._engine
    while not engine.running:  # type: ignore[attr-defined]  # the engine's own set of contexts
        pass
    assert session.get(url + "db" + path).status_code == 200
    assert answers == []
    fake.close()
    writer.join()
    assert answers == [500]
