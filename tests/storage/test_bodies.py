"""Parsed bodies in memory."""

from __future__ import annotations

from couchfake.storage.documents import PARSED_OVERHEAD, Body, ParsedBodies


def is_parsed(body: Body) -> bool:
    return body._value is not None


def test_the_oldest_parsed_bodies_are_dropped_and_parsed_again_when_they_are_read() -> None:
    parsed = ParsedBodies(limit=2 * (len(b'{"n":1}') + PARSED_OVERHEAD))
    bodies = [Body({"n": n}, b'{"n":%d}' % n, parsed) for n in range(3)]
    assert [is_parsed(body) for body in bodies] == [False, True, True]
    assert bodies[0].value == {"n": 0}
    assert [is_parsed(body) for body in bodies] == [True, False, True]


def test_a_body_larger_than_the_limit_is_still_read() -> None:
    body = Body({"n": 1}, b'{"n":1}', ParsedBodies(limit=10))
    assert not is_parsed(body)
    assert body.value == {"n": 1}
