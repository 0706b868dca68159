"""Node's own HTTP clients, and what real clients do on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from couchfake import CouchFake

pytestmark = pytest.mark.foreign

Part = Callable[[str], Any]


@pytest.fixture
def part(fake: CouchFake, run: Callable[..., Any]) -> Part:
    """Runs a part of ``programs/wire.js`` against an empty database."""
    requests.put(fake.url + "db", timeout=10).raise_for_status()
    return lambda name: run("wire.js", fake.url + "db", name)


def test_one_connection_carries_many_requests(part: Part) -> None:
    assert part("reused") == {"sockets": 1, "statuses": [201], "missing": 404}


def test_a_client_that_waits_for_100_continue_gets_it(part: Part) -> None:
    assert part("continued") == {"asked": 1, "status": 201, "length": 200000}


def test_a_gzipped_request_is_read(part: Part) -> None:
    assert part("gzipped") == {"status": 201, "ids": ["a", "b"]}


def test_chunked_uploads_arrive_whole(part: Part) -> None:
    assert part("chunked") == {"status": 201, "same": True, "put": 201}


def test_a_connection_closes_where_the_client_asks_for_it_or_is_an_old_one(part: Part) -> None:
    assert part("closed") == {"status": 200, "connection": "close", "old": "HTTP/1.0 200 OK", "body": True}


def test_pipelined_requests_are_all_answered(part: Part) -> None:
    assert part("pipelined") == 10


def test_two_hundred_sockets_at_once_are_served(part: Part) -> None:
    assert part("crowded") == {"statuses": [201], "count": 200}


def test_feeds_and_uploads_that_their_client_abandons_leave_nothing_behind(part: Part) -> None:
    assert part("aborted") == {"status": 201, "half": 404}


def test_fetch_follows_a_feed_until_it_aborts(part: Part) -> None:
    assert part("followed") == "AbortError"
