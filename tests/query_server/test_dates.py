from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from couchfake.query_server import QueryServer

Map = Callable[..., list[list[Any]]]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-02-29", 1709164800000),
        ("2024-02-29T12:30:00Z", 1709209800000),
        ("2024-02-29T12:30:00.123+02:00", 1709202600123),
        ("2024-02-29T12:30:00", 1709209800000),
        ("2024-02-30", 1709251200000),
        ("2024-13-01", None),
        ("Wed Jul 23 16:29:21 +0100 2013", 1374593361000),
        ("2013/06/09 13:52:11 +0000", 1370785931000),
        ("Feb 29, 2024", 1709164800000),
        ("29 Feb 2024 10:00 GMT", 1709200800000),
        ("nonsense", None),
        ("", None),
        ("2024", 1704067200000),
        ("2024-02", 1706745600000),
    ],
)
def test_dates_are_read_as_couchdbs_engine_reads_them(map_docs: Map, text: str, time: int | None) -> None:
    source = f"function (doc) {{ emit(new Date({text!r}).getTime(), Date.parse({text!r})); }}"
    assert map_docs(source) == [[time, time]]


def test_dates_are_in_utc(map_docs: Map) -> None:
    source = """function (doc) {
        var date = new Date(2020, 0, 31, 1, 2, 3);
        emit([date.getTime(), date.getHours(), date.getDay(), date.getTimezoneOffset(), date.toISOString()], null);
        emit([new Date(0).toString(), new Date(0).toUTCString(), new Date(0).toLocaleDateString()], typeof Date.now());
    }"""
    assert map_docs(source) == [
        [[1580432523000, 1, 5, 0, "2020-01-31T01:02:03.000Z"], None],
        [["Thu Jan 01 1970 00:00:00 GMT+0000", "Thu, 01 Jan 1970 00:00:00 GMT", "01/01/1970"], "number"],
    ]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[QueryServer]:
    """A server on a machine whose clocks are not UTC's."""
    import time

    if sys.platform == "win32":
        pytest.skip("the time zone of a process cannot be changed here")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    server = QueryServer("quickjs")
    yield server
    server.close()
    monkeypatch.undo()
    time.tzset()


def test_dates_are_in_utc_wherever_the_machine_is(elsewhere: QueryServer) -> None:
    source = """function (doc) {
        var date = new Date(2020, 6, 31, 23, 2, 3), other = new Date(date);
        other.setHours(1);
        emit([date.getTime(), date.getHours(), date.getDate(), date.getTimezoneOffset(), date.getYear()], null);
        emit([String(date), date.toDateString(), date.toLocaleTimeString(), Date.parse('2020-07-31T10:00:00')], null);
        emit([other.toISOString(), date instanceof Date, date.constructor === Date, Date.name, typeof Date()], null);
        emit([new Date(0).getTime(), new Date('x').getTime(), Date.UTC(2020, 0),
              Date.parse('Jul 31, 2020 10:00 GMT')], null);
    }"""
    session = elsewhere.compile_map([("v", source)])
    rows = session.map_docs(["{}"])[0][0]
    session.close()
    assert [key for key, _ in rows] == [
        [1596236523000, 23, 31, 0, 120],
        ["Fri Jul 31 2020 23:02:03 GMT+0000", "Fri Jul 31 2020", "11:02:03 PM", 1596189600000],
        ["2020-07-31T01:02:03.000Z", True, True, "Date", "string"],
        [0, None, 1577836800000, 1596189600000],
    ]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Wed Jul 23 16:29:21 +0100 2013", "2013-07-23T15:29:21.000Z"),  # the year follows the zone
        ("Wed Jul 23 2013 16:29:21 GMT+0100 (a zone)", "2013-07-23T15:29:21.000Z"),
        ("2013/06/09 13:52:11 +0000", "2013-06-09T13:52:11.000Z"),
        ("29 Feb 2024 10:00 EST", "2024-02-29T15:00:00.000Z"),
        ("GMT 29 Feb 2024 10:00", "2024-02-29T10:00:00.000Z"),
        ("Feb 29, 2024", "2024-02-29T00:00:00.000Z"),
        ("29 Feb 2024 10:00 (EST)", "2024-02-29T10:00:00.000Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z"),
        ("2024-02-29T12:30:00", "2024-02-29T12:30:00.000Z"),
        ("2024-02-29T12:30:00.123+02:00", "2024-02-29T10:30:00.123Z"),
        ("2024-03-10T02:30:00", "2024-03-10T02:30:00.000Z"),  # an hour that New York's clocks skip
        ("Mar 10, 2024 02:30", "2024-03-10T02:30:00.000Z"),
    ],
)
def test_dates_are_read_in_utc_unless_they_name_a_zone(elsewhere: QueryServer, text: str, instant: str) -> None:
    source = "function (doc) { emit([new Date(doc.t).toISOString(), Date.parse(doc.t) === +new Date(doc.t)], null); }"
    session = elsewhere.compile_map([("v", source)])
    rows = session.map_docs([json.dumps({"t": text})])[0][0]
    session.close()
    assert [key for key, _ in rows] == [[instant, True]]
