"""PouchDB's HTTP adapter: PouchDB's methods upon a database of the fake's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchfake import CouchFake

pytestmark = pytest.mark.foreign

Part = Callable[[str], Any]


@pytest.fixture
def part(fake: CouchFake, run: Callable[..., Any]) -> Part:
    """Runs a part of ``programs/pouchdb_http.js``; PouchDB makes the database itself."""
    return lambda name: run("pouchdb_http.js", fake.url + "db", name)


def test_documents_are_written_and_read_by_all_ways_that_pouchdb_has(part: Part) -> None:
    assert part("documents") == {
        "rev": True,
        "conflict": [409, "conflict", "Document update conflict."],
        "missing": [404, "not_found", "missing"],
        "x": ["2-c", ["2-b"]],
        "got": [[1], ["missing"], [1]],
        "page": ["x"],
        "keys": ["x", "not_found"],
        "diff": {"x": {"missing": ["3-d"], "possible_ancestors": ["2-c", "2-b"]}},
    }


def test_attachments_come_back_as_they_were(part: Part) -> None:
    assert part("attachments") == {"same": True, "before": 5000, "text": "text", "left": ["dir/ä.bin"]}


def test_views_and_indexes_answer_pouchdb(part: Part) -> None:
    assert part("queries") == {
        "grouped": [["a", 0], ["all", 3], ["b", 1], ["c", 2]],
        "rows": ["a", "b", "c"],
        "found": ["c", "b"],
        "index": "json",
        "absent": [404, "not_found", "missing_named_view"],
    }


def test_a_live_feed_tells_of_changes_until_it_is_cancelled(part: Part) -> None:
    assert part("changes") == {"seen": ["doc0", "doc2"], "status": "cancelled", "limited": 2}


def test_a_removed_document_is_gone(part: Part) -> None:
    assert part("removed") == {
        "seq": "string",
        "adapter": "http",
        "count": 1,
        "gone": [404, "not_found", "deleted"],
    }
